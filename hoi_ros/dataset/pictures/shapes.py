"""Surfaces made ready for shading: smooth normals that stop at creases, a hand without facets, plain solids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import trimesh
from numpy.typing import NDArray

from hoi_ros.hand import HandModel
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array
from hoi_ros.view.render import vertex_normals

Floats = NDArray[np.float32]

CREASE = np.cos(np.radians(40.0))  # faces that meet more sharply are shaded apart


@dataclass(frozen=True)
class Shape:
    """A surface in a frame of its own, m."""

    vertices: Array  # (V, 3)
    faces: NDArray[np.int32]  # (F, 3)
    normals: Floats  # (F, 3, 3) unit, of each corner of each face
    parts: NDArray[np.int32]  # (F,)

    def moved(self, rotation: Array, shift: Array) -> Shape:
        """The shape after a rotation (3, 3) and a shift (3,)."""
        turned = self.normals @ rotation.T.astype(np.float32)
        return Shape(self.vertices @ rotation.T + shift, self.faces, turned, self.parts)


def shape_of(obj: ObjectModel) -> Shape:
    """An object in its own frame."""
    return creased(obj.vertices, obj.faces, obj.face_parts)


def creased(vertices: Array, faces: NDArray[np.int32], parts: NDArray[np.int32] | None = None) -> Shape:
    """A shape whose corner normals are the mean of the neighbouring faces' within 40 degrees, weighted by area."""
    crossed = trimesh.triangles.cross(vertices[faces])
    units = crossed / np.maximum(np.linalg.norm(crossed, axis=1, keepdims=True), 1e-15)
    corner_vertex = faces.ravel()
    order = np.argsort(corner_vertex, kind="stable")
    counts = np.bincount(corner_vertex, minlength=len(vertices))
    starts = np.cumsum(counts) - counts
    # Every pair of corners at the same vertex.
    repeats = counts[corner_vertex]
    first = np.repeat(np.arange(len(corner_vertex)), repeats)
    within = np.arange(len(first)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    second = order[starts[corner_vertex[first]] + within]
    smooth = (units[first // 3] * units[second // 3]).sum(axis=1) > CREASE
    total = np.stack(
        [
            np.bincount(first[smooth], crossed[second[smooth] // 3, axis], minlength=len(corner_vertex))
            for axis in range(3)
        ],
        axis=1,
    )
    total = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-15)
    of_face = np.zeros(len(faces), dtype=np.int32) if parts is None else parts
    return Shape(vertices, faces, total.reshape(-1, 3, 3).astype(np.float32), of_face)


class HandSurface:
    """The hand's skin, each face cut in four along a curved surface through the model's own vertices.

    The middle of an edge is that of the cubic curve at right angles to the normals of both ends (Vlachos et al., Curved
    PN Triangles, 2001). Fine face ``i`` lies in the model's face ``i // 4``.
    """

    def __init__(self, model: HandModel) -> None:
        self._coarse = model.closed_faces
        edges = np.sort(self._coarse[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        self._edges, of_corner = np.unique(edges, axis=0, return_inverse=True)
        a, b, c = self._coarse.T
        ab, bc, ca = of_corner.reshape(-1, 3).T + len(model.v_template)
        quarters = np.stack([[a, ab, ca], [ab, b, bc], [ca, bc, c], [bc, ca, ab]])  # (4, 3, F)
        self.faces: NDArray[np.int32] = quarters.transpose(2, 0, 1).reshape(-1, 3).astype(np.int32)

    def shape(self, vertices: Array) -> Shape:
        """The skin over posed vertices (778, 3) m."""
        normals = vertex_normals(vertices, self._coarse)
        start, end = vertices[self._edges[:, 0]], vertices[self._edges[:, 1]]
        along = end - start
        bulge = sum(
            sign * (along * normals[side]).sum(axis=1, keepdims=True) * normals[side]
            for sign, side in ((-1.0, self._edges[:, 0]), (1.0, self._edges[:, 1]))
        )
        fine = np.concatenate([vertices, (start + end) / 2.0 + bulge / 8.0])
        of_vertex = vertex_normals(fine, self.faces).astype(np.float32)
        return Shape(fine, self.faces, of_vertex[self.faces], np.zeros(len(self.faces), dtype=np.int32))


def box(size: Array) -> Shape:
    """A box standing on z = 0."""
    cube = _cube()
    return replace(cube, vertices=cube.vertices * size)


@lru_cache(maxsize=1)
def _cube() -> Shape:
    mesh = trimesh.creation.box((1.0, 1.0, 1.0))
    return creased(np.asarray(mesh.vertices) + [0.0, 0.0, 0.5], mesh.faces.astype(np.int32))  # noqa: RUF005 (a sum)


def round_solid(profile: Array, sections: int = 40) -> Shape:
    """The solid of a profile (K, 2) of radius and height turned about z, m."""
    mesh = trimesh.creation.revolve(profile, sections=sections)
    return creased(np.asarray(mesh.vertices), mesh.faces.astype(np.int32))
