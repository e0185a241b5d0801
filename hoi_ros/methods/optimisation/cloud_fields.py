"""The same fields of an object that is known as a cloud: distances to its nearest points, exact for thin walls too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from hoi_ros.methods.optimisation.fields import Fields
from hoi_ros.types import Array

OTHERS_ROOM = 0.003  # m to keep off what is not wanted
STILL, SHARE = 0.002, 0.2  # m and of its distance that a point may move before its nearest point is looked up anew

DISK = 0.6  # radius of the surface around a point that it stands for, over the distance to its neighbour
AREA = 1.4  # of that surface, over the square of the distance
WOUND = 0.4  # winding number from which a point is inside: 1 in a closed surface, less where some of it is not known

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class CloudSurface:
    """A surface known by points with outward normals, each standing for a disk of the surface around it."""

    points: Tensor  # (N, 3) m
    normals: Tensor  # (N, 3) unit
    spacing: float  # m from point to point
    room: float | None = None  # m within which ``distance`` is asked for, and that it is less; None: everywhere

    def lookup(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance (...), m, and unit gradient (..., 3) at points (..., 3); the gradient counts as constant."""
        distance, gradient = _Signed.apply(points, self, self.nearest)
        return distance, gradient

    def distance(self, points: Tensor) -> Tensor:
        """Distance (...) of points (..., 3) beyond the room, m, unsigned; at most 0 where there is a room."""
        found: Tensor = _Unsigned.apply(points, self, self.nearest)
        return found

    def nearest(self, points: Array) -> Indices:
        """Index (M,) of the nearest of the N points to points (M, 3); N where none lies within the room."""
        return self.query(points)[1]

    def query(self, points: Array) -> tuple[Array, Indices]:
        """Also the distance (M,), m; infinite where none lies within the room."""
        distance, near = self.tree.query(points, distance_upper_bound=np.inf if self.room is None else self.room)
        return distance, near

    def winds_around(self, points: Tensor) -> Tensor:
        """Whether the surface winds around points (M, 3), (M,), that are farther from it than its points lie apart.

        About these the nearest point alone is wrong where the surface turns sharply: beside a rim, past an edge. The
        winding number of disks is that of Barill et al. (2018).
        """
        along = (self.points * self.normals).sum(-1) - points @ self.normals.T  # (M, N) m, to the plane of each disk
        inverse = torch.cdist(points, self.points).clamp(min=1e-6).reciprocal()
        wound = (along * inverse * inverse * inverse).sum(1)
        return AREA * self.spacing**2 * wound > WOUND * 4.0 * torch.pi

    @cached_property
    def tree(self) -> cKDTree:
        """The points, to be asked for neighbours."""
        return cKDTree(self.points.numpy())


