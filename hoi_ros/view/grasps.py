"""Pictures of hands on an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array
from hoi_ros.view import pictures
from hoi_ros.view.render import Mesh, Picture, framing, picture

TILE = (300, 300)  # H, W of each of a grasp's two views
COLUMNS = 3
PART_COLOURS = np.array(
    [[0.55, 0.62, 0.7], [0.45, 0.7, 0.62], [0.8, 0.72, 0.45], [0.62, 0.52, 0.72], [0.75, 0.55, 0.5]]
)
_ELEVATION = np.radians(25.0)
_OFF_SIDE = np.radians(20.0)  # so that no finger hides behind another exactly


def sheet(obj: ObjectModel | Mesh, hands: Array, faces: NDArray[np.int32], titles: Sequence[str]) -> Picture:
    """Hands (N, 778, 3), m, in the object's frame, each seen from two opposite sides under its title."""
    tiles = [
        pictures.titled(np.hstack([of_grasp(obj, hand, faces, side) for side in (1, -1)]), title)
        for hand, title in zip(hands, titles, strict=True)
    ]
    return pictures.grid(tiles, COLUMNS)


def of_grasp(obj: ObjectModel | Mesh, hand: Array, faces: NDArray[np.int32], side: int = 1) -> Picture:
    """One hand (778, 3) on the object, z up, seen across the line from hand to object; ``side`` -1: from behind."""
    view = across(hand.mean(axis=0) - obj.vertices.mean(axis=0), side)
    thing = in_parts(obj) if isinstance(obj, ObjectModel) else obj
    corners, skin = thing.vertices @ view.T, hand @ view.T
    camera, shift = framing(np.concatenate([corners, skin]), TILE)
    meshes = [replace(thing, vertices=corners + shift), Mesh(skin + shift, faces, pictures.SKIN["right"])]
    return picture(meshes, camera, pictures.paper(TILE))


def of_points(points: Array, size: float = 0.0015) -> Mesh:
    """Points (N, 3), m, as one surface of octahedra that reach ``size`` m from their middle."""
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    sides = [(x, y, z) if x < 3 else (x, z, y) for x in (0, 3) for y, z in ((1, 2), (2, 4), (4, 5), (5, 1))]
    vertices = (points[:, None] + size * corners).reshape(-1, 3)
    faces = (6 * np.arange(len(points))[:, None, None] + np.array(sides)).reshape(-1, 3)
    return Mesh(vertices, faces.astype(np.int32), PART_COLOURS[0])


def in_parts(obj: ObjectModel) -> Mesh:
    """The object with a colour for each part, so no corner is shared."""
    corners = obj.vertices[obj.faces].reshape(-1, 3)
    colours = np.repeat(PART_COLOURS[obj.face_parts % len(PART_COLOURS)], 3, axis=0)
    return Mesh(corners, np.arange(len(corners), dtype=np.int32).reshape(-1, 3), colours)


def across(towards_hand: Array, side: int = 1) -> Array:
    """Rotation (3, 3) of the object's frame into a camera's (x right, y down, z forward), across a line (3,)."""
    azimuth = np.arctan2(towards_hand[1], towards_hand[0]) + side * (np.pi / 2.0 - _OFF_SIDE)
    forward = -np.array(
        [np.cos(azimuth) * np.cos(_ELEVATION), np.sin(azimuth) * np.cos(_ELEVATION), np.sin(_ELEVATION)]
    )
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])
