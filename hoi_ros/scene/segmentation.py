"""Objects on a table, out of the cloud of the whole scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import ArrayLike
from scipy.spatial import ConvexHull, QhullError, cKDTree

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import Indices, voxel
from hoi_ros.types import Array

SIZE = 0.004  # m, edge of the cubes the scene is thinned to
THICKNESS = 0.006  # m: nearer to the table's plane a point is the table's
HEIGHT = 0.5  # m above the table that objects reach
GAP = 0.01  # m between points of one object at most
MIN_POINTS = 60  # thinned points of an object, about 10 cm2 of surface
MIN_TABLE = 0.1  # share of the scene that its largest plane must have to be a table
MIN_AREA = 0.03  # m2 of that plane
BESIDE = 0.05  # m that an object's points may reach beyond the table's edge


@dataclass(frozen=True)
class TableScene:
    """The table's plane and the objects that stand on it."""

    plane: Array  # (4,) a b c d: unit normal towards the viewpoint, a x + b y + c z + d = 0, m
    objects: tuple[Indices, ...]  # indices of each object's points in the scene, largest object first


def segment(points: ArrayLike, viewpoint: ArrayLike = (0.0, 0.0, 0.0), seed: int = 0) -> TableScene:
    """The table, which is the scene's largest plane, and what stands on it, seen from ``viewpoint`` (3,).

    ``points`` (N, 3), m, finite. Objects that touch come as one. Raises Refused(CLOUD) where there is no table or
    nothing on it.
    """
    points = np.asarray(points, float)
    thinned = points[voxel(points, SIZE)]
    plane = _table(thinned, np.asarray(viewpoint, float), seed)
    height = thinned @ plane[:3] + plane[3]
    above = thinned[(height > THICKNESS) & (height < HEIGHT)]
    above = above[_over(above, thinned[np.abs(height) < THICKNESS], plane[:3])]

    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(above))
    cluster = np.asarray(cloud.cluster_dbscan(GAP, 6)) if len(above) else np.empty(0, int)
    large = [c for c in range(cluster.max(initial=-1) + 1) if (cluster == c).sum() >= MIN_POINTS]
    if not large:
        raise Refused(Reason.CLOUD, f"nothing larger than {MIN_POINTS} points {SIZE * 1e3:g} mm apart is on the table")
    candidates = np.flatnonzero(points @ plane[:3] + plane[3] > THICKNESS)
    distance, nearest = cKDTree(above).query(points[candidates], distance_upper_bound=2 * SIZE)
    owner = np.append(cluster, -1)[np.where(np.isfinite(distance), nearest, -1)]
    objects = (candidates[owner == c] for c in large)
    return TableScene(plane, tuple(sorted(objects, key=len, reverse=True)))


def _table(points: Array, viewpoint: Array, seed: int) -> Array:
    """Plane (4,) with the most points, by random samples, then least squares."""
    if len(points) < MIN_POINTS:
        raise Refused(Reason.CLOUD, f"{len(points)} points {SIZE * 1e3:g} mm apart show no scene")
    o3d.utility.random.seed(seed)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    _, inside = cloud.segment_plane(THICKNESS, 3, 1000)
    if len(inside) < MIN_TABLE * len(points):
        raise Refused(Reason.CLOUD, f"there is no table: the largest plane has {len(inside)} of {len(points)} points")
    table = points[inside]
    centre = table.mean(0)
    normal = np.linalg.svd(table - centre, full_matrices=False)[2][2]
    if normal @ (viewpoint - centre) < 0:
        normal = -normal
    return np.append(normal, -normal @ centre)


def _over(points: Array, table: Array, normal: Array) -> Indices:
    """Indices of the points above the hull of the table's points, or up to ``BESIDE`` beside it."""
    across = np.linalg.svd(normal[None])[2][1:]
    table = table[voxel(table, 0.01)]
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(table))
    patch = np.asarray(cloud.cluster_dbscan(0.03, 4))
    sizes = np.bincount(patch + 1)[1:]  # what only happens to lie in the plane, on another chair, is no table
    try:
        hull = ConvexHull(table[np.isin(patch, np.flatnonzero(sizes > 0.1 * sizes.max(initial=0)))] @ across.T)
    except (QhullError, ValueError) as error:
        raise Refused(Reason.CLOUD, f"the {len(table)} points of the largest plane span no table") from error
    if hull.volume < MIN_AREA:  # a plane's hull has its area as its volume
        raise Refused(Reason.CLOUD, f"there is no table: the largest plane has {hull.volume * 1e4:.0f} cm2")
    sides = hull.equations
    return np.flatnonzero((points @ across.T @ sides[:, :2].T + sides[:, 2] < BESIDE).all(1))
