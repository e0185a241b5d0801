"""What came out, picture by picture: figures against the truth, a verdict, and what is kept of the whole."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.scenario import Threshold
from hoi_ros.metrics import hands as metrics
from hoi_ros.metrics.control import coupling_excess
from hoi_ros.metrics.hands import AUC_LIMIT, AUC_STEPS, pck
from hoi_ros.metrics.motion import acceleration_error, derivative
from hoi_ros.refusals import Reason
from hoi_ros.replay.bag import NS
from hoi_ros.replay.results import Answer, Results
from hoi_ros.types import Array, HandPose, JointGoal

Verdict = Literal["pass", "fail", "refused", "unanswered"]
KEPT = 600  # pairs of an estimate and its truth in which faults are looked for
LATE = 2 * NS  # ns after which no answer to a picture is waited for


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
    true_hand: Array | None  # (21, 3) m
    goal: JointGoal | None
    true_goal: JointGoal | None


@dataclass
class Kept:
    """What is kept of a recording of any length: numbers of each picture, and the first pairs."""

    figures: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # refusals by name
    stamps: array[int] = field(default_factory=lambda: array("q"))
    pairs: list[Pair] = field(default_factory=list)
    within: Array = field(default_factory=lambda: np.zeros(AUC_STEPS))  # summed shares of the PCK curve
    true_hands: int = 0
    found: int = 0
    goals: int = 0
    coupling: float = 0.0  # rad


class Scorer:
    """Takes pictures out of ``results`` as soon as they are complete, so that no recording is too long."""

    def __init__(self, results: Results, thresholds: Mapping[str, Threshold], realtime: bool) -> None:
        self.kept = Kept()
        self._results, self._thresholds, self._realtime = results, thresholds, realtime
        self._taken = 0
        self._hands: dict[int, list[HandPose]] = defaultdict(list)
        self._goals: dict[int, JointGoal] = {}
        self._answers: dict[int, list[Answer]] = defaultdict(list)
        self._last: deque[tuple[int, Array, Array]] = deque(maxlen=3)  # stamp, keypoints and true ones
        self._moved: deque[tuple[int, Array]] = deque(maxlen=4)  # stamp and joints

    def take(self, ended: bool = False) -> list[Line]:
        """Lines of the pictures that no answer can come to any more; all that are left where the run has ended."""
        self._collect()
        stamps = self._results.stamps
        horizon = stamps[-1] - LATE if stamps and self._realtime and not ended else None
        lines = []
        while self._taken < len(stamps) and (horizon is None or stamps[self._taken] <= horizon):
            lines.append(self._line(self._taken, stamps[self._taken]))
            self._taken += 1
        return lines

    def _collect(self) -> None:
        """Sort what has come by its picture, and forget it in the results."""
        found = self._results
        for hand in found.hands:
            self._hands[hand.stamp_ns].append(hand)
        for goal in found.goals:
            self._goals[goal.stamp_ns] = goal
        for answer in found.answers:
            self._answers[answer.stamp_ns].append(answer)
        for values in (found.hands, found.goals, found.answers):
            values.clear()

    def _line(self, index: int, stamp: int) -> Line:
        answers, goal = self._answers.pop(stamp, []), self._goals.pop(stamp, None)
        pair = Pair(
            stamp,
            self._nearest(self._hands.pop(stamp, []), self._results.truth.get(stamp)),
            self._results.truth.pop(stamp, None),
            goal,
            self._results.true_goals.pop(stamp, None),
        )
        figures = self._figures(pair, answers)
        verdict, reasons = judged(figures, answers, goal, self._thresholds)
        self._keep(pair, figures, verdict, answers)
        return Line(index, stamp, verdict, tuple(reasons), figures)

    def _nearest(self, hands: list[HandPose], truth: Array | None) -> HandPose | None:
        """Of several hands the one that is compared: the nearest to the true one, the surest where there is none."""
        if not hands:
            return None
        if truth is None:
            return max(hands, key=lambda hand: hand.score)
        return min(hands, key=lambda hand: float(metrics.mpjpe(hand.keypoints, truth)))

    def _figures(self, pair: Pair, answers: Iterable[Answer]) -> dict[str, float]:
        figures = {f"latency.{answer.node}_ms": 1e3 * answer.latency for answer in answers if answer.node != "player"}
        if ages := [1e3 * answer.age for answer in answers]:
            figures["age_ms"] = max(ages)
        if (delay := self._results.delays.pop(pair.stamp_ns, None)) is not None:
            figures["latency.total_ms"] = 1e3 * delay
        if (hidden := self._results.hidden.pop(pair.stamp_ns, None)) is not None and np.isfinite(hidden):
            figures["hand.hidden"] = hidden
        if pair.hand is not None and pair.true_hand is not None:
            figures |= self._hand_figures(pair.hand, pair.true_hand)
        if pair.goal is not None and pair.true_goal is not None:
            figures |= goal_figures(pair.goal, pair.true_goal)
        return figures

    def _hand_figures(self, hand: HandPose, true: Array) -> dict[str, float]:
        found = {
            "hand.mpjpe_mm": 1e3 * float(metrics.mpjpe(hand.keypoints, true)),
            "hand.r_mpjpe_mm": 1e3 * float(metrics.r_mpjpe(hand.keypoints, true)),
            "hand.pa_mpjpe_mm": 1e3 * float(metrics.pa_mpjpe(hand.keypoints, true)),
        }
        if self._results.intrinsics is not None:
            pixels = self._results.intrinsics.project(true)
            found["hand.error_2d_px"] = float(metrics.error_2d(hand.keypoints_2d, pixels))
        return found

    def _keep(self, pair: Pair, figures: Mapping[str, float], verdict: Verdict, answers: Iterable[Answer]) -> None:
        kept = self.kept
        kept.stamps.append(pair.stamp_ns)
        kept.verdicts[verdict] += 1
        for reason in {answer.reason for answer in answers} - {Reason.NONE}:
            kept.reasons[reason.name.lower()] += 1
        for name, value in figures.items():
            kept.figures[name].append(value)
        if len(kept.pairs) < KEPT:
            kept.pairs.append(pair)
        if pair.true_hand is not None:
            kept.true_hands += 1
            if pair.hand is not None:
                kept.found += 1
                self._keep_motion(pair.stamp_ns, pair.hand.keypoints, pair.true_hand)
        if pair.goal is not None:
            kept.goals += 1
            kept.coupling = max(kept.coupling, float(coupling_excess(pair.goal.names, pair.goal.positions[None]).max()))
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
    """The verdict on a picture, and its reasons."""
    answers = list(answers)
    refusals = [answer for answer in answers if answer.reason is not Reason.NONE]
    if refusals:
        return "refused", [f"{a.node}: {a.reason.name.lower()}: {a.message}" for a in refusals]
    if goal is None:
        heard = ", ".join(answer.node for answer in answers) or "no node"
        return "unanswered", [f"{heard} answered, and no goal came: replaced by a newer picture, or lost on the way"]
    broken = [
        f"{name} is {figures[name]:.4g}, {threshold} is asked"
        for name, threshold in thresholds.items()
        if name in figures and not threshold.holds(figures[name])
    ]
    return ("fail" if broken else "pass"), broken
