"""``hoi grasp``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, Set, finish, parameters, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.parameters import Parameters
    from hoi_ros.pipeline import Synthesis
    from hoi_ros.types import Grasp, HandBatch

SHOWN = 12  # grasps of the picture


def grasp(
    source: Annotated[
        Path, typer.Argument(metavar="MESH_OR_CLOUD", help="Mesh, or points (.ply, .pcd, .npy, .npz), in metres, z up.")
    ],
    text: Annotated[str, typer.Option(help="What to grasp and how, in words.")],
    count: Annotated[int, typer.Option(help="Grasps, at most.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same grasps.")] = 0,
    synthesizer: Annotated[str, typer.Option(help="How grasps are found.")] = "affordgrasp",
    out: Annotated[Path, typer.Option("--out", help="File of grasps to write.")] = Path("grasps.npz"),
    goals: Annotated[
        Path | None, typer.Option(help="File of joint goals to write: the robot hand's posture in each grasp.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Picture of the grasps to write, .png.")] = None,
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Grasps for a sentence on a mesh or a cloud, best first, in its frame.

    A cloud in another frame needs ``--set up="x y z"``, a table scene ``--set segment_scene=true``.
    """
    import numpy as np

    from hoi_ros.pipeline import Pipeline, robot_side, stated_up
    from hoi_ros.replay import files
    from hoi_ros.scene import cloud_files
    from hoi_ros.types import HandBatch

    chosen = parameters(assignments, synthesizer=synthesizer)
    if robot_side(chosen) != "right":
        raise Refused(Reason.PARAMETER, f"grasps.npz holds right hands; robot_hand is {chosen.robot_hand}")
    cloud = cloud_files.load(source, seed)
    with progress("grasping", None):
        pipeline = Pipeline.build(chosen, ("synthesizer",))
        synthesis = pipeline.synthesize(cloud, text, count, seed, stated_up(chosen, cloud.frame_id))
        planned = pipeline.plan(synthesis) if goals else []
    found = synthesis.grasps
    hands = HandBatch.of([each.hand for each in found])
    keypoints, score = np.array([each.hand.keypoints for each in found]), np.array([each.score for each in found])
    files.save_grasps(out, hands, keypoints, [str(each.affordance) for each in found], score)
    if goals:
        files.save_goals(goals, [each.grasp for each in planned])
    if picture:
        _draw(picture, synthesis, hands, chosen)
    rows = [_row(each) for each in found]
    result = {"grasps": rows, "file": str(out), "goals": str(goals) if goals else None}
    finish(result, as_json, *(_line(number, row) for number, row in enumerate(rows)), f"{len(rows)} grasps -> {out}")


def _draw(path: Path, synthesis: Synthesis, hands: HandBatch, chosen: Parameters) -> None:
    """The first grasps on the points that they were made for, z up."""
    from hoi_ros.hand import load_hand_model
    from hoi_ros.scene.clouds import farthest_points
    from hoi_ros.view import grasps, pictures

    model, cloud, turn = load_hand_model(chosen.hand_model_path), synthesis.upright.cloud, synthesis.upright.turn
    titles = [f"{n}: {g.affordance}, {g.part}, {g.score:.2f}" for n, g in enumerate(synthesis.grasps[:SHOWN])]
    shown = hands[: len(titles)]
    vertices = model.mesh(shown.global_orient, shown.hand_pose, shown.betas, shown.transl).vertices @ turn.T
    thing = grasps.of_points(cloud.points[farthest_points(cloud.points, min(2048, len(cloud.points)))])
    pictures.save(path, grasps.sheet(thing, vertices, model.closed_faces, titles))


def _row(grasp: Grasp) -> dict[str, Any]:
    quality = {name: float(value) for name, value in grasp.quality.items()}
    return {"affordance": str(grasp.affordance), "part": grasp.part, "score": float(grasp.score), "quality": quality}


def _line(number: int, row: dict[str, Any]) -> str:
    quality = ", ".join(f"{name} {value:.3g}" for name, value in row["quality"].items())
    return f"{number}: {row['affordance']} on {row['part']}, score {row['score']:.2f}" + (
        f"; {quality}" if quality else ""
    )
