"""An object with one of its parts in colour, or each in a colour of its own, from both sides."""

from __future__ import annotations

import colorsys

import numpy as np

from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array
from hoi_ros.view.pictures import paper
from hoi_ros.view.render import Mesh, Picture, framing, picture

PLAIN = np.array([0.72, 0.72, 0.7])
MARKED = np.array([0.9, 0.36, 0.2])
AZIMUTHS = (35.0, 215.0)  # degrees from x, of the two viewpoints
ELEVATION = 30.0


def of_parts(obj: ObjectModel, size: tuple[int, int], marked: str | None = None) -> Picture:
    """Two views of ``size`` (H, W) side by side, z up: the part ``marked``, or without it all of them, in colour."""
    return np.hstack([_seen(obj, np.radians(azimuth), size, marked) for azimuth in AZIMUTHS])


def _seen(obj: ObjectModel, azimuth: float, size: tuple[int, int], marked: str | None) -> Picture:
    vertices = obj.vertices @ _camera(azimuth).T
    camera, shift = framing(vertices, size)
    meshes = [
        Mesh(vertices + shift, obj.faces[obj.face_parts == number], _colour(number, name, marked))
        for number, name in enumerate(obj.part_names)
        if (obj.face_parts == number).any()
    ]
    return picture(meshes, camera, paper(size))


def _colour(number: int, name: str, marked: str | None) -> Array:
    if marked is not None:
        return MARKED if name == marked else PLAIN
    return np.array(colorsys.hsv_to_rgb((0.58 + 0.381966 * number) % 1.0, 0.55, 0.88))


def _camera(azimuth: float) -> Array:
    """Rotation (3, 3) of the object's frame into that of a camera that looks at it from ``azimuth``, a little down."""
    level, height = np.cos(np.radians(ELEVATION)), np.sin(np.radians(ELEVATION))
    forward = -np.array([np.cos(azimuth) * level, np.sin(azimuth) * level, height])
    right = np.cross(forward, [0.0, 0.0, 1.0]) / level
    return np.stack([right, np.cross(forward, right), forward])
