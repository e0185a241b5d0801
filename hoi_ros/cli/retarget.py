"""``hoi retarget``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hoi_ros.cli.console import Json, RobotHand, Set, finish, parameters


def retarget(
    keypoints: Annotated[Path, typer.Argument(help="keypoints.npz (key joints) or hands.npz: (N, 21, 3) m.")],
    hand: RobotHand = "shadow_right",
    out: Annotated[Path, typer.Option("--out", help="File of joint goals to write.")] = Path("goals.npz"),
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Joint goals of the Shadow Hand for a file of hand keypoints, each as if it were the first."""
    import numpy as np

    from hoi_ros.replay import files
    from hoi_ros.retargeting import build
    from hoi_ros.retargeting.shadow_hand import COUPLED

    chosen = parameters(assignments, robot_hand=hand)
    points = files.load_keypoints(keypoints)
    goals = build(chosen).retarget_batch(points)
    files.save_goal_arrays(out, goals.hand.names, goals.positions, goals.wrist_pose)
    angle = dict(zip((name[len(goals.hand.prefix) :] for name in goals.hand.names), goals.positions.T, strict=True))
    error = 1e3 * goals.distances.mean()
    result = {
        "hands": len(points),
        "mean_error_mm": round(float(error), 3),
        "on_a_limit": int(goals.held.any(1).sum()),
        "j1_over_j2": int(np.any([angle[f"{f}J1"] > angle[f"{f}J2"] for f in COUPLED], axis=0).sum()),
        "goals": str(out),
    }
    finish(
        result,
        as_json,
        f"{len(points)} hands -> {out}: mean vector error {error:.1f} mm, {result['on_a_limit']} with a joint on a limit",
    )
