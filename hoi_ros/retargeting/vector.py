"""Retargeting by vectors from the palm to the fingertips and middle joints, as teleoperation uses it.

The vectors and their cost are dex-retargeting's (Qin 2023; methods.md 1.7): human vectors from the wrist, 1.2 times as
long for the larger hand, a Huber loss on their distance to the robot's, and a penalty on the step from the last goal.
"""

from __future__ import annotations

import numpy as np

from hoi_ros.retargeting.goals import Goals
from hoi_ros.retargeting.kinematics import J1, J2, SKEW, Wrist
from hoi_ros.retargeting.palm import check_keypoints, palm_frames
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.solver import Solution, Solver
from hoi_ros.types import Array, HandPose, JointGoal

HUMAN = np.array([[4, 8, 12, 16, 20], [2, 6, 10, 14, 18]]).T  # K21 by finger: tip, middle
SCALE = 1.2  # the Shadow Hand is larger than a human one
WEIGHT = np.full(HUMAN.shape, 1.0 / HUMAN.size)
WARM = {"stay": 4e-3, "iterations": 10, "tolerance": 1e-6}  # stay, 1/rad^2: penalty of the step from the last goal
COLD = {"stay": 1e-5, "iterations": 50, "tolerance": 1e-7}


class WristJoints:
    """WRJ2 and WRJ1, shared by all vectors: the palm turns, the vectors start at its origin."""

    def __init__(self, hand: ShadowHand) -> None:
        self.wrist = Wrist(hand)
        self.lower, self.upper = hand.lower[:2], hand.upper[:2]

    def targets(self, state: Array, targets: Array) -> tuple[Array, Array]:
        """Targets in the palm's frame, and minus their derivatives by the two joints."""
        rotation, axes = self.wrist(state)
        moved = rotation.swapaxes(-1, -2)[:, None] @ targets
        cross = (axes.swapaxes(-1, -2) @ SKEW).reshape(len(state), 1, -1, 3)
        return moved, (cross @ moved).reshape(*moved.shape[:2], -1, *moved.shape[2:])

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
        """Goal for one hand. Raises Refused(KEYPOINTS) for keypoints that are not a hand's."""
        goals, self._last = self._goals(hand.keypoints[None], self._last)
        return goals.joint_goal(0, hand)

    def retarget_batch(self, keypoints: Array) -> Goals:
        """Goals for keypoints (N, 21, 3), m, each as if it were the first. Raises Refused(KEYPOINTS)."""
        return self._goals(keypoints, None)[0]

    def _goals(self, keypoints: Array, last: Solution | None) -> tuple[Goals, Solution]:
        check_keypoints(keypoints)
        frames = palm_frames(keypoints, self.hand.side)
        vectors = keypoints[:, HUMAN] - keypoints[:, :1, None]
        targets = SCALE * (frames.swapaxes(-1, -2)[:, None] @ vectors.swapaxes(-1, -2))
        n = len(keypoints)
        if last is None:
            angles, wrist = self._solver.rest(n), self._wrist.retract(np.zeros((n, 2)), np.zeros((n, 2)))
            solution = self._solver.solve(targets, WEIGHT, angles, wrist, **COLD)
        else:
            solution = self._solver.solve(targets, WEIGHT, last.angles, last.shared, **WARM)
        rotation = frames @ self._wrist.wrist(solution.shared)[0]
        return Goals.of(self.hand, solution, solution.shared, rotation, keypoints[:, 0]), solution
