"""A dataset as a person would look at it: counts, distributions, diversity, and contact sheets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from hoi_ros.dataset.engine import limiting
from hoi_ros.dataset.manifest import total_stages
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import HandSolver, Limits, load_hand_model
from hoi_ros.metrics.diversity import CLUSTERS, entropy_and_cluster_size
from hoi_ros.metrics.naturalness import AngleRanges
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandBatch

SHOWN = 24  # grasps on a contact sheet


def inspect(dataset: Dataset, out: Path, reference: Path | None, note: Callable[[str], None]) -> dict[str, Any]:
    """Write ``summary.json``, plots and contact sheets to ``out``; returns the summary.

    ``reference``: ``.npz`` with recorded hands, ``joints_obj`` (M, 21, 3) m, for the naturalness of the joint angles.
    """
    out.mkdir(parents=True, exist_ok=True)
    grasps = dataset.table("grasps")
    summary = summarise(dataset, grasps)
    if reference and grasps.num_rows:
        note(f"fitting the recorded hands of {reference}")
        summary["naturalness"] = naturalness(grasps, reference)
    (out / "summary.json").write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
    if grasps.num_rows:
        note("drawing distributions and contact sheets")
        _plots(grasps, out / "distributions.png")
        _sheets(dataset, grasps, out)
    return summary


def summarise(dataset: Dataset, grasps: pa.Table) -> dict[str, Any]:
    """Every figure of a dataset; those of grasps only where there are any."""
    records = list(dataset.records.values())
    category, affordance = grasps["category"].to_pylist(), grasps["affordance"].to_pylist()
    table: dict[str, dict[str, int]] = {}
    for (kind, use), count in sorted(Counter(zip(category, affordance, strict=True)).items()):
        table.setdefault(kind, {})[use] = count
    stages = {name: vars(tally) for name, tally in total_stages(records).items()}
    summary: dict[str, Any] = {
        "objects": len(records),
        "grasps": grasps.num_rows,
        "pictures": sum(record.counts.get("pictures", 0) for record in records),
        "limits": limiting({"stages": stages}),
        "instances": dict(sorted(Counter(record.category for record in records).items())),
        "splits": dict(sorted(Counter(record.split for record in records).items())),
        "by_category": table,
        "missing_uses": _missing(dataset, table),
        "grasp_types": {str(k): n for k, n in sorted(Counter(grasps["grasp_type"].to_pylist()).items())},
        "stages": stages,
    }
    if grasps.num_rows:
        summary |= _quality(grasps)
        summary["diversity"] = _diversity(grasps)
    return summary


def _missing(dataset: Dataset, found: dict[str, dict[str, int]]) -> dict[str, list[str]]:
    """Affordances that objects of a category have and no grasp shows."""
    missing: dict[str, set[str]] = {}
    for name, record in dataset.records.items():
        for use in dataset.object(name).uses:
            if str(use.affordance) not in found.get(record.category, {}):
                missing.setdefault(record.category, set()).add(str(use.affordance))
    return {category: sorted(uses) for category, uses in sorted(missing.items())}


def _quality(grasps: pa.Table) -> dict[str, Any]:
    depth = two_way(grasps)
    part = column(grasps, "part_contact")
    limits = Limits(load_hand_model().kinematics)
    violation = limits.violation(column(grasps, "pose")[:, 3:].astype(np.float64))
    return {
        "two_way_depth_mm": {f"p{q}": float(1e3 * np.percentile(depth, q)) for q in (50, 95, 100)},
        "volume_cm3_5mm_median": float(np.median(column(grasps, "volume_5mm"))),
        "volume_cm3_2mm_median": float(np.median(column(grasps, "volume_2mm"))),
        "contact_on_part_mean": float(part.mean()),
        "contact_on_part_share": float((part >= 0.5).mean()),  # most of the contact is on the asked part
        "largest_limit_violation_deg": float(np.degrees(violation.max())),
    }


def two_way(grasps: pa.Table) -> Array:
    """Two-way depth (N,), m."""
    return np.maximum(column(grasps, "hand_in_object"), column(grasps, "object_in_hand"))


def _diversity(grasps: pa.Table) -> dict[str, dict[str, float]]:
    """Entropy and cluster size of every category with enough grasps [Entropy, cluster size]."""
    category = np.array(grasps["category"].to_pylist())
    keypoints = column(grasps, "keypoints").reshape(-1, 21, 3).astype(np.float64)
    diversity = {}
    for name in np.unique(category):
        chosen = keypoints[category == name]
        if len(chosen) >= CLUSTERS:
            entropy, size = entropy_and_cluster_size(chosen)
            diversity[str(name)] = {"entropy": entropy, "cluster_size": size}
    return diversity


def naturalness(grasps: pa.Table, reference: Path) -> dict[str, float]:
    """Shares of joint angles inside the 5th to 95th percentile of recorded hands: of all 45, and of those that move.

    Raises Refused(FILE) for a file without ``joints_obj``.
    """
    try:
        with np.load(reference, allow_pickle=False) as file:
            joints = file["joints_obj"].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise Refused(Reason.FILE, f"{reference} holds no recorded hands: {error}") from None
    model = load_hand_model()
    recorded = HandSolver(model).solve(joints, fit_shape=False).hand_pose
    ranges = AngleRanges.of(recorded, Limits(model.kinematics))
    within = ranges.within(column(grasps, "pose")[:, 3:].astype(np.float64))
    own = ranges.within(recorded)
    return {
        "all_45": float(within.mean()),
        "moving": float(within[:, ranges.free].mean()),
        "recorded_all_45": float(own.mean()),
        "recorded_moving": float(own[:, ranges.free].mean()),
    }


def _plots(grasps: pa.Table, path: Path) -> None:
    """Histograms of what decides quality."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    moved = np.nanmax(np.where(np.isnan(column(grasps, "displacement")), -1.0, column(grasps, "displacement")), axis=1)
    shown = {
        "two-way depth, mm": 1e3 * two_way(grasps),
        "IV at 5 mm voxels, cm³": column(grasps, "volume_5mm"),
        "IV at 2 mm voxels, cm³": column(grasps, "volume_2mm"),
        "share of contact on the asked part": column(grasps, "part_contact"),
        "moved in the articulated test, mm": 1e3 * moved[moved >= 0.0],
        "grasp type": column(grasps, "grasp_type"),
    }
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6), layout="constrained")
    for axis, (title, values) in zip(axes.flat, shown.items(), strict=True):
        axis.hist(values, bins=np.arange(0.5, 34.5) if title == "grasp type" else 40, color="#31688e")
        axis.set_title(title, fontsize=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _sheets(dataset: Dataset, grasps: pa.Table, out: Path) -> None:
    """One sheet for every category and every affordance."""
    from hoi_ros.dataset.pictures.sheets import Shown, sheets

    model = load_hand_model()
    rows = _spread(grasps)
    shown = [
        Shown(dataset.object(row["object"]), hand_of(row), row["affordance"], f"{row['object']} {row['affordance']}")
        for row in grasps.take(rows).to_pylist()
    ]
    for name, image in sheets(shown, model, SHOWN).items():
        Image.fromarray(image).save(out / f"{name.replace(' ', '_')}.png")


def _spread(grasps: pa.Table) -> list[int]:
    """Rows that show every category's affordances, instance by instance."""
    rows: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(grasps["category"].to_pylist(), grasps["affordance"].to_pylist(), strict=True)):
        rows.setdefault(key, []).append(row)
    chosen = [
        np.array(found)[np.linspace(0, len(found) - 1, min(len(found), 8)).astype(int)] for found in rows.values()
    ]
    return [int(row) for row in np.concatenate(chosen)]


def hand_of(row: dict[str, Any]) -> HandBatch:
    """The hand of a row of ``grasps``, in the object's frame."""
    pose = np.array(row["pose"], dtype=np.float64)[None]
    return HandBatch(pose[:, :3], pose[:, 3:], np.array(row["betas"])[None], np.array(row["transl"])[None])
