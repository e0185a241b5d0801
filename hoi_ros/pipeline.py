"""The one composition of the stages, free of ROS: nodes, command line and replay all run this.

A picture becomes hands (`Pipeline.estimate`), hands become a joint goal (`Pipeline.retarget`), `Pipeline.step` does
both. What comes out is finite and inside the robot's limits, or it does not come out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from hoi_ros import stages
from hoi_ros.hand import HandFit, load_hand_model, make_hand_pose
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.stages import Estimator, Retargeter
from hoi_ros.types import CameraFrame, HandPose, Intrinsics, JointGoal, Side

T = TypeVar("T")

STAGES = ("estimator", "retargeter")
LIMIT_TOLERANCE = 1e-6  # rad, rounding of a goal that lies on its limit
DUMMY_CAMERA = Intrinsics(600.0, 600.0, 320.0, 240.0)


@dataclass(frozen=True)
class Result:
    """What one picture gave."""

    hands: list[HandPose]
    goal: JointGoal | None
    refusals: dict[str, Refused] = field(default_factory=dict)  # stage -> why it gave nothing
    timings: dict[str, float] = field(default_factory=dict)  # stage -> s


class Pipeline:
    """The built stages with what has to be remembered between pictures."""

    def __init__(
        self, parameters: Parameters, estimator: Estimator | None = None, retargeter: Retargeter | None = None
    ) -> None:
        self.parameters = parameters
        self.estimator = estimator
        self.retargeter = retargeter
        self._track: int | None = None  # of the hand the robot follows

    @classmethod
    def build(cls, parameters: Parameters, kinds: Sequence[str] = STAGES) -> Pipeline:
        """Build the stages of ``kinds`` by the names in ``parameters``.

        Raises Refused(PARAMETER, HAND_MODEL, FILE, FOREIGN_CLASS, ROBOT_DESCRIPTION) as the stages do.
        """
        built = {kind: stages.build(kind, getattr(parameters, kind), parameters) for kind in kinds}
        # Matrices of 40 by 40 gain nothing from threads, whose idle spinning takes 20 ms of processor time a picture.
        threadpool_limits(1, user_api="blas")
        return cls(parameters, **built)

    def estimate(self, frame: CameraFrame) -> list[HandPose]:
        """Hands in a picture; empty when there is none. Raises Refused as the estimator does, and NOT_FINITE."""
        assert self.estimator is not None, "built without an estimator"
        hands = self.estimator.estimate(frame)
        with _forgotten_if_refused(self.estimator):
            for hand in hands:
                ensure_finite(hand)
        return hands

    def retarget(self, hands: Sequence[HandPose]) -> JointGoal:
        """Goal for the hand the robot follows.

        That is the best one of the robot's side at first, then the same for as long as it is seen. Raises
        Refused(NO_HAND) without hands, Refused(SIDE) without one of the robot's side, and as the retargeter does.
        """
        assert self.retargeter is not None, "built without a retargeter"
        hand = self._choose(hands)
        goal = self.retargeter.retarget(hand)
        with _forgotten_if_refused(self.retargeter):
            ensure_safe(goal, self.retargeter.limits)
        return goal

    def step(self, frame: CameraFrame) -> Result:
        """Hands and goal of one picture. Refusals are returned by stage, not raised."""
        refusals: dict[str, Refused] = {}
        timings: dict[str, float] = {}
        hands = _timed("estimator", lambda: self.estimate(frame), refusals, timings)
        if hands is None:
            return Result([], None, refusals, timings)
        goal = _timed("retargeter", lambda: self.retarget(hands), refusals, timings)
        return Result(hands, goal, refusals, timings)

    def warm_up(self) -> None:
        """Run every stage once, so that the first picture is as quick as the next. Leaves no trace."""
        if self.estimator is not None:
            black = np.zeros((480, 640, 3), np.uint8)
            self.estimator.estimate(CameraFrame(black, DUMMY_CAMERA, np.ones((480, 640), np.float32)))
        if self.retargeter is not None:
            self.retargeter.retarget(flat_hand(robot_side(self.parameters)))
        self.reset()

    def reset(self) -> None:
        """Forget all that was followed, as at the start of another recording."""
        self._track = None
        for stage in (self.estimator, self.retargeter):
            if stage is not None:
                stage.reset()

    @property
    def device(self) -> str:
        """Where the models run."""
        return str(getattr(self.estimator, "device", "cpu"))

    def close(self) -> None:
        """Free the stages' models."""
        self.estimator = self.retargeter = None

    def _choose(self, hands: Sequence[HandPose]) -> HandPose:
        if not hands:
            self._track = None
            raise Refused(Reason.NO_HAND, "no hand to follow")
        side = robot_side(self.parameters)
        candidates = [hand for hand in hands if hand.side == side]
        if not candidates:
            self._track = None
            raise Refused(Reason.SIDE, f"{len(hands)} hand(s), none of them {side} as {self.parameters.robot_hand} is")
        followed = [hand for hand in candidates if hand.track_id == self._track]
        hand = max(followed or candidates, key=lambda h: h.score)
        self._track = hand.track_id
        return hand


def robot_side(parameters: Parameters) -> Side:
    """Side of the robot hand."""
    return "left" if parameters.robot_hand.endswith("_left") else "right"


def flat_hand(side: Side) -> HandPose:
    """The embedded hand in its zero pose, half a metre before a camera."""
    transl, nothing = np.array([0.0, 0.0, 0.5]), np.zeros(())
    fit = HandFit(np.zeros(3), np.zeros(45), np.zeros(10), transl, np.zeros((21, 3)), nothing, nothing.astype(np.int64))
    return make_hand_pose(load_hand_model(), fit, side=side, score=1.0, intrinsics=DUMMY_CAMERA)


def ensure_finite(value: Any) -> None:
    """Refused(NOT_FINITE) naming the first field of a dataclass that holds a non-finite number."""
    assert is_dataclass(value)
    for f in fields(value):
        content = getattr(value, f.name)
        if isinstance(content, (float, np.floating, np.ndarray)) and not np.isfinite(content).all():
            raise Refused(Reason.NOT_FINITE, f"{f.name} of a {type(value).__name__} is not finite: {content}")


def ensure_safe(goal: JointGoal, limits: dict[str, tuple[float, float]]) -> None:
    """The last gate before the robot: Refused(NOT_FINITE) or Refused(LIMIT) naming the joint, with limits in rad."""
    ensure_finite(goal)
    for name, position in zip(goal.names, goal.positions, strict=True):
        low, high = limits[name]
        if not low - LIMIT_TOLERANCE <= position <= high + LIMIT_TOLERANCE:
            raise Refused(Reason.LIMIT, f"{name} would be {position:.6g} rad, outside {low:g} to {high:g}")


@contextmanager
def _forgotten_if_refused(stage: Estimator | Retargeter) -> Iterator[None]:
    """Do not start the next result of ``stage`` from one that may not leave."""
    try:
        yield
    except Refused:
        stage.reset()
        raise


def _timed(stage: str, work: Callable[[], T], refusals: dict[str, Refused], timings: dict[str, float]) -> T | None:
    start = time.perf_counter()
    try:
        return work()
    except Refused as refused:
        refusals[stage] = refused
        return None
    finally:
        timings[stage] = time.perf_counter() - start
