"""Pseudo-labels before a person's eyes: sheets of pictures, and a table of verdicts read back (affordgrasp 10.1).

``checks.csv`` has a row for each picture. The last column is the person's: ``accept``, ``reject``, or empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from hoi_ros.dataset.shards import write_whole
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel

if TYPE_CHECKING:
    from hoi_ros.view.render import Picture

TABLE = "checks.csv"
CHECKED = 100  # labels that a person is asked about
COLUMNS = ("picture", "object", "affordance", "part", "confidence", "verdict")
TILE = (220, 260)  # H, W of each of a label's two views
ACROSS, SHOWN = 3, 12  # tiles of a sheet

Verdict = Literal["", "accept", "reject"]


@dataclass(frozen=True)
class Check:
    """A use of an object that was labelled, and what a person says to it."""

    object: str
    affordance: str
    part: str
    confidence: float
    verdict: Verdict = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What the verdict is on, in whatever round."""
        return self.object, self.affordance, self.part


def drawn(checks: Sequence[Check], earlier: Sequence[Check], rng: np.random.Generator) -> list[Check]:
    """``CHECKED`` of the labels ``checks`` at random, and all of the ``earlier`` ones that have a verdict."""
    said = [check for check in earlier if check.verdict]
    told = {check.key for check in said}
    fresh = [check for check in checks if check.key not in told]
    count = min(len(fresh), max(CHECKED - len(said), 0))
    return said + [fresh[number] for number in sorted(rng.choice(len(fresh), count, replace=False))]


def write(folder: Path, checks: Sequence[Check], objects: Mapping[str, ObjectModel]) -> None:
    """The table, and sheets of those of its labels that ``objects``, as they are labelled now, carry."""
    from hoi_ros.view.pictures import grid, save

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(
        (number, *check.key, f"{check.confidence:.3f}", check.verdict) for number, check in enumerate(checks)
    )
    write_whole(folder / TABLE, text.getvalue().encode())
    for stale in folder.glob("sheet_*.png"):
        stale.unlink()
    tiles = [
        _tile(number, check, objects[check.object])
        for number, check in enumerate(checks)
        if check.object in objects and _carries(objects[check.object], check)
    ]
    for start in range(0, len(tiles), SHOWN):
        save(folder / f"sheet_{start // SHOWN:02d}.png", grid(tiles[start : start + SHOWN], ACROSS))


def _carries(obj: ObjectModel, check: Check) -> bool:
    return (check.affordance, check.part) in {(use.affordance, use.part) for use in obj.uses}


def _tile(number: int, check: Check, obj: ObjectModel) -> Picture:
    from hoi_ros.view.parts import of_parts
    from hoi_ros.view.pictures import titled

    title = f"{number}  {check.object}  {check.affordance}: {check.part}  {check.confidence:.2f}"
    return titled(of_parts(obj, TILE, check.part), title)


def read(folder: Path) -> list[Check]:
    """The labels and verdicts of a table; none where there is none. Raises Refused(FILE) with the row that is wrong."""
    path = folder / TABLE
    if not path.exists():
        return []
    known = get_args(Verdict)
    checks = []
    with path.open(newline="") as file:
        table = csv.DictReader(file)
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise Refused(Reason.FILE, f"{path} has the columns {table.fieldnames}; they must be {', '.join(COLUMNS)}")
        for row in table:
            verdict = (row["verdict"] or "").strip().lower()
            if verdict not in known:
                line = f"{path}, line {table.line_num}: verdict '{verdict}'; it must be accept, reject or empty"
                raise Refused(Reason.FILE, line)
            checks.append(
                Check(row["object"], row["affordance"], row["part"], _number(path, row), known[known.index(verdict)])
            )
    return checks


def _number(path: Path, row: Mapping[str, str]) -> float:
    try:
        return float(row["confidence"])
    except (TypeError, ValueError):
        raise Refused(Reason.FILE, f"{path}, picture {row['picture']}: confidence '{row['confidence']}'") from None
