"""The field of a hand and an object: distances from a grid of basis points to both (choir 3.1.a, eq. 1 and 2).

The grid is 16^3 points about a place. Each basis point keeps its distance to the nearest point of the object, and its
distance to one of the hand's 32 anchors. Distances are plain, in m, as in the public code; the paper squares them.
The paper's grid is the object's. Here it lies about the hand that is to be refined, along its axes, or about the place
where one is wanted: objects of every size have the same resolution, and a grasp looks the same in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from hoi_ros.scene.bps import grid_points
from hoi_ros.types import Array

SIDE, ANCHORS = 16, 32
CELLS = SIDE**3
RADIUS = 0.15  # m, from the place to the grid's sides
BLOCK = (4, 4, 2)  # neighbouring basis points that have one anchor each

Scheme = Literal["ordered", "shuffled", "blocks"]


def basis() -> Array:
    """Basis points (4096, 3), m, z fastest."""
    return grid_points(SIDE, RADIUS)


def assignment(scheme: Scheme = "blocks") -> NDArray[np.int64]:
    """Anchor (4096,) of each basis point (choir B.1).

    ``ordered`` repeats 0 to 31, which gives each anchor one plane of points; ``shuffled`` mixes that; ``blocks``
    gives one to each point of every block of 4 x 4 x 2, so that every anchor is looked at from all around.
    """
    number = np.arange(CELLS)
    if scheme == "ordered":
        return number % ANCHORS
    if scheme == "shuffled":
        return np.random.default_rng(1995).permutation(number % ANCHORS)
    x, y, z = np.unravel_index(number, (SIDE, SIDE, SIDE))
    return np.asarray((x % BLOCK[0] * BLOCK[1] + y % BLOCK[1]) * BLOCK[2] + z % BLOCK[2])


@dataclass(frozen=True)
class Place:
    """Where grids are: origins (B, 3), m, and axes (B, 3, 3) as columns, in the frame of hand and object."""

    origin: Array
    axes: Array

    def enter(self, points: Array) -> Array:
        """Points (B, N, 3), m, in the grids' frames."""
        return (points - self.origin[:, None]) @ self.axes

    def leave(self, points: Array) -> Array:
        """Points (B, N, 3) of the grids' frames, back again."""
        return points @ self.axes.swapaxes(-1, -2) + self.origin[:, None]

    def __len__(self) -> int:
        return len(self.origin)

    def __getitem__(self, rows: slice) -> Place:
        return Place(self.origin[rows], self.axes[rows])


def object_field(place: Place, trees: list[cKDTree]) -> NDArray[np.float32]:
    """Distances (B, 4096), m, of the basis points to the nearest of an object's points, one tree of them a grid."""
    points = place.leave(np.broadcast_to(basis(), (len(place), CELLS, 3)))
    return np.stack([tree.query(each, workers=-1)[0] for tree, each in zip(trees, points, strict=True)]).astype(
        np.float32
    )


def hand_field(anchors: Tensor, points: Tensor, assigned: Tensor) -> Tensor:
    """Distances (B, M), m, of basis points (M, 3) to the anchors (B, 32, 3) that are assigned (M,) to them."""
    return (points - anchors[:, assigned]).square().sum(-1).clamp(min=1e-18).sqrt()


def anchors_of_field(
    field: Array, assigned: NDArray[np.int64], start: Array, iterations: int = 12
) -> tuple[Array, Array]:
    """Anchors (B, 32, 3) that fit distances (B, 4096) best, and their precision matrices (B, 32, 3, 3).

    Gauss-Newton for all anchors at once from ``start`` (B, 32, 3): 128 distances give the three numbers of each. The
    precision is the Gauss-Newton matrix: near the anchors the sum of squared distances is a quadratic form of it.
    """
    order = np.argsort(assigned, kind="stable").reshape(ANCHORS, -1)
    points = basis()[order]  # (32, 128, 3)
    wanted = field[:, order]
    anchors = np.array(start, dtype=np.float64)
    precision = np.empty((*anchors.shape, 3))
    for _ in range(iterations):
        away = anchors[:, :, None] - points
        distance = np.maximum(np.linalg.norm(away, axis=-1), 1e-6)
        way = away / distance[..., None]
        precision = np.swapaxes(way, -1, -2) @ way + 1e-3 * np.eye(3)
        gradient = np.swapaxes(way, -1, -2) @ (distance - wanted)[..., None]
        step = np.linalg.solve(precision, gradient)[..., 0]
        anchors -= step
        if np.abs(step).max() < 1e-7:
            break
    return anchors, precision


def fold(values: Tensor) -> Tensor:
    """Fields (B, 4096) as cells of blocks: (B, 32, 4, 4, 8); with ``blocks``, a channel is an anchor."""
    a, b, c = BLOCK
    cells = values.view(-1, SIDE // a, a, SIDE // b, b, SIDE // c, c)
    return cells.permute(0, 2, 4, 6, 1, 3, 5).reshape(-1, ANCHORS, SIDE // a, SIDE // b, SIDE // c)


def unfold(cells: Tensor) -> Tensor:
    """The fields (B, 4096) of what ``fold`` gives."""
    a, b, c = BLOCK
    values = cells.view(-1, a, b, c, SIDE // a, SIDE // b, SIDE // c)
    return values.permute(0, 4, 1, 5, 2, 6, 3).reshape(-1, CELLS)


def tensors(scheme: Scheme = "blocks") -> tuple[Tensor, Tensor]:
    """Basis points (4096, 3) in single precision, and their anchors (4096,)."""
    return torch.from_numpy(basis().astype(np.float32)), torch.from_numpy(assignment(scheme))
