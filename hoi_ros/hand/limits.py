"""Anatomical limits of the finger joints, in frames taken from the hand's own rest geometry.

Each finger joint has three orthonormal axes: **flexion** (towards the palm), **abduction** (towards the thumb's side;
for the thumb: out in front of the palm) and **twist** (along the bone). A joint's angles are the components of its
axis-angle vector along these axes. These are exponential coordinates, not Euler angles: the conversion is a rotation of
the vector, exact both ways, free of singularities below half a turn and without an order of axes.

A joint moves in an axis only where its range is not zero: 26 degrees of freedom in all.
"""

from __future__ import annotations

import numpy as np

from hoi_ros.hand.kinematics import Kinematics
from hoi_ros.types import Array

# Degrees: (flexion), (abduction), (twist) of base, middle and end joint. The ranges are those of active motion
# (Norkin and White, Measurement of Joint Motion, 2016), widened where recorded grasps press a finger further; the
# little twist of the finger bases is what the oblique heads of the metacarpals add to flexion.
_FINGER = (
    ((-35, 100), (-35, 25), (-20, 20)),
    ((-10, 115), (0, 0), (0, 0)),
    ((-20, 90), (0, 0), (0, 0)),
)
_THUMB = (
    ((-30, 70), (-40, 50), (-30, 60)),
    ((-40, 70), (-20, 20), (0, 0)),
    ((-20, 90), (0, 0), (0, 0)),
)


class Limits:
    """Ranges and axes of the degrees of freedom of one hand.

    ``frames`` (15, 3, 3): columns flexion, abduction, twist of each finger joint in MANO order, flat hand.
    ``joint`` (D,) index 1..15 and ``axis`` (D,) 0..2 of every degree of freedom; ``lower``, ``upper`` (D,) rad.
    """

    def __init__(self, kinematics: Kinematics) -> None:
        self.frames = anatomical_frames(kinematics.rest_points(np.zeros((1, 10)))[0])
        ranges = np.radians(np.array([_FINGER] * 4 + [_THUMB], dtype=np.float64)).reshape(15, 3, 2)
        joints, self.axis = np.nonzero(ranges[..., 1] > ranges[..., 0])
        self.joint = joints + 1
        self.lower, self.upper = ranges[joints, self.axis].T.copy()
        self._columns = self.frames[joints, :, self.axis]  # (D, 3)
        self._basis = np.zeros((len(joints), 45))
        for d, (joint, column) in enumerate(zip(joints, self._columns, strict=True)):
            self._basis[d, 3 * joint : 3 * joint + 3] = column

    @property
    def size(self) -> int:
        """Number of degrees of freedom, D."""
        return len(self.joint)

    @property
    def columns(self) -> Array:
        """Axis of every degree of freedom (D, 3) in its joint's frame."""
        return self._columns

    def to_pose(self, angles: Array) -> Array:
        """``hand_pose`` (..., 45) of angles (..., D), rad."""
        pose: Array = angles @ self._basis
        return pose

    def to_angles(self, hand_pose: Array) -> Array:
        """Angles (..., D) of ``hand_pose`` (..., 45), rad; motion in fixed axes is left out."""
        angles: Array = hand_pose @ self._basis.T
        return angles

    def clamp(self, hand_pose: Array) -> Array:
        """The nearest ``hand_pose`` (..., 45) inside the limits."""
        return self.to_pose(np.clip(self.to_angles(hand_pose), self.lower, self.upper))

    def violation(self, hand_pose: Array) -> Array:
        """Largest angle (...) by which a joint of ``hand_pose`` (..., 45) leaves its limits, rad."""
        excess = (hand_pose - self.clamp(hand_pose)).reshape(*hand_pose.shape[:-1], 15, 3)
        largest: Array = np.linalg.norm(excess, axis=-1).max(axis=-1)
        return largest

    def sample(self, rng: np.random.Generator, count: int) -> Array:
        """Random poses (count, 45), each angle uniform over its range."""
        return self.to_pose(rng.uniform(self.lower, self.upper, (count, self.size)))


def anatomical_frames(points: Array) -> Array:
    """Columns flexion, abduction, twist (15, 3, 3) at each finger joint of a flat right hand's keypoints (21, 3)."""
    frames = np.empty((5, 3, 3, 3))
    for finger, (first, hinge) in enumerate(zip((5, 9, 17, 13, 1), _hinges(points), strict=True)):  # MANO order
        for level in range(3):
            twist = points[first + level + 1] - points[first + level]
            twist = twist / np.linalg.norm(twist)
            flexion = hinge - twist * (hinge @ twist)
            flexion = flexion / np.linalg.norm(flexion)
            frames[finger, level] = np.stack([flexion, np.cross(twist, flexion), twist], axis=1)
    return frames.reshape(15, 3, 3)


def _hinges(points: Array) -> Array:
    """Directions (5, 3) of the flexion axes: index, middle, little, ring, thumb."""
    # Fingers bend about the line of the knuckles, which arches over the palm.
    index, middle, ring, little = -np.gradient(points[[5, 9, 13, 17]], axis=0)
    # The thumb's nail looks as much back to the wrist as to the palm's side and out of its back.
    forward = points[9] - points[0]
    forward = forward / np.linalg.norm(forward)
    back = palm_back(points)
    nail = back + np.cross(back, forward) - forward
    return np.stack([index, middle, little, ring, np.cross(nail, points[2] - points[1])])


def palm_back(points: Array) -> Array:
    """Unit vector out of the back of a right hand's palm, from its keypoints (21, 3)."""
    back = np.cross(points[9] - points[0], points[5] - points[17])
    unit: Array = back / np.linalg.norm(back)
    return unit
