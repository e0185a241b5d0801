"""Figures of a stream of joint goals, and of the difference between two runs.

Positions are (N, J), rad, one goal a row; stamps (N,) are whole nanoseconds. No figure is taken of nothing: too few
goals raise Refused(PARAMETER), values that are not finite Refused(NOT_FINITE). ``reference/methods.md`` has no keys for
these; each definition is the function's first sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.metrics.checks import check_count, check_finite
from hoi_ros.metrics.hands import mpjpe
from hoi_ros.metrics.motion import derivative
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.shadow_hand import COUPLED
from hoi_ros.types import Array

Stamps = NDArray[np.int64]

ROUNDING = 1e-6  # rad, what the pipeline's last gate lets pass


@dataclass(frozen=True)
class Violations:
    """How many goals break a bound, and the worst."""

    goals: int  # with at least one joint beyond its bound
    worst: float  # rad beyond the bound; 0 where there is none
    at: tuple[int, int] | None  # row and column of the worst


def violations(excess: Array) -> Violations:
    """What breaks a bound by more than a rounding error, of `limit_excess` or `coupling_excess` (N, J), rad."""
    check_count(len(excess), 1, "goals", "violations")
    check_finite(excess=excess)
    beyond = excess > ROUNDING
    if not beyond.any():
        return Violations(0, 0.0, None)
    row, column = np.unravel_index(np.argmax(excess), excess.shape)
    return Violations(int(beyond.any(axis=1).sum()), float(excess[row, column]), (int(row), int(column)))


def limit_excess(positions: Array, lower: Array, upper: Array) -> Array:
    """How far (N, J), rad, each joint is outside its limits (J,); 0 inside."""
    check_finite(positions=positions, lower=lower, upper=upper)
    return np.maximum(0.0, np.maximum(lower - positions, positions - upper))


def coupling_excess(names: Sequence[str], positions: Array) -> Array:
    """How far (N, 4), rad, J1 is beyond J2 of the first, middle, ring and little finger; 0 where it is not.

    ``names`` (J,) are Shadow's with any prefix. Raises also Refused(PARAMETER) where one of the joints is missing.
    """
    check_finite(positions=positions)
    j1, j2 = (positions[:, [_column(names, f"{finger}{joint}") for finger in COUPLED]] for joint in ("J1", "J2"))
    return np.maximum(0.0, j1 - j2)


def _column(names: Sequence[str], joint: str) -> int:
    columns = [i for i, name in enumerate(names) if name.endswith(joint)]
    if len(columns) != 1:
        raise Refused(Reason.PARAMETER, f"{len(columns)} of the joints are {joint}: {', '.join(names)}")
    return columns[0]


def fingertip_error(tips: Array, reference: Array) -> Array:
    """Mean distance (N,), m, of the five fingertips of goals (N, 5, 3) from those of the reference goals."""
    check_finite(tips=tips, reference=reference)
    return mpjpe(tips, reference)


def largest_step(positions: Array) -> float:
    """Largest change of a joint from one goal to the next, rad."""
    check_count(len(positions), 2, "goals", "a step")
    check_finite(positions=positions)
    return float(np.abs(np.diff(positions, axis=0)).max())


@dataclass(frozen=True)
class Jerk:
    """Size of the third derivative in time, over all joints and moments, rad/s^3."""

    mean: float
    p95: float


def jerk(positions: Array, stamps_ns: Stamps) -> Jerk:
    """Third derivative of the positions over stamps that need not be evenly apart.

    Raises also Refused(STAMP_BACKWARDS).
    """
    size = np.abs(derivative(positions, stamps_ns, order=3))
    return Jerk(float(size.mean()), float(np.percentile(size, 95.0)))


@dataclass(frozen=True)
class GoalStream:
    """The goals of one run."""

    names: tuple[str, ...]  # (J,)
    positions: Array  # (N, J) rad
    stamps_ns: Stamps  # (N,) of the pictures the goals were made from, each once


@dataclass(frozen=True)
class RunDifference:
    """How far two runs of one recording are apart."""

    matched: int  # stamps that both have
    only_first: int
    only_second: int
    largest: float | None  # rad, of a joint at a stamp; None where no stamp is common
    at: tuple[int, str] | None  # stamp, ns, and joint of the largest


def run_difference(first: GoalStream, second: GoalStream) -> RunDifference:
    """Largest difference of two runs' goals for the same picture, such as ROS against offline.

    Joints are matched by name and goals by stamp, so neither's order counts. Raises also Refused(PARAMETER) for joints
    that only one run has and for a stamp that one run has twice.
    """
    columns = _columns(first.names, second.names)
    for name, run in (("the first run", first), ("the second run", second)):
        _check_unique(name, run.stamps_ns)
        check_finite(**{f"positions of {name}": run.positions})
    stamps, mine, its = np.intersect1d(first.stamps_ns, second.stamps_ns, assume_unique=True, return_indices=True)
    alone = (len(first.stamps_ns) - len(stamps), len(second.stamps_ns) - len(stamps))
    apart = np.abs(first.positions[mine] - second.positions[its][:, columns])
    if not apart.size:
        return RunDifference(len(stamps), *alone, None, None)
    row, column = np.unravel_index(np.argmax(apart), apart.shape)
    return RunDifference(len(stamps), *alone, float(apart[row, column]), (int(stamps[row]), first.names[int(column)]))


def _columns(names: Sequence[str], others: Sequence[str]) -> list[int]:
    if sorted(names) != sorted(others):
        alone = sorted(set(names) ^ set(others))
        raise Refused(Reason.PARAMETER, f"the runs' joints differ: {', '.join(alone) or 'one is named twice'}")
    return [others.index(name) for name in names]


def _check_unique(name: str, stamps_ns: Stamps) -> None:
    values, counts = np.unique(stamps_ns, return_counts=True)
    if (counts > 1).any():
        stamp = values[counts > 1][0]
        raise Refused(Reason.PARAMETER, f"{name} has {counts.max()} goals for the stamp {stamp} ns")
