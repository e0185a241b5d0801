"""The page of one evaluation: the verdict first, then why. Static, one file, nothing fetched, no script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from hoi_ros.evaluation.comparison import Change, Comparison
from hoi_ros.evaluation.evaluate import Evaluation
from hoi_ros.evaluation.figures import FIGURES
from hoi_ros.evaluation.grasps import load_solid
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.replay.bag import Bag
from hoi_ros.view import charts, sentences, worst
from hoi_ros.view.evaluation_data import Series, evaluation, occlusion, series
from hoi_ros.view.page import STYLE

PAGE = "report.html"
WHOLE = "recording"  # name of the figures without a first name
DISTRIBUTIONS = {"hand.pa_mpjpe_mm": "mm", "latency.total_ms": "ms"}


@dataclass(frozen=True)
class Row:
    """A figure and what is asked of it."""

    name: str
    meaning: str
    value: float | None
    asked: str
    passed: bool | None  # None: nothing is asked


@dataclass(frozen=True)
class FigureGroup:
    """Figures of one first name, as "hand" of ``hand.found``."""

    name: str
    rows: tuple[Row, ...]

    @property
    def asked(self) -> bool:
        """Whether anything is asked of them."""
        return any(row.passed is not None for row in self.rows)


def write(out: Path, bag: Bag, comparison: Comparison | None = None, mesh: Path | None = None) -> Path:
    """Write ``report.html`` to the folder of a result, from its files and the recording that was played.

    ``mesh``: file of the true object, closed, m; it is drawn where its true pose was recorded.
    Raises Refused(FILE) where ``out`` holds no whole result of `hoi evaluate`, and for a mesh as `load_solid` does.
    """
    result, numbers = evaluation(out), series(out)
    groups = occlusion(numbers)
    solid = load_solid(mesh) if mesh else None
    told, said = sentences.told(out, bag, result, solid)
    text = (
        templates()
        .get_template("evaluation.html")
        .render(
            style=Markup(STYLE),  # noqa: S704 - ours, as the charts are
            result=result,
            reasons=[*result.faults, *(check.sentence for check in result.checks if not check.passed)],
            figure_groups=figure_groups(result),
            frame_checks=_frame_checks(result),
            time=Markup(charts.time_lines(numbers)) if len(numbers) else "",  # noqa: S704
            errors=charts.TITLES,
            groups=groups,
            largest=max((error for group in groups for error in group.errors.values()), default=0.0) or 1.0,
            distributions=_distributions(numbers),
            worst=worst.drawn(out, bag, result, numbers, solid),
            measure=worst.measure(numbers),
            sentences=told,
            said=said,
            comparison=comparison,
            changes=_sorted(comparison),
            **_conditions(result),
        )
    )
    page = out / PAGE
    page.write_text(text, encoding="utf-8")
    return page


def rows(result: Evaluation) -> list[Row]:
    """Every figure with its meaning: first those whose threshold is broken, then those that hold, then the others."""
    asked = {check.figure for check in result.checks}
    return [
        *(
            Row(check.figure, FIGURES.get(check.figure, ""), check.value, check.asked, check.passed)
            for check in sorted(result.checks, key=lambda check: check.passed)
        ),
        *(
            Row(name, FIGURES.get(name, ""), value, "", None)
            for name, value in result.figures.items()
            if name not in asked
        ),
    ]


def figure_groups(result: Evaluation) -> list[FigureGroup]:
    """Every figure by its first name, groups with a broken threshold first, then those of which something is asked."""
    groups: dict[str, list[Row]] = {}
    for row in rows(result):
        first, dot, _ = row.name.partition(".")
        groups.setdefault(first if dot else WHOLE, []).append(row)
    return [FigureGroup(name, tuple(found)) for name, found in groups.items()]


def figure(value: float | None) -> str:
    """A number with four digits; what there is no data for, in words."""
    if value is None or not np.isfinite(value):
        return "no data"
    return f"{value:.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"


def breakable(name: str) -> Markup:
    """A name that may break after its dots, slashes and underscores, escaped."""
    text = escape(name)
    for sign in "._/":
        text = text.replace(sign, Markup(f"{sign}<wbr>"))  # noqa: S704
    return text


def _sorted(comparison: Comparison | None) -> list[Change]:
    """What got worse, what got better, the rest."""
    changes = comparison.changes if comparison else ()
    return sorted(changes, key=lambda change: (not change.worse, not change.better))


def _distributions(numbers: Series) -> list[tuple[str, str, Markup]]:
    """Figure, what the chart shows in words, and the chart."""
    drawn = []
    for name, unit in DISTRIBUTIONS.items():
        if numbers.has(name):
            values = numbers.of(name)[np.isfinite(numbers.of(name))]
            p50, p95 = np.percentile(values, [50, 95])
            words = f"{len(values)} pictures, median {p50:.3g} {unit}, 95th percentile {p95:.3g} {unit}"
            chart = charts.distribution(name, values, unit, {"median": p50, "p95": p95})
            drawn.append((name, words, Markup(chart)))  # noqa: S704
    return drawn


def templates() -> Environment:
    """Those of the pages, with the filters that they use."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"figure": figure, "breakable": breakable}
    return found


def _frame_checks(result: Evaluation) -> list[str]:
    """What the scenario asks of every picture."""
    asked = Scenario.model_validate(result.conditions["scenario"]).frame_thresholds
    return [f"{name} {threshold}" for name, threshold in asked.items()]


def _conditions(result: Evaluation) -> dict[str, Any]:
    """What the result was made with, in tables."""
    conditions = result.conditions
    scenario, bag, made = conditions["scenario"], conditions["bag"], conditions["environment"]
    machine: Mapping[str, Any] = made["machine"]
    asked = {"mode": scenario["mode"], "rate": scenario["rate"] or ""} | scenario["parameters"]
    return {
        "recording": {"file": Path(bag["path"]).name, "sha256": bag["sha256"], "pictures": bag["pictures"]}
        | {f"topic of {name}": topic for name, topic in bag["topics"].items() if topic},
        "source": {"git": made["git"], "hand model": conditions["hand_model"]} | made["weights"],
        "machine": {name: machine[name] for name in ("system", "cores", "python")} | machine["versions"],
        "played": {name: value for name, value in asked.items() if value != ""},
        "started": conditions["started"],
        "mode": scenario["mode"],
        "whole": json.dumps(conditions, indent=2),
    }
