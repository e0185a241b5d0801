"""``hoi refine``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, Set, finish, note, parameters, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hoi_ros.parameters import Parameters
    from hoi_ros.types import Array, HandPose, ObjectCloud

SHOWN = 12  # hands of the picture


def refine(
    hands: Annotated[Path, typer.Argument(metavar="HANDS", help="hands.npz or grasps.npz.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--object",
            metavar="MESH_OR_CLOUD",
            help="Mesh, or points (.ply, .pcd, .npy, .npz), of the object, in the frame of the hands, m; "
            "affordance_prior does without.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="choir: hands are fitted to the object. affordance_prior: what a camera does not see of them moves. "
            "affordance_prior+choir: both in turn."
        ),
    ] = "choir",
    text: Annotated[str, typer.Option(help="What the hand is to do, in words; affordance_prior reads them.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same hands.")] = 0,
    out: Annotated[Path, typer.Option("--out", help="File of hands to write, of the kind that was read.")] = Path(
        "refined.npz"
    ),
    picture: Annotated[Path | None, typer.Option(help="Picture of the hands before and after to write, .png.")] = None,
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Hands of a file corrected beside the object near them, all at once.

    Grasps are in the object's frame, z up, hands in a camera's, which ``--set up="x y z"`` tells more of: the side of
    the object that one view hides is completed where up is known. What is hidden is known of a camera's hands alone.
    """
    from hoi_ros.pipeline import NONE, Pipeline, wants_object
    from hoi_ros.replay import files
    from hoi_ros.scene import cloud_files

    if method == NONE:
        raise Refused(Reason.PARAMETER, f"method is '{NONE}': nothing would be corrected")
    chosen = parameters(assignments, refiner=method)
    if source is None and (picture or wants_object(method)):
        what = f"{method} fits hands to an object" if wants_object(method) else "the picture shows hands on an object"
        raise Refused(Reason.PARAMETER, f"{what}: give its mesh or cloud with --object")
    arrays, given = _read(hands)
    up = _up(chosen, "side" in arrays)
    cloud = cloud_files.load(source, seed) if source else None
    with progress("refining", None):
        refined = Pipeline.build(chosen, ("refiner",)).refine(given, cloud, text, up, seed)
    files.save_refined(out, arrays, refined)
    if picture and cloud is not None:
        _draw(picture, given, refined, cloud, up, chosen)
    if stayed := [hand for hand in refined if not hand.change]:
        note(f"{len(stayed)} of {len(refined)} hands stay as they are; the first is {stayed[0].refinement}")
    result = _result(refined, out)
    finish(result, as_json, *map(_line, range(len(refined)), refined), _sentence(result))


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], list[HandPose]]:
    """Arrays of a file of hands or grasps, and its hands. Raises Refused(FILE, KEYPOINTS)."""
    import numpy as np

    from hoi_ros.replay import files

    if "side" in files.keys(path):
        arrays = files.load_hands(path)
        more: dict[str, NDArray[Any]] = {}
    else:
        _, arrays = files.load_grasps(path)
        count = len(arrays["score"])
        more = {"side": np.full(count, "right"), "keypoints_2d": np.zeros((count, 21, 2))}
    numbers = {key: np.asarray(arrays[key], float) for key in ("pose", "betas", "transl", "keypoints")}
    given = files.hand_poses({**arrays, **more, **numbers})
    if not given:
        raise Refused(Reason.FILE, f"{path} holds no hands")
    return arrays, given


def _up(chosen: Parameters, by_camera: bool) -> Array | None:
    import numpy as np

    from hoi_ros.parameters import direction

    if chosen.up:
        return np.array(direction(chosen.up))
    return None if by_camera else np.array([0.0, 0.0, 1.0])


def _draw(
    path: Path,
    before: Sequence[HandPose],
    after: Sequence[HandPose],
    cloud: ObjectCloud,
    up: Array | None,
    chosen: Parameters,
) -> None:
    """The first hands that moved (without any, the first) on the points, z up: as they were, and below as they are."""
    import numpy as np

    from hoi_ros.hand import load_hand_model
    from hoi_ros.scene.clouds import farthest_points
    from hoi_ros.scene.upright import to_z
    from hoi_ros.view import grasps, pictures

    turn = to_z(np.array([0.0, -1.0, 0.0]) if up is None else up)  # a camera is level where nothing is said
    thing = grasps.of_points(cloud.points[farthest_points(cloud.points, min(2048, len(cloud.points)))] @ turn.T)
    model = load_hand_model(chosen.hand_model_path)
    moved = [row for row, hand in enumerate(after) if hand.change] or [*range(len(after))]
    sheets = []
    for start in range(0, min(SHOWN, len(moved)), grasps.COLUMNS):
        rows = moved[start : start + grasps.COLUMNS]
        for hands, title in ((before, "before"), (after, "after")):
            vertices = np.array([pictures.vertices_of(hands[row], model) for row in rows]) @ turn.T
            titles = [f"{row}: {title}" + f", {_did(hands[row])}" * (title == "after") for row in rows]
            sheets.append(grasps.sheet(thing, vertices, model.closed_faces, titles))
    width = max(sheet.shape[1] for sheet in sheets)
    margins = [((0, 0), (0, width - sheet.shape[1]), (0, 0)) for sheet in sheets]
    paper = pictures.PAPER[0]
    pictures.save(path, np.vstack([np.pad(s, m, constant_values=paper) for s, m in zip(sheets, margins, strict=True)]))


def _result(refined: Sequence[HandPose], out: Path) -> dict[str, Any]:
    moved = [1e3 * hand.change for hand in refined if hand.change]
    rows = [
        {
            "side": hand.side,
            "refinement": hand.refinement,
            "moved_mm": round(1e3 * hand.change, 3),
            "widest_deviation_mm": round(1e3 * float(hand.deviation.max()), 3),
        }
        for hand in refined
    ]
    mean = round(sum(moved) / len(moved), 3) if moved else 0.0
    return {
        "hands": rows,
        "moved": len(moved),
        "mean_moved_mm": mean,
        "max_moved_mm": round(max(moved, default=0.0), 3),
        "file": str(out),
    }


def _line(number: int, hand: HandPose) -> str:
    from hoi_ros.types import KEYPOINT_NAMES

    at = int(hand.deviation.argmax())
    told = f", deviation up to {1e3 * hand.deviation[at]:.1f} mm ({KEYPOINT_NAMES[at]})" if hand.deviation[at] else ""
    return f"{number}: {hand.side} hand, {_did(hand)}{told}"


def _did(hand: HandPose) -> str:
    return f"{hand.refinement} moved it by {1e3 * hand.change:.1f} mm" if hand.change else hand.refinement


def _sentence(result: dict[str, Any]) -> str:
    moved = f"{result['moved']} of {len(result['hands'])} hands moved"
    by = f", by {result['mean_moved_mm']:.1f} mm on average and {result['max_moved_mm']:.1f} mm at most"
    return f"{moved}{by if result['moved'] else ''} -> {result['file']}"
