"""Ours and its peers on the same input, by turns in one run, so that a busy machine slows them alike.

What a benchmark with peers gives is made here: ``{"comparisons": [...], "skipped": {peer: why}, "machine": {...}}``.
A comparison holds ``what`` was done on which ``input`` in ``n`` rounds (or frames), the times of ``ours``, and of each
of ``peers`` with its ``ratio``: how many times as long it takes as ours, as the median and the quartiles of the rounds'
own ratios.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.summary import machine
from hoi_ros.types import Array

SHORTEST = 0.005  # s that one turn of quick work lasts at least, so that reading the clock does not count


def result(comparisons: Sequence[dict[str, Any]], skipped: Mapping[str, str]) -> dict[str, Any]:
    """What ``run`` of a benchmark with peers gives, with the machine and the threads it was taken with."""
    here = machine() | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set")}
    return {"comparisons": list(comparisons), "skipped": dict(skipped), "machine": here}


def comparison(what: str, given: str, seconds: Mapping[str, Array]) -> dict[str, Any]:
    """One comparison from the seconds (rounds,) of each contestant by name, ours first; NaN where a round failed."""
    (name, ours), *peers = seconds.items()
    return {
        "what": what,
        "input": given,
        "n": len(ours),
        "ours": {"name": name} | _times(ours),
        "peers": {peer: _times(theirs) | {"ratio": ratio(theirs, ours)} for peer, theirs in peers},
    }


def take_turns(
    works: Mapping[str, Callable[[], Any]],
    rounds: int,
    shortest: float = 0.0,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, Array]:
    """Seconds (rounds,) of one call of each of ``works``.

    A turn is one call; with ``shortest`` as many as take that long, s, after two calls that do not count.
    """
    calls = {name: _calls(work, shortest, clock) if shortest else 1 for name, work in works.items()}
    seconds = {name: np.empty(rounds) for name in works}
    for number, name in turns(works, rounds):
        work = works[name]
        started = clock()
        for _ in range(calls[name]):
            work()
        seconds[name][number] = (clock() - started) / calls[name]
    return seconds


def turns(names: Mapping[str, Any], rounds: int) -> Iterator[tuple[int, str]]:
    """Number of the round and whose turn it is; every other round backwards, so that nobody always follows another."""
    for number in range(rounds):
        for name in reversed(list(names)) if number % 2 else names:
            yield number, name


def ratio(theirs: Array, ours: Array) -> dict[str, float] | None:
    """Median and quartiles of theirs / ours over the rounds where both are finite; None without such a round."""
    both = np.isfinite(theirs) & np.isfinite(ours)
    if not both.any():
        return None
    q1, median, q3 = np.percentile(theirs[both] / ours[both], [25, 50, 75])
    return {"median": float(median), "q1": float(q1), "q3": float(q3)}


def largest_difference(peer: str, ours: ArrayLike, theirs: ArrayLike, tolerance: float) -> float:
    """Largest difference of two results. Raises Refused(INTERNAL) above ``tolerance``: times would compare nothing."""
    first, second = (np.asarray(values, dtype=float) for values in (ours, theirs))
    if first.shape != second.shape:
        raise Refused(Reason.INTERNAL, f"{peer} gives {second.shape} where we give {first.shape}")
    difference = float(np.abs(first - second).max(initial=0.0))
    if not difference <= tolerance:
        raise Refused(Reason.INTERNAL, f"{peer} differs from ours by {difference:g}; at most {tolerance:g} is equal")
    return difference


def _calls(work: Callable[[], Any], shortest: float, clock: Callable[[], float]) -> int:
    work()  # caches, lazy imports
    started = clock()
    work()
    return max(1, math.ceil(shortest / max(clock() - started, 1e-9)))


def _times(seconds: Array) -> dict[str, float | None]:
    finite = 1e3 * seconds[np.isfinite(seconds)]
    if not len(finite):
        return {"median_ms": None, "p95_ms": None}
    return {"median_ms": float(np.median(finite)), "p95_ms": float(np.percentile(finite, 95))}
