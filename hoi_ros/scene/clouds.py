"""Point clouds of objects: sampled from meshes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array


def sample_surface(model: ObjectModel, count: int, rng: np.random.Generator) -> tuple[Array, Array, NDArray[np.int32]]:
    """``count`` points spread evenly by area: points (N, 3), m, outward unit normals (N, 3), part numbers (N,).

    Stratified: one point for each of ``count`` equal shares of the area, so small faces are not missed by chance.
    """
    corners = model.vertices[model.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1)
    ends = np.cumsum(areas)
    at = (np.arange(count) + rng.random(count)) / count * ends[-1]
    face = np.minimum(np.searchsorted(ends, at, side="right"), len(ends) - 1)

    u, v = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    a, b, c = corners[face].swapaxes(0, 1)
    points = (1 - u) * a + u * (1 - v) * b + u * v * c
    return points, cross[face] / areas[face, None], model.face_parts[face]
