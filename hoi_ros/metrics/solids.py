"""Closed surfaces as solids: what lies inside, how deep, and the points of a surface."""

from __future__ import annotations

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from hoi_ros.types import Array

_RAYS = np.array([[0.577, 0.211, 0.789], [-0.309, 0.811, -0.497]])  # along no edge of anything made by people


class Solid:
    """The inside of one closed surface: ``vertices`` (V, 3) m, ``faces`` (F, 3) outwards.

    A point is inside where the surface winds around it, so a fingertip that dips into the palm is no hole in the hand.
    One thread; single precision about the middle of the surface.
    """

    def __init__(self, vertices: Array, faces: NDArray[np.int32]) -> None:
        self.low, self.high = vertices.min(axis=0), vertices.max(axis=0)
        self._middle = 0.5 * (self.low + self.high)
        centred = vertices - self._middle
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(
            *map(o3d.core.Tensor.from_numpy, (centred.astype(np.float32), faces.astype(np.uint32)))
        )
        a, b, c = (centred[faces[:, i]] for i in range(3))
        self._crossings = np.sign(np.cross(b - a, c - a) @ _RAYS.T)  # (F, 2) what a ray leaves counts +1

    def inside(self, points: Array) -> NDArray[np.bool_]:
        """Whether points (P, 3) are inside, (P,)."""
        inside = ((points >= self.low) & (points <= self.high)).all(axis=1)
        for ray in range(len(_RAYS)):  # the second one forgives the first an edge it counted twice
            rows = np.flatnonzero(inside)
            if len(rows) == 0:  # Open3D 0.20 crashes on no rays
                break
            inside[rows] = self._winding(points[rows], ray) > 0.5
        return inside

    def depths(self, points: Array) -> Array:
        """Distance to the surface, m (P,), of the points (P, 3) inside; 0 for those outside."""
        depths = np.zeros(len(points))
        inside = self.inside(points)
        if inside.any():
            depths[inside] = self._scene.compute_distance(self._centred(points[inside]), nthreads=1).numpy()
        return depths

    def nearest(self, points: Array) -> tuple[Array, NDArray[np.int64]]:
        """Distance to the surface, m (P,), unsigned, and the face (P,) that is nearest."""
        found = self._scene.compute_closest_points(self._centred(points), nthreads=1)
        distance: Array = np.linalg.norm(points - self._middle - found["points"].numpy(), axis=1)
        return distance, found["primitive_ids"].numpy().astype(np.int64)

    def _winding(self, points: Array, ray: int) -> Array:
        rays = np.concatenate([points - self._middle, np.broadcast_to(_RAYS[ray], points.shape)], axis=1)
        met = self._scene.list_intersections(o3d.core.Tensor.from_numpy(rays.astype(np.float32)), nthreads=1)
        signs = self._crossings[met["primitive_ids"].numpy().astype(np.int64), ray]
        rows = met["ray_ids"].numpy().astype(np.int64)
        return np.bincount(rows, weights=signs, minlength=len(points)).astype(np.float64)

    def _centred(self, points: Array) -> o3d.core.Tensor:
        return o3d.core.Tensor.from_numpy((points - self._middle).astype(np.float32))


def surface_points(vertices: Array, faces: NDArray[np.int32], spacing: float) -> Array:
    """Points (P, 3) on a surface, its corners and edges included, no further apart along any face than ``spacing``.

    Each face is ruled parallel to its shortest edge, so a sliver costs by its length. The same points every time.
    """
    triangles = vertices[faces]
    lengths = np.linalg.norm(triangles - np.roll(triangles, -1, axis=1), axis=2)  # of edges 01, 12, 20
    first = (lengths.argmin(axis=1) + 2) % 3  # the corner opposite the shortest edge
    apex, left, right = (triangles[np.arange(len(faces)), (first + i) % 3] for i in range(3))
    sides = np.maximum(np.linalg.norm(left - apex, axis=1), np.linalg.norm(right - apex, axis=1))
    rows = np.ceil(sides / spacing).astype(np.int64).clip(1)
    face, row = _counted(rows + 1)
    down = row / rows[face]
    columns = np.ceil(down * lengths.min(axis=1)[face] / spacing).astype(np.int64)
    line, column = _counted(columns + 1)
    face, down, across = face[line], down[line], column / np.maximum(columns[line], 1)
    edge = left[face] + across[:, None] * (right - left)[face]
    points = apex[face] + down[:, None] * (edge - apex[face])
    _, kept = np.unique(np.round(points / (1e-3 * spacing)).astype(np.int64), axis=0, return_index=True)
    return points[np.sort(kept)]


def _counted(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For rows of ``counts`` (R,) entries each: the row of every entry, and its place in the row."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
