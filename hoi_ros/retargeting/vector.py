"""Retargeting by vectors from the palm to the fingertips and middle joints, as teleoperation uses it.

The vectors and their cost are dex-retargeting's (Qin 2023; methods.md 1.7): human vectors from the wrist, 1.2 times as
long for the larger hand, a Huber loss on their distance to the robot's, and a penalty on the step from the last goal.
"""

from __future__ import annotations

import numpy as np

from hoi_ros.retargeting.goals import Goals
from hoi_ros.retargeting.kinematics import J1, J2, SKEW, Wrist
from hoi_ros.retargeting.palm import checked, keypoints_of, palm_frames
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.solver import Effort, Solution, Solver
from hoi_ros.types import Array, HandPose, JointGoal

HUMAN = np.array([[4, 8, 12, 16, 20], [2, 6, 10, 14, 18]]).T  # K21 by finger: tip, middle
SCALE = 1.2  # the Shadow Hand is larger than a human one
COLD = Effort(stay=1e-4, iterations=40, tolerance=1e-6)
WARM = Effort(stay=3e-4, iterations=10, tolerance=5e-6)

# A recording is cut into pieces that run side by side, each from a few frames before its first.
PIECES = 18
LEAD = 2  # frames
PLACE = Effort(stay=1e-4, iterations=8, tolerance=1e-5)
SIDE_BY_SIDE = Effort(stay=3e-4, iterations=2, tolerance=5e-6)


class WristJoints:
    """WRJ2 and WRJ1, shared by all vectors: the palm turns, the vectors start at its origin."""

    def __init__(self, hand: ShadowHand) -> None:
        self.wrist = Wrist(hand)
        self.lower, self.upper = hand.lower[:2], hand.upper[:2]

    def rest(self, count: int) -> Array:
        """The joints to start from: zero, or as near as the limits allow."""
        return self.retract(np.zeros((count, 2)), np.zeros((count, 2)))

    def targets(self, state: Array, targets: Array) -> tuple[Array, Array]:
        """Targets in the palm's frame, and minus their derivatives by the two joints."""
        rotation, axes = self.wrist(state)
        moved = rotation.swapaxes(-1, -2) @ targets
        cross = (axes @ SKEW).reshape(len(state), -1, 3)
        return moved, (cross @ moved).reshape(len(state), -1, *moved.shape[1:])

    def change(self, state: Array, start: Array) -> Array:
        """How far the joints have turned from ``start``."""
        return state - start

    def free(self, state: Array, gradient: Array) -> Array:
        """1 where a joint may move."""
        held = ((state <= self.lower) & (gradient > 0.0)) | ((state >= self.upper) & (gradient < 0.0))
        return np.where(held, 0.0, 1.0)

    def retract(self, state: Array, step: Array) -> Array:
        """Joints after a step, inside their limits."""
        return np.minimum(np.maximum(state + step, self.lower), self.upper)


class VectorRetargeter:
    """Joint goals from hand poses, each warm-started from the last.

    The palm link stands where the human palm is: its origin on the wrist keypoint, its axes as ``palm_frames``, turned
    by WRJ2 and WRJ1. These stay small: they take up what differs between the two palms. ``wrist_pose`` is the pose of
    the palm link after them, so the same goal serves an arm that moves the palm and one that holds the forearm.
    """

    def __init__(self, hand: ShadowHand, coupling: bool = True) -> None:
        self.hand = hand
        self.limits = hand.limits
        tips = np.array([hand.tips[finger] for finger in FINGERS])
        self._wrist = WristJoints(hand)
        self._solver = Solver(hand, [(J1, tips), (J2, np.zeros((len(FINGERS), 3)))], self._wrist, coupling)
        self._last: Solution | None = None

    def reset(self) -> None:
        """Forget the last goal."""
        self._last = None

    def retarget(self, hand: HandPose) -> JointGoal:
        """Goal for one hand. Raises Refused(KEYPOINTS, SIDE) for what is not a hand, or not one of the robot's side."""
        keypoints = keypoints_of(hand, self.hand.side)
        targets, frames = self._targets(keypoints)
        if self._last is None:
            self._last = self._first(targets)
        else:
            self._last = self._solver.solve(targets, _weights(1), self._last.angles, self._last.shared, WARM)
        return self._goals(self._last, frames, keypoints).joint_goal(0, hand)

    def retarget_batch(self, keypoints: Array) -> Goals:
        """Goals for a recording's keypoints (N, 21, 3), m, in the order of time. Raises Refused(KEYPOINTS)."""
        keypoints = checked(keypoints)
        targets, frames = self._targets(keypoints)
        n = len(keypoints)
        length = -(-n // PIECES)
        starts = length * np.arange(-(-n // length))
        solution = Solution(self._solver.rest(n), self._wrist.rest(n), np.empty((n, *HUMAN.shape)))
        last = self._first(targets[np.maximum(starts - LEAD, 0)], PLACE)
        for time in range(-LEAD, length):
            rows = np.clip(starts + time, 0, n - 1)
            last = self._solver.solve(targets[rows], _weights(len(rows)), last.angles, last.shared, SIDE_BY_SIDE)
            if time >= 0:
                solution.put(rows, last.angles, last.shared, last.distances)
        return self._goals(solution, frames, keypoints)

    def retarget_each(self, keypoints: Array) -> Goals:
        """Goals for keypoints (N, 21, 3), m, each as the first of a stream. Raises Refused(KEYPOINTS)."""
        keypoints = checked(keypoints)
        targets, frames = self._targets(keypoints)
        return self._goals(self._first(targets), frames, keypoints)

    def _targets(self, keypoints: Array) -> tuple[Array, Array]:
        """Vectors (N, 3, 10) in the palm's frame, finger by finger, and the palms' orientations (N, 3, 3)."""
        frames = palm_frames(keypoints, self.hand.side)
        vectors = (keypoints[:, HUMAN.ravel()] - keypoints[:, :1]).swapaxes(-1, -2)
        return SCALE * (frames.swapaxes(-1, -2) @ vectors), frames

    def _first(self, targets: Array, effort: Effort = COLD) -> Solution:
        n = len(targets)
        return self._solver.solve(targets, _weights(n), self._solver.rest(n), self._wrist.rest(n), effort)

    def _goals(self, solution: Solution, frames: Array, keypoints: Array) -> Goals:
        rotations = frames @ self._wrist.wrist(solution.shared)[0]
        return Goals.of(self.hand, solution, solution.shared, rotations, keypoints[:, 0])


def _weights(count: int) -> Array:
    return np.full((count, *HUMAN.shape), 1.0 / HUMAN.size)
