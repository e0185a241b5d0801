"""``hoi evaluate``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, finish, note, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.evaluation.comparison import Comparison
    from hoi_ros.evaluation.evaluate import Evaluation
    from hoi_ros.evaluation.many import Done, Task


def evaluate(
    scenario: Annotated[
        Path | None, typer.Argument(help="A scenario, a .yaml file, or a folder of them.", exists=True)
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made when it is not there.")] = Path(
        "out/evaluation"
    ),
    mode: Annotated[
        str, typer.Option(help="lockstep, realtime, offline or recorded, in place of the scenario's own.")
    ] = "",
    compare: Annotated[
        Path | None,
        typer.Option(help="Folder of another result of the same recording: what got worse fails.", exists=True),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML, for CI.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Recordings at once, each in a process.")] = 1,
    report: Annotated[bool, typer.Option(help="Draw report.html beside each result; takes some seconds.")] = True,
    ray: Annotated[
        str, typer.Option(help="Address of a Ray cluster to spread recordings over; 'local' makes one.")
    ] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of scenarios, for editors.")] = False,
    as_json: Json = False,
) -> None:
    """Play recordings, score them against their ground truth and judge them: exit 0 passed, 1 failed, 2 refused."""
    from hoi_ros.evaluation import junit as xml
    from hoi_ros.evaluation import many
    from hoi_ros.evaluation.scenario import schema as json_schema

    if schema:
        print(json.dumps(json_schema(), indent=2))
        return
    if scenario is None:
        raise Refused(Reason.PARAMETER, "no scenario was given; see: hoi evaluate --help")
    asked = many.tasks(scenario, out, {"mode": mode} if mode else {})
    if compare and len(asked) > 1:
        raise Refused(Reason.PARAMETER, f"--compare is for one recording; {scenario} names {len(asked)}")
    done = [_alone(asked[0])] if len(asked) == 1 else _together(asked, workers, ray)
    found = [each.evaluation for each in done if each.evaluation is not None]
    if junit:
        xml.write(found, junit)
    comparison = _compared(out, compare) if compare and found else None
    pages = _drawn(done, comparison, out) if report else []
    finish(_result(done, comparison, out), as_json, *_lines(done, comparison), *pages[:1], f"files: {out}/")
    if any(each.evaluation is None for each in done):
        raise typer.Exit(2)
    if not all(each.passed for each in found) or (comparison is not None and comparison.worse):
        raise typer.Exit(1)


def _alone(task: Task) -> Done:
    from hoi_ros.evaluation.evaluate import evaluate as run
    from hoi_ros.evaluation.many import Done

    with progress(f"evaluating {task.scenario.name}", None) as advance:
        return Done(task, run(task.scenario, task.folder, task.out, advance))


def _together(asked: list[Task], workers: int, ray: str) -> list[Done]:
    from hoi_ros.evaluation import many

    with progress(f"evaluating {len(asked)} recordings", len(asked)) as advance:
        return many.run(asked, workers, ray, lambda _: advance(), note)


def _compared(out: Path, other: Path) -> Comparison:
    from hoi_ros.evaluation.comparison import compare

    return compare(out, other)


def _drawn(done: list[Done], comparison: Comparison | None, out: Path) -> list[str]:
    """A page for each result, and one of all of them where there are several; where they are, that one first."""
    from hoi_ros.evaluation.evaluate import topics_of
    from hoi_ros.replay.rescue import opened
    from hoi_ros.view import evaluation_index, evaluation_page

    pages = []
    with progress("drawing", len(done)) as advance:
        for each in done:
            if each.evaluation is not None:
                task = each.task
                mesh = task.folder / task.scenario.truth.mesh if task.scenario.truth.mesh else None
                with opened(task.folder / task.scenario.bag, topics_of(task.scenario)) as (bag, _):
                    pages.append(f"look at {evaluation_page.write(task.out, bag, comparison, mesh)}")
            advance()
    return [f"look at {evaluation_index.write(out, done)}", *pages] if len(done) > 1 else pages


def _result(done: list[Done], comparison: Comparison | None, out: Path) -> dict[str, Any]:
    results: list[dict[str, Any]] = [
        each.evaluation.as_dict() if each.evaluation else {"name": each.task.scenario.name, "refused": each.refusal}
        for each in done
    ]
    result: dict[str, Any] = results[0] if len(done) == 1 else {"recordings": results}
    if comparison is not None:
        result["comparison"] = asdict(comparison) | {"worse": comparison.worse}
    return result | {"out": str(out)}


def _lines(done: list[Done], comparison: Comparison | None) -> list[str]:
    """For a person: one recording whole, of many their verdicts."""
    if len(done) == 1 and done[0].evaluation:
        shown = [*_verdict(done[0]), *_figures(done[0].evaluation)]
    else:
        shown = [line for each in done for line in _verdict(each)]
    if comparison is not None:
        shown += ["compared with the other result:", *(f"  note: {each}" for each in comparison.notes)]
        shown += [f"  worse: {each}" for each in comparison.worse] or ["  nothing got worse beyond chance"]
        shown += [f"  better: {c.figure} {c.way}" for c in comparison.changes if c.better]
        if comparison.differences is not None:
            shown.append(f"  largest difference of what was published: {comparison.differences}")
    return shown


def _verdict(done: Done) -> list[str]:
    result = done.evaluation
    if result is None:
        return [f"{done.task.scenario.name}: REFUSED", f"  - {done.refusal}"]
    head = f"{result.name}: {'PASSED' if result.passed else 'FAILED'}"
    lacking = result.conditions["lacking"]
    return [head, *([f"  note: {lacking}"] if lacking else []), *(f"  - {reason}" for reason in result.reasons)]


def _figures(result: Evaluation) -> list[str]:
    verdicts = ", ".join(f"{count} {name}" for name, count in result.verdicts.items() if count)
    shown = [f"pictures: {verdicts or 'none'}"]
    if result.refusals:
        shown.append("refused: " + ", ".join(f"{count} {name}" for name, count in result.refusals.items()))
    asked = {check.figure: check for check in result.checks}
    for name, value in result.figures.items():
        check = asked.get(name)
        mark = "" if check is None else f"   {'ok' if check.passed else 'NO'}, {check.asked}"
        shown.append(f"  {name:<32}{value:>12.4g}{mark}")
    return shown
