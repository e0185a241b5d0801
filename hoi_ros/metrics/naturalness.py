"""How like a person's a hand is: its joint angles beside those of recorded grasps, and the nearest of those grasps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import Limits
from hoi_ros.types import Array

PERCENTILES = (5.0, 95.0)
_ROUNDING = 1e-6  # rad: a fixed angle's range is a point


@dataclass(frozen=True)
class AngleRanges:
    """Ranges of the 45 anatomical angles, rad: flexion, abduction and twist of the 15 joints in MANO order."""

    lower: Array  # (45,)
    upper: Array  # (45,)
    frames: Array  # (15, 3, 3) of ``Limits``

    @classmethod
    def of(cls, hand_pose: Array, limits: Limits) -> AngleRanges:
        """From the 5th to the 95th percentile of each angle over reference poses (M, 45)."""
        lower, upper = np.percentile(anatomical_angles(hand_pose, limits.frames), PERCENTILES, axis=0)
        return cls(lower, upper, limits.frames)

    def share_within(self, hand_pose: Array) -> Array:
        """Share (...) of the 45 angles of ``hand_pose`` (..., 45) that lie in the ranges.

        Where reference and hand come from the same ``Limits``, the 19 angles that no joint has are 0 in both and count
        as within; `free` tells which are not.
        """
        share: Array = self.within(hand_pose).mean(axis=-1)
        return share

    def within(self, hand_pose: Array) -> Array:
        """1 where an angle of ``hand_pose`` (..., 45) lies in its range, else 0, (..., 45)."""
        angles = anatomical_angles(hand_pose, self.frames)
        return ((angles >= self.lower - _ROUNDING) & (angles <= self.upper + _ROUNDING)).astype(np.float64)

    @property
    def free(self) -> NDArray[np.int64]:
        """Indices of the angles whose range is wider than nothing."""
        return np.flatnonzero(self.upper - self.lower > _ROUNDING)


def anatomical_angles(hand_pose: Array, frames: Array) -> Array:
    """Flexion, abduction and twist (..., 45), rad, of ``hand_pose`` (..., 45) in ``Limits.frames``."""
    vectors = hand_pose.reshape(*hand_pose.shape[:-1], 15, 3)
    return np.einsum("...ji,jik->...jk", vectors, frames).reshape(hand_pose.shape)


def nearest_distance(keypoints: Array, reference: Array) -> Array:
    """Mean keypoint distance (N,), m, of hands (N, 21, 3) from the nearest of reference hands (M, 21, 3), one frame."""
    offsets = np.linalg.norm(keypoints[:, None] - reference, axis=-1).mean(axis=-1)
    nearest: Array = offsets.min(axis=1)
    return nearest


def mutual_distance(keypoints: Array) -> Array:
    """Mean keypoint distance (N,), m, of each hand (N, 21, 3) from the nearest of the others."""
    offsets = np.linalg.norm(keypoints[:, None] - keypoints, axis=-1).mean(axis=-1)
    np.fill_diagonal(offsets, np.inf)
    nearest: Array = offsets.min(axis=1)
    return nearest