class FollowedSurface:
    """The same for points that move little from one question to the next: they keep their nearest point for a while.

    A point is looked up anew once it has moved by ``STILL`` and ``SHARE`` of its distance from the nearest one, which
    then is at most twice that nearer than the one that is taken for it; all are when another number of points comes.
    """

    def __init__(self, surface: CloudSurface) -> None:
        self._surface = surface
        self._at, self._near = np.empty((0, 3)), np.empty(0, np.intp)
        self._tolerance = np.empty(0)

    def lookup(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """As the surface's."""
        distance, gradient = _Signed.apply(points, self._surface, self._nearest)
        return distance, gradient

    def distance(self, points: Tensor) -> Tensor:
        """As the surface's."""
        found: Tensor = _Unsigned.apply(points, self._surface, self._nearest)
        return found

    def _nearest(self, points: Array) -> Indices:
        if len(points) != len(self._at):
            self._at, self._near = np.full_like(points, np.inf), np.empty(len(points), np.intp)
            self._tolerance = np.zeros(len(points))
        moved = points - self._at
        rows = np.flatnonzero(np.einsum("ij,ij->i", moved, moved) > self._tolerance**2)
        if len(rows):
            distance, self._near[rows] = self._surface.query(points[rows])
            self._at[rows] = points[rows]
            self._tolerance[rows] = STILL + SHARE * np.minimum(distance, self._surface.room or np.inf)
        return self._near


class _Signed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, points: Tensor, surface: CloudSurface, nearest: Callable[[Array], Indices]
    ) -> tuple[Tensor, Tensor]:
        flat = points.detach().reshape(-1, 3)
        near = torch.from_numpy(nearest(flat.numpy()))
        normals = surface.normals[near]
        offset = flat - surface.points[near]
        above = (offset * normals).sum(-1, keepdim=True)
        aside = offset - above * normals
        length = aside.norm(dim=-1, keepdim=True)
        beyond = aside * (1.0 - DISK * surface.spacing / length.clamp(min=1e-9)).clamp(min=0.0)  # past the disk's edge
        way = above * normals + beyond
        size = way.norm(dim=-1, keepdim=True)
        inside = above[:, 0] < 0.0
        far = torch.nonzero(inside & (size[:, 0] > surface.spacing))[:, 0]
        inside[far] = surface.winds_around(flat[far])
        sign = torch.where(inside, -1.0, 1.0)[:, None]
        gradient = torch.where(size > 1e-6, sign * way / size.clamp(min=1e-9), normals)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(gradient)
        distance, gradient = (sign * size).view(points.shape[:-1]), gradient.view(points.shape)
        return distance, gradient

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outputs[0][..., None] * gradient.view(*outputs[0].shape, 3), None, None


class _Unsigned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, surface: CloudSurface, nearest: Callable[[Array], Indices]) -> Tensor:
        flat = points.detach().reshape(-1, 3)
        near = torch.from_numpy(nearest(flat.numpy()))
        found = near < len(surface.points)
        offset = torch.where(found[:, None], flat - surface.points[near.clamp(max=len(surface.points) - 1)], 0.0)
        length = offset.norm(dim=-1)
        ctx.save_for_backward(offset / length[:, None].clamp(min=1e-9))
        beyond = length if surface.room is None else torch.where(found, length - surface.room, 0.0)
        return beyond.view(points.shape[:-1])

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outputs[0][..., None] * gradient.view(*outputs[0].shape, 3), None, None


def followed(fields: Fields) -> Fields:
    """The same fields of a cloud, for hands that move little from one question to the next (``FollowedSurface``)."""

    def follow(surface: Any) -> Any:
        return surface and FollowedSurface(surface)

    return replace(fields, solid=follow(fields.solid), part=follow(fields.part), others=follow(fields.others))


def surface_of(points: Array, normals: Array) -> CloudSurface:
    """The surface of points (N, 3), m, spread evenly, with outward normals (N, 3)."""
    cloud, directions = (torch.from_numpy(values.astype(np.float32)) for values in (points, normals))
    return CloudSurface(cloud, directions, float(cKDTree(points).query(points, 2)[0][:, 1].mean()))


def cloud_fields(points: Array, normals: Array, wanted: NDArray[np.bool_], carried: bool) -> Fields:
    """Fields of points (N, 3), m, with outward normals (N, 3), of which ``wanted`` (N,) are the part.

    ``carried``: the object gives way, so contacts balance about its middle. The points are spread evenly. Objects in
    clouds stand on nothing that is known.
    """
    solid = surface_of(points, normals)
    cloud, directions = solid.points, solid.normals
    chosen = torch.from_numpy(wanted)

    def some(rows: Tensor, room: float | None = None) -> CloudSurface | None:
        if not rows.any() or rows.all():
            return None
        return CloudSurface(cloud[rows], directions[rows], solid.spacing, room)

    held = cloud if carried else cloud[chosen]
    # Of points spread evenly: on the engine's objects 11 mm from the centre of mass, the middle of the box 27.
    centre = held.mean(0)
    return Fields(
        solid,
        some(chosen),
        some(~chosen, OTHERS_ROOM),
        centre if carried else None,
        float((held - centre).square().sum(-1).mean().sqrt()),
        floor=False,
    )
