"""What is wrong, by name: the ways in which hands and goals are usually wrong, tried one by one against the truth.

Each fault is undone on the recorded pairs; where that brings most of the error down, it is named, with both errors.
Delays and swapped joints may well be smaller than the other errors: they are named as well where the errors lie the way
that they lead, that of the hand's motion or from one joint to the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.metrics.hands import mpjpe, procrustes, r_mpjpe
from hoi_ros.replay.bag import NS
from hoi_ros.types import Array, JointGoal

if TYPE_CHECKING:
    from hoi_ros.evaluation.scoring import Pair

WINDOW = 300  # pairs on end that are judged together
BETTER = 0.5  # of the error may be left for a fault to be named
BETTER_SURELY = 0.9  # the same where the errors lie the way the fault leads
MOST_OF_THE_WAY = 0.75
LEAST = 5  # pairs to judge by
WRONG_MM, WRONG_DEG = 5.0, 5.0  # errors below these are none that a fault explains
UNITS = {1000.0: "millimetres for metres", 0.001: "metres for millimetres", 100.0: "centimetres for metres"}
LAGS = (1, 2, 3)  # pictures
SMOOTHED = 0.04  # s by which filters lag behind, which is no fault
PARTS = 4  # of the recording, in each of which a delay has to show
FINGERS = ("FF", "MF", "RF", "LF")


class Watch:
    """Looks for faults in window after window of a recording of any length, so that late ones are seen too."""

    def __init__(self) -> None:
        self._window: deque[Pair] = deque(maxlen=WINDOW)
        self._count = 0
        self._seen: dict[str, str] = {}  # fault -> what is said of it

    def add(self, pair: Pair) -> None:
        """Take in the next picture."""
        self._window.append(pair)
        self._count += 1
        if self._count % WINDOW == 0:
            self._seen = self._with_window()

    def found(self) -> list[str]:
        """A sentence for each fault of a whole window or of the last pairs, with the index of the window's first.

        The last window reaches back into the one before, so that it is no shorter.
        """
        return [*self._with_window().values()]

    def _with_window(self) -> dict[str, str]:
        first = self._count - len(self._window)
        since = f"from picture {first} on " if first else ""
        new = {sentence.partition(":")[0]: since + sentence for sentence in found([*self._window])}
        return self._seen | {fault: sentence for fault, sentence in new.items() if fault not in self._seen}


def found(pairs: Sequence[Pair]) -> list[str]:
    """A sentence for every fault that explains the errors of ``pairs``, in their order of time."""
    hands = [pair for pair in pairs if pair.hand is not None and pair.true_hand is not None]
    goals = [pair for pair in pairs if pair.goal is not None and pair.true_goal is not None]
    sentences: list[str] = []
    if len(hands) >= LEAST:
        here = np.array([pair.hand.keypoints for pair in hands if pair.hand])
        true = np.array([pair.true_hand for pair in hands])
        stamps = np.array([pair.stamp_ns for pair in hands])
        sentences += units(here, true) or [*mirrored(here, true), *delayed(here, true, stamps)]
    sentences += quaternions(pairs)
    if len(goals) >= LEAST:
        some = [pair.goal for pair in goals if pair.goal]
        others = [pair.true_goal for pair in goals if pair.true_goal]
        sentences += swapped(some, others)
    return sentences


def units(found: Array, true: Array) -> list[str]:
    """Hands (N, 21, 3) that are a thousand times too large, or too small."""
    ratio = float(np.median(_size(found) / np.maximum(_size(true), 1e-12)))
    for factor, name in UNITS.items():
        if 0.7 < ratio / factor < 1.4:
            return [f"hands look like {name}: they are {ratio:.3g} times as large as the true ones"]
    return []


def mirrored(found: Array, true: Array) -> list[str]:
    """Hands (N, 21, 3) that fit the true ones once mirrored."""
    here = 1e3 * float(np.median(mpjpe(procrustes(found, true), true)))
    there = 1e3 * float(np.median(mpjpe(procrustes(found * [-1.0, 1.0, 1.0], true), true)))
    return _named("hands look mirrored", here, there, "mm", "mirrored back", WRONG_MM)


def delayed(found: Array, true: Array, stamps: Array) -> list[str]:
    """Hands (N, 21, 3) that are where the true ones were some pictures before, or will be.

    A hand that goes D from picture to picture and is d pictures late has (d D)^2 more squared error than without, and
    ((d - 1) D)^2 against the truth of one picture before: the difference, (2 d - 1) D^2, tells d.
    """
    most = max(LAGS)
    if len(found) < LEAST + 2 * most:
        return []
    inner = slice(most, len(found) - most)

    def before(lag: int) -> Array:
        return true[most - lag : len(true) - most - lag]

    def error(lag: int) -> float:
        return 1e3 * float(np.median(mpjpe(found[inner], before(lag))))

    lag = min((lag for size in LAGS for lag in (size, -size)), key=error)
    way = "late" if lag > 0 else "early"
    pictures = "one picture" if abs(lag) == 1 else f"{abs(lag)} pictures"
    one = before(1 if lag > 0 else -1)
    gain = _squares(found[inner] - true[inner]) - _squares(found[inner] - one)
    late = 0.5 * (1.0 + gain.sum() / max(_squares(true[inner] - one).sum(), 1e-12))  # d
    seconds = late * float(np.median(np.diff(stamps))) / NS
    sure = seconds > SMOOTHED and all(part.sum() > 0.0 for part in np.array_split(gain, PARTS))
    how, better = f"against the truth {pictures} off", BETTER_SURELY if sure else BETTER
    return _named(f"hands look {pictures} {way}", error(0), error(lag), "mm", how, WRONG_MM, better)


def quaternions(pairs: Iterable[Pair]) -> list[str]:
    """Orientations whose w stands first: of hands by their own axis-angle, of goals by the true ones."""
    hands = [pair.hand for pair in pairs if pair.hand is not None]
    goals = [(p.goal, p.true_goal) for p in pairs if p.goal is not None and p.true_goal is not None]
    sentences = []
    if len(hands) >= LEAST:
        own = Rotation.from_rotvec([hand.global_orient for hand in hands])
        sentences += _reordered("wrists of hands", np.array([hand.wrist_pose[3:] for hand in hands]), own)
    if len(goals) >= LEAST:
        true = Rotation.from_quat([goal.wrist_pose[3:] for _, goal in goals])
        sentences += _reordered("wrists of goals", np.array([goal.wrist_pose[3:] for goal, _ in goals]), true)
    return sentences


def _reordered(what: str, quaternions: Array, true: Rotation) -> list[str]:
    def error(values: Array) -> float:
        return float(np.degrees(np.median((Rotation.from_quat(values).inv() * true).magnitude())))

    here = error(quaternions)
    tries: list[tuple[str, Callable[[Array], Array]]] = [
        ("wxyz where xyzw is meant", lambda q: np.roll(q, -1, axis=1)),
        ("xyzw where wxyz is meant", lambda q: np.roll(q, 1, axis=1)),
    ]
    name, undo = min(tries, key=lambda each: error(each[1](quaternions)))
    return _named(f"{what} look like {name}", here, error(undo(quaternions)), "degrees", "reordered", WRONG_DEG)


def swapped(goals: Sequence[JointGoal], true: Sequence[JointGoal]) -> list[str]:
    """Goals whose fingers' J1 and J2 stand in each other's place."""
    names = true[0].names
    pairs = [(a, b) for f in FINGERS for a, b in [(_of(names, f"{f}J1"), _of(names, f"{f}J2"))] if min(a, b) >= 0]
    if not pairs or any(goal.names != names for goal in (*goals, *true)):
        return []
    ones, twos = np.array(pairs).T
    here, there = (np.array([goal.positions for goal in some]) for some in (goals, true))
    columns, others = np.concatenate([ones, twos]), np.concatenate([twos, ones])

    def error(values: Array) -> float:
        return float(np.degrees(np.median(np.abs(values - there[:, columns]).mean(1))))

    way = there[:, others] - there[:, columns]  # from the true joints to the swapped ones
    gone = ((here[:, columns] - there[:, columns]) * way).sum() / max((way**2).sum(), 1e-12)
    better = BETTER_SURELY if gone > MOST_OF_THE_WAY else BETTER
    plain, undone = error(here[:, columns]), error(here[:, others])
    return _named("J1 and J2 of the fingers look swapped", plain, undone, "degrees", "swapped back", 1.0, better)


def _of(names: Sequence[str], ending: str) -> int:
    return next((row for row, name in enumerate(names) if name.endswith(ending)), -1)


def _size(hands: Array) -> Array:
    """Mean distance of the keypoints to their wrist, (N,)."""
    return np.asarray(r_mpjpe(hands, np.zeros_like(hands)))


def _squares(apart: Array) -> Array:
    """Distances (N, 21, 3), without what is the same in all pictures, squared and summed over each: (N,)."""
    return np.asarray(((apart - apart.mean(0)) ** 2).sum((1, 2)))


def _named(
    what: str, here: float, undone: float, unit: str, how: str, least: float, better: float = BETTER
) -> list[str]:
    if here < least or undone > better * here:
        return []
    return [f"{what}: off by {here:.3g} {unit}, {how} by {undone:.3g}"]
