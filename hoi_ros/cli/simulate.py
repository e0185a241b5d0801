"""``hoi simulate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, finish, progress
from hoi_ros.physics.controls import FIXED_TESTS
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hoi_ros.hand import HandModel
    from hoi_ros.scene.object_model import ObjectModel
    from hoi_ros.types import HandBatch

SHOWN = 12  # grasps of the picture
LIFTS_SHOWN = 6
STAGES = 3 + len(FIXED_TESTS)  # of `measured`


def simulate(
    grasps: Annotated[Path, typer.Argument(help="grasps.npz, in the frame of the mesh.")],
    mesh: Annotated[Path, typer.Option("--object", help="Watertight mesh of the object, m.")],
    friction: Annotated[float, typer.Option(min=0.0, help="Friction of the skin on the object.")] = 0.6,
    mass: Annotated[float, typer.Option(min=0.001, help="Mass of the object, kg.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of the small displacements before each six-direction test.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for simulation.json, with each grasp's figures, grasps.png and lifts.png."),
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Also lift each with a Shadow Hand.")] = False,
    hand_model: Annotated[str, typer.Option(help="Licensed MANO file; the embedded hand without it.")] = "",
    as_json: Json = False,
) -> None:
    """Penetration, shared volume, contact, displacement and the six-direction test of grasps.

    The articulated test decides: fingers on hinges with force-limited servos, wrist fixed, gravity in six directions.
    The fixed hand of the literature stands beside it with its controls: no squeeze, and hulls 3 mm thinner. What it
    holds without a squeeze, or loses with thinner hulls, is held by hidden overlap and not by a grip.

    With --shadow a Shadow Hand executes each grasp by position control, lifts 10 cm and holds 3 s. It succeeds where
    the object is raised by 5 cm at least in the end, in the hand alone. What reaches below z = 0 has no table: a holder
    keeps it until the hand has closed.
    """
    import numpy as np

    from hoi_ros.hand import load_hand_model
    from hoi_ros.replay import files
    from hoi_ros.scene.meshes import object_model

    hands, arrays = files.load_grasps(grasps)
    if len(hands) == 0:
        raise Refused(Reason.FILE, f"{grasps} holds no grasps")
    model, obj, conditions = load_hand_model(hand_model), object_model(mesh), Conditions(friction, mass, seed)
    people, of = np.unique(hands.betas, axis=0, return_inverse=True)
    figures: dict[str, NDArray[Any]] = {}
    with progress("simulating", STAGES * len(people)) as advance:
        for person in range(len(people)):
            rows = np.flatnonzero(of.ravel() == person)
            for name, values in measured(model, obj, hands[rows], conditions, advance).items():
                figures.setdefault(name, np.zeros(len(hands), values.dtype))[rows] = values
    if shadow:
        figures |= lifted(obj, arrays["keypoints"], conditions, out)
    summary = {"grasps": len(hands), "object": str(mesh)} | summarised(figures)
    if out:
        _write(out, model, obj, hands, summary, figures)
    finish(summary | {"out": str(out) if out else None}, as_json, *_lines(summary))


@dataclass(frozen=True)
class Conditions:
    """What the six-direction tests are made under."""

    friction: float  # of skin on object
    mass: float  # kg
    seed: int


def measured(
    model: HandModel, obj: ObjectModel, hands: HandBatch, conditions: Conditions, advance: Callable[[], None]
) -> dict[str, NDArray[Any]]:
    """Figures (N,) of one person's grasps of an object, by name; ``advance`` is called after each of STAGES."""
    import numpy as np

    from hoi_ros.metrics.contact import contact_parts, intersects, touches
    from hoi_ros.metrics.penetration import two_way_depth
    from hoi_ros.metrics.volumes import intersection_volume
    from hoi_ros.physics.world import GraspWorld

    vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
    depths = two_way_depth(vertices, model.closed_faces, obj)
    coarse, fine = (intersection_volume(vertices, model.closed_faces, obj, voxel) for voxel in (0.005, 0.002))
    figures = {
        "hand_in_object_mm": 1e3 * depths.hand_in_object,
        "object_in_hand_mm": 1e3 * depths.object_in_hand,
        "iv_5mm_cm3": 1e6 * coarse,
        "iv_2mm_cm3": 1e6 * fine,
        "contact_grasptta": touches(contact_parts(vertices, obj)),
        "contact_fastgrasp": intersects(coarse),
    }
    advance()
    world = GraspWorld(model, hands.betas[0], obj)
    figures["sd_cm"] = 1e2 * world.displacement_sd(hands)
    advance()
    load = {"friction": conditions.friction, "mass": conditions.mass}
    held = world.articulated(hands, seed=conditions.seed, **load)
    figures["outcome"] = np.array(held.reason, dtype="<U8")
    figures["articulated"] = held.held
    advance()
    for name, options in FIXED_TESTS.items():
        figures[name] = world.fixed(hands, seed=conditions.seed, **options, **load).held
        advance()
    return figures


