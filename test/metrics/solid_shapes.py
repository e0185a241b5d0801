"""Shapes of known volume and depth, as objects."""

from __future__ import annotations

import numpy as np
import trimesh

from hoi_ros.scene.object_model import ObjectModel


def as_object(mesh: trimesh.Trimesh, face_parts: np.ndarray | None = None, names: tuple[str, ...] = ("body",)):
    parts = np.zeros(len(mesh.faces), np.int32) if face_parts is None else face_parts.astype(np.int32)
    return ObjectModel("shape", "object", np.array(mesh.vertices), mesh.faces.astype(np.int32), parts, names, ())


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> trimesh.Trimesh:
    extents = np.subtract(high, low)
    middle = np.add(high, low) / 2.0
    return trimesh.creation.box(extents, trimesh.transformations.translation_matrix(middle))


def ball(radius: float, centre: tuple[float, float, float] | np.ndarray) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    mesh.apply_translation(centre)
    return mesh
