"""What came out, picture by picture: figures against the truth, a verdict, and what is kept of the whole."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.faults import Watch
from hoi_ros.evaluation.hands import Surfaces, keypoint_figures, nearest
from hoi_ros.evaluation.objects import TrueObject
from hoi_ros.evaluation.sample import Sample
from hoi_ros.evaluation.scenario import Threshold
from hoi_ros.metrics.control import coupling_excess
from hoi_ros.metrics.hands import AUC_LIMIT, AUC_STEPS, pck
from hoi_ros.metrics.motion import acceleration_error, derivative
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import NS
from hoi_ros.replay.results import Answer, Results
from hoi_ros.retargeting.shadow_hand import COUPLED
from hoi_ros.types import Array, HandPose, JointGoal, ObjectState

Verdict = Literal["pass", "fail", "refused", "unanswered"]
LATE = 2 * NS  # ns after which no answer to a picture is waited for
AWAITED = 1000  # pictures ahead of which their truth or answers may come
PER_PICTURE = 16  # hands, or answers: what has one stamp for ever must not fill the memory either


@dataclass(frozen=True)
class Line:
    """One picture."""

    index: int
    stamp_ns: int
    verdict: Verdict
    reasons: tuple[str, ...]  # why it is not a pass
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Pair:
    """What was found in a picture and what is true of it."""

    stamp_ns: int
    hand: HandPose | None
    refined: HandPose | None  # the same after a refiner, where there is one
    true_hand: Array | None  # (21, 3) m
    goal: JointGoal | None
    true_goal: JointGoal | None


@dataclass
class Kept:
    """What is kept of a recording of any length: numbers of each picture, and what looks wrong."""

    figures: dict[str, Sample] = field(default_factory=lambda: defaultdict(Sample))
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # refusals by name
    stamps: array[int] = field(default_factory=lambda: array("q"))
    faults: Watch = field(default_factory=Watch)
    within: Array = field(default_factory=lambda: np.zeros(AUC_STEPS))  # summed shares of the PCK curve
    true_hands: int = 0
    found: int = 0
    true_objects: int = 0
    objects: int = 0  # found where there is a true one
    recalled: int | None = None  # of them [ADD-0.5D]; None where none could be compared
    goals: int = 0
    lost: int = 0  # pictures without an answer that no newer one replaced
    coupling: float | None = None  # rad; None where no goal has J1 and J2


class Scorer:
    """Takes pictures out of ``results`` as soon as they are complete, so that no recording is too long."""

    def __init__(
        self,
        results: Results,
        thresholds: Mapping[str, Threshold],
        realtime: bool,
        surfaces: Surfaces | None = None,
        obj: TrueObject | None = None,
    ) -> None:
        self.kept = Kept()
        self._surfaces, self._obj = surfaces, obj
        self._told: set[Reason] = set()  # why something is not compared
        self._results, self._thresholds, self._realtime = results, thresholds, realtime
        self._taken = 0  # of the stamps in `results`
        self._hands: dict[int, deque[HandPose]] = defaultdict(lambda: deque(maxlen=PER_PICTURE))
        self._refined: dict[int, deque[HandPose]] = defaultdict(lambda: deque(maxlen=PER_PICTURE))
        self._goals: dict[int, JointGoal] = {}
        self._objects: dict[int, ObjectState] = {}
        self._answers: dict[int, deque[Answer]] = defaultdict(lambda: deque(maxlen=PER_PICTURE))
        self._last: deque[tuple[int, Array, Array]] = deque(maxlen=3)  # stamp, keypoints and true ones
        self._moved: deque[tuple[int, Array]] = deque(maxlen=4)  # stamp and joints

    def take(self, ended: bool = False) -> list[Line]:
        """Lines of the pictures that no answer can come to any more; all that are left where the run has ended."""
        self._collect()
        stamps = self._results.stamps
        waits = self._realtime and not ended
        newest = stamps[-1] if stamps else 0
        lines = []
        # A clock that was set back ends the wait as well.
        while self._taken < len(stamps) and not (waits and abs(newest - stamps[self._taken]) < LATE):
            self._taken += 1
            lines.append(self._line(len(self.kept.stamps), stamps[self._taken - 1]))
        self._forget()
        return lines

    def _collect(self) -> None:
        """Sort what has come by its picture, and forget it in the results."""
        found = self._results
        for hand in found.hands:
            self._hands[hand.stamp_ns].append(hand)
        for hand in found.refined:
            self._refined[hand.stamp_ns].append(hand)
        for goal in found.goals:
            self._goals[goal.stamp_ns] = goal
        for thing in found.objects:
            self._objects[thing.stamp_ns] = thing
        for answer in found.answers:
            self._answers[answer.stamp_ns].append(answer)
        for values in (found.hands, found.refined, found.goals, found.objects, found.answers):
            values.clear()

    def _forget(self) -> None:
        """Drop the oldest of what belongs to no picture so far, and so most likely to none.

        In real time the pictures that were taken too: a live graph may run for days.
        """
        found = self._results
        if self._realtime:
            del found.stamps[: self._taken]
            self._taken = 0
        kinds: tuple[dict[int, Any], ...] = (
            found.truth, found.true_goals, found.true_hands, found.true_objects, found.hidden, found.delays,
            self._hands, self._refined, self._goals, self._objects, self._answers,
        )  # fmt: skip
        for waiting in kinds:
            for stamp in list(waiting)[: max(len(waiting) - AWAITED, 0)]:
                del waiting[stamp]

    def _line(self, index: int, stamp: int) -> Line:
        answers, goal = list(self._answers.pop(stamp, ())), self._goals.pop(stamp, None)
        truth = self._results.truth.pop(stamp, None)
        pair = Pair(
            stamp,
            nearest(list(self._hands.pop(stamp, ())), truth),
            nearest(list(self._refined.pop(stamp, ())), truth),
            truth,
            goal,
            self._results.true_goals.pop(stamp, None),
        )
        figures = self._figures(pair, answers) | self._against_truth(pair)
        verdict, reasons = judged(figures, answers, goal, self._thresholds)
        self._keep(pair, figures, verdict, answers)
        return Line(index, stamp, verdict, tuple(reasons), figures)

    def _figures(self, pair: Pair, answers: Iterable[Answer]) -> dict[str, float]:
        answers = [answer for answer in answers if answer.reason is not Reason.REPLACED]  # their turn never came
        figures = {f"latency.{answer.node}_ms": 1e3 * answer.latency for answer in answers if answer.node != "player"}
        if ages := [1e3 * answer.age for answer in answers]:
            figures["age_ms"] = max(ages)
        if (delay := self._results.delays.pop(pair.stamp_ns, None)) is not None:
            figures["latency.total_ms"] = 1e3 * delay
        if (hidden := self._results.hidden.pop(pair.stamp_ns, None)) is not None and np.isfinite(hidden):
            figures["hand.hidden"] = hidden
        return figures

    def _against_truth(self, pair: Pair) -> dict[str, float]:
        """Errors of what was found in a picture; ``results.faults`` says why something of it cannot be compared."""
        figures: dict[str, float] = {}
        found, stamp = self._results, pair.stamp_ns
        hands, pose = found.true_hands.pop(stamp, ()), found.true_objects.pop(stamp, None)
        for first, hand in (("hand", pair.hand), ("refined", pair.refined)):
            if hand is not None and pair.true_hand is not None:
                errors = self._hand_figures(hand, pair.true_hand, nearest(hands, pair.true_hand), pose)
                figures |= {f"{first}.{name}": value for name, value in errors.items()}
        if pair.goal is not None and pair.true_goal is not None:
            figures |= goal_figures(pair.goal, pair.true_goal)
        thing = self._objects.pop(stamp, None)
        if pose is not None and self._obj is not None:
            with self._telling():
                figures |= self._object_figures(thing, pose, self._obj)
        return figures

    def _hand_figures(
        self, hand: HandPose, points: Array, true: HandPose | None, pose: Array | None
    ) -> dict[str, float]:
        """Of one hand against true keypoints (21, 3), m, and the true hand and object's pose where they are known."""
        figures = keypoint_figures(hand, points, self._results.intrinsics)
        if true is not None and self._surfaces is not None:
            with self._telling():
                figures |= self._surfaces.figures(hand, true, pose)
        return figures

    def _object_figures(self, found: ObjectState | None, pose: Array, true: TrueObject) -> dict[str, float]:
        kept = self.kept
        kept.true_objects += 1
        if found is None:
            return {}
        kept.objects += 1
        figures = true.figures(found, pose, self._results.true_object_frame)
        kept.recalled = (kept.recalled or 0) + true.recalled(found, pose)
        return figures

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What cannot be compared is a fault of the whole, said once for each reason."""
        try:
            yield
        except Refused as refused:
            if refused.reason not in self._told:
                self._results.faults.append(refused.message)
            self._told.add(refused.reason)

    def _keep(self, pair: Pair, figures: Mapping[str, float], verdict: Verdict, answers: Iterable[Answer]) -> None:
        kept = self.kept
        kept.stamps.append(pair.stamp_ns)
        kept.verdicts[verdict] += 1
        reasons = {answer.reason for answer in answers}
        kept.lost += verdict == "unanswered" and Reason.REPLACED not in reasons
        for reason in reasons - {Reason.NONE, Reason.REPLACED}:
            kept.reasons[reason.name.lower()] += 1
        for name, value in figures.items():
            kept.figures[name].append(value)
        kept.faults.add(pair)
        if pair.true_hand is not None:
            kept.true_hands += 1
            if pair.hand is not None:
                kept.found += 1
                self._keep_motion(pair.stamp_ns, pair.hand.keypoints, pair.true_hand)
        if pair.goal is not None:
            kept.goals += 1
            if _has_coupled_joints(pair.goal.names):
                excess = float(coupling_excess(pair.goal.names, pair.goal.positions[None]).max())
                kept.coupling = max(kept.coupling or 0.0, excess)
            self._moved.append((pair.stamp_ns, pair.goal.positions))
            stamps, joints = map(np.array, zip(*self._moved, strict=True))
            if len(stamps) == 4 and (np.diff(stamps) > 0).all():
                kept.figures["goal.jerk"].extend(np.abs(derivative(joints, stamps, 3)).ravel())

    def _keep_motion(self, stamp: int, found: Array, true: Array) -> None:
        errors = np.linalg.norm(found - true, axis=-1)[None]
        self.kept.within += pck(errors, np.linspace(0.0, AUC_LIMIT, AUC_STEPS))
        self._last.append((stamp, found, true))
        stamps, some, others = map(np.array, zip(*self._last, strict=True))
        if len(stamps) == 3 and (np.diff(stamps) > 0).all():
            self.kept.figures["hand.acceleration"].extend(acceleration_error(some, others, stamps))


def _has_coupled_joints(names: Sequence[str]) -> bool:
    """Whether every J1 and J2 that share a motor is there: another hand has none, and J0 may stand for both."""
    joints = (f"{finger}{joint}" for finger in COUPLED for joint in ("J1", "J2"))
    return all(sum(name.endswith(joint) for name in names) == 1 for joint in joints)


def goal_figures(goal: JointGoal, true: JointGoal) -> dict[str, float]:
    """How far a goal is from the true one, joints matched by name."""
    rows = [goal.names.index(name) for name in true.names if name in goal.names]
    others = [true.names.index(goal.names[row]) for row in rows]
    apart = np.abs(goal.positions[rows] - true.positions[others])
    return {
        "goal.joint_error_deg": float(np.degrees(apart).mean()),
        "goal.wrist_error_mm": 1e3 * float(np.linalg.norm(goal.wrist_pose[:3] - true.wrist_pose[:3])),
        "goal.wrist_error_deg": _turn_deg(goal.wrist_pose[3:], true.wrist_pose[3:]),
    }


def _turn_deg(one: Array, two: Array) -> float:
    """Between two quaternions, xyzw."""
    return float(np.degrees((Rotation.from_quat(one).inv() * Rotation.from_quat(two)).magnitude()))


def judged(
    figures: Mapping[str, float],
    answers: Iterable[Answer],
    goal: JointGoal | None,
    thresholds: Mapping[str, Threshold],
) -> tuple[Verdict, list[str]]:
    """The verdict on a picture, and its reasons. One replaced by a newer one is unanswered, and which node says so."""
    answers = list(answers)
    refusals = [answer for answer in answers if answer.reason not in (Reason.NONE, Reason.REPLACED)]
    if refusals:
        return "refused", _sentences(refusals)
    if goal is None:
        replaced = [answer for answer in answers if answer.reason is Reason.REPLACED]
        heard = ", ".join(answer.node for answer in answers) or "no node"
        return "unanswered", _sentences(replaced) or [f"{heard} answered, and no goal came: lost on the way"]
    broken = [
        f"{name} is {figures[name]:.4g}, {threshold} is asked"
        for name, threshold in thresholds.items()
        if name in figures and not threshold.holds(figures[name])
    ]
    return ("fail" if broken else "pass"), broken


def _sentences(refusals: Iterable[Answer]) -> list[str]:
    return [f"{answer.node}: {answer.reason.name.lower()}: {answer.message}" for answer in refusals]