def lifted(
    obj: ObjectModel, keypoints: NDArray[Any], conditions: Conditions, out: Path | None
) -> dict[str, NDArray[Any]]:
    """Figures (N,) of lifts by a Shadow Hand; with ``out``, lifts.png of the first of them."""
    import numpy as np

    from hoi_ros.physics.lifting import ShadowLift, sampled
    from hoi_ros.retargeting.postures import Planner

    world = ShadowLift(obj, mass=conditions.mass, friction=conditions.friction)
    plan = Planner(world.hand).plan(keypoints, sampled(obj), world.table)
    outcome = world.lift(plan)
    if out:
        from hoi_ros.view import lifts, pictures

        pictures.save(out / "lifts.png", lifts.sheet(world, plan[:LIFTS_SHOWN]))
    return {
        "shadow_outcome": np.array(outcome.reason),
        "shadow_lift": outcome.lifted,
        "shadow_raised_cm": 1e2 * outcome.raised,
        "shadow_overlap_mm": 1e3 * plan.overlap,
    }


def summarised(figures: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Shares of what is true of a grasp, medians and 95th percentiles of what is measured."""
    import numpy as np

    summary: dict[str, Any] = {}
    for name, values in figures.items():
        if values.dtype.kind == "b":
            summary[name] = float(values.mean())
        elif values.dtype.kind == "f":
            summary[name] = {"median": float(np.median(values)), "p95": float(np.percentile(values, 95))}
    return summary


def _write(
    out: Path,
    model: HandModel,
    obj: ObjectModel,
    hands: HandBatch,
    summary: dict[str, Any],
    figures: dict[str, NDArray[Any]],
) -> None:
    from hoi_ros.view import grasps, pictures

    rows = [
        dict(zip(figures, values, strict=True)) for values in zip(*(v.tolist() for v in figures.values()), strict=True)
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "simulation.json").write_text(json.dumps(summary | {"by_grasp": rows}, indent=2) + "\n")
    titles = [
        f"{number}: {row['outcome']}, {max(row['hand_in_object_mm'], row['object_in_hand_mm']):.1f} mm deep"
        for number, row in enumerate(rows[:SHOWN])
    ]
    shown = hands[: len(titles)]
    vertices = model.mesh(shown.global_orient, shown.hand_pose, shown.betas, shown.transl).vertices
    pictures.save(out / "grasps.png", grasps.sheet(obj, vertices, model.closed_faces, titles))


def _lines(summary: dict[str, Any]) -> list[str]:
    def spread(name: str, unit: str) -> str:
        return f"{summary[name]['median']:.2f} {unit} (95th percentile {summary[name]['p95']:.2f})"

    shares = {
        "held by the articulated hand, six directions": "articulated",
        "held by the fixed hand": "fixed",
        "  control: no squeeze": "fixed_no_squeeze",
        "  control: hulls 3 mm thinner": "fixed_eroded_3mm",
        "contact ratio, within 5 mm (GraspTTA)": "contact_grasptta",
        "contact ratio, shared volume (FastGrasp)": "contact_fastgrasp",
        "lifted 10 cm by a Shadow Hand and held 3 s": "shadow_lift",
    }
    return [
        f"{summary['grasps']} grasps of {summary['object']}; medians",
        f"depth of the hand in the object: {spread('hand_in_object_mm', 'mm')}",
        f"depth of the object in the hand: {spread('object_in_hand_mm', 'mm')}",
        f"IV, 5 mm voxels, wrist closed: {spread('iv_5mm_cm3', 'cm3')}",
        f"IV, 2 mm voxels, wrist closed: {spread('iv_2mm_cm3', 'cm3')}",
        f"SD in MuJoCo, 1 kg, friction 3, 35 steps of 1/240 s: {spread('sd_cm', 'cm')}",
        *(f"{label}: {100 * summary[name]:.0f} %" for label, name in shares.items() if name in summary),
    ]
