"""``hoi data``: the dataset engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, Out, bar, finish, note, progress

if TYPE_CHECKING:
    from rich.progress import Progress

    from hoi_ros.dataset.engine import Watcher

data = typer.Typer(help="The dataset engine: objects, grasps that hold, words and pictures.", no_args_is_help=True)


@data.command()
def build(
    out: Out,
    preset: Annotated[
        str, typer.Option(help="tiny (a minute), small (an hour on two cores) or full (days; use --ray).")
    ] = "small",
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same content, on any number of workers.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes on this machine; 0 is one for each core.")] = 0,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Only this category; may be repeated. Without it: all.")
    ] = None,
    meshes: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of your own meshes, instead of the families. Parts: NAME.labels.json or .npz beside NAME.obj.",
        ),
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Render RGB-D pictures.")] = True,
    ray: Annotated[str, typer.Option(help="Address of a Ray cluster to work on; 'local' starts one here.")] = "",
    as_json: Json = False,
) -> None:
    """Build a dataset, or go on with one that was interrupted."""
    from hoi_ros.dataset import engine

    job = engine.Job(
        preset, seed, tuple(category or ()), pictures, meshes, workers or len(os.sched_getaffinity(0)), ray
    )
    with _watching() as watcher:
        manifest = engine.build(out, job, watcher)
    finish(manifest | {"out": str(out)}, as_json, *_build_lines(manifest), f"files: {out}/")


@data.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="A dataset.")],
    out: Out,
    verify: Annotated[bool, typer.Option("--verify", help="Check every file against its hash first.")] = False,
    reference: Annotated[
        Path | None, typer.Option(help=".npz of recorded hands, joints_obj (M, 21, 3) m, to compare joint angles with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Counts, distributions and contact sheets of a dataset, as pictures and one summary.json."""
    from hoi_ros.dataset.inspection import inspect as look
    from hoi_ros.dataset.reader import Dataset

    dataset = Dataset(folder)
    if verify:
        dataset.verify()
    summary = look(dataset, out, reference, note)
    finish(summary | {"out": str(out)}, as_json, *_inspect_lines(summary), f"files: {out}/")


@data.command()
def retest(
    folder: Annotated[Path, typer.Argument(help="A dataset.")],
    count: Annotated[int, typer.Option(min=1, help="Grasps to draw.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw and of the tests' perturbations.")] = 1,
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="The fixed-hand test and its controls too; slower.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Test accepted grasps afresh: another seed, less friction, and the fixed-hand test with its controls."""
    from hoi_ros.dataset.reader import Dataset
    from hoi_ros.dataset.retest import retest as run

    dataset = Dataset(folder)
    with progress("testing again", count) as advance:
        shares = run(dataset, count, seed, controls, advance)
    lines = [f"{test}: {share:.1%}" for test, share in shares.items() if test != "grasps"]
    finish(shares, as_json, f"{shares['grasps']} grasps", *lines)


@data.command()
def label(
    meshes: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="Folder of meshes; hands in NAME.grasps.npz beside NAME.obj."
        ),
    ],
    dataset: Annotated[
        Path, typer.Option("--data", exists=True, file_okay=False, help="A whole dataset of the engine.")
    ],
    out: Out,
    categories: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help='JSON: {"NAME": "mug"}, or {"NAME": {"category": "kettle", "uses": [["Twist", "lid"]]}}. '
            "Meshes of no known category are asked for every use there is.",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of labelling, with a training between them.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Of a training between two rounds.")] = 500,
    precision: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of right labels that the filter must surely reach.")
    ] = 0.8,
    weights: Annotated[Path | None, typer.Option(exists=True, help="Affordance Generator; without: shipped.")] = None,
    classifier: Annotated[Path | None, typer.Option(exists=True, help="Semantic Classifier; without: shipped.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same labels on the same machine.")] = 0,
    as_json: Json = False,
) -> None:
    """Label meshes with the trained networks; --out holds the engine's dataset and the meshes that got a label.

    Look at the sheets in OUT/checks, write accept or reject into the checks.csv beside them, and run it again.
    """
    import json

    from hoi_ros.dataset.reader import Dataset
    from hoi_ros.methods.affordgrasp.self_training import Job, self_train

    job = Job(rounds, steps, precision, seed)
    summary = self_train(Dataset(dataset), meshes, categories, out, job, weights, classifier, progress)
    (out / "summary.json").write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
    finish(summary | {"out": str(out)}, as_json, *_label_lines(summary), f"files: {out}/")


@contextmanager
def _watching() -> Iterator[Watcher]:
    """A progress bar of units with the rate of accepted grasps and the time left."""
    from hoi_ros.dataset.engine import Watcher
    from hoi_ros.dataset.manifest import Record

    class Bar(Watcher):
        """The grasps of this call and their rate; the time left is that of its units."""

        def __init__(self, progress: Progress) -> None:
            self.progress, self.grasps = progress, 0
            self.task = progress.add_task("", total=None, grasps=0, rate=0.0)

        def started(self, total: int, done: int) -> None:
            self.progress.update(self.task, total=total, completed=done)

        def made(self, record: Record) -> None:
            self.grasps += record.counts["grasps"]
            elapsed = self.progress.tasks[0].elapsed or 1.0
            self.progress.update(self.task, advance=1, grasps=self.grasps, rate=3600.0 * self.grasps / elapsed)

        def lost(self, line: str) -> None:
            note(line)

    rate = "{task.fields[grasps]} grasps, {task.fields[rate]:.0f} an hour"
    with bar("building", rate, speed_estimate_period=600.0) as shown:
        yield Bar(shown)


def _build_lines(manifest: dict[str, Any]) -> list[str]:
    from hoi_ros.dataset.engine import limiting

    lines = [", ".join(f"{count} {table}" for table, count in manifest["counts"].items())]
    lines += ["accepted: " + ", ".join(f"{count} {name}" for name, count in manifest["accepted"].items())]
    lines += [f"{'stage':<12}{'entered':>10}{'left':>10}{'share':>8}{'CPU s':>10}{'ms each':>10}"]
    for name, tally in manifest["stages"].items():
        entered = max(tally["entered"], 1)
        lines.append(
            f"{name:<12}{tally['entered']:>10}{tally['left']:>10}{tally['left'] / entered:>8.0%}"
            f"{tally['cpu_s']:>10.0f}{1e3 * tally['cpu_s'] / entered:>10.1f}"
        )
    return [*lines, f"limits: {limiting(manifest)}", f"content hash: {manifest['content_hash']}"]


def _label_lines(summary: dict[str, Any]) -> list[str]:
    lines = [f"{name}: not usable: {why}" for name, why in summary["unusable"].items()]
    for number, figures in enumerate(summary["rounds"], 1):
        for way, bound in figures["filter"].items():
            values = ", ".join(f"{name} {value:.3g}" for name, value in bound.items() if value is not None)
            lines.append(f"round {number}, {way}: {values if bound['least'] else 'nothing passes; ' + values}")
        counts = ", ".join(f"{figures[name]} {name}" for name in ("meshes", "labels", "grasps"))
        lines.append(f"round {number}: {counts}")
    return [*lines, "checked: " + ", ".join(f"{count} {verdict}ed" for verdict, count in summary["checked"].items())]


def _inspect_lines(summary: dict[str, Any]) -> list[str]:
    return [f"{name}: {value}" for name, value in summary.items() if not isinstance(value, dict | list)]
