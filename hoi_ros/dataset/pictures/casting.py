"""Rays through a scene: what each pixel shows, what lies behind it, and which keypoints the camera sees.

Everything is in the camera optical frame, m.

A keypoint is **visible** when it lies in the picture and the ray from the camera through it meets nothing before it,
or first meets its own skin within its reach: the finger's for a finger's keypoint, the finger's or the palm's for the
first of a finger, the palm's or the arm's for the wrist. The reach is how deep under its skin a joint may lie along
the ray: twice the longest way out of the flat hand at right angles to the bone, for rays as slanting as 60 degrees, and
at most 35 mm; for a fingertip, which lies on the skin of one side, twice that of its last joint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from hoi_ros.dataset.pictures.shapes import Floats, Shape
from hoi_ros.hand import HandModel
from hoi_ros.types import Array, Intrinsics

FINGERS = np.array([0, *np.repeat([1, 2, 3, 4, 5], 4)])
"""Finger of each keypoint: 0 the palm, 1 thumb to 5 little."""

_JOINT_FINGERS = np.array([0, 2, 2, 2, 3, 3, 3, 5, 5, 5, 4, 4, 4, 1, 1, 1])  # of MANO's joints
_FIRSTS = np.array([1, 5, 9, 13, 17])
_TOUCH = 1e-3  # m: what lies this close to a keypoint is not before it
_DEEPEST = 0.035  # m


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


class KeypointSight:
    """Which keypoints of one hand model a camera sees; see the module."""

    def __init__(self, model: HandModel) -> None:
        keypoints = model.kinematics.rest_points(np.zeros((1, 10)))[0]
        joints = model.weights[model.closed_faces].sum(axis=1).argmax(axis=1)
        self.face_fingers = _JOINT_FINGERS[joints]
        """Finger of each face of the model's closed surface, (F,)."""
        self.reach = _reach(keypoints, model)
        """How deep under its own skin each keypoint may lie, (21,) m."""

    def __call__(self, caster: Caster, kinds: NDArray[np.int64], keypoints: Array) -> NDArray[np.bool_]:
        """Which (21,) of ``keypoints`` (21, 3) nothing hides, in the picture or not; ``kinds`` (S,) of the shapes."""
        hits = caster.first((keypoints / keypoints[:, 2:]).astype(np.float32))
        kind = np.where(hits.surface >= 0, kinds[hits.surface], -1)
        on_hand = kind == Kind.HAND
        finger = np.where(on_hand, self.face_fingers[np.where(on_hand, hits.face // 4, 0)], -1)
        return self.decide(hits.depth.astype(np.float64), finger, kind == Kind.ARM, keypoints)

    def decide(
        self, depth: Array, finger: NDArray[np.int64], on_arm: NDArray[np.bool_], keypoints: Array
    ) -> NDArray[np.bool_]:
        """The rule by itself, from each keypoint's ray (21,): depth m and finger (-1: none) of what it meets first."""
        stretch = np.linalg.norm(keypoints, axis=1) / keypoints[:, 2]
        before = (keypoints[:, 2] - depth) * stretch  # m, from the first hit on to the keypoint
        own = finger == FINGERS
        own[_FIRSTS] |= finger[_FIRSTS] == 0
        own[0] |= on_arm[0]
        return (before < _TOUCH) | (own & (before < self.reach))


def _reach(keypoints: Array, model: HandModel) -> Array:
    """Twice the longest way (21,) out of the flat hand at right angles to each keypoint's bone, m, cut off."""
    parent = np.maximum(np.arange(21) - 1, 0)
    parent[_FIRSTS] = 0
    parent[0] = 9
    along = keypoints - keypoints[parent]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)[:, None, None]
    directions = np.cos(turn) * side + np.sin(turn) * np.cross(along, side)  # (16, 21, 3)
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(_tensor(model.v_template.astype(np.float32)), _tensor(model.closed_faces.astype(np.uint32)))
    rays = np.concatenate([np.broadcast_to(keypoints, directions.shape), directions], axis=-1).astype(np.float32)
    way: Array = scene.cast_rays(_tensor(rays))["t_hit"].numpy().astype(np.float64).max(axis=0)
    way[_FIRSTS + 3] = 2.0 * way[_FIRSTS + 2]
    return np.minimum(2.0 * way, _DEEPEST)


def _tensor(array: NDArray[np.float32] | NDArray[np.uint32]) -> o3d.core.Tensor:
    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array))
