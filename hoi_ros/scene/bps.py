"""Basis point sets: an object as its distances from fixed points in space (Prokudin et al., ICCV 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array


def basis_points(count: int, radius: float, seed: int = 0) -> Array:
    """``count`` points (B, 3) spread at random, evenly by volume, in the ball of ``radius`` m about the origin."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    reach = radius * rng.random((count, 1)) ** (1 / 3)
    return reach * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def grid_points(side: int, radius: float) -> Array:
    """``side`` ^ 3 points (B, 3) of the lattice that fills the cube from -``radius`` to ``radius`` m, z fastest."""
    line = np.linspace(-radius, radius, side)
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)


def encode(points: ArrayLike, basis: ArrayLike) -> tuple[Array, Array]:
    """Distance (B,), m, from each point of ``basis`` (B, 3) to the nearest of ``points`` (N, 3), and the step (B, 3).

    Raises Refused(CLOUD) for no points or points that are not finite.
    """
    points, basis = np.asarray(points, float), np.asarray(basis, float)
    if not len(points) or not np.isfinite(points).all():
        raise Refused(Reason.CLOUD, f"{len(points)} points, {(~np.isfinite(points).all(-1)).sum()} of them not finite")
    distance, nearest = cKDTree(points).query(basis)
    return distance, points[nearest] - basis
