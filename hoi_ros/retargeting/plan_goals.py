"""A plan as joint goals that leave the package, in the frame that the grasps were asked in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.postures import Plan
from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.types import Array, GraspGoals, HandPose, JointGoal


def grasp_goals(plan: Plan, turn: Array, humans: Sequence[HandPose]) -> list[GraspGoals]:
    """Goals of each grasp of ``plan``, turned by ``turn`` (3, 3), with stamp and frame of the hands they follow."""
    pre_palm, palm = _turned(plan.pre_palm, turn), _turned(plan.palm, turn)
    return [
        GraspGoals(
            _goal(plan.hand, plan.pre_grasp[row], pre_palm[row], human),
            _goal(plan.hand, plan.grasp[row], palm[row], human),
            _goal(plan.hand, plan.squeeze[row], palm[row], human),
        )
        for row, human in enumerate(humans)
    ]


def _goal(hand: ShadowHand, positions: Array, wrist: Array, human: HandPose) -> JointGoal:
    held = np.flatnonzero((positions <= hand.lower) | (positions >= hand.upper))
    return JointGoal(
        names=hand.names,
        positions=positions,
        actuator_names=hand.actuator_names,
        actuator_positions=hand.actuators(positions),
        wrist_pose=wrist,
        clamped={hand.names[i]: 1 for i in held},
        stamp_ns=human.stamp_ns,
        frame_id=human.frame_id,
    )


def _turned(poses: Array, turn: Array) -> Array:
    """Poses (N, 7), xyz + xyzw, turned about the origin."""
    orientation = Rotation.from_matrix(turn) * Rotation.from_quat(poses[:, 3:])
    return np.concatenate([poses[:, :3] @ turn.T, orientation.as_quat()], axis=1)
