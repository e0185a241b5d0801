"""Retargeting by positions of fingertips and finger pads in the object's frame, for grasps; the wrist is free.

The robot's fingertips go where the human's are, so contacts on the object stay where they were although the Shadow Hand
is larger. What that leaves open the pads decide (the direction of the last link), then the middle joints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.goals import Goals
from hoi_ros.retargeting.kinematics import J1, J2, SKEW
from hoi_ros.retargeting.palm import checked, keypoints_of, palm_frames
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.solver import Effort, Solution, Solver
from hoi_ros.types import Array, HandPose, JointGoal

TIPS = [4, 8, 12, 16, 20]  # K21
LAST_JOINTS = [3, 7, 11, 15, 19]
MIDDLES = [2, 6, 10, 14, 18]
USED = np.array([1.0, 0.2, 0.02])  # weights of tip, pad and middle joint of a finger that touches the object
UNUSED = np.array([0.05, 0.02, 0.02])
PLACE = Effort(stay=1e-6, iterations=10, tolerance=1e-5)
COLD = Effort(stay=1e-6, iterations=40, tolerance=1e-6)
WARM = Effort(stay=3e-4, iterations=10, tolerance=5e-6)
# Of the human palm between two goals. Beyond, as when a hand comes back into the picture, the solve from the last goal
# ends in a wrong place and stays there.
FARTHEST_TURN = 0.5  # rad
FARTHEST_SHIFT = 0.1  # m


class FreePalm:
    """Pose (N, 3, 4) of the palm in the targets' frame, moved by twists (turn, shift) in its own frame."""

    def targets(self, state: Array, targets: Array) -> tuple[Array, Array]:
        """Targets in the palm's frame, and minus their derivatives by the twist."""
        moved = state[..., :3].swapaxes(-1, -2) @ (targets - state[..., 3:])
        n, _, count = moved.shape
        turns = (SKEW.reshape(9, 3) @ moved).reshape(n, 3, 3, count)
        shifts = np.broadcast_to(np.eye(3)[..., None], turns.shape)
        return moved, np.concatenate([turns, shifts], axis=1)

    def change(self, state: Array, start: Array) -> Array:
        """Twist from ``start``, to first order."""
        turn = start[..., :3].swapaxes(-1, -2) @ state[..., :3]
        twist = 0.5 * (turn - turn.swapaxes(-1, -2)).reshape(-1, 9)[:, [7, 2, 3]]
        shift = start[..., :3].swapaxes(-1, -2) @ (state[..., 3:] - start[..., 3:])
        return np.concatenate([twist, shift[..., 0]], axis=1)

    def free(self, state: Array, gradient: Array) -> Array:  # noqa: ARG002  # as the Protocol has it
        """Nothing holds the palm."""
        return np.ones(gradient.shape)

    def retract(self, state: Array, step: Array) -> Array:
        """The pose after a twist."""
        turn = state[..., :3] @ Rotation.from_rotvec(step[:, :3]).as_matrix()
        return np.concatenate([turn, state[..., 3:] + state[..., :3] @ step[:, 3:, None]], axis=2)


class ContactRetargeter:
    """Joint goals whose fingertips are at the human's, with the palm where it serves them best.

    ``wrist_pose`` is the pose of the robot's palm link in the frame of the keypoints; WRJ2 and WRJ1 stay at zero.
    """

    def __init__(self, hand: ShadowHand, coupling: bool = True) -> None:
        self.hand = hand
        self.limits = hand.limits
        tips = np.array([hand.tips[finger] for finger in FINGERS])
        self._solver = Solver(hand, [(J1, tips), (J1, 0.5 * tips), (J2, np.zeros_like(tips))], FreePalm(), coupling)
        self._wrist = np.clip(np.zeros(2), hand.lower[:2], hand.upper[:2])
        self._last: Solution | None = None
        self._palm = np.empty((1, 3, 4))  # of the human then

    def reset(self) -> None:
        """Forget the last goal."""
        self._last = None

    def retarget(self, hand: HandPose) -> JointGoal:
        """Goal for one hand, all fingers used. Raises Refused(KEYPOINTS, SIDE) as ``VectorRetargeter`` does."""
        keypoints = keypoints_of(hand, self.hand.side)
        used = np.ones((1, len(FINGERS)), bool)
        palm, before = self._palms(keypoints), self._palm
        last, self._palm = self._last, palm
        if last is None or _far(before, palm):
            self._last = self._first(keypoints, used)
        else:
            self._last = self._solver.solve(_targets(keypoints), _weights(used), last.angles, last.shared, WARM)
        return self._goals(self._last).joint_goal(0, hand)

    def retarget_batch(self, keypoints: Array, used: NDArray[np.bool_] | None = None) -> Goals:
        """Goals for unrelated hands' keypoints (N, 21, 3), m, and the fingers (N, 5), thumb to little, that touch.

        ``distances`` of the goals are those of tip, pad and middle joint. Raises Refused(KEYPOINTS).
        """
        keypoints = checked(keypoints)
        used = np.ones((len(keypoints), len(FINGERS)), bool) if used is None else used
        return self._goals(self._first(keypoints, used))

    def _first(self, keypoints: Array, used: NDArray[np.bool_]) -> Solution:
        """From a relaxed hand on the human's palm: first all points alike, which finds the place, then by use."""
        n, targets, palms = len(keypoints), _targets(keypoints), self._palms(keypoints)
        alike = np.full((n, len(FINGERS), len(USED)), 1.0 / (len(FINGERS) * len(USED)))
        placed = self._solver.solve(targets, alike, self._solver.rest(n), palms, PLACE)
        return self._solver.solve(targets, _weights(used), placed.angles, placed.shared, COLD)

    def _palms(self, keypoints: Array) -> Array:
        """Poses (N, 3, 4) of the human palms."""
        return np.concatenate([palm_frames(keypoints, self.hand.side), keypoints[:, 0, :, None]], axis=2)

    def _goals(self, solution: Solution) -> Goals:
        wrist = np.repeat(self._wrist[None], len(solution.angles), axis=0)
        return Goals.of(self.hand, solution, wrist, solution.shared[..., :3], solution.shared[..., 3])


def _far(before: Array, after: Array) -> bool:
    """Whether a palm (1, 3, 4) has gone so far that the last goal leads nowhere."""
    cosine = 0.5 * (np.sum(before[..., :3] * after[..., :3]) - 1.0)
    shift = np.linalg.norm(after[..., 3] - before[..., 3])
    return bool(cosine < np.cos(FARTHEST_TURN) or shift > FARTHEST_SHIFT)


def _targets(keypoints: Array) -> Array:
    """Tip, pad and middle joint of each finger, (N, 3, 15)."""
    tips = keypoints[:, TIPS]
    points = np.stack([tips, 0.5 * (tips + keypoints[:, LAST_JOINTS]), keypoints[:, MIDDLES]], axis=2)
    return points.reshape(len(keypoints), -1, 3).swapaxes(-1, -2)


def _weights(used: NDArray[np.bool_]) -> Array:
    """Weights (N, 5, 3) of the points; a distance of all used fingertips of one hand costs about that distance."""
    weights: Array = np.where(used[..., None], USED, UNUSED)
    return weights / weights.sum(axis=(1, 2), keepdims=True)
