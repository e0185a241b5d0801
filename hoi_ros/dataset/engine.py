"""The build: which units there are, which are left to make, and what they add up to."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hoi_ros import workers
from hoi_ros.dataset.manifest import (
    Conditions,
    Record,
    check_conditions,
    read_records,
    table_path,
    write_manifest,
)
from hoi_ros.dataset.orders import Made, Order, Unit
from hoi_ros.dataset.presets import preset
from hoi_ros.dataset.shards import digest, write_whole
from hoi_ros.refusals import Reason, Refused

MESH_SUFFIXES = (".obj", ".ply", ".stl", ".off", ".glb")


@dataclass(frozen=True)
class Job:
    """One call of the engine. ``categories`` empty: all. ``meshes``: folder of the user's own, instead of families."""

    preset: str = "small"
    seed: int = 0
    categories: tuple[str, ...] = ()
    pictures: bool = True
    meshes: Path | None = None
    workers: int = 1
    ray: str = ""


class Watcher:
    """Hears of a build; to be overridden."""

    def started(self, total: int, done: int) -> None:
        """``total`` units, ``done`` of them from an earlier call."""

    def made(self, record: Record) -> None:
        """A unit is finished."""

    def lost(self, line: str) -> None:
        """A worker died, or a unit failed."""


def build(
    folder: Path, job: Job, watcher: Watcher | None = None, work: Callable[[Order], Made] | None = None
) -> dict[str, Any]:
    """Make what ``folder`` lacks of the dataset, by ``units.make`` or other ``work``, and return its manifest.

    Raises Refused: PARAMETER for an unknown preset or category, FILE for a folder with another dataset or a full disk,
    MESH for the user's mesh that cannot be used, INTERNAL where units failed; the others are made all the same.
    """
    watcher = watcher or Watcher()
    units, conditions = plan(job)
    check_conditions(folder, conditions)
    records = read_records(folder)
    orders = [Order(unit, preset(job.preset), job.seed, job.pictures) for unit in units if unit.name not in records]
    watcher.started(len(units), len(records))
    failures: list[str] = []
    for made in workers.run(partial(_attempt, work or _work()), orders, job.workers, job.ray, watcher.lost):
        if isinstance(made, str):
            failures.append(made)
            watcher.lost(made)
            continue
        _keep(folder, made)
        records[made.record.name] = made.record
        watcher.made(made.record)
    if failures:
        raise Refused(Reason.INTERNAL, f"{len(failures)} of {len(orders)} units failed, the first: {failures[0]}")
    return write_manifest(folder, conditions, records)


def _attempt(work: Callable[[Order], Made], order: Order) -> Made | str:
    """A fault of ours in one unit must not end the others: it comes back as a text."""
    try:
        return work(order)
    except Refused:
        raise
    except Exception as fault:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        return f"{order.unit.name}: {type(fault).__name__} at {Path(place.filename).name}:{place.lineno}: {fault}"


def _work() -> Callable[[Order], Made]:
    from hoi_ros.dataset.units import make  # with all that physics and pictures need

    return make


def plan(job: Job) -> tuple[list[Unit], Conditions]:
    """Every unit of a job, and the conditions that decide their content."""
    from hoi_ros.hand import load_hand_model

    if job.meshes is None:
        categories = _categories(job.categories)
        # Instance by instance through the categories: what a build that is stopped early holds is balanced.
        units = [
            Unit(f"{category}_{index:04d}", category, index)
            for index in range(preset(job.preset).instances)
            for category in categories
        ]
        meshes: dict[str, str] = {}
    else:
        categories = ()
        units = [
            Unit(path.stem, "object", index, str(path), _labels(path))
            for index, path in enumerate(mesh_files(job.meshes))
        ]
        meshes = {
            unit.name: digest(b"".join(Path(path).read_bytes() for path in (unit.mesh, unit.labels) if path))
            for unit in units
        }
    hand = load_hand_model().digest
    return units, Conditions(job.preset, job.seed, categories, job.pictures, hand, meshes)


def _categories(asked: Sequence[str]) -> tuple[str, ...]:
    from hoi_ros.dataset.objects import FAMILIES

    unknown = [name for name in asked if name not in FAMILIES]
    if unknown:
        raise Refused(Reason.PARAMETER, f"category '{unknown[0]}' is not known; known: {', '.join(sorted(FAMILIES))}")
    return tuple(sorted(asked or FAMILIES))


def mesh_files(folder: Path) -> list[Path]:
    """The meshes of a folder, by name. Raises Refused(FILE) where there is none, or two have one name."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in MESH_SUFFIXES)
    if not found:
        raise Refused(Reason.FILE, f"{folder} holds no mesh ({', '.join(MESH_SUFFIXES)})")
    stems = [path.stem for path in found]
    twice = [path for path in found if stems.count(path.stem) > 1]
    if twice:
        raise Refused(Reason.FILE, f"{twice[0]} and {twice[1]} would have one name; rename one")
    return found


def _labels(mesh: Path) -> str:
    """File of part labels beside a mesh: ``mug.labels.json`` or ``mug.labels.npz`` for ``mug.obj``; empty without."""
    beside = (mesh.with_name(f"{mesh.stem}.labels{suffix}") for suffix in (".json", ".npz"))
    return next((str(path) for path in beside if path.exists()), "")


def _keep(folder: Path, made: Made) -> None:
    """The files first, the record last: a unit without its record is made again."""
    for table, data in made.files.items():
        write_whole(table_path(folder, table, made.record.name), data)
    made.record.save(folder)


def limiting(manifest: Mapping[str, Any]) -> str:
    """A sentence: which stage takes the most time, and which rejects the most."""
    stages: Mapping[str, Mapping[str, float]] = manifest["stages"]
    trials = {name: tally for name, tally in stages.items() if tally["entered"] > 0}
    if not trials:
        return "nothing was tried"
    total = sum(tally["cpu_s"] for tally in trials.values()) or 1.0
    slow = max(trials, key=lambda name: trials[name]["cpu_s"])
    strict = min(trials, key=lambda name: trials[name]["left"] / trials[name]["entered"])
    share = trials[strict]["left"] / trials[strict]["entered"]
    return f"{slow} takes {trials[slow]['cpu_s'] / total:.0%} of the time; {strict} lets {share:.0%} pass"
