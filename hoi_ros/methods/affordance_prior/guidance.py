"""Finger poses that keep seen keypoints where they are: the keypoint fitting of the denoising (fig. 3).

Gauss-Newton on the joint angles. Across the camera's rays a keypoint is held as its pixels are, along them as
well as an estimate knows depth; what holds joints to where the prior puts them is the prior's own deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import HandModel, Limits, rotations
from hoi_ros.types import Array, HandBatch

LATERAL = 0.0005  # m across a ray: a pixel at arm's length
RADIAL = 0.001  # m along a ray


@dataclass(frozen=True)
class Seen:
    """Keypoints of N hands that are to stay, with how stiffly each is held."""

    hands: HandBatch  # N
    keypoints: Array  # (N, 21, 3) m, where they are
    stiffness: Array  # (N, 21, 3, 3) 1/m^2, zero for those that are hidden

    @classmethod
    def of(cls, hands: HandBatch, keypoints: Array, hidden: NDArray[np.bool_], camera: bool) -> Seen:
        """With ``hidden`` (N, 21) ones, and rays from a ``camera`` at the origin, if there is one."""
        eye = np.eye(3)
        held = np.broadcast_to(eye / LATERAL**2, (*keypoints.shape, 3))
        if camera:
            rays = keypoints / np.linalg.norm(keypoints, axis=-1, keepdims=True)
            along = rays[..., :, None] * rays[..., None, :]
            held = (eye - along) / LATERAL**2 + along / RADIAL**2
        return cls(hands, keypoints, np.where(hidden[..., None, None], 0.0, held))

    def take(self, rows: NDArray[np.int64]) -> Seen:
        """Some of the hands, as often as they are named."""
        return Seen(self.hands[rows], self.keypoints[rows], self.stiffness[rows])


class Guide:
    """One hand model's."""

    def __init__(self, model: HandModel) -> None:
        self.model, self.limits = model, Limits(model.kinematics)

    def guided(self, wanted: Array, precision: Array, seen: Seen, iterations: int) -> tuple[Array, Array]:
        """Angles (N, D), rad, near ``wanted`` by ``precision`` (N, D), 1/rad^2, and their keypoints (N, 21, 3)."""
        limits, kinematics = self.limits, self.model.kinematics
        betas, root = seen.hands.betas, rotations.exp(seen.hands.global_orient)
        wrist = kinematics.rest_joints(betas)[:, 0] + seen.hands.transl
        lower, upper = self.room(seen.hands)
        fixed = self.fixed(seen.hands)
        angles = np.clip(wanted, lower, upper)
        for last in range(iterations, -1, -1):
            turns, right = rotations.exp_and_jacobian((fixed + limits.to_pose(angles)).reshape(-1, 15, 3))
            posed = kinematics.forward(np.concatenate([root[:, None], turns], axis=1), betas, wrist)
            if last == 0:
                break
            axes = (right[:, limits.joint - 1] @ limits.columns[..., None])[..., 0]
            derived = kinematics.jacobian(posed, axes, limits.joint, shape=False)[..., 6:]
            weighted = seen.stiffness @ derived
            size = derived.shape[-1]
            normal = weighted.reshape(-1, 63, size).swapaxes(1, 2) @ derived.reshape(-1, 63, size)
            off = (posed.keypoints - seen.keypoints).reshape(-1, 63, 1)
            gradient = (weighted.reshape(-1, 63, size).swapaxes(1, 2) @ off)[..., 0] + precision * (angles - wanted)
            normal[:, range(size), range(size)] += precision
            angles = angles - np.linalg.solve(normal, gradient[..., None])[..., 0]
            angles = np.clip(angles, lower, upper)
        return angles, posed.keypoints

    def room(self, hands: HandBatch) -> tuple[Array, Array]:
        """Least and most angles (N, D), rad: the limits, widened to where hands are already."""
        angles = self.limits.to_angles(hands.hand_pose)
        return np.minimum(angles, self.limits.lower), np.maximum(angles, self.limits.upper)

    def fixed(self, hands: HandBatch) -> Array:
        """What of poses (N, 45) lies in axes that no joint turns about: it stays."""
        return np.asarray(hands.hand_pose - self.limits.to_pose(self.limits.to_angles(hands.hand_pose)))
