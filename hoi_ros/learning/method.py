"""What ``hoi train`` and ``hoi score`` know of a method: its networks, and its tables as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hoi_ros.learning.trainer import WEIGHTS, Network, Recipe, Task
from hoi_ros.learning.weights import load, load_shipped
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.dataset.reader import Dataset

Kind = TypeVar("Kind", bound=Network)
Advance = Callable[[], None]

METHODS = {
    "affordgrasp": "hoi_ros.methods.affordgrasp.training",
    "choir": "hoi_ros.methods.choir.parts",
    "affordance_prior": "hoi_ros.methods.affordance_prior.parts",
}
"""Method -> module with ``PARTS`` and ``TABLES``."""


@dataclass(frozen=True)
class Part:
    """One network: how it is trained, and how its weights (None: the shipped ones) are scored.

    ``task`` gets a dataset, a seed, what is called for each object that is read, and the folder of trained parts.
    """

    recipe: Recipe
    task: Callable[[Dataset, int, Advance, Path | None], Task]
    score: Callable[[Dataset, Any, int, Advance], Mapping[str, Any]] | None  # None: as part of the whole


@dataclass(frozen=True)
class Asked:
    """Which table of a method is wanted."""

    row: str  # of the table; empty: the method itself
    split: str
    each: int  # hands or grasps of each question
    most: int  # questions
    seed: int
    trained: Path | None = None  # folder of parts that are not shipped


Table = Callable[["Dataset", Asked, Advance], Mapping[str, Any]]
"""Rows of figures by split."""


def load_trained(network: type[Kind], folder: Path | None, method: str, part: str, shipped: str = "") -> Kind:
    """A network that ``hoi train METHOD --part PART --out FOLDER/PART`` has trained; without a folder the shipped one.

    Raises Refused(FILE) where it has not, or where the file holds another network.
    """
    if folder is None and shipped:
        return network.load(load_shipped(shipped))
    where = folder or Path("FOLDER")
    path = where / part / WEIGHTS
    train = f"hoi train {method} --part {part} --data DATA --trained {where} --out {where / part}"
    if folder is None:
        raise Refused(Reason.FILE, f"the weights of {part} are not shipped: train them by '{train}', give --trained")
    if not path.exists():
        raise Refused(Reason.FILE, f"{path} is not there: train it by '{train}'")
    try:
        return network.load(load(path))
    except (TypeError, RuntimeError):
        raise Refused(Reason.FILE, f"{path} holds the weights of another network than {part}") from None
