"""``hoi evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoi_ros.cli.console import Json, finish, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.evaluation.evaluate import Evaluation


def evaluate(
    scenario: Annotated[Path | None, typer.Argument(help="A scenario: a .yaml file.", exists=True)] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made when it is not there.")] = Path(
        "out/evaluation"
    ),
    mode: Annotated[str, typer.Option(help="lockstep, realtime or offline, in place of the scenario's own.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of scenarios, for editors.")] = False,
    as_json: Json = False,
) -> None:
    """Play a recording, score it against its ground truth and judge it: exit 0 passed, 1 failed, 2 refused."""
    from hoi_ros.evaluation.evaluate import evaluate as run
    from hoi_ros.evaluation.scenario import Scenario
    from hoi_ros.evaluation.scenario import schema as json_schema

    if schema:
        print(json.dumps(json_schema(), indent=2))
        return
    if scenario is None:
        raise Refused(Reason.PARAMETER, "no scenario was given; see: hoi evaluate --help")
    asked = Scenario.load(scenario, {"mode": mode} if mode else {})
    with progress(f"evaluating {asked.name}", None) as advance:
        result = run(asked, scenario.parent, out, advance)
    finish(result.as_dict() | {"out": str(out)}, as_json, *lines(result), f"files: {out}/")
    if not result.passed:
        raise typer.Exit(1)


def lines(result: Evaluation) -> list[str]:
    """An evaluation for a person: the verdict first."""
    head = f"{result.name}: {'PASSED' if result.passed else 'FAILED'}"
    verdicts = ", ".join(f"{count} {name}" for name, count in result.verdicts.items() if count)
    shown = [head, *(f"  - {reason}" for reason in result.reasons), f"pictures: {verdicts or 'none'}"]
    if result.conditions["lacking"]:
        shown.insert(1, f"  note: {result.conditions['lacking']}")
    if result.refusals:
        shown.append("refused: " + ", ".join(f"{count} {name}" for name, count in result.refusals.items()))
    asked = {check.figure: check for check in result.checks}
    for name, value in result.figures.items():
        check = asked.get(name)
        mark = "" if check is None else f"   {'ok' if check.passed else 'NO'}, {check.asked}"
        shown.append(f"  {name:<32}{value:>12.4g}{mark}")
    return shown
