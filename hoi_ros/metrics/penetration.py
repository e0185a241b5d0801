"""How deep a hand and an object are in each other, measured both ways.

One way is blind: a fingertip that passes wholly through the wall of a mug has its vertices outside the clay, but the
wall's points are deep in the finger; the corner of a box between two vertices of the palm likewise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.metrics.solids import Solid, surface_points
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

SPACING = 0.002  # m, between the object's points


@dataclass(frozen=True)
class Depths:
    """Largest depths of a batch of hands, m; 0 where nothing penetrates."""

    hand_in_object: Array  # (N,) of the hand's vertices in the object
    object_in_hand: Array  # (N,) of the object's surface in the closed hand

    @property
    def two_way(self) -> Array:
        """The larger one, (N,)."""
        return np.maximum(self.hand_in_object, self.object_in_hand)


def two_way_depth(hand_vertices: Array, closed_faces: NDArray[np.int32], obj: ObjectModel) -> Depths:
    """Largest penetration depths of hands (N, V, 3), m, in the object's frame.

    ``closed_faces`` (F, 3): ``HandModel.closed_faces``. Depths are distances to the nearest surface, exact for the
    hand's vertices and for object points every 2 mm; the surface between them may be deeper by a fraction of that.
    """
    solid = Solid(obj.vertices, obj.faces)
    points = surface_points(obj.vertices, obj.faces, SPACING)
    hand_in_object, object_in_hand = np.zeros(len(hand_vertices)), np.zeros(len(hand_vertices))
    for row, vertices in enumerate(hand_vertices):
        hand_in_object[row] = solid.depths(vertices).max()
        hand = Solid(vertices, closed_faces)
        near = points[((points >= hand.low) & (points <= hand.high)).all(axis=1)]
        object_in_hand[row] = hand.depths(near).max(initial=0.0)
    return Depths(hand_in_object, object_in_hand)
