"""Rays through a scene: what each pixel shows, what lies behind it, and which keypoints the camera sees.

Everything is in the camera optical frame, m. Which keypoints are visible says ``scene.sight``; in a picture they must
lie within it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from hoi_ros.dataset.pictures.shapes import Floats, Shape
from hoi_ros.scene.sight import KeypointSight
from hoi_ros.types import Array, Intrinsics


class Kind(IntEnum):
    """What a surface belongs to."""

    HAND = 0
    OBJECT = 1
    ARM = 2
    TABLE = 3
    CLUTTER = 4


@dataclass(frozen=True)
class Hits:
    """What rays (N,) meet first. ``surface`` is -1 and ``depth`` infinite where they meet nothing."""

    depth: Floats  # (N,) m along z
    surface: NDArray[np.int32]  # (N,) number of the shape
    face: NDArray[np.int64]  # (N,) of that shape
    uv: Floats  # (N, 2) barycentric

    def chosen(self, at: NDArray[np.int64]) -> Hits:
        """The hits numbered ``at``."""
        return Hits(self.depth[at], self.surface[at], self.face[at], self.uv[at])


class Caster:
    """Ray casting among shapes in the camera frame, on the calling thread alone."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        for shape in shapes:
            vertices, faces = shape.vertices.astype(np.float32), shape.faces.astype(np.uint32)
            self._scene.add_triangles(_tensor(vertices), _tensor(faces))

    def first(self, directions: Floats) -> Hits:
        """First hits of rays from the camera; ``directions`` (N, 3) with z = 1."""
        rays = np.zeros((len(directions), 6), dtype=np.float32)
        rays[:, 3:] = directions
        found = self._scene.cast_rays(_tensor(rays))
        surface = found["geometry_ids"].numpy().view(np.int32)  # 2**32 - 1 is nothing
        face = found["primitive_ids"].numpy().astype(np.int64)
        return Hits(found["t_hit"].numpy(), surface, face, found["primitive_uvs"].numpy())

    def blocked(self, origins: Floats, directions: Floats, reach: float) -> NDArray[np.bool_]:
        """Whether anything lies within ``reach`` lengths of ``directions`` (N, 3) from ``origins`` (N, 3) or (3,)."""
        rays = np.empty((len(directions), 6), dtype=np.float32)
        rays[:, :3], rays[:, 3:] = origins, directions
        met: NDArray[np.bool_] = self._scene.test_occlusions(_tensor(rays), 0.0, reach).numpy()
        return met


def pixel_rays(intrinsics: Intrinsics, pixels: Array | Floats) -> Floats:
    """Directions (N, 3) with z = 1 through pixels (N, 2)."""
    rays = np.ones((len(pixels), 3), dtype=np.float32)
    rays[:, 0] = (pixels[:, 0] - intrinsics.cx) / intrinsics.fx
    rays[:, 1] = (pixels[:, 1] - intrinsics.cy) / intrinsics.fy
    return rays


def within(pixels: Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels (N, 2) lie in a picture of ``size``: width, height."""
    return ((pixels > -0.5) & (pixels < np.array(size) - 0.5)).all(axis=1)


class Silhouette:
    """Where one shape by itself is in pictures, whatever lies before it."""

    def __init__(self, shape: Shape) -> None:
        self._vertices = shape.vertices
        self._caster = Caster([shape])

    def mask(self, intrinsics: Intrinsics, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Pixels (H, W) whose ray meets the shape. ``size``: width, height."""
        width, height = size
        mask = np.zeros((height, width), dtype=bool)
        pixels = intrinsics.project(self._vertices)
        left, top = np.clip(np.floor(pixels.min(axis=0)).astype(int), 0, [width, height])
        right, bottom = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 1, 0, [width, height])
        v, u = np.mgrid[top:bottom, left:right]
        if u.size:
            rays = pixel_rays(intrinsics, np.column_stack([u.ravel(), v.ravel()]).astype(np.float32))
            met = self._caster.blocked(np.zeros(3, dtype=np.float32), rays, np.inf)
            mask[top:bottom, left:right] = met.reshape(u.shape)
        return mask


def seen_keypoints(
    sight: KeypointSight, caster: Caster, kinds: NDArray[np.int64], keypoints: Array
) -> NDArray[np.bool_]:
    """Which (21,) of ``keypoints`` (21, 3) nothing hides, in the picture or not; ``kinds`` (S,) of the shapes.

    The hand's shape is a ``HandSurface``.
    """
    hits = caster.first((keypoints / keypoints[:, 2:]).astype(np.float32))
    kind = np.where(hits.surface >= 0, kinds[hits.surface], -1)
    on_hand = kind == Kind.HAND
    finger = np.where(on_hand, sight.face_fingers[np.where(on_hand, hits.face // 4, 0)], -1)
    return sight.decide(hits.depth.astype(np.float64), finger, kind == Kind.ARM, keypoints)


def _tensor(array: NDArray[np.float32] | NDArray[np.uint32]) -> o3d.core.Tensor:
    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array))
