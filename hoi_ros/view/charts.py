"""Charts of an evaluation as SVG inside a page: they take the page's colour of text, so they are read in the dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hoi_ros.replay.bag import NS
from hoi_ros.types import Array
from hoi_ros.view.evaluation_data import ERRORS, Series

COLOURS = ("#12808c", "#d2691e", "#8a6bc5", "#3c8d40", "#c04a78")  # at least 3:1 on both backgrounds
INK = "#010101"  # becomes the text's colour
STYLE: Any = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "legend.frameon": False, "legend.fontsize": 8, "axes.titlesize": 9.5,
    "axes.titlelocation": "left", "grid.color": INK, "grid.alpha": 0.15, "text.parse_math": False,
}  # fmt: skip
VERDICTS = {"pass": COLOURS[3], "fail": "#d03b3b", "refused": COLOURS[1], "unanswered": COLOURS[2]}
POINTS = 600  # of a curve: where there are more pictures, means and largest values of neighbours
TITLES = {"hand.mpjpe_mm": "absolute", "hand.r_mpjpe_mm": "wrists on each other", "hand.pa_mpjpe_mm": "aligned"}
BINS = 40


def time_lines(numbers: Series) -> str:
    """Errors, latency, occlusion and verdicts over the recording, one above the other; what has no data is left out."""
    latencies = sorted(name for name in numbers.figures if name.startswith("latency."))
    panels = {
        "error, mm": {TITLES[name]: numbers.of(name) for name in ERRORS if numbers.has(name)},
        "latency, ms": {name[8:-3]: numbers.of(name) for name in latencies if numbers.has(name)},
        "hidden, share": {"": numbers.of("hand.hidden")} if numbers.has("hand.hidden") else {},
    }
    panels = {title: curves for title, curves in panels.items() if curves}
    seconds = (numbers.stamps - numbers.stamps[0]) / NS
    ordered = bool((np.diff(seconds) > 0).all())
    along = seconds if ordered else np.arange(len(seconds), dtype=float)
    with mpl.rc_context(STYLE):
        heights = [*([2.2] * len(panels)), 1.0]
        figure = Figure(figsize=(10.0, 0.3 + 0.9 * sum(heights)), layout="constrained")
        axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for axis, (title, curves) in zip(axes, panels.items(), strict=False):
            _curves(axis, along, curves)
            axis.set_title(title)
        _strip(axes[-1], along, numbers)
        axes[-1].set_xlabel("s" if ordered else "picture (stamps go backwards)")
        return _svg(figure, "time", f"{', '.join(panels)} and verdict over the recording")


def distribution(name: str, values: Array, unit: str, marked: Mapping[str, float]) -> str:
    """How often which value, with the share of the pictures below it; two ``marked`` values get a line each."""
    values = np.sort(values[np.isfinite(values)])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 2.9), layout="constrained")
        axis = figure.subplots()
        axis.hist(values, bins=min(BINS, max(len(values) // 3, 5)), color=COLOURS[0], alpha=0.55)
        axis.set_xlabel(unit)
        axis.set_ylabel("pictures (bars)")
        share = axis.twinx()
        rows = np.unique(np.linspace(0, len(values) - 1, POINTS).round().astype(int))
        share.step(values[rows], (rows + 1) / len(values), where="post", color=COLOURS[1], lw=1.5)
        share.set_ylim(0.0, 1.02)
        share.set_ylabel("share at or below (line)")
        for (label, value), side in zip(marked.items(), ("right", "left"), strict=True):
            share.axvline(value, color=INK, lw=0.8, ls=":")
            share.text(value, 1.04, f" {label} {value:.3g} ", fontsize=8, ha=side)
        return _svg(figure, re.sub(r"\W+", "-", name), f"Histogram of {name}, and the share of pictures at or below")


def _curves(axis: Axes, along: Array, curves: Mapping[str, Array]) -> None:
    edges = _edges(len(along))
    starts = along[edges[:-1]]
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        means, most = _reduced(values, edges, np.mean), _reduced(values, edges, np.max)
        axis.plot(starts, means, lw=1.3, color=colour, label=name)
        if len(along) > len(starts):
            axis.plot(starts, most, lw=0.6, alpha=0.6, color=colour)
        known = np.pad(np.isfinite(means), 1)
        alone = known[1:-1] & ~known[:-2] & ~known[2:]  # a line needs two points
        axis.plot(starts[alone], means[alone], ".", ms=3, color=colour)
    axis.set_ylim(bottom=0)
    axis.grid(axis="y")
    if any(curves):
        axis.legend(ncols=len(curves), loc="lower left", bbox_to_anchor=(0.1, 0.97), borderaxespad=0.0)


def _strip(axis: Axes, along: Array, numbers: Series) -> None:
    """A row for each verdict, filled where pictures have it."""
    edges = _edges(len(along))
    ends = np.append(along, along[-1] + (np.median(np.diff(along)) if len(along) > 1 else 1.0))
    starts, widths = along[edges[:-1]], np.diff(ends[edges])
    for row, (verdict, colour) in enumerate(VERDICTS.items()):
        has = np.maximum.reduceat(numbers.verdicts == verdict, edges[:-1])
        axis.broken_barh([*zip(starts[has], widths[has], strict=True)], (row - 0.4, 0.8), color=colour, lw=0.3)
    axis.set_yticks(range(len(VERDICTS)), list(VERDICTS))
    axis.set_ylim(len(VERDICTS) - 0.5, -0.5)
    axis.set_title("verdict")


def _edges(count: int) -> NDArray[np.int64]:
    """Where runs of neighbours begin and end, at most `POINTS` runs of ``count`` pictures."""
    return np.linspace(0, count, min(count, POINTS) + 1).round().astype(int)


def _reduced(values: Array, edges: NDArray[np.int64], how: Callable[[Array], Any]) -> Array:
    runs = (run[np.isfinite(run)] for run in np.split(values, edges[1:-1]))
    return np.array([how(run) if len(run) else np.nan for run in runs])


def _svg(figure: Figure, name: str, words: str) -> str:
    """The drawing without its preamble and size, told in ``words``, with ids that no other drawing of the page has."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    _, _, text = buffer.getvalue().partition("<svg")
    head, _, rest = text.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    text = f'<svg role="img" aria-label="{escape(words)}"{head}>{rest}'.replace(INK, "currentColor")
    for before in (' id="', "url(#", 'href="#'):
        text = text.replace(before, f"{before}{name}-")
    return text
