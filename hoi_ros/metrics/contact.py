"""Where a hand touches an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, vstack
from scipy.spatial import cKDTree

from hoi_ros.metrics.checks import check_count, check_finite
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

    The object's points are one every ``spacing`` m, evenly, instead of 5,000 random ones. Raises as `contact_maps`.
    """
    points = surface_points(obj.vertices, obj.faces, spacing)
    return map_scores(contact_maps(predicted, faces, points), contact_maps(true, faces, points))


def contact_maps(vertices: Array, faces: NDArray[np.int32], points: Array) -> Mask:
    """Where hands (N, V, 3) touch an object's ``points`` (Q, 3), m, as `ContactMapper` maps it: (N, P).

    Raises as it does.
    """
    return ContactMapper(faces, vertices.shape[1], points)(vertices)


class ContactMapper:
    """Maps where hands touch one object's ``points`` (Q, 3), m; what is the same for all hands is made once.

    A map's entries are the points of a hand of ``count`` vertices, its ``faces`` (F, 3) subdivided twice at the edges'
    middles; each touches where a point of the object is at most 2 mm away. The same faces give the same P in the same
    order, so maps of two hands compare. Raises Refused(NOT_FINITE), Refused(PARAMETER) without points.
    """

    def __init__(self, faces: NDArray[np.int32], count: int, points: Array) -> None:
        check_finite(points=points)
        check_count(len(points), 1, "points of the object", "a contact map")
        once, finer = _subdivided(faces, count)
        self._fine = _subdivided(finer, once.shape[0])[0] @ once
        self._tree = cKDTree(points)
        self._low, self._high = points.min(axis=0) - TOUCHING, points.max(axis=0) + TOUCHING

    def __call__(self, vertices: Array) -> Mask:
        """Maps (N, P) of hands (N, V, 3), m, in the object's frame. Raises Refused(NOT_FINITE)."""
        check_finite(vertices=vertices)
        maps = np.zeros((len(vertices), self._fine.shape[0]), dtype=np.bool_)
        for row, hand in enumerate(vertices):
            fine = self._fine @ hand
            near = np.flatnonzero(((fine >= self._low) & (fine <= self._high)).all(axis=1))
            distance, _ = self._tree.query(fine[near], distance_upper_bound=2.0 * TOUCHING)
            maps[row, near] = distance <= TOUCHING
        return maps


def _subdivided(faces: NDArray[np.int32], count: int) -> tuple[csr_array, NDArray[np.int32]]:
    """Corners and edges' middles of a surface of ``count`` vertices as weights (P, count), and its finer faces."""
    corners = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, of = np.unique(corners, axis=0, return_inverse=True)
    halves, ends = np.full(edges.size, 0.5), 2 * np.arange(len(edges) + 1)
    middles = csr_array((halves, edges.ravel(), ends), shape=(len(edges), count))
    (a, b, c), (ab, bc, ca) = faces.T, count + of.reshape(-1, 3).T
    finer = np.concatenate([np.stack(three, 1) for three in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return vstack([eye_array(count), middles], format="csr"), finer


def map_scores(predicted: Mask, true: Mask) -> ContactScores:
    """Precision, recall and F1 of contact maps (N, P) against true ones [Contact P/R/F1].

    Where neither map has a contact, all three are 1: the prediction is right. Where one has and the other has not, or
    no contact is common, all three are 0.
    """
    both = (predicted & true).sum(axis=1)
    counts = [m.sum(axis=1) for m in (predicted, true)]
    neither = (counts[0] == 0) & (counts[1] == 0)
    precision, recall = (np.where(neither, 1.0, both / np.maximum(count, 1)) for count in counts)
    total = precision + recall
    return ContactScores(precision, recall, 2.0 * precision * recall / np.where(total > 0.0, total, 1.0))
