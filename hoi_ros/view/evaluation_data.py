"""What the page of an evaluation shows, read from its files: its verdict, and numbers of each picture."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoi_ros.evaluation.evaluate import RESULT, SUMMARY, Check, Evaluation
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

ERRORS = ("hand.mpjpe_mm", "hand.r_mpjpe_mm", "hand.pa_mpjpe_mm")
GROUPS = 10  # of occlusion


@dataclass(frozen=True)
class Series:
    """The numbers of every picture, in their order."""

    stamps: NDArray[np.int64]  # (N,) ns
    verdicts: NDArray[np.str_]  # (N,)
    figures: dict[str, Array]  # (N,) each, NaN for a picture that has it not

    def __len__(self) -> int:
        return len(self.stamps)

    def of(self, name: str) -> Array:
        """A figure (N,), NaN throughout where no picture has it."""
        return self.figures.get(name, np.full(len(self), np.nan))

    def has(self, name: str) -> bool:
        """Whether any picture has a figure."""
        return bool(np.isfinite(self.of(name)).any())


@dataclass(frozen=True)
class Group:
    """Pictures of about the same occlusion."""

    label: str
    pictures: int
    found: float  # share of them in which a hand was found
    errors: dict[str, float]  # mean of each of `ERRORS`, mm; empty where no hand was found


def evaluation(out: Path) -> Evaluation:
    """The verdict in ``summary.json``. Raises Refused(FILE)."""
    path = out / SUMMARY
    try:
        content = json.loads(path.read_text())
        checks = tuple(Check(**check) for check in content.pop("checks"))
        content.pop("reasons")  # they follow from the checks and the faults
        return Evaluation(**content | {"checks": checks, "faults": tuple(content["faults"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(Reason.FILE, f"{path} holds no verdict of hoi evaluate: {error}") from None


def lines(out: Path) -> Iterator[dict[str, Any]]:
    """A line for each picture of ``result.jsonl``, one after the other. Raises Refused(FILE)."""
    path = out / RESULT
    try:
        with path.open() as file:
            next(file)  # the conditions
            for text in file:
                yield json.loads(text)
    except (OSError, ValueError, StopIteration) as error:
        raise Refused(Reason.FILE, f"{path} holds no result of hoi evaluate: {error}") from None


def series(out: Path) -> Series:
    """The numbers of ``result.jsonl``: 8 bytes for each number, however long the reasons. Raises Refused(FILE)."""
    stamps = array("q")
    verdicts: list[str] = []
    figures: dict[str, array[float]] = {}
    for line in lines(out):
        for name in line["figures"].keys() - figures.keys():
            figures[name] = array("d", [np.nan]) * len(stamps)
        for name, values in figures.items():
            values.append(line["figures"].get(name, np.nan))
        stamps.append(line["stamp_ns"])
        verdicts.append(line["verdict"])
    return Series(
        np.array(stamps, dtype=np.int64),
        np.array(verdicts, dtype=np.str_),
        {name: np.array(values) for name, values in figures.items()},
    )


def occlusion(numbers: Series) -> list[Group]:
    """Errors by how much of the true hand is hidden: nothing, then ten equal groups [Occlusion]; those with pictures.

    The share is that of hidden keypoints, ``hand.hidden``, where the source counts pixels.
    """
    hidden = numbers.of("hand.hidden")
    of = np.ceil(np.round(hidden * GROUPS, 9))  # rounded: 3 of 10 keypoints belong to the group that ends at 30 %
    groups = []
    for number in range(GROUPS + 1):
        rows = of == number
        if not rows.any():
            continue
        label = f"{100 * (number - 1) // GROUPS} to {100 * number // GROUPS} %" if number else "nothing hidden"
        found = rows & np.isfinite(numbers.of(ERRORS[0]))
        errors = {name: float(numbers.of(name)[found].mean()) for name in ERRORS} if found.any() else {}
        groups.append(Group(label, int(rows.sum()), float(found.sum() / rows.sum()), errors))
    return groups
