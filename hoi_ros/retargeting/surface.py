"""How far points are from the surface that a cloud with normals samples."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, ObjectCloud

_NEAR = 0.005  # m: nearer than this the surface is the plane of the nearest point, not the point itself
_STRAIGHT = 0.7  # cosine: what lies farther behind a normal than this beside it is inside; past an edge it is not


class CloudSurface:
    """Signed distance from an object's cloud, and from the table it stands on.

    Outside of the object is where the normal of the nearest point looks; where nothing was seen there is nothing.
    """

    def __init__(self, cloud: ObjectCloud, table: float | None = None) -> None:
        """``table``: its height z, m. Raises Refused(CLOUD) for a cloud without normals."""
        if cloud.normals is None:
            raise Refused(
                Reason.CLOUD, f"the cloud of {len(cloud.points)} points has no normals; clouds.normals() makes them"
            )
        self.points, self.normals, self.table = cloud.points, cloud.normals, table
        self._tree = cKDTree(cloud.points)

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """Distances (...), m, negative inside, of points (..., 3), and their gradients (..., 3), unit."""
        distance, nearest = self._tree.query(points)
        normals, offset = self.normals[nearest], points - self.points[nearest]
        height = np.einsum("...i,...i->...", offset, normals)
        sign = np.where(height < -_STRAIGHT * distance, -1.0, 1.0)
        away = sign[..., None] * offset / np.maximum(distance, 1e-9)[..., None]
        near = distance < _NEAR
        return np.where(near, height, sign * distance), np.where(near[..., None], normals, away)

    def free(self, points: Array) -> tuple[Array, Array]:
        """As a call, of the object and the table, whichever is nearer."""
        distance, gradient = self(points)
        if self.table is None:
            return distance, gradient
        height = points[..., 2] - self.table
        return np.minimum(distance, height), np.where((height < distance)[..., None], [0.0, 0.0, 1.0], gradient)
