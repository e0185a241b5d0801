"""Where a hand touches an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.metrics.solids import Solid, surface_points
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

Mask = NDArray[np.bool_]

TOUCHING = 0.002  # m, a vertex this near is in contact
REACH = 0.005  # m, GraspTTA's


@dataclass(frozen=True)
class Contacts:
    """Each hand vertex with what is nearest to it on the object."""

    distance: Array  # (N, V) m, negative inside the object
    part: NDArray[np.int32]  # (N, V) number of the nearest face's part

    def touching(self, reach: float = TOUCHING) -> Mask:
        """Vertices (N, V) within ``reach``, m, or inside."""
        touching: Mask = self.distance <= reach
        return touching

    def share_on(self, parts: tuple[int, ...], reach: float = TOUCHING) -> Array:
        """Share (N,) of the touching vertices that touch one of ``parts``; 0 for a hand that touches nothing."""
        touching = self.touching(reach)
        on = touching & np.isin(self.part, parts)
        share: Array = on.sum(axis=1) / np.maximum(touching.sum(axis=1), 1)
        return share


def contact_parts(hand_vertices: Array, obj: ObjectModel) -> Contacts:
    """Contacts of hands (N, V, 3), m, in the object's frame."""
    solid = Solid(obj.vertices, obj.faces)
    points = hand_vertices.reshape(-1, 3)
    distance, face = solid.nearest(points)
    distance[solid.inside(points)] *= -1.0
    shape = hand_vertices.shape[:2]
    return Contacts(distance.reshape(shape), obj.face_parts[face].reshape(shape))


def touches(contacts: Contacts) -> Mask:
    """Whether any vertex is within 5 mm or inside, (N,); the mean is the contact ratio of GraspTTA [Contact ratio]."""
    touching: Mask = contacts.touching(REACH).any(axis=1)
    return touching


def intersects(volumes: Array) -> Mask:
    """Whether the intersection volume (N,) is not zero; the mean is the contact ratio of FastGrasp [Contact ratio].

    It rewards penetration: a hand that touches without it does not count.
    """
    nonzero: Mask = volumes > 0.0
    return nonzero


@dataclass(frozen=True)
class ContactScores:
    """Agreement of predicted with true contact of the hand's surface, 0..1, (N,) each."""

    precision: Array
    recall: Array
    f1: Array


def contact_scores(
    predicted: Array, true: Array, faces: NDArray[np.int32], obj: ObjectModel, spacing: float = 0.002
) -> ContactScores:
    """Precision, recall and F1 of the contact map of hands (N, 778, 3) against true ones [Contact P/R/F1, CHOIR].

    The hands are subdivided twice at the edges' middles; contact is within 2 mm of the object's points, here one every
    ``spacing`` m, evenly, instead of 5,000 random ones. Where a hand should touch and does not, or the other way, the
    scores are 0; where neither touches, 1.
    """
    tree = cKDTree(surface_points(obj.vertices, obj.faces, spacing))
    maps = [_contact_maps(vertices, faces, tree) for vertices in (predicted, true)]
    both = (maps[0] & maps[1]).sum(axis=1)
    counts = [m.sum(axis=1) for m in maps]
    neither = (counts[0] == 0) & (counts[1] == 0)
    precision, recall = (np.where(neither, 1.0, both / np.maximum(count, 1)) for count in counts)
    f1 = 2.0 * precision * recall / np.maximum(precision + recall, 1e-12)
    return ContactScores(precision, recall, f1)


def _contact_maps(vertices: Array, faces: NDArray[np.int32], tree: cKDTree) -> Mask:
    """Contact (N, P) of the points of twice subdivided hands (N, V, 3)."""
    maps = []
    for hand in vertices:
        fine, _ = trimesh.remesh.subdivide(*trimesh.remesh.subdivide(hand, faces))
        distance, _ = tree.query(fine, distance_upper_bound=TOUCHING)
        maps.append(np.isfinite(distance))
    return np.array(maps)
