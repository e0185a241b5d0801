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
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

SURE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Change:
    """Of one figure over the pictures that both results have it for; ``low`` to ``high`` holds the mean change.

    Every figure of pictures is better when it is smaller.
    """

    figure: str
    pictures: int
    before: float
    after: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether it grew, beyond chance."""
        return self.low > 0.0

    @property
    def better(self) -> bool:
        """Whether it fell, beyond chance."""
        return self.high < 0.0


@dataclass(frozen=True)
class Comparison:
    """This result against another."""

    changes: tuple[Change, ...]
    verdicts: Mapping[str, tuple[int, int]]  # pictures of each verdict, before and after
    notes: tuple[str, ...]  # how the two differ in their conditions

    @property
    def worse(self) -> tuple[str, ...]:
        """What got worse, as sentences."""
        grown = [
            f"{c.figure} grew from {c.before:.4g} to {c.after:.4g} (by {c.low:.3g} to {c.high:.3g}, {SURE:.0%} sure)"
            for c in self.changes
            if c.worse
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
    return Comparison(tuple(changes), counts, tuple(_notes(conditions, others, len(here), len(there), len(shared))))


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
