"""Two results of one scenario: what changed, by how much, and whether that is more than chance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from hoi_ros.evaluation.evaluate import RESULT
from hoi_ros.evaluation.figures import LARGER_IS_BETTER
from hoi_ros.metrics.control import GoalStream, run_difference
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import published
from hoi_ros.types import Array, JointGoal

PUBLISHED = "results.mcap"
SURE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Change:
    """Of one figure over the pictures that both results have it for; ``low`` to ``high`` holds the mean change."""

    figure: str
    pictures: int
    before: float
    after: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether it went the wrong way, beyond chance: up, but for `LARGER_IS_BETTER`."""
        return self.high < 0.0 if self.figure in LARGER_IS_BETTER else self.low > 0.0

    @property
    def better(self) -> bool:
        """Whether it went the right way, beyond chance."""
        return self.low > 0.0 if self.figure in LARGER_IS_BETTER else self.high < 0.0

    @property
    def way(self) -> str:
        """From what to what it went, in words."""
        return f"{'grew' if self.after > self.before else 'fell'} from {self.before:.4g} to {self.after:.4g}"


@dataclass(frozen=True)
class Differences:
    """The largest absolute differences between what two runs published for the same pictures; None without data."""

    pictures: int  # that both published hands or goals for
    keypoints: float | None  # m, along an axis, of hands that both found
    joints: float | None  # rad
    wrist: float | None  # m, along an axis
    other_hands: int  # pictures in which they found other hands: more, fewer, or of another side

    def __str__(self) -> str:
        named = {"keypoints": (self.keypoints, "m"), "joints": (self.joints, "rad"), "wrist": (self.wrist, "m")}
        said = [f"{name} {value:.2g} {unit}" for name, (value, unit) in named.items() if value is not None]
        if self.other_hands:
            said.append(f"other hands in {self.other_hands}")
        return f"{', '.join(said) or 'nothing to compare'} ({self.pictures} pictures)"


@dataclass(frozen=True)
class Comparison:
    """This result against another."""

    changes: tuple[Change, ...]
    verdicts: Mapping[str, tuple[int, int]]  # pictures of each verdict, before and after
    notes: tuple[str, ...]  # how the two differ in their conditions
    differences: Differences | None = None  # None where one of them kept nothing that was published

    @property
    def worse(self) -> tuple[str, ...]:
        """What got worse, as sentences."""
        grown = [
            f"{c.figure} {c.way} (by {c.low:.3g} to {c.high:.3g}, {SURE:.0%} sure)" for c in self.changes if c.worse
        ]
        before, after = self.verdicts["unanswered"]
        return (*grown, *([f"unanswered pictures grew from {before} to {after}"] if after > before else []))


def compare(result: Path, other: Path, seed: int = 0) -> Comparison:
    """The folder of a result against another's, picture by picture by stamp.

    The interval of a mean change is bootstrapped over pictures in pairs (BCa; the same seed gives the same one).
    Raises Refused(FILE) where a folder holds no result, or the two have no picture in common.
    """
    (conditions, here), (others, there) = read(result), read(other)
    shared = sorted(here.keys() & there.keys())
    if not shared:
        raise Refused(Reason.FILE, f"{result} and {other} have no picture in common")
    names = sorted({name for stamp in shared for name in here[stamp]["figures"]})
    changes = []
    for name in names:
        pairs = np.array(
            [
                (there[stamp]["figures"][name], here[stamp]["figures"][name])
                for stamp in shared
                if name in there[stamp]["figures"] and name in here[stamp]["figures"]
            ]
        )
        if len(pairs) >= 2:
            changes.append(_change(name, pairs, seed))
    counts = {
        verdict: (
            sum(there[stamp]["verdict"] == verdict for stamp in shared),
            sum(here[stamp]["verdict"] == verdict for stamp in shared),
        )
        for verdict in ("pass", "fail", "refused", "unanswered")
    }
    notes = _notes(conditions, others, len(here), len(there), len(shared))
    try:
        found = differences(result / PUBLISHED, other / PUBLISHED)
    except Refused as refused:
        found = None
        notes.append(f"what was published is not compared: {refused.message}")
    return Comparison(tuple(changes), counts, tuple(notes), found)


def differences(one: Path, other: Path) -> Differences:
    """Of two ``results.mcap``, read side by side. Raises Refused(FILE), Refused(PARAMETER) for other joints."""
    pictures, strangers = set[int](), 0
    keypoints, joints, wrist = (list[float]() for _ in range(3))
    for stamp, some, others in published.common(published.hands(one), published.hands(other)):
        pictures.add(stamp)
        if [hand.side for hand in some] != [hand.side for hand in others]:
            strangers += 1
        keypoints += [_apart(a.keypoints, b.keypoints) for a, b in zip(some, others, strict=False) if a.side == b.side]
    for stamp, goal, true in published.common(published.goals(one), published.goals(other)):
        pictures.add(stamp)
        step = run_difference(_alone(goal), _alone(true)).largest
        joints += [step] if step is not None else []
        wrist.append(_apart(goal.wrist_pose[:3], true.wrist_pose[:3]))
    most = [max(values, default=None) for values in (keypoints, joints, wrist)]
    return Differences(len(pictures), most[0], most[1], most[2], strangers)


def _apart(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max())


def _alone(goal: JointGoal) -> GoalStream:
    return GoalStream(goal.names, goal.positions[None], np.array([goal.stamp_ns]))


def read(folder: Path) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Conditions of a result, and its lines by stamp. Raises Refused(FILE)."""
    path = folder / RESULT
    try:
        first, *rest = path.read_text().splitlines()
        lines = [json.loads(line) for line in rest]
        return json.loads(first)["conditions"], {line["stamp_ns"]: line for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(Reason.FILE, f"{path} holds no result of hoi evaluate: {error}") from None


def _change(name: str, pairs: Array, seed: int) -> Change:
    before, after = pairs.mean(axis=0)
    steps = pairs[:, 1] - pairs[:, 0]
    if np.ptp(steps) == 0.0:  # every picture changed alike: there is nothing to resample
        low = high = float(steps[0])
    else:
        rng = np.random.default_rng(seed)
        interval = bootstrap(
            (steps,), np.mean, confidence_level=SURE, n_resamples=RESAMPLES, method="BCa", rng=rng
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return Change(name, len(pairs), float(before), float(after), low, high)


def _notes(here: Mapping[str, Any], there: Mapping[str, Any], count: int, others: int, shared: int) -> list[str]:
    notes = []
    if here["bag"]["sha256"] != there["bag"]["sha256"]:
        notes.append("the recordings differ")
    if here["scenario"]["mode"] != there["scenario"]["mode"]:
        notes.append(f"mode {there['scenario']['mode']} before, {here['scenario']['mode']} now")
    if here["scenario"]["parameters"] != there["scenario"]["parameters"]:
        notes.append("the parameters differ")
    if here["environment"]["machine"]["system"] != there["environment"]["machine"]["system"]:
        notes.append("the machines differ")
    if shared < max(count, others):
        notes.append(f"{shared} pictures in common, of {others} before and {count} now")
    return notes
