"""Comparisons of benchmarks as lines for a person and as a table of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HEAD = ("what", "ours", "peer", "peer / ours [quartiles]")
SEVERAL = 1000.0  # from here on no digits after the point


def markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each peer of each comparison, then what was left out. ``results``: benchmark -> what its ``run`` gave.

    A comparison whose peers were all left out has no row.
    """
    lines = [_row(HEAD), _row("---" for _ in HEAD)]
    lines += [_row((what, ours, peer, ratio)) for _, what, ours, peer, ratio in _rows(results)]
    machines = {_machine(given["machine"]) for given in results.values() if given.get("comparisons")}
    notes = [f"Wall or processor time, median; {machine}." for machine in sorted(machines)]
    notes += [f"Left out of {name}: {peer}, {why}." for name, peer, why in _skipped(results)]
    return "\n".join([*lines, "", *notes]) + "\n"


def sentences(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The same rows and notes, one line each."""
    lines = [f"{name}: {what}: {ours} | {peer} | ratio {ratio}" for name, what, ours, peer, ratio in _rows(results)]
    return lines + [f"{name}: left out: {peer}, {why}" for name, peer, why in _skipped(results)]


def _rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str, str]]:
    for name, given in results.items():
        for row in given.get("comparisons", ()):
            for peer, theirs in row["peers"].items():
                yield name, row["what"], _side(row["ours"]["name"], row["ours"]), _side(peer, theirs), _ratio(theirs)


def _skipped(results: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Benchmark, what it left out, why. One that was left out whole says why in a sentence."""
    for name, given in results.items():
        skipped = given.get("skipped", {})
        for peer, why in (skipped if isinstance(skipped, dict) else {"all of it": skipped}).items():
            yield name, peer, why


def _side(name: str, times: Mapping[str, Any]) -> str:
    median = times["median_ms"]
    shown = "nothing" if median is None else f"{_figure(median)} ms"
    arrived = f", {100.0 * times['arrived']:.0f} % arrived" if "arrived" in times else ""
    return f"{name}: {shown}{arrived}"


def _ratio(theirs: Mapping[str, Any]) -> str:
    ratio = theirs["ratio"]
    return "none" if ratio is None else "{} [{}..{}]".format(*(_figure(ratio[key]) for key in ("median", "q1", "q3")))


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= SEVERAL else f"{value:.3g}"


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['cores']} cores, Python {machine['python']}, OMP_NUM_THREADS {machine['OMP_NUM_THREADS']}"


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"
