"""Pictures of the hand in its poses and shapes, ray cast without a display."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .skeleton import PARENTS, Skeleton
from .synergies import PROTOTYPES, to_axis_angle

Array = NDArray[np.float64]
Faces = NDArray[np.int32]
Image = NDArray[np.uint8]

VIEWS = {"palm": (0.0, -1.0, 0.0), "back": (0.0, 1.0, 0.0), "thumb side": (0.0, 0.0, 1.0), "oblique": (-0.5, -0.7, 0.6)}
SKIN = np.array([150.0, 182.0, 226.0])
SHAPES = {"large": {0: 2.5}, "broad and thick": {1: 2.0, 2: 2.0}, "long fingers": {0: -1.0, 3: 2.5, 1: -1.0}}


def pose_hand(hand: dict[str, Any], pose: Array, betas: Array) -> Array:
    """Vertices (778, 3) of the hand, by MANO's formula."""
    shaped = hand["v_template"] + hand["shapedirs"] @ betas
    joints = hand["J_regressor"] @ shaped
    rotations = Rotation.from_rotvec(np.concatenate([np.zeros(3), pose]).reshape(16, 3)).as_matrix()
    shaped = shaped + hand["posedirs"] @ (rotations[1:] - np.eye(3)).reshape(135)
    turns, centres = rotations.copy(), joints.copy()
    for row in range(1, 16):
        parent = PARENTS[row]
        turns[row] = turns[parent] @ rotations[row]
        centres[row] = centres[parent] + turns[parent] @ (joints[row] - joints[parent])
    placed = np.einsum("bij,vbj->vbi", turns, shaped[:, None] - joints) + centres
    vertices: Array = np.einsum("vb,vbi->vi", hand["weights"], placed)
    return vertices


def render(
    vertices: Array, faces: Faces, towards: tuple[float, float, float], size: int = 360, span: float = 0.2
) -> Image:
    """Smoothly shaded picture (size, size, 3) BGR of a mesh, ``span`` metres wide, fingers up, on a soft background."""
    back = np.array(towards) / np.linalg.norm(towards)
    up = np.array([-1.0, 0.0, 0.0])
    up = up - (up @ back) * back
    up /= np.linalg.norm(up)
    right = np.cross(up, back)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(vertices.astype(np.float32)), o3d.core.Tensor.from_numpy(faces.astype(np.uint32))
    )
    rows, columns = np.mgrid[0:size, 0:size]
    across, above = (columns + 0.5) / size - 0.5, 0.5 - (rows + 0.5) / size
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    origins = middle + 0.5 * back + span * (across[..., None] * right + above[..., None] * up)
    rays = np.concatenate([origins, np.broadcast_to(-back, origins.shape)], axis=-1).astype(np.float32)
    cast = scene.cast_rays(o3d.core.Tensor.from_numpy(rays))
    hit = np.isfinite(cast["t_hit"].numpy())
    corners = faces[np.where(hit, cast["primitive_ids"].numpy(), 0)]
    second, third = np.moveaxis(cast["primitive_uvs"].numpy(), -1, 0)
    share = np.stack([1.0 - second - third, second, third], axis=-1)
    normals = (_vertex_normals(vertices, faces)[corners] * share[..., None]).sum(axis=-2)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
    light = back + 0.7 * up - 0.6 * right
    shade = (
        0.36 + 0.14 * np.clip(normals @ back, 0, 1) + 0.58 * np.clip(normals @ (light / np.linalg.norm(light)), 0, 1)
    )
    background = 120.0 + 40.0 * above[..., None] + 12.0 * np.sin(9.0 * across + 5.0 * np.sin(7.0 * above))[..., None]
    picture = np.where(hit[..., None], SKIN * shade[..., None], background + np.array([12.0, 4.0, -6.0]))
    return np.clip(picture, 0, 255).astype(np.uint8)


def _vertex_normals(vertices: Array, faces: Faces) -> Array:
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], np.cross(b - a, c - a))
    unit: Array = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-18)
    return unit


def write_pictures(hand: dict[str, Any], skeleton: Skeleton, folder: Path) -> None:
    """One sheet of every prototype pose and one of shapes, four views each."""
    folder.mkdir(parents=True, exist_ok=True)
    flat = np.zeros(10)
    poses = {name: pose_hand(hand, to_axis_angle(pose, skeleton), flat) for name, pose in PROTOTYPES.items()}
    shapes = {}
    for name, sizes in SHAPES.items():
        betas = np.array([sizes.get(row, 0.0) for row in range(10)])
        shapes[name] = pose_hand(hand, to_axis_angle(PROTOTYPES["relaxed"], skeleton), betas)
        shapes[f"{name}, flat"] = pose_hand(hand, np.zeros(45), betas)
    for title, meshes in (("poses", poses), ("shapes", shapes)):
        cv2.imwrite(
            str(folder / f"{title}.png"), np.vstack([_row(name, mesh, hand["f"]) for name, mesh in meshes.items()])
        )


def _row(name: str, vertices: Array, faces: Faces) -> Image:
    row = np.hstack([render(vertices, faces, towards, span=0.24) for towards in VIEWS.values()])
    return cv2.putText(row, name, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20, 20, 20), 1, cv2.LINE_AA)
