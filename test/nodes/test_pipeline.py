"""The composition: whom the robot follows, and what never gets out. Stages are doubles here."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import DUMMY_CAMERA, Pipeline
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import CameraFrame, HandPose, JointGoal, Side

FRAME = CameraFrame(np.zeros((4, 4, 3), np.uint8), DUMMY_CAMERA)


def hand(side: Side = "right", track: int = 1, score: float = 0.9) -> HandPose:
    zeros = {name: np.zeros(n) for name, n in (("global_orient", 3), ("hand_pose", 45), ("betas", 10), ("transl", 3))}
    wrist = np.array([0, 0, 0, 0, 0, 0, 1.0])
    points = {"keypoints": np.zeros((21, 3)), "keypoints_2d": np.zeros((21, 2)), "wrist_pose": wrist}
    return HandPose(side=side, score=score, track_id=track, **zeros, **points)


class Hands:
    """An estimator that sees what it is told to."""

    def __init__(self, *hands: HandPose) -> None:
        self.hands = list(hands)
        self.resets = 0

    def estimate(self, frame: CameraFrame) -> list[HandPose]:
        return self.hands

    def reset(self) -> None:
        self.resets += 1


class Finger:
    """A robot of one joint that goes where it is told to, and tells whom it followed."""

    limits: ClassVar = {"rh_FFJ3": (-0.262, 1.571)}

    def __init__(self, position: float = 0.5) -> None:
        self.position = position
        self.followed: list[int] = []

    def retarget(self, hand: HandPose) -> JointGoal:
        self.followed.append(hand.track_id)
        at = np.array([self.position])
        return JointGoal(("rh_FFJ3",), at, ("rh_FFJ3",), at, hand.wrist_pose)

    def reset(self) -> None:
        self.followed.clear()


def pipeline(*hands: HandPose, position: float = 0.5, robot_hand: str = "shadow_right") -> Pipeline:
    return Pipeline(Parameters(robot_hand=robot_hand), Hands(*hands), Finger(position))


def test_a_step_gives_hands_goal_and_times() -> None:
    result = pipeline(hand()).step(FRAME)
    assert len(result.hands) == 1 and result.goal is not None and result.goal.positions[0] == 0.5
    assert not result.refusals and set(result.timings) == {"estimator", "retargeter"}


def test_the_best_hand_of_the_robots_side_is_followed_until_it_is_gone() -> None:
    robot = pipeline()
    left, first, second = hand("left", 1, 1.0), hand("right", 2, 0.7), hand("right", 3, 0.8)
    for seen in ([left, first], [left, second, first], [left, second], [first, second]):
        robot.retarget(seen)
    assert robot.retargeter.followed == [2, 2, 3, 3]


def test_a_left_robot_follows_left_hands() -> None:
    robot = pipeline(robot_hand="shadow_left")
    robot.retarget([hand("right", 1), hand("left", 2, 0.6)])
    assert robot.retargeter.followed == [2]


def test_without_a_hand_of_the_robots_side_there_is_no_goal() -> None:
    nothing = pipeline().step(FRAME)
    assert nothing.goal is None and nothing.refusals["retargeter"].reason is Reason.NO_HAND
    other = pipeline(hand("left")).step(FRAME)
    assert other.goal is None and other.refusals["retargeter"].reason is Reason.SIDE and len(other.hands) == 1


@pytest.mark.parametrize(
    ("position", "reason"),
    [(np.nan, Reason.NOT_FINITE), (np.inf, Reason.NOT_FINITE), (-0.2621, Reason.LIMIT), (1.5711, Reason.LIMIT)],
)
def test_no_goal_leaves_that_is_not_finite_or_outside_a_limit(position: float, reason: Reason) -> None:
    result = pipeline(hand(), position=position).step(FRAME)
    assert result.goal is None and result.refusals["retargeter"].reason is reason


@pytest.mark.parametrize("position", [-0.262, 1.571])
def test_a_goal_on_its_limit_leaves(position: float) -> None:
    assert pipeline(hand(), position=position).step(FRAME).goal is not None


def test_no_hand_leaves_that_is_not_finite() -> None:
    bent = replace(hand(), keypoints=np.full((21, 3), np.nan))
    result = pipeline(bent).step(FRAME)
    assert result.hands == [] and result.goal is None and result.refusals["estimator"].reason is Reason.NOT_FINITE
    assert "keypoints" in result.refusals["estimator"].message


def test_nothing_starts_from_a_result_that_may_not_leave() -> None:
    robot = pipeline(hand(), position=np.nan)
    robot.step(FRAME)
    assert robot.retargeter.followed == [] and robot.estimator.resets == 0
    robot.estimator.hands = [replace(hand(), betas=np.full(10, np.inf))]
    robot.step(FRAME)
    assert robot.estimator.resets == 1


def test_reset_forgets_whom_it_followed() -> None:
    robot = pipeline()
    robot.retarget([hand("right", 2, 0.7)])
    robot.reset()
    robot.retarget([hand("right", 2, 0.7), hand("right", 3, 0.8)])
    assert robot.retargeter.followed == [3] and robot.estimator.resets == 1


def test_an_unknown_stage_is_refused_by_name() -> None:
    with pytest.raises(Refused) as caught:
        Parameters(estimator="magic")
    assert caught.value.reason is Reason.PARAMETER and "landmarks" in caught.value.message
