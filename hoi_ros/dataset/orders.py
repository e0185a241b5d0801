"""What the engine asks of a worker, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass

from hoi_ros.dataset.manifest import Record
from hoi_ros.dataset.presets import Preset


@dataclass(frozen=True)
class Unit:
    """An instance of a family, or the user's ``mesh`` with its file of part ``labels``, if there is one."""

    name: str
    category: str
    index: int
    mesh: str = ""
    labels: str = ""


@dataclass(frozen=True)
class Order:
    """A unit to make, and how much of it."""

    unit: Unit
    preset: Preset
    seed: int
    pictures: bool


@dataclass(frozen=True)
class Made:
    """A unit's files, by table, and its record."""

    record: Record
    files: dict[str, bytes]
