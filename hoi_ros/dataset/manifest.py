"""What is in a dataset: the record of each unit, written after its files, and the manifest over all of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hoi_ros.dataset.shards import write_whole
from hoi_ros.refusals import Reason, Refused

ENGINE_VERSION = 1
"""Raised whenever the same seed gives other data."""

MANIFEST = "manifest.json"
RECORDS = "units"


@dataclass
class Tally:
    """How many candidates entered and left a stage, and the processor time it took, s."""

    entered: int = 0
    left: int = 0
    cpu_s: float = 0.0

    def add(self, other: Tally) -> None:
        """Sum up in place."""
        self.entered += other.entered
        self.left += other.left
        self.cpu_s += other.cpu_s


@dataclass(frozen=True)
class Record:
    """One finished unit. ``files``: table -> SHA-256. ``accepted``: affordance -> grasps. ``stages`` in order."""

    name: str
    category: str
    split: str
    files: dict[str, str]
    counts: dict[str, int]
    accepted: dict[str, int]
    rejected: dict[str, int]
    stages: dict[str, Tally] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``units/NAME.json``: from then on the unit is done."""
        write_whole(folder / RECORDS / f"{self.name}.json", json.dumps(asdict(self), indent=1).encode())


@dataclass(frozen=True)
class Conditions:
    """What decides the content of a dataset."""

    preset: str
    seed: int
    categories: tuple[str, ...]
    pictures: bool
    hand: str  # digest of the hand model
    meshes: dict[str, str] = field(default_factory=dict)  # the user's own: name -> SHA-256
    engine: int = ENGINE_VERSION


def read_records(folder: Path) -> dict[str, Record]:
    """Units that are done, by name. A record whose files are missing does not count."""
    records = {}
    for path in sorted((folder / RECORDS).glob("*.json")):
        values = json.loads(path.read_text())
        stages = {name: Tally(**tally) for name, tally in values.pop("stages").items()}
        record = Record(**values, stages=stages)
        if all(table_path(folder, table, record.name).exists() for table in record.files):
            records[record.name] = record
    return records


def table_path(folder: Path, table: str, unit: str) -> Path:
    """File of one unit's rows of a table."""
    return folder / table / f"{unit}.arrow"


def content_hash(conditions: Conditions, records: Iterable[Record]) -> str:
    """SHA-256 over the conditions and every file, in the order of names: who made them and when does not matter."""
    total = hashlib.sha256(json.dumps(asdict(conditions), sort_keys=True).encode())
    for record in sorted(records, key=lambda record: record.name):
        for table, file in sorted(record.files.items()):
            total.update(f"{record.name} {table} {file}\n".encode())
    return total.hexdigest()


def write_manifest(folder: Path, conditions: Conditions, records: Mapping[str, Record]) -> dict[str, Any]:
    """Write ``manifest.json`` over all units and return it."""
    manifest = {
        "conditions": asdict(conditions),
        "content_hash": content_hash(conditions, records.values()),
        "counts": _summed(record.counts for record in records.values()),
        "accepted": _summed(record.accepted for record in records.values()),
        "rejected": _summed(record.rejected for record in records.values()),
        "splits": {
            split: sorted(record.name for record in records.values() if record.split == split)
            for split in sorted({record.split for record in records.values()})
        },
        "stages": {name: asdict(tally) for name, tally in total_stages(records.values()).items()},
    }
    text = json.dumps(manifest, indent=1, allow_nan=False)
    write_whole(folder / MANIFEST, text.encode())
    written: dict[str, Any] = json.loads(text)
    return written


def total_stages(records: Iterable[Record]) -> dict[str, Tally]:
    """Tallies summed over units, in the order of the stages."""
    total: dict[str, Tally] = {}
    for record in records:
        for name, tally in record.stages.items():
            total.setdefault(name, Tally()).add(tally)
    return total


def check_conditions(folder: Path, conditions: Conditions) -> None:
    """Keep the conditions of a build. Raises Refused(FILE) for a folder that holds one made under others."""
    path = folder / "conditions.json"
    wanted = json.loads(json.dumps(asdict(conditions)))
    if path.exists():
        there = json.loads(path.read_text())
        differing = [name for name in wanted if there.get(name) != wanted[name]]
        if differing:
            what = ", ".join(f"{name} {there.get(name)!r:.60} there, {wanted[name]!r:.60} asked" for name in differing)
            raise Refused(Reason.FILE, f"{folder} holds another dataset ({what}); choose another --out")
        return
    if folder.exists() and any(folder.iterdir()):
        raise Refused(Reason.FILE, f"{folder} is not empty and holds no dataset; choose another --out")
    write_whole(path, json.dumps(wanted, indent=1).encode())


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
