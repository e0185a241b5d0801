"""Solids with known answers."""

from __future__ import annotations

import manifold3d
import numpy as np
from numpy.typing import NDArray

from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array

Mesh = tuple[Array, NDArray[np.int32]]


def arrays(solid: manifold3d.Manifold) -> Mesh:
    mesh = solid.to_mesh64()
    return np.asarray(mesh.vert_properties)[:, :3].copy(), np.asarray(mesh.tri_verts).astype(np.int32)


def box(*size: float) -> Mesh:
    return arrays(manifold3d.Manifold.cube(size, True))


def ball(radius: float, segments: int = 128) -> Mesh:
    return arrays(manifold3d.Manifold.sphere(radius, segments))


def cup(wall: float, radius: float = 0.04, height: float = 0.1, segments: int = 96) -> Mesh:
    """Open cylinder whose axis is z, standing on z = 0."""
    outer = manifold3d.Manifold.cylinder(height, radius, radius, segments)
    hollow = manifold3d.Manifold.cylinder(height, radius - wall, radius - wall, segments).translate([0, 0, wall])
    return arrays(outer - hollow)


def model(mesh: Mesh, face_parts: NDArray[np.int32] | None = None) -> ObjectModel:
    vertices, faces = mesh
    parts = np.zeros(len(faces), np.int32) if face_parts is None else face_parts
    names = tuple(f"part {i}" for i in range(parts.max() + 1))
    return ObjectModel("made_0000", "object", vertices, faces, parts, names, (Piece(vertices, 0),))
