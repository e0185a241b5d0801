"""``hoi train`` and ``hoi score``: a method's recipe, and its table on the engine's splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, Out, bar, finish, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.learning.method import Part

Method = Annotated[str, typer.Argument(help="affordgrasp, choir or affordance_prior.")]
Name = Annotated[str, typer.Option("--part", help="Network of the method, by name.")]
Data = Annotated[Path, typer.Option(help="A dataset made by 'hoi data build'.", exists=True, file_okay=False)]
Trained = Annotated[
    Path | None,
    typer.Option(help="Folder of trained parts that are not shipped, each in a folder of its name.", exists=True),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result on the same machine.")]


def train(
    method: Method,
    data: Data,
    out: Out,
    part: Name = "affordance",
    trained: Trained = None,
    seed: Seed = 0,
    steps: Annotated[int, typer.Option(min=0, help="0: as many as the recipe says.")] = 0,
    rate: Annotated[float, typer.Option(min=0.0, help="Of learning, at its height; 0: the recipe's.")] = 0.0,
    start: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Weights to start from, not from chance.")
    ] = None,
    precision: Annotated[str, typer.Option(help="no, fp16 or bf16.")] = "no",
    as_json: Json = False,
) -> None:
    """Train a network, or go on with a training that was interrupted; several GPUs through 'accelerate launch'."""
    from hoi_ros.dataset.reader import Dataset
    from hoi_ros.learning.trainer import start_from
    from hoi_ros.learning.trainer import train as run

    chosen = _part(method, part)
    dataset = Dataset(data)
    usual = chosen.recipe
    recipe = replace(usual, steps=steps or usual.steps, rate=rate or usual.rate, precision=precision)
    with progress("reading objects", len(dataset.units("train"))) as advance:
        task = chosen.task(dataset, seed, advance, trained)
    if start:
        start_from(task.model, start)
    with bar("training", "{task.fields[loss]}") as shown:
        number = shown.add_task("", total=recipe.steps, loss="")

        def report(done: int, terms: Mapping[str, float]) -> None:
            shown.update(number, completed=done, loss=", ".join(f"{name} {value:.4f}" for name, value in terms.items()))

        weights = run(task, recipe, out, seed, report)
    finish({"weights": str(weights), "steps": recipe.steps}, as_json, f"weights: {weights}")


def score(
    method: Method,
    data: Data,
    part: Annotated[
        str,
        typer.Option(
            "--part",
            help="Of affordgrasp: grasps, sentences or lifts; of choir: refinement, synthesis or fit; of "
            "affordance_prior: refinement, landmarks or control. Else a network.",
        ),
    ] = "grasps",
    row: Annotated[str, typer.Option(help="Of the table of grasps: the method, a part left out, or a peer.")] = "",
    split: Annotated[str, typer.Option(help="Of the table of grasps: test, unseen, held_out or one_view.")] = "test",
    each: Annotated[int, typer.Option(min=1, help="Grasps of each question of the table of grasps.")] = 4,
    most: Annotated[int, typer.Option(min=1, help="Questions of the table of grasps, at most.")] = 10_000,
    weights: Annotated[
        Path | None, typer.Option(exists=True, help="Other weights of a network than the shipped ones.")
    ] = None,
    trained: Trained = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """A method's figures on the engine's test split, unseen categories and held-out phrasings."""
    from hoi_ros.dataset.reader import Dataset
    from hoi_ros.learning.method import Asked

    dataset = Dataset(data)
    known = _module(method)
    with progress("scoring", None) as advance:
        if part in known.TABLES:
            table = known.TABLES[part](dataset, Asked(row, split, each, most, seed, trained), advance)
        else:
            chosen = _part(method, part)
            if chosen.score is None:
                whole = ", ".join(known.TABLES)
                raise Refused(Reason.PARAMETER, f"{part} has no table of its own; it is scored by --part {whole}")
            table = chosen.score(dataset, weights, seed, advance)
    finish(dict(table), as_json, *_lines(table))


def _module(method: str) -> Any:
    from hoi_ros.learning.method import METHODS

    if method not in METHODS:
        raise Refused(Reason.PARAMETER, f"method '{method}' is not known; choose one of: {', '.join(METHODS)}")
    return import_module(METHODS[method])


def _part(method: str, part: str) -> Part:
    parts: Mapping[str, Part] = _module(method).PARTS
    if part not in parts:
        raise Refused(Reason.PARAMETER, f"part '{part}' of {method} is not known; choose one of: {', '.join(parts)}")
    return parts[part]


def _lines(table: Mapping[str, Any]) -> list[str]:
    """One line for each row of each split."""
    lines = []
    for split, rows in table.items():
        lines.append(f"{split}:")
        for name, figures in rows.items():
            values = "  ".join(
                f"{figure} {value:.3f}" if isinstance(value, float) else f"{figure} {value}"
                for figure, value in figures.items()
            )
            lines.append(f"  {name:<14}{values}")
    return lines
