"""The page of many evaluations: which of them passed, why the others did not, and the way to each one's own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from hoi_ros.evaluation.figures import FIGURES
from hoi_ros.evaluation.many import Done
from hoi_ros.view.evaluation_page import PAGE, templates
from hoi_ros.view.page import STYLE

INDEX = "index.html"
REASONS = 3  # of each recording
KEY = ("frames", "answered", "hand.pa_mpjpe_mm", "goal.rate_hz", "latency.p95_ms", "grasp.answered")
VERDICTS = ("REFUSED", "FAILED", "PASSED")  # in this order


@dataclass(frozen=True)
class Entry:
    """One recording."""

    name: str
    verdict: str
    reasons: tuple[str, ...]  # the first ones
    more: int  # how many there are beside them
    figures: dict[str, float]
    link: str  # of its page, from this one; "" where it has none


def write(out: Path, done: Sequence[Done]) -> Path:
    """Write ``index.html`` to a folder in which the results of ``done`` lie, each with its page."""
    entries = sorted((_entry(out, each) for each in done), key=lambda entry: VERDICTS.index(entry.verdict))
    counts = {verdict: sum(entry.verdict == verdict for entry in entries) for verdict in VERDICTS}
    key = [name for name in KEY if any(name in entry.figures for entry in entries)]
    text = (
        templates()
        .get_template("evaluation_index.html")
        .render(
            style=Markup(STYLE),  # noqa: S704 - ours
            entries=entries,
            counts={verdict: count for verdict, count in counts.items() if count},
            passed=counts["PASSED"] == len(entries),
            key=key,
            meanings=FIGURES,
        )
    )
    out.mkdir(parents=True, exist_ok=True)
    page = out / INDEX
    page.write_text(text, encoding="utf-8")
    return page


def _entry(out: Path, done: Done) -> Entry:
    name, page = done.task.scenario.name, done.task.out / PAGE
    result = done.evaluation
    if result is None:
        return Entry(name, "REFUSED", (done.refusal,), 0, {}, "")
    reasons = [*result.faults, *(check.sentence for check in result.checks if not check.passed)]
    link = quote(page.relative_to(out).as_posix()) if page.exists() else ""
    verdict = "PASSED" if result.passed else "FAILED"
    more = max(len(reasons) - REASONS, 0)
    return Entry(name, verdict, tuple(reasons[:REASONS]), more, dict(result.figures), link)
