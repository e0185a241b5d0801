"""What a hand feels of an object and of the part it wants: distances with gradients, looked up in cached lattices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import open3d as o3d
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.distances import DistanceGrid
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

REACH = 0.06  # m that the lattices extend beyond what they describe
_MOST_NODES = 40_000
_CLEAR = 0.006  # m to keep off parts that may not be touched
_BESIDE = 0.003  # m to keep off parts that may be, but are not wanted: farther than what counts as contact


class Solid(Protocol):
    """What tells inside from outside."""

    def lookup(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance (...), m, negative inside, and its unit gradient (..., 3) at points (..., 3)."""
        ...


class Region(Protocol):
    """Part of a surface."""

    def distance(self, points: Tensor) -> Tensor:
        """Distance (...) of points (..., 3), m, differentiable in them."""
        ...


@dataclass(frozen=True)
class Lattice:
    """Distance from some faces as value and gradient on a coarse regular lattice, extended linearly."""

    origin: Tensor  # (3,) m, first node
    resolution: float
    shape: Tensor  # (3,) int64
    nodes: Tensor  # (M, 7) float32: position, distance, gradient

    @classmethod
    def build(cls, vertices: Array, *groups: tuple[NDArray[np.int32], float]) -> Lattice:
        """Distance beyond a room, m, to the nearest of groups of faces (F, 3) of vertices (V, 3) with a room each.

        The faces need not close.
        """
        used = vertices[np.unique(np.concatenate([faces for faces, _ in groups]))]
        low, high = used.min(axis=0) - REACH, used.max(axis=0) + REACH
        resolution = max(0.004, float((np.prod(high - low) / _MOST_NODES) ** (1.0 / 3.0)))
        shape = np.ceil((high - low) / resolution).astype(int) + 1
        index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, 3)
        positions = np.asarray(low + index * resolution, dtype=np.float32)
        offsets = np.stack([positions - _closest(vertices, faces, positions) for faces, _ in groups])
        lengths = np.linalg.norm(offsets, axis=2, keepdims=True)
        distances = lengths - np.array([room for _, room in groups], dtype=np.float32)[:, None, None]
        nearest = distances.argmin(axis=0)[None]
        both = np.concatenate([distances, offsets / np.maximum(lengths, 1e-6)], axis=2)
        nodes = np.concatenate([positions, np.take_along_axis(both, nearest, axis=0)[0]], axis=1)
        return cls(
            torch.from_numpy(low.astype(np.float32)), resolution, torch.from_numpy(shape), torch.from_numpy(nodes)
        )

    def distance(self, points: Tensor) -> Tensor:
        """Distance (...) of points (..., 3), m, differentiable in them."""
        found: Tensor = _Nearest.apply(points, self)
        return found


class _Nearest(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, lattice: Lattice) -> Tensor:
        flat = points.detach().reshape(-1, 3)
        index = ((flat - lattice.origin) / lattice.resolution).round_().long()
        index = torch.minimum(index.clamp_(min=0), lattice.shape - 1)
        row = (index[:, 0] * lattice.shape[1] + index[:, 1]) * lattice.shape[2] + index[:, 2]
        node = lattice.nodes[row]
        gradient = node[:, 4:]
        ctx.save_for_backward(gradient)
        return (node[:, 3] + ((flat - node[:, :3]) * gradient).sum(-1)).view(points.shape[:-1])

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return outputs[0][..., None] * gradient.view(*outputs[0].shape, 3), None


def _closest(vertices: Array, faces: NDArray[np.int32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The points (P, 3) on the faces that are nearest to ``points``."""
    found = scene_of(vertices, faces).compute_closest_points(o3d.core.Tensor.from_numpy(points), nthreads=1)
    closest: NDArray[np.float32] = found["points"].numpy()
    return closest


def scene_of(vertices: Array, faces: NDArray[np.int32]) -> o3d.t.geometry.RaycastingScene:
    """Triangles to be asked for distances and rays."""
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(vertices.astype(np.float32)), o3d.core.Tensor.from_numpy(faces.astype(np.uint32))
    )
    return scene


@dataclass(frozen=True)
class Fields:
    """The whole object, the wanted part and the parts to keep off."""

    solid: Solid
    part: Region | None  # None where it is the whole object
    others: Region | None  # beyond the room to keep off the other parts; None where there are none
    centre: Tensor | None  # (3,) m, of mass; None where the object does not give way and only the part is gripped
    extent: float  # m, root mean square distance of the surface from its centre, of the object or the part
    floor: bool  # whether z = 0 bounds free space: not for what does not stand on it, nor under what is lifted

    @classmethod
    def of(cls, obj: ObjectModel, use: Use, solid: DistanceGrid) -> Fields:
        """Fields for one use of an object, which shares ``solid`` with its other uses."""
        wanted = obj.face_parts == obj.part(use.part)
        beside = np.isin(obj.face_parts, [obj.part(name) for name in use.neighbours]) & ~wanted
        others = [(obj.faces[chosen], room) for chosen, room in ((beside, _BESIDE), (~wanted & ~beside, _CLEAR))]
        others = [(faces, room) for faces, room in others if len(faces)]
        corners = obj.vertices[obj.faces]
        cross = np.cross(corners[:, 1], corners[:, 2])
        volumes = np.einsum("fi,fi->f", corners[:, 0], cross)
        centre = (volumes[:, None] * corners.sum(axis=1)).sum(axis=0) / (4.0 * volumes.sum())
        fixed = use.affordance is Affordance.TWIST
        surface = obj.vertices[np.unique(obj.faces[wanted])] if fixed else obj.vertices
        spread = surface - (surface.mean(axis=0) if fixed else centre)
        return cls(
            solid,
            None if wanted.all() else Lattice.build(obj.vertices, (obj.faces[wanted], 0.0)),
            Lattice.build(obj.vertices, *others) if others else None,
            None if fixed else torch.from_numpy(centre.astype(np.float32)),
            float(np.sqrt((spread**2).sum(axis=1).mean())),
            bool(obj.vertices[:, 2].min() > -0.002) and use.affordance != Affordance.SUPPORT,
        )
