"""``hoi retarget``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, RobotHand, Set, finish, note, parameters
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.types import Array


def retarget(
    keypoints: Annotated[Path, typer.Argument(help="keypoints.npz (key joints) or hands.npz: (N, 21, 3) m.")],
    hand: RobotHand = "shadow_right",
    objective: Annotated[
        str, typer.Option(help="vector: as teleoperation uses it. contact: fingertips in place, for grasps.")
    ] = "vector",
    out: Annotated[Path, typer.Option("--out", help="File of joint goals to write.")] = Path("goals.npz"),
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Joint goals of the Shadow Hand for a file of hand keypoints, each hand for itself."""
    from hoi_ros.replay import files
    from hoi_ros.retargeting import build

    chosen = parameters(assignments, robot_hand=hand, retargeter=objective)
    points, more = _hands_of_side(keypoints, hand.rpartition("_")[2])
    goals = build(chosen).retarget_batch(points)
    files.save_goal_arrays(out, goals.hand.names, goals.positions, goals.wrist_pose, **more)
    error, held = 1e3 * float(goals.distances.mean()), int(goals.held.any(1).sum())
    result = {
        "hands": len(points),
        "mean_error_mm": round(error, 3),
        "with_a_joint_on_a_limit": held,
        "goals": str(out),
    }
    sentence = f"{len(points)} hands -> {out}: mean error {error:.1f} mm, {held} with a joint on a limit"
    finish(result, as_json, sentence)


def _hands_of_side(path: Path, side: str) -> tuple[Array, dict[str, Any]]:
    """Keypoints, and stamps where there are; of a hands.npz only those of ``side``. Raises Refused(FILE, SIDE)."""
    from hoi_ros.replay import files

    if "side" not in files.keys(path):
        return files.load_keypoints(path), {}
    arrays = files.load_hands(path)
    rows = arrays["side"] == side
    if not rows.any():
        raise Refused(Reason.SIDE, f"{path} has {len(rows)} hands, none of them {side}")
    if not rows.all():
        note(f"{path}: {len(rows) - rows.sum()} of {len(rows)} hands are not {side} and left out")
    return arrays["keypoints"][rows], {key: arrays[key][rows] for key in ("stamp_ns",) if key in arrays}
