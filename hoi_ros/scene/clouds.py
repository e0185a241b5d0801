"""Point clouds of objects: out of PointCloud2 bytes, cleaned, thinned, with normals; or sampled from meshes.

What chooses points returns their indices, so that colours and normals follow: ``cloud[voxel(cloud.points, size)]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import open3d as o3d
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, ObjectCloud

Indices = NDArray[np.intp]

DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # sensor_msgs/PointField
MIN_POINTS = 32  # fewer show no surface
MAX_FARTHEST = 100_000  # candidates of the farthest-point choice; more are thinned first
LIFT = 1e-4  # m off the surface that a point is looked for, so that its own face does not hide it
NEIGHBOURS = 16  # of a point, for outliers and normals


@dataclass(frozen=True)
class Cloud:
    """Points, m, with what else the sensor knows of them."""

    points: Array  # (N, 3)
    normals: Array | None = None  # (N, 3)
    colours: NDArray[np.uint8] | None = None  # (N, 3) RGB

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, chosen: Any) -> Cloud:
        """The points that a slice, mask or index array chooses."""
        return Cloud(
            self.points[chosen],
            None if self.normals is None else self.normals[chosen],
            None if self.colours is None else self.colours[chosen],
        )


def from_pointcloud2(message: Any) -> Cloud:
    """The finite points of a ``sensor_msgs/PointCloud2`` or anything with its fields; rows of organised clouds joined.

    Any layout of fields, padding and byte order. ``x y z`` of any number type are m; normals are read from ``normal_x
    normal_y normal_z``, colours from a packed ``rgb`` or ``rgba`` or from ``r g b`` of one byte, where they are there.

    Raises Refused(CLOUD) for a layout that contradicts itself or the data, and for no finite point.
    """
    kinds = _kinds(message)
    shape = (int(message.height), int(message.width))
    if not all(shape):
        raise Refused(Reason.CLOUD, f"the cloud has no points: {shape[1]}x{shape[0]}")
    data = np.frombuffer(message.data, np.uint8)
    needed = (shape[0] - 1) * message.row_step + shape[1] * message.point_step
    if message.row_step < shape[1] * message.point_step or len(data) < needed:
        raise Refused(
            Reason.CLOUD,
            f"{shape[1]}x{shape[0]} points of {message.point_step} bytes in rows of {message.row_step} bytes "
            f"need {needed} bytes; the cloud has {len(data)}",
        )

    def column(name: str, kind: DTypeLike | None = None) -> NDArray[Any]:
        offset, own = kinds[name]
        steps = (message.row_step, message.point_step)
        view: NDArray[Any] = np.ndarray(shape, kind or own, data, offset, steps)
        return view.reshape(-1)

    points = np.stack([column(axis) for axis in "xyz"], -1).astype(float)
    finite = np.isfinite(points).all(1)
    if not finite.any():
        raise Refused(Reason.CLOUD, f"none of the cloud's {len(points)} points is finite")
    normals = colours = None
    if all(f"normal_{axis}" in kinds for axis in "xyz"):
        normals = np.stack([column(f"normal_{axis}")[finite] for axis in "xyz"], -1).astype(float)
    packed = next((name for name in ("rgb", "rgba") if name in kinds and kinds[name][1].itemsize == 4), None)
    if packed:
        bits = column(packed, ">u4" if message.is_bigendian else "<u4")[finite]
        colours = np.stack([bits >> 16 & 255, bits >> 8 & 255, bits & 255], -1).astype(np.uint8)
    elif all(name in kinds and kinds[name][1] == np.uint8 for name in "rgb"):
        colours = np.stack([column(name)[finite] for name in "rgb"], -1)
    return Cloud(points[finite], normals, colours)


def _kinds(message: Any) -> dict[str, tuple[int, np.dtype[Any]]]:
    """Offset and number type of each field that is used."""
    order = ">" if message.is_bigendian else "<"
    kinds = {}
    for field in message.fields:
        if field.datatype not in DATATYPES:
            raise Refused(Reason.CLOUD, f"field '{field.name}' has datatype {field.datatype}; known are 1 to 8")
        kind = np.dtype(order + DATATYPES[field.datatype])
        if not 0 <= field.offset <= message.point_step - kind.itemsize:
            raise Refused(
                Reason.CLOUD,
                f"field '{field.name}' at byte {field.offset} does not fit in points of {message.point_step} bytes",
            )
        kinds[field.name] = (int(field.offset), kind)
    if missing := [axis for axis in "xyz" if axis not in kinds]:
        raise Refused(
            Reason.CLOUD, f"the cloud has no field {', '.join(missing)}; it has: {', '.join(kinds) or 'none'}"
        )
    return kinds


def prepare(cloud: Cloud, count: int = 2048, size: float = 0.002, viewpoint: ArrayLike | None = None) -> ObjectCloud:
    """One object's cloud ready for a network: ``count`` points or fewer, as far apart as can be, with unit normals.

    Cleaned by ``surface`` before. Raises Refused(CLOUD) for fewer than ``MIN_POINTS`` different points.
    """
    cloud = surface(cloud, size, viewpoint)
    assert cloud.normals is not None
    chosen = farthest_points(cloud.points, min(count, len(cloud)))
    return ObjectCloud(cloud.points[chosen], cloud.normals[chosen])


def surface(cloud: Cloud, size: float = 0.002, viewpoint: ArrayLike | None = None) -> Cloud:
    """A cloud thinned to one point in cubes of ``size`` m, rid of outliers, with unit normals.

    The cloud's own where they are unit vectors; for ``viewpoint`` see ``normals``. Raises Refused(CLOUD) for fewer than
    ``MIN_POINTS`` different points.
    """
    cloud = cloud[voxel(cloud.points, size)]
    if len(cloud) >= MIN_POINTS:
        cloud = cloud[inliers(cloud.points)]
    if len(cloud) < MIN_POINTS:
        raise Refused(Reason.CLOUD, f"{len(cloud)} points {size * 1e3:g} mm apart show no object; {MIN_POINTS} would")
    if cloud.normals is not None and np.allclose(np.linalg.norm(cloud.normals, axis=1), 1, atol=0.01):
        return cloud
    return replace(cloud, normals=normals(cloud.points, viewpoint))


def voxel(points: ArrayLike, size: float) -> Indices:
    """Indices (M,), ascending, of one point (the first) of ``points`` (N, 3) in each cube of edge ``size`` m.

    Raises Refused(CLOUD) for points spread over more than a million cubes along an axis.
    """
    points = np.asarray(points, float)
    if not len(points):
        return np.empty(0, np.intp)
    if (spread := np.ptp(points, axis=0).max()) > 1e6 * size:
        raise Refused(
            Reason.CLOUD, f"the points are spread over {spread:.3g} m; they are to be looked at {size:g} m apart"
        )
    cell = np.floor((points - points.min(0)) / size).astype(np.int64)
    key = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(0) + 1))
    return np.sort(np.unique(key, return_index=True)[1])


def inliers(points: ArrayLike, deviations: float = 2.0) -> Indices:
    """Indices (M,) of the points (N, 3) that lie no farther from their neighbours than is usual.

    Their mean distance is at most ``deviations`` standard deviations above that of all points (Rusu et al., 2008).
    """
    points = np.asarray(points, float)
    count = min(NEIGHBOURS + 1, len(points))
    distance = cKDTree(points).query(points, count, workers=-1)[0].mean(1)
    return np.flatnonzero(distance <= distance.mean() + deviations * distance.std())


def farthest_points(points: ArrayLike, count: int) -> Indices:
    """Indices (count,) of points (N, 3), each the farthest from those before it; the first is farthest from the mean.

    Of more than ``MAX_FARTHEST`` points, one in each cube of a lattice is considered.
    """
    points = np.asarray(points, float)
    if not 0 < count <= len(points):
        raise Refused(Reason.CLOUD, f"{count} points cannot be chosen of {len(points)}")
    candidates = _thinned(points, max(MAX_FARTHEST, 4 * count))
    axes = np.ascontiguousarray((points[candidates] - points.mean(0)).T.astype(np.float32))
    squares = np.empty_like(axes)
    nearest = np.full(len(candidates), np.inf, np.float32)
    chosen = np.empty(count, np.intp)
    last = int((axes**2).sum(0).argmax())
    for i in range(count):
        chosen[i] = last
        np.subtract(axes, axes[:, last : last + 1], out=squares)
        np.multiply(squares, squares, out=squares)
        np.minimum(nearest, squares[0] + squares[1] + squares[2], out=nearest)  # a sum over the axis is slower
        nearest[last] = -1  # of points in one place each is chosen once
        last = int(nearest.argmax())
    return candidates[chosen]


def _thinned(points: Array, most: int) -> Indices:
    """Indices of at most about ``most`` points, evenly spread."""
    chosen = np.arange(len(points))
    size = np.ptp(points, axis=0).max() / np.sqrt(most)  # a surface fills that many squares
    while len(chosen) > most:
        thinner = voxel(points[chosen], size) if size > 0 else np.arange(most)
        chosen, size = chosen[thinner], 1.2 * size
    return chosen


def normals(points: ArrayLike, viewpoint: ArrayLike | None = None) -> Array:
    """Unit normals (N, 3) of the surface that points (N, 3) sample, towards ``viewpoint`` (3,) where it is given.

    Else neighbours agree along a spanning tree that crosses no sharp edge it can avoid, and the point of each connected
    patch farthest from the mean looks away from it (Hoppe et al., 1992).
    """
    points = np.asarray(points, float)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(NEIGHBOURS))
    directions = np.asarray(cloud.normals).copy()
    if viewpoint is not None:
        away = ((np.asarray(viewpoint, float) - points) * directions).sum(1) < 0
        return np.where(away[:, None], -directions, directions)
    return directions * _agreement(points, directions)[:, None]


def _agreement(points: Array, directions: Array) -> Array:
    """Signs (N,) that make ``directions`` agree."""
    neighbours = cKDTree(points).query(points, min(NEIGHBOURS, len(points)), workers=-1)[1].reshape(len(points), -1)
    start, end = np.repeat(np.arange(len(points)), neighbours.shape[1]), neighbours.ravel()
    bend = 1.001 - np.abs((directions[start] * directions[end]).sum(1))  # never zero: a zero is no edge
    graph = minimum_spanning_tree(coo_array((bend, (start, end)), (len(points),) * 2).tocsr())
    patches, patch = connected_components(graph, directed=False)
    reach = points - points.mean(0)
    distance = np.linalg.norm(reach, axis=1)
    sign = np.ones(len(points))
    for number in range(patches):
        members = np.flatnonzero(patch == number)
        root = members[distance[members].argmax()]
        order, parent = breadth_first_order(graph, root, directed=False)
        sign[root] = 1.0 if reach[root] @ directions[root] >= 0 else -1.0
        alike = (directions[order[1:]] * directions[parent[order[1:]]]).sum(1) >= 0
        for child, same in zip(order[1:], alike, strict=True):
            sign[child] = sign[parent[child]] * (1.0 if same else -1.0)
    return sign


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


def seen_from(model: ObjectModel, points: ArrayLike, normals: ArrayLike, eye: ArrayLike) -> NDArray[np.bool_]:
    """Whether surface points (N, 3) with outward normals (N, 3) are seen from ``eye`` (3,), m: nothing lies between."""
    points, normals, eye = (np.asarray(values, float) for values in (points, normals, eye))
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(model.vertices.astype(np.float32)),
        o3d.core.Tensor.from_numpy(model.faces.astype(np.uint32)),
    )
    away = eye - points
    rays = np.concatenate([points + LIFT * normals, away], axis=1).astype(np.float32)
    hidden = scene.test_occlusions(o3d.core.Tensor.from_numpy(rays), tfar=1.0, nthreads=1).numpy()
    return ~hidden & ((away * normals).sum(axis=1) > 0.0)
