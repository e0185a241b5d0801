"""What every command does alike: progress on stderr, the result on stdout, options that several take."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from rich.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object, the last line of stdout.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to; made when it is not there.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of config/grasp_pipeline.yaml; may be repeated."),
]
EstimatorName = Annotated[str, typer.Option("--estimator", help="How hands are found in pictures.")]
RobotHand = Annotated[str, typer.Option("--hand", help="shadow_right or shadow_left.")]


def finish(result: dict[str, Any], as_json: bool, *lines: str) -> None:
    """Print the result: one JSON object, or lines for a person."""
    if as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        print("\n".join(lines))


def note(line: str) -> None:
    """Something a person should know, on stderr."""
    print(f"hoi: {line}", file=sys.stderr)


@contextmanager
def bar(*texts: str, **options: Any) -> Iterator[Progress]:
    """A progress bar on stderr with the time left; ``texts`` are rich's templates, the first stands before the bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    first, *rest = (TextColumn(text) for text in texts)
    columns = (first, BarColumn(), MofNCompleteColumn(), *rest, TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), refresh_per_second=4, **options) as shown:
        yield shown


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr; yields what to call after each of ``total`` pieces of work, where that is known."""
    with bar("{task.description}") as shown:
        task = shown.add_task(what, total=total)
        yield lambda: shown.advance(task)


def parameters(assignments: list[str] | None, **chosen: str) -> Parameters:
    """Parameters from options and ``NAME=VALUE`` texts. Raises Refused(PARAMETER) for one that is of no use."""
    defaults = {f.name: f.default for f in fields(Parameters)}
    values: dict[str, Any] = dict(chosen)
    for assignment in assignments or []:
        name, equals, text = assignment.partition("=")
        if not equals or name not in defaults:
            known = ", ".join(defaults)
            raise Refused(Reason.PARAMETER, f"'{assignment}' is not NAME=VALUE of a parameter; known: {known}")
        values[name] = _typed(name, text, type(defaults[name]))
    return Parameters(**values)


def _typed(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise Refused(Reason.PARAMETER, f"{name} is '{text}'; it must be true or false")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        raise Refused(Reason.PARAMETER, f"{name} is '{text}'; it must be a {kind.__name__}") from None
