"""Joint goals of many hands, and one of them as it leaves the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.kinematics import PADDING, finger_index
from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.retargeting.solver import Solution
from hoi_ros.types import Array, HandPose, JointGoal

_INDEX = finger_index()
_USED = _INDEX != PADDING
_ORDER = np.argsort(np.concatenate([[0, 1], _INDEX[_USED]]))  # wrist joints, then fingers -> order of NAMES


def joint_positions(wrist: Array, angles: Array) -> Array:
    """Positions (N, 24) in the order of NAMES, of wrist joints (N, 2) and angles (N, 5, 5) by finger and hinge."""
    positions: Array = np.concatenate([wrist, angles[:, _USED]], axis=1)[:, _ORDER]
    return positions


def finger_angles(positions: Array) -> Array:
    """Angles (N, 5, 5) by finger and hinge of positions (N, 24); zero where a finger has no such hinge."""
    angles: Array = np.concatenate([positions, np.zeros((len(positions), 1))], axis=1)[:, _INDEX]
    return angles


@dataclass(frozen=True)
class Goals:
    """Joint goals of N hands."""

    hand: ShadowHand
    positions: Array  # (N, 24) rad, in the order of ``hand.names``
    wrist_pose: Array  # (N, 7) xyz m + xyzw, of the robot's palm link in the keypoints' frame
    distances: Array  # (N, 5, K) m, by finger, between the human's and the robot's vectors or points

    @classmethod
    def of(cls, hand: ShadowHand, solution: Solution, wrist: Array, rotation: Array, origin: Array) -> Goals:
        """Goals of a solution with wrist joints (N, 2), and the palm's rotation (N, 3, 3) and origin (N, 3)."""
        positions = joint_positions(wrist, solution.angles)
        pose = np.concatenate([origin, Rotation.from_matrix(rotation).as_quat()], axis=1)
        return cls(hand, positions, pose, solution.distances)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Joints (N, 24) on a limit: the solve leaves one exactly there only where the human hand goes beyond it."""
        held: NDArray[np.bool_] = (self.positions <= self.hand.lower) | (self.positions >= self.hand.upper)
        return held

    def joint_goal(self, row: int, human: HandPose) -> JointGoal:
        """The goal of one hand, stamped as the human hand it follows."""
        positions = self.positions[row]
        return JointGoal(
            names=self.hand.names,
            positions=positions,
            actuator_names=self.hand.actuator_names,
            actuator_positions=self.hand.actuators(positions),
            wrist_pose=self.wrist_pose[row],
            clamped={self.hand.names[i]: 1 for i in np.flatnonzero(self.held[row])},
            error=float(self.distances[row].mean()),
            stamp_ns=human.stamp_ns,
            frame_id=human.frame_id,
        )
