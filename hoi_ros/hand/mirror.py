"""Left and right: the mirror image in x, which takes MANO's right hand to its left one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hoi_ros.types import Array, HandPose

_POINT = np.array([-1.0, 1.0, 1.0])
_ROTATION = np.array([1.0, -1.0, -1.0])
_QUATERNION = np.array([1.0, -1.0, -1.0, 1.0])


def mirror_points(points: Array) -> Array:
    """Points or vectors (..., 3) with x negated."""
    return points * _POINT


def mirror_axis_angle(vectors: Array) -> Array:
    """Axis-angle vectors (..., 3) of the mirrored rotations: (a, -b, -c)."""
    return vectors * _ROTATION


def mirror_pose(pose: Array) -> Array:
    """Mirrored poses (..., 7), xyz and quaternion xyzw."""
    return np.concatenate([pose[..., :3] * _POINT, pose[..., 3:] * _QUATERNION], axis=-1)


def mirror_hand(hand: HandPose) -> HandPose:
    """The hand of the other side in the mirrored scene.

    Pixels stay as they are: they belong to the picture, which is not mirrored with it.
    """
    return replace(
        hand,
        side="left" if hand.side == "right" else "right",
        global_orient=mirror_axis_angle(hand.global_orient),
        hand_pose=mirror_axis_angle(hand.hand_pose.reshape(15, 3)).reshape(45),
        transl=mirror_points(hand.transl),
        keypoints=mirror_points(hand.keypoints),
        wrist_pose=mirror_pose(hand.wrist_pose),
    )
