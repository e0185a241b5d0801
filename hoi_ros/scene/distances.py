"""Signed distance to a closed surface: exact, and as a cached field that torch differentiates.

The sign comes from counting the crossings of rays, right for thin walls and where recorded meshes have folds and
slivers that mislead the normal at the closest point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import open3d as o3d
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hoi_ros.types import Array

CHUNK = 1 << 18  # points at a time: bounds the memory of 10 million queries
ON_SURFACE = 1e-7  # m: nearer than this the direction to the closest point is rounding error


class SignedDistance:
    """Exact signed distance to a closed, outward-facing triangle mesh, negative inside."""

    def __init__(self, vertices: ArrayLike, faces: ArrayLike) -> None:
        """``vertices`` (V, 3), m, and ``faces`` (F, 3) of one closed surface."""
        vertices, faces = np.asarray(vertices, float), np.asarray(faces, np.int64)
        self._centre = (vertices.min(0) + vertices.max(0)) / 2  # Embree works in float32
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(_single(vertices - self._centre), o3d.core.Tensor.from_numpy(faces.astype(np.uint32)))

    def distance(self, points: ArrayLike) -> Array:
        """Signed distance (...) of points (..., 3), m."""
        points = np.asarray(points, float)
        length = np.linalg.norm(points - self.closest(points)[0], axis=-1)
        return np.where(self.inside(points), -length, length)

    def closest(self, points: ArrayLike) -> tuple[Array, Array]:
        """Closest surface points (..., 3), m, and the outward unit normals (..., 3) of the faces they lie on."""
        points = np.asarray(points, float)
        flat = points.reshape(-1, 3)
        closest, normals = np.empty_like(flat), np.empty_like(flat)
        for part in _chunks(len(flat)):
            answer = self._scene.compute_closest_points(_single(flat[part] - self._centre), nthreads=1)
            closest[part] = answer["points"].numpy() + self._centre
            normals[part] = answer["primitive_normals"].numpy()
        return closest.reshape(points.shape), normals.reshape(points.shape)

    def closest_faces(self, points: ArrayLike) -> NDArray[np.int64]:
        """Numbers (...) of the faces closest to points (..., 3), m."""
        points = np.asarray(points, float)
        answer = self._scene.compute_closest_points(_single(points - self._centre), nthreads=1)
        return answer["primitive_ids"].numpy().astype(np.int64)

    def inside(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Whether points (..., 3), m, lie inside: the majority of three rays' odd crossings."""
        points = np.asarray(points, float)
        flat = points.reshape(-1, 3)
        inside = np.empty(len(flat), bool)
        for part in _chunks(len(flat)):
            answer = self._scene.compute_occupancy(_single(flat[part] - self._centre), nthreads=1, nsamples=3)
            inside[part] = answer.numpy() > 0
        return inside.reshape(points.shape[:-1])


def _single(points: Array) -> o3d.core.Tensor:
    return o3d.core.Tensor.from_numpy(points.astype(np.float32))


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


