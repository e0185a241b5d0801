"""Which keypoints of a hand a camera sees.

A keypoint is **visible** when the ray from the camera through it meets nothing before it, or first meets its own skin
within its reach: the finger's for a finger's keypoint, the finger's or the palm's for the first of a finger, the palm's
or the arm's for the wrist. The reach is how deep under its skin a joint may lie along the ray: twice the longest way
out of the flat hand at right angles to the bone, for rays as slanting as 60 degrees, and at most 35 mm; for a
fingertip, which lies on the skin of one side, twice that of its last joint.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from hoi_ros.hand import HandModel
from hoi_ros.types import Array

FINGERS = np.array([0, *np.repeat([1, 2, 3, 4, 5], 4)])
"""Finger of each keypoint: 0 the palm, 1 thumb to 5 little."""

_JOINT_FINGERS = np.array([0, 2, 2, 2, 3, 3, 3, 5, 5, 5, 4, 4, 4, 1, 1, 1])  # of MANO's joints
_FIRSTS = np.array([1, 5, 9, 13, 17])
_TOUCH = 1e-3  # m: what lies this close to a keypoint is not before it
_DEEPEST = 0.035  # m


class KeypointSight:
    """The rule for one hand model; see the module."""

    def __init__(self, model: HandModel) -> None:
        keypoints = model.kinematics.rest_points(np.zeros((1, 10)))[0]
        joints = model.weights[model.closed_faces].sum(axis=1).argmax(axis=1)
        self.face_fingers = _JOINT_FINGERS[joints]
        """Finger of each face of the model's closed surface, (F,)."""
        self.reach = _reach(keypoints, model)
        """How deep under its own skin each keypoint may lie, (21,) m."""

    def decide(
        self, depth: Array, finger: NDArray[np.int64], on_arm: NDArray[np.bool_], keypoints: Array
    ) -> NDArray[np.bool_]:
        """Which (21,) of ``keypoints`` (21, 3) m, in the camera's frame, are visible, in the picture or not.

        Of what each one's ray meets first: ``depth`` (21,) m along z, ``finger`` (21,) as ``FINGERS`` (-1: not the
        hand), whether it is the arm (21,).
        """
        stretch = np.linalg.norm(keypoints, axis=1) / keypoints[:, 2]
        before = (keypoints[:, 2] - depth) * stretch  # m, from the first hit on to the keypoint
        own = finger == FINGERS
        own[_FIRSTS] |= finger[_FIRSTS] == 0
        own[0] |= on_arm[0]
        return (before < _TOUCH) | (own & (before < self.reach))


@lru_cache(maxsize=2)
def keypoint_sight(model: HandModel) -> KeypointSight:
    """The rule for a model, made once."""
    return KeypointSight(model)


def first_hits(vertices: Array, faces: NDArray[np.int32], directions: Array) -> tuple[Array, NDArray[np.int64]]:
    """Lengths (..., infinite where nothing is met) and faces (...) of what rays from the origin meet first.

    ``vertices`` (V, 3) m, ``faces`` (F, 3); lengths count in ``directions`` (..., 3).
    """
    return _cast(vertices, faces, np.zeros(3), directions)


def _cast(
    vertices: Array, faces: NDArray[np.int32], origins: Array, directions: Array
) -> tuple[Array, NDArray[np.int64]]:
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(_tensor(vertices.astype(np.float32)), _tensor(faces.astype(np.uint32)))
    rays = np.concatenate([np.broadcast_to(origins, directions.shape), directions], axis=-1).astype(np.float32)
    found = scene.cast_rays(_tensor(rays), nthreads=1)
    return found["t_hit"].numpy().astype(np.float64), found["primitive_ids"].numpy().astype(np.int64)


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
    way = _cast(model.v_template, model.closed_faces, keypoints, directions)[0].max(axis=0)
    way[_FIRSTS + 3] = 2.0 * way[_FIRSTS + 2]
    return np.minimum(2.0 * way, _DEEPEST)


def _tensor(array: NDArray[np.float32] | NDArray[np.uint32]) -> o3d.core.Tensor:
    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array))
