"""How many of a dataset's own grasps a Shadow Hand lifts: the upper bound for grasps that are learned from them.

Grasps for holding (Handle-grasp, Lift, Wrap-grasp, Pull) of three splits, at most ``each`` of an object. Each is
planned on a cloud of the surface and executed once (``physics.lifting``), none chosen or tried again. The planner's
constants were chosen on ``test``; ``val`` and ``unseen`` were not looked at. *clear* are those whose plan keeps
within 1 mm of the object and the table (``Plan.overlap``); *raised_8cm* is the share that is lifted and in the end
raised by 8 cm. Times are processor times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.physics.lifting import ShadowLift, sampled
from hoi_ros.refusals import Refused
from hoi_ros.retargeting.postures import Planner
from hoi_ros.scene.affordances import HOLDING

SPLITS: tuple[Split, ...] = ("test", "val", "unseen")
CLEAR, HIGH = 0.001, 0.08  # m


def run(data: str, each: int = 6, seed: int = 0) -> dict[str, Any]:
    """Measure on the dataset in the folder ``data``."""
    try:
        dataset = Dataset(Path(data))
    except Refused as refused:
        return {"skipped": refused.message}
    return {split: _measured(dataset, split, each, seed) for split in SPLITS}


def _measured(dataset: Dataset, split: Split, each: int, seed: int) -> dict[str, Any]:
    planner, high = Planner(), 0
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    planning = lifting = 0.0
    for table in dataset.tables("grasps", split):
        holding = [row for row, affordance in enumerate(table["affordance"].to_pylist()) if affordance in HOLDING]
        if not holding:
            continue
        rows = np.array(holding)[np.sort(np.random.default_rng(seed).permutation(len(holding))[:each])]
        world = ShadowLift(dataset.object(table["object"][0].as_py()), planner.hand)
        keypoints = column(table, "keypoints")[rows].reshape(-1, 21, 3)
        start = process_time()
        plan = planner.plan(keypoints, sampled(world.obj), world.table)
        planned = process_time()
        outcome = world.lift(plan)
        planning, lifting = planning + planned - start, lifting + process_time() - planned
        high += int((outcome.lifted & (outcome.raised >= HIGH)).sum())
        support = "from the holder" if world.table is None else "from the table"
        for row, reason, overlap in zip(rows, outcome.reason, plan.overlap, strict=True):
            names = ["all", support, f"{world.obj.category}, {table['affordance'][row]}"]
            for name in names + ["clear"] * bool(overlap < CLEAR):
                reasons[name][reason] += 1
    count = max(reasons["all"].total(), 1)
    figures = {"planning_ms": 1e3 * planning / count, "lifting_ms": 1e3 * lifting / count, "raised_8cm": high / count}
    return figures | {name: _figures(counts) for name, counts in sorted(reasons.items()) if counts}


def _figures(counts: Counter[str]) -> dict[str, Any]:
    return {"lifts": counts.total(), "lifted": counts["lifted"] / counts.total()} | {
        reason: number for reason, number in sorted(counts.items()) if reason != "lifted"
    }
