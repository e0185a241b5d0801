"""What is wrong, by name: the ways in which hands and goals are usually wrong, tried one by one against the truth.

Each fault is undone on the recorded pairs; where that brings most of the error down, it is named, with both errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.scoring import Pair
from hoi_ros.metrics.hands import mpjpe, procrustes, r_mpjpe
from hoi_ros.types import Array, JointGoal

BETTER = 0.5  # of the error must go for a fault to be named
LEAST = 5  # pairs to judge by
WRONG_MM, WRONG_DEG = 5.0, 5.0  # errors below these are none that a fault explains
UNITS = {1000.0: "millimetres for metres", 0.001: "metres for millimetres", 100.0: "centimetres for metres"}
LAGS = (1, 2, 3)  # pictures
FINGERS = ("FF", "MF", "RF", "LF")


def found(pairs: Sequence[Pair]) -> list[str]:
    """A sentence for every fault that explains the errors of ``pairs``, in their order of time."""
    hands = [pair for pair in pairs if pair.hand is not None and pair.true_hand is not None]
    goals = [pair for pair in pairs if pair.goal is not None and pair.true_goal is not None]
    sentences: list[str] = []
    if len(hands) >= LEAST:
        here = np.array([pair.hand.keypoints for pair in hands if pair.hand])
        true = np.array([pair.true_hand for pair in hands])
        sentences += units(here, true) or [*mirrored(here, true), *delayed(here, true)]
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


def delayed(found: Array, true: Array) -> list[str]:
    """Hands (N, 21, 3) that are where the true ones were some pictures before, or will be."""
    most = max(LAGS)
    if len(found) < LEAST + 2 * most:
        return []
    inner = slice(most, len(found) - most)

    def error(lag: int) -> float:
        return 1e3 * float(np.median(mpjpe(found[inner], true[most - lag : len(true) - most - lag])))

    here = error(0)
    lag = min((lag for size in LAGS for lag in (size, -size)), key=error)
    way = "late" if lag > 0 else "early"
    pictures = "one picture" if abs(lag) == 1 else f"{abs(lag)} pictures"
    return _named(f"hands look {pictures} {way}", here, error(lag), "mm", f"against the truth {pictures} off", WRONG_MM)


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
    columns = np.concatenate([ones, twos])

    def error(values: Array) -> float:
        return float(np.degrees(np.median(np.abs(values - there[:, columns]).mean(1))))

    plain, other = here[:, columns], here[:, np.concatenate([twos, ones])]
    return _named("J1 and J2 of the fingers look swapped", error(plain), error(other), "degrees", "swapped back", 1.0)


def _of(names: Sequence[str], ending: str) -> int:
    return next((row for row, name in enumerate(names) if name.endswith(ending)), -1)


def _size(hands: Array) -> Array:
    """Mean distance of the keypoints to their wrist, (N,)."""
    return np.asarray(r_mpjpe(hands, np.zeros_like(hands)))


def _named(what: str, here: float, undone: float, unit: str, how: str, least: float) -> list[str]:
    if here < least or undone > BETTER * here:
        return []
    return [f"{what}: off by {here:.3g} {unit}, {how} by {undone:.3g}"]
