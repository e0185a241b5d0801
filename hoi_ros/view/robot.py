"""Pictures of the Shadow Hand at a goal, from the boxes and capsules its kinematics come with."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.bodies import bodies
from hoi_ros.retargeting.shadow_hand import NAMES, ROOT, ShadowHand
from hoi_ros.types import Array, Side
from hoi_ros.view.pictures import TURN, paper
from hoi_ros.view.render import Mesh, Picture, framing, picture

# Shadow's z (fingers) up, x (thumb of a right hand) to the right, -y (palm) to the camera.
UPRIGHT = Rotation.from_matrix([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
DARK, STEEL, ACCENT = np.array([0.2, 0.21, 0.23]), np.array([0.7, 0.71, 0.74]), np.array([0.13, 0.55, 0.6])
GLOSS = 0.3
EDGE = 0.004  # m, radius of a box's edges


def of_robot(positions: Array, side: Side, size: tuple[int, int], *, samples: int = 2) -> Picture:
    """The hand at joint ``positions`` (24,) rad, in Shadow's order, palm to the viewer, (H, W, 3)."""
    flat = np.concatenate([mesh.vertices for mesh in robot_meshes(np.zeros(len(NAMES)), side)])
    camera, shift = framing(flat, size)
    meshes = [Mesh(m.vertices + shift, m.faces, m.colour, m.gloss) for m in robot_meshes(positions, side)]
    return picture(meshes, camera, paper(size), samples=samples)


def robot_meshes(positions: Array, side: Side) -> list[Mesh]:
    """A mesh for each shape of each link but the forearm, upright as `of_robot` shows it, m."""
    poses = ShadowHand.embedded(side).link_poses(positions[None])
    meshes = []
    for link, body in bodies(side).items():
        if link == ROOT:
            continue
        for shape in body.shapes:
            vertices, faces = surface(shape.kind, shape.size)
            pose = poses[link][0] @ shape.pose
            placed = (TURN[side] * UPRIGHT).apply(vertices @ pose[:3, :3].T + pose[:3, 3])
            meshes.append(Mesh(placed, faces, colour_of(link), GLOSS))
    return meshes


def colour_of(link: str) -> Array:
    """Colour (3,) of a link."""
    if link.endswith("distal"):
        return ACCENT
    return STEEL if link.endswith(("proximal", "middle")) else DARK


@lru_cache(maxsize=64)
def surface(kind: str, size: tuple[float, ...]) -> tuple[Array, NDArray[np.int32]]:
    """Vertices (V, 3) and faces (F, 3) of a capsule or box, as `bodies.Shape` has them."""
    if kind == "capsule":
        mesh = trimesh.creation.capsule(height=2.0 * size[1], radius=size[0], count=[24, 24])
    else:
        ball = trimesh.creation.icosphere(subdivisions=2, radius=min(EDGE, *size))
        inner = np.array(size) - min(EDGE, *size)
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * inner
        mesh = trimesh.convex.convex_hull(np.concatenate([ball.vertices + corner for corner in corners]))
    return np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32)