@dataclass(frozen=True)
class DistanceGrid:
    """Signed distance as its value and gradient on a lattice, refined about the surface; extended linearly between.

    Space is cut into cubes ``REFINEMENT`` x ``resolution`` wide; those near the surface hold ``REFINEMENT``^3 nodes,
    the others one at their centre. Points outside the lattice see the surface point closest to the nearest node.
    Within half a wall of more than sqrt(3) x ``resolution`` a point never sees the wall's other side.
    """

    origin: Tensor  # (3,) m, lowest corner
    resolution: float  # m
    shape: tuple[int, int, int]  # cubes along x, y, z
    first: Tensor  # (X * Y * Z,) int64, row of each cube's first node
    refined: Tensor  # (X * Y * Z,) bool
    nodes: Tensor  # (M, 7) float32: position, signed distance, gradient

    REFINEMENT = 4

    @classmethod
    def build(
        cls, vertices: ArrayLike, faces: ArrayLike, resolution: float = 1e-3, margin: float = 0.03
    ) -> DistanceGrid:
        """Field of the closed mesh ``vertices`` (V, 3), ``faces`` (F, 3), reaching ``margin`` beyond its box; m."""
        vertices = np.asarray(vertices, float)
        exact = SignedDistance(vertices, faces)
        side = cls.REFINEMENT * resolution
        origin = vertices.min(0) - margin
        shape = np.ceil((vertices.max(0) + margin - origin) / side).astype(int)

        coarse = origin + (_lattice(shape) + 0.5) * side
        coarse_nodes = _nodes(exact, coarse)
        refined = np.abs(coarse_nodes[:, 3]) < side * np.sqrt(3) / 2 + resolution
        inner = (_lattice(np.full(3, cls.REFINEMENT)) + 0.5) * resolution - side / 2
        fine_nodes = _nodes(exact, (coarse[refined, None] + inner).reshape(-1, 3))

        first = np.arange(len(coarse))
        first[refined] = len(coarse) + len(inner) * np.arange(refined.sum())
        x, y, z = shape.tolist()
        return cls(
            torch.tensor(origin),
            resolution,
            (x, y, z),
            torch.from_numpy(first),
            torch.from_numpy(refined),
            torch.from_numpy(np.float32(np.concatenate([coarse_nodes, fine_nodes]))),
        )

    def lookup(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance (...), m, and unit gradient (..., 3) at points (..., 3).

        The distance's derivative by the points is the gradient; the gradient itself is a constant to autograd.
        """
        distance, gradient = _Lookup.apply(points, self)
        return distance, gradient

    def to(self, device: torch.device | str) -> DistanceGrid:
        """The same field on another device."""
        tensors = (self.first.to(device), self.refined.to(device), self.nodes.to(device))
        return DistanceGrid(self.origin.to(device), self.resolution, self.shape, *tensors)

    def _evaluate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        x, y, z = self.shape
        n = self.REFINEMENT
        at = (points - self.origin.to(points)) / self.resolution
        last = torch.tensor([n * x - 1, n * y - 1, n * z - 1], device=points.device)
        fine = torch.minimum(at.nan_to_num().clamp(min=0).long(), last)
        outside = ((at < 0) | (at > last + 1)).any(-1)

        cube = torch.div(fine, n, rounding_mode="floor")
        inner = fine - n * cube
        cell = (cube[..., 0] * y + cube[..., 1]) * z + cube[..., 2]
        row = self.first[cell] + self.refined[cell] * ((inner[..., 0] * n + inner[..., 1]) * n + inner[..., 2])
        node = self.nodes[row].to(points)

        position, distance, gradient = node[..., :3], node[..., 3], node[..., 4:]
        distance = distance + ((points - position) * gradient).sum(-1)
        if outside.any():
            away = points[outside] - (position - node[..., 3:4] * gradient)[outside]
            far = away.norm(dim=-1)
            distance[outside], gradient[outside] = far, away / far[..., None]
        return distance, gradient


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, grid: DistanceGrid) -> tuple[Tensor, Tensor]:
        distance, gradient = grid._evaluate(points.detach())
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(gradient)
        return distance, gradient

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        return outputs[0][..., None] * ctx.saved_tensors[0], None


def _lattice(shape: NDArray[np.int64]) -> Array:
    """Indices (X * Y * Z, 3) of a lattice, last axis fastest."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3).astype(float)


def _nodes(exact: SignedDistance, positions: Array) -> Array:
    """Rows (M, 7) of position, signed distance and unit gradient."""
    closest, normals = exact.closest(positions)
    offset = positions - closest
    length = np.linalg.norm(offset, axis=-1, keepdims=True)
    sign = np.where(exact.inside(positions)[:, None], -1.0, 1.0)
    gradient = np.where(length > ON_SURFACE, sign * offset / np.maximum(length, ON_SURFACE), normals)
    return np.concatenate([positions, sign * length, gradient], 1)
