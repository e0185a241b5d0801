"""Reading a dataset: rows of its tables by split, mapped into memory file by file as they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hoi_ros.dataset.manifest import MANIFEST, Record, read_records, table_path
from hoi_ros.dataset.presets import SPLITS, Split
from hoi_ros.dataset.shards import SCHEMAS, digest, open_table
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel, Piece


class Dataset:
    """A finished or growing dataset in a folder; only whole units are seen.

    Raises Refused(FILE) for a folder that holds none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: dict[str, Record] = read_records(folder)
        if not self.records:
            raise Refused(Reason.FILE, f"{folder} holds no dataset; make one with 'hoi data build --out {folder}'")

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest. Raises Refused(FILE) where the build has not come to its end."""
        path = self.folder / MANIFEST
        if not path.exists():
            raise Refused(Reason.FILE, f"{self.folder} is not complete; run 'hoi data build' on it again")
        manifest: dict[str, Any] = json.loads(path.read_text())
        return manifest

    def units(self, split: Split | None = None) -> list[Record]:
        """Units of a split (None: all), by name. Raises Refused(PARAMETER) with the known splits."""
        if split is not None and split not in SPLITS:
            raise Refused(Reason.PARAMETER, f"split '{split}' is not known; choose one of: {', '.join(SPLITS)}")
        return [self.records[name] for name in sorted(self.records) if split in (None, self.records[name].split)]

    def tables(self, table: str, split: Split | None = None) -> Iterator[pa.Table]:
        """A table's rows, unit by unit, lying in the files' mapped pages until they are touched."""
        if table not in SCHEMAS:
            raise Refused(Reason.PARAMETER, f"table '{table}' is not known; choose one of: {', '.join(SCHEMAS)}")
        for record in self.units(split):
            if table in record.files:
                yield open_table(table_path(self.folder, table, record.name), table)

    def table(self, table: str, split: Split | None = None) -> pa.Table:
        """A table's rows of a split as one table."""
        return pa.concat_tables([SCHEMAS[table].empty_table(), *self.tables(table, split)])

    def object(self, name: str) -> ObjectModel:
        """The object of a unit. Raises Refused(PARAMETER) for a name that is not there."""
        if name not in self.records:
            raise Refused(Reason.PARAMETER, f"{self.folder} has no object '{name}'; the first is {min(self.records)}")
        (row,) = open_table(table_path(self.folder, "objects", name), "objects").to_pylist()
        return object_from_row(row)

    def verify(self) -> None:
        """Check every file against its hash. Raises Refused(FILE) for the first that differs."""
        for record in self.records.values():
            for table, expected in record.files.items():
                path = table_path(self.folder, table, record.name)
                if digest(path.read_bytes()) != expected:
                    raise Refused(Reason.FILE, f"{path} has changed since it was made; delete it and build again")


def column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    """A numeric column as an array (rows,) or, of fixed-size lists, (rows, size)."""
    field = table.schema.field(name).type
    if pa.types.is_fixed_size_list(field):
        flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat.reshape(-1, field.list_size))
    return np.asarray(table[name].to_numpy())


def object_row(obj: ObjectModel, split: str, betas: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An object as a row of ``objects``."""
    return {
        "name": obj.name,
        "category": obj.category,
        "split": split,
        "vertices": np.float32(obj.vertices).ravel(),
        "faces": np.int32(obj.faces).ravel(),
        "face_parts": np.int32(obj.face_parts),
        "part_names": list(obj.part_names),
        "pieces": [np.float32(piece.vertices).ravel() for piece in obj.pieces],
        "piece_parts": [piece.part for piece in obj.pieces],
        "uses": json.dumps([_use_values(use) for use in obj.uses]),
        "dimensions": json.dumps({name: float(value) for name, value in obj.dimensions.items()}),
        "adjectives": list(obj.adjectives),
        "betas": np.float32(betas),
    }


def object_from_row(row: dict[str, Any]) -> ObjectModel:
    """The object of a row of ``objects``."""
    pieces = zip(row["pieces"], row["piece_parts"], strict=True)
    return ObjectModel(
        name=row["name"],
        category=row["category"],
        vertices=np.array(row["vertices"]).reshape(-1, 3),
        faces=np.array(row["faces"], dtype=np.int32).reshape(-1, 3),
        face_parts=np.array(row["face_parts"], dtype=np.int32),
        part_names=tuple(row["part_names"]),
        pieces=tuple(Piece(np.array(vertices).reshape(-1, 3), part) for vertices, part in pieces),
        uses=tuple(_use(values) for values in json.loads(row["uses"])),
        dimensions=json.loads(row["dimensions"]),
        adjectives=tuple(row["adjectives"]),
    )


def _use_values(use: Use) -> dict[str, Any]:
    vectors = {name: getattr(use, name) for name in ("axis", "approach", "force")}
    return {
        "affordance": str(use.affordance),
        "part": use.part,
        "grasp_types": [int(kind) for kind in use.grasp_types],
        "cone": float(use.cone),
        "neighbours": list(use.neighbours),
    } | {name: None if vector is None else [float(v) for v in vector] for name, vector in vectors.items()}


def _use(values: dict[str, Any]) -> Use:
    from hoi_ros.hand.grasp_types import GraspType

    vectors = {name: None if values[name] is None else np.array(values[name]) for name in ("axis", "approach", "force")}
    return Use(
        affordance=Affordance(values["affordance"]),
        part=values["part"],
        grasp_types=tuple(GraspType(kind) for kind in values["grasp_types"]),
        cone=values["cone"],
        neighbours=tuple(values["neighbours"]),
        **vectors,
    )
