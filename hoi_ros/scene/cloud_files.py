"""Clouds from files: of points as they are, of meshes as points sampled on their surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open3d as o3d
import trimesh
from numpy.typing import NDArray

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene import meshes
from hoi_ros.types import Array, ObjectCloud

FORMATS = (".npy", ".npz", ".pcd", ".ply")
SAMPLES = 8192  # points on a mesh


def load(path: Path, seed: int = 0) -> ObjectCloud:
    """Finite points, m, with unit normals where the file has them or is a mesh.

    ``.npy`` holds points (N, 3), ``.npz`` ``points`` (N, 3) and perhaps ``normals`` (N, 3); a ``.ply`` may be either.
    ``seed`` is that of the samples on a mesh, which need not be closed. Raises Refused(FILE) for what cannot be read,
    Refused(MESH) for a mesh that is not finite, Refused(CLOUD) for a file without finite points.
    """
    if not path.is_file():
        raise Refused(Reason.FILE, f"{path} does not exist")
    kind = path.suffix.lower()
    if kind not in FORMATS + meshes.FORMATS:
        known = ", ".join(sorted({*FORMATS, *meshes.FORMATS}))
        raise Refused(Reason.FILE, f"{path}: '{path.suffix}' is no cloud or mesh format known here; known: {known}")
    if kind in meshes.FORMATS:
        mesh = meshes.load_mesh(path)
        if len(mesh.faces) or kind != ".ply":
            return _sampled(path, mesh, seed)
    points, normals = _from_arrays(path) if kind in (".npy", ".npz") else _from_open3d(path)
    finite = np.isfinite(points).all(1)
    if not finite.any():
        raise Refused(Reason.CLOUD, f"{path}: none of its {len(points)} points is finite")
    if normals is not None:
        normals = normals[finite]
        if not np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=0.01):
            normals = None
    return ObjectCloud(points[finite], normals)


def _sampled(path: Path, mesh: trimesh.Trimesh, seed: int) -> ObjectCloud:
    if not len(mesh.faces) or not np.isfinite(mesh.vertices).all() or not mesh.area > 0.0:
        raise Refused(
            Reason.MESH, f"{path}: no finite surface in {len(mesh.vertices)} vertices, {len(mesh.faces)} faces"
        )
    points, face = trimesh.sample.sample_surface(mesh, SAMPLES, seed=seed)
    return ObjectCloud(np.asarray(points), np.asarray(mesh.face_normals[face]))


def _from_open3d(path: Path) -> tuple[Array, Array | None]:
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):  # its warnings say less than we do
        cloud = o3d.io.read_point_cloud(path, remove_nan_points=False, remove_infinite_points=False)
    if not cloud.has_points():
        raise Refused(Reason.FILE, f"{path} cannot be read as {path.suffix}, or holds no points")
    return np.asarray(cloud.points), np.asarray(cloud.normals) if cloud.has_normals() else None


def _from_arrays(path: Path) -> tuple[Array, Array | None]:
    try:
        content = np.load(path, allow_pickle=False)
        arrays = {key: content[key] for key in content.files} if path.suffix == ".npz" else {"points": content}
    except Exception as error:  # a zip of foreign bytes fails in many ways
        raise Refused(Reason.FILE, f"{path} cannot be read: {error}") from None
    if "points" not in arrays:
        raise Refused(Reason.FILE, f"{path} lacks points; it has: {', '.join(arrays) or 'nothing'}")
    points = _vectors(path, "points", arrays["points"])
    normals = _vectors(path, "normals", arrays["normals"]) if "normals" in arrays else None
    if normals is not None and len(normals) != len(points):
        raise Refused(Reason.FILE, f"{path}: {len(normals)} normals for {len(points)} points")
    return points, normals


def _vectors(path: Path, name: str, values: NDArray[np.generic]) -> Array:
    if values.ndim != 2 or values.shape[1] != 3 or values.dtype.kind not in "fiu":
        raise Refused(Reason.FILE, f"{path}: {name} is {values.dtype} {values.shape}; it must be numbers (N, 3)")
    return values.astype(np.float64)
