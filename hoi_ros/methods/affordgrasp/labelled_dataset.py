"""A dataset of the engine's objects and grasps and of meshes that were labelled, in the engine's own format."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.dataset.manifest import Conditions, Record, table_path, write_manifest
from hoi_ros.dataset.reader import Dataset, object_row
from hoi_ros.dataset.shards import digest, encode, write_whole
from hoi_ros.dataset.units import refusing_words
from hoi_ros.methods.affordgrasp.pseudo_labels import Map
from hoi_ros.methods.affordgrasp.targets import Target
from hoi_ros.refusals import Refused
from hoi_ros.scene import convex
from hoi_ros.scene.object_model import ObjectModel

SPLIT = "train"  # of labelled meshes
_COPIED = ("objects", "grasps")  # tables of the engine; pictures are not

Show = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Shows the progress of a stage of so many pieces."""


@dataclass(frozen=True)
class Labelled:
    """A mesh with its labels (without convex pieces), the maps they are made of, and rows of its grasps."""

    target: Target
    obj: ObjectModel
    maps: tuple[Map, ...]
    grasps: tuple[dict[str, Any], ...] = ()


def conditions(engine: Dataset, targets: Sequence[Target]) -> Conditions:
    """What decides the content: the engine's conditions, and the meshes. Raises Refused(FILE) for half a dataset."""
    of = engine.manifest["conditions"]
    meshes = of["meshes"] | {target.obj.name: target.content for target in targets}
    return Conditions(**of | {"categories": tuple(of["categories"]), "pictures": False, "meshes": meshes})


def write(
    out: Path, engine: Dataset, made_under: Conditions, labelled: Sequence[Labelled], seed: int, show: Show
) -> dict[str, Any]:
    """Write the dataset and return its counts, and why some meshes are left out after all.

    Meshes that lie there from an earlier run and are no longer labelled go.
    """
    records = {record.name: _copied(engine, record, out) for record in engine.units()}
    for name in made_under.meshes.keys() - records.keys():
        for path in (out / "units" / f"{name}.json", *(table_path(out, table, name) for table in _COPIED)):
            path.unlink(missing_ok=True)
    unusable = {}
    with show("cutting into convex pieces", len(labelled)) as advance:
        for number, one in enumerate(labelled):
            try:
                records[one.obj.name] = _written(one, out, np.random.default_rng([seed, number]))
            except Refused as refusal:
                unusable[one.obj.name] = refusal.message
            advance()
    manifest = write_manifest(out, made_under, records)
    return {"counts": manifest["counts"], "content_hash": manifest["content_hash"], "unusable": unusable}


def _copied(engine: Dataset, record: Record, out: Path) -> Record:
    kept = replace(
        record,
        files={table: record.files[table] for table in _COPIED if table in record.files},
        counts={table: record.counts[table] for table in _COPIED if table in record.counts},
    )
    for table in kept.files:
        path = table_path(out, table, record.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table_path(engine.folder, table, record.name), path)
    kept.save(out)
    return kept


def _written(one: Labelled, out: Path, rng: np.random.Generator) -> Record:
    obj = one.obj
    pieces, _ = convex.decompose(obj.vertices, obj.faces, obj.face_parts)
    whole = replace(obj, pieces=pieces)
    head = {"object": obj.name, "category": obj.category, "split": SPLIT}
    rows = {
        "objects": [object_row(whole, SPLIT, np.zeros(10)) | refusing_words(whole, rng)],
        "grasps": [head | {"number": number} | row for number, row in enumerate(one.grasps)],
    }
    files = {table: encode(table, content) for table, content in rows.items()}
    for table, data in files.items():
        write_whole(table_path(out, table, obj.name), data)
    record = Record(
        name=obj.name,
        category=obj.category,
        split=SPLIT,
        files={table: digest(data) for table, data in files.items()},
        counts={table: len(content) for table, content in rows.items()},
        accepted=dict(sorted(Counter(row["affordance"] for row in one.grasps).items())),
        rejected={},
    )
    record.save(out)
    return record
