"""The template mesh: 778 vertices on the flesh, small triangles where the hand bends and at the fingertips."""

import fast_simplification
import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from .flesh import Flesh
from .remesh import Remesher
from .skeleton import DIGITS, TIP_VERTICES, Skeleton

Array = NDArray[np.float64]
Faces = NDArray[np.int64]

VERTICES = 778
BOX = np.array([[-0.095, -0.048, -0.070], [0.132, 0.036, 0.105]])


def build_surface(skeleton: Skeleton, flesh: Flesh) -> tuple[Array, Faces]:
    """Vertices (778, 3) and faces (1552, 3), closed; each fingertip is the vertex whose id smplx gives it."""
    dense, faces = _polygonise(flesh, 2e-3)
    coarse, faces = fast_simplification.simplify(dense.astype(np.float32), faces, target_count=3000, agg=2)
    remesher = Remesher(coarse, faces, skeleton.tips, flesh.field, lambda points: edge_length(points, skeleton))
    vertices, faces, pins = remesher.run(VERTICES)
    return _ordered(vertices, faces, dict(zip(DIGITS, pins, strict=True)))


def edge_length(points: Array, skeleton: Skeleton) -> Array:
    """Wanted edge length (N,), relative: short at tips and joints of the digits, growing towards the wrist."""
    ends = skeleton.ends()
    length = np.full(len(points), 11.5)
    for row in range(1, 16):
        along = ends[row] - skeleton.joints[row]
        size = np.linalg.norm(along)
        place = (points - skeleton.joints[row]) @ along / size
        aside = np.linalg.norm(points - skeleton.joints[row] - np.clip(place, 0, size)[:, None] * along / size, axis=1)
        bone = 6.0 + 1.2 * np.clip((np.minimum(np.abs(place), np.abs(size - place)) - 0.005) / 0.008, 0.0, 1.0)
        if row % 3 == 0:
            bone = np.where(place > 0.6 * size, 5.2, bone)
        if row % 3 == 1:
            bone = np.where(place < 0.010, 8.0, bone + 1.0 * np.clip((0.022 - place) / 0.012, 0.0, 1.0))
        length = np.minimum(length, bone + 300.0 * np.clip(aside - 0.0125, 0.0, 0.04))
    return 1e-3 * length


def _polygonise(flesh: Flesh, step: float) -> tuple[Array, Faces]:
    axes = [np.arange(low, high, step) for low, high in BOX.T]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = flesh.field(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(step,) * 3)
    return vertices + BOX[0], faces.astype(np.int64)


def _ordered(vertices: Array, faces: Faces, tips: dict[str, int]) -> tuple[Array, Faces]:
    """Numbers vertices from the wrist outwards, with the fingertips at smplx's ids."""
    fixed = {TIP_VERTICES[digit]: row for digit, row in tips.items()}
    others = iter(int(row) for row in np.argsort(-vertices[:, 0], kind="stable") if row not in fixed.values())
    order = np.array([fixed[new] if new in fixed else next(others) for new in range(len(vertices))])
    inverse = np.empty(len(order), dtype=np.int64)
    inverse[order] = np.arange(len(order))
    faces = inverse[faces]
    first = faces.argmin(axis=1)
    faces = np.stack([faces[np.arange(len(faces)), (first + k) % 3] for k in range(3)], axis=1)
    return vertices[order], faces[np.lexsort(faces.T[::-1])]
