"""The object: a watertight mesh with labelled parts, exact convex pieces, and the ways of using it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Use
from hoi_ros.types import Array


@dataclass(frozen=True)
class Piece:
    """One convex piece of the solid: the hull of ``vertices`` (K, 3), m, belonging to part number ``part``."""

    vertices: Array
    part: int


@dataclass(frozen=True)
class ObjectModel:
    """One object in its own frame, m.

    A family's object has z up and is centred on x = y = 0. It stands or lies on the plane z = 0, the border of free
    space, also where it is fixed in the world (a faucet). Where it reaches below that plane there is no table: tools
    that are picked up before use are centred in height, and a mesh from a file keeps its frame.

    ``vertices`` (V, 3) and ``faces`` (F, 3) are one closed surface, faces outwards; ``face_parts`` (F,) numbers
    ``part_names``. The union of ``pieces`` is the solid. ``dimensions``: named lengths, m, that words may speak of
    ("height", "width", "handle_gap").
    """

    name: str  # unique: "mug_0042"
    category: str  # one of the families, or "object" for a foreign mesh
    vertices: Array
    faces: NDArray[np.int32]
    face_parts: NDArray[np.int32]
    part_names: tuple[str, ...]
    pieces: tuple[Piece, ...]
    uses: tuple[Use, ...] = ()
    dimensions: Mapping[str, float] = field(default_factory=dict)
    adjectives: tuple[str, ...] = ()  # shape words that are true of this instance: "tapered", "square"

    def part(self, name: str) -> int:
        """Number of the part ``name``. Raises Refused(PARAMETER) with the known names."""
        if name not in self.part_names:
            raise Refused(Reason.PARAMETER, f"{self.name} has no part '{name}'; it has: {', '.join(self.part_names)}")
        return self.part_names.index(name)
