"""Forward kinematics of points of a MANO hand, and their analytic Jacobian. No mesh is posed for it.

The points are joints and vertices, as a rule the 21 keypoints with five fingertip vertices. Linear blend skinning is
applied to these vertices only, pose correctives included, so they equal those of the full model. The leading axis is
always the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand.rotations import skew
from hoi_ros.types import Array

PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
"""Parent of each of MANO's 16 joints: wrist, then index, middle, little, ring, thumb, base to tip."""

K21 = np.array([0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20])
"""Keypoint -> MANO joint (0..15) or fingertip (16..20: thumb, index, middle, ring, little)."""

_LEVELS = tuple(np.arange(level, 16, 3) for level in (1, 2, 3))  # the five bases, middles, ends in MANO order
_DESCENDS = np.zeros((16, 16))  # [j, k]: joint k moves with joint j
for _k in range(16):
    _j = _k
    while _j >= 0:
        _DESCENDS[_j, _k] = 1.0
        _j = int(PARENTS[_j])


@dataclass(frozen=True)
class Posed:
    """A posed batch of hands: rotations (B, 16, 3, 3) local and global, joints (B, 16, 3), keypoints (B, P, 3) m."""

    local: Array
    rotations: Array
    joints: Array
    keypoints: Array
    offsets: Array  # (B, T, 16, 3) m, each vertex from each rest joint
    placed: Array  # (B, T, 16, 3) m, each vertex as each joint alone would carry it


class Kinematics:
    """Points of one hand model: of its joints (0 to 15) and vertices ``tips`` (T,), from 16 on, ``order`` (P,).

    Columns of Jacobians: root rotation (3, in the world frame), wrist position (3), degrees of freedom (D), shape (10).
    """

    def __init__(
        self,
        v_template: Array,
        shapedirs: Array,
        posedirs: Array,
        J_regressor: Array,
        weights: Array,
        tips: NDArray[np.int64],
        order: NDArray[np.int64] = K21,
    ) -> None:
        self._order, self._tip_rows = order, np.flatnonzero(order >= 16)
        self.rest = J_regressor @ v_template  # (16, 3)
        self.rest_shape = np.einsum("jv,vik->jik", J_regressor, shapedirs)  # (16, 3, 10)
        self._bone_shape = self.rest_shape[1:] - self.rest_shape[PARENTS[1:]]
        self.tips = v_template[tips]
        self.tips_shape = shapedirs[tips]
        self._tip_weights = weights[tips]  # (T, 16)
        self._correctives = posedirs[tips].reshape(-1, 135) if np.any(posedirs[tips]) else None
        # Weight of a vertex on all that moves with a joint, and whether a joint moves with another.
        self._tip_subtree = self._tip_weights[:, None] * _DESCENDS  # (T, 16 moving joint, 16 carrier)
        self._levers = np.concatenate([_DESCENDS.T, self._tip_weights @ _DESCENDS.T])  # (16 + T, 16)

    def rest_joints(self, betas: Array) -> Array:
        """Joints of the flat hand (B, 16, 3) m."""
        return self.rest + (betas @ self.rest_shape.reshape(48, -1).T).reshape(-1, 16, 3)

    def rest_points(self, betas: Array) -> Array:
        """Points of the flat hand (B, P, 3) m."""
        return np.concatenate([self.rest_joints(betas), self._rest_tips(betas)], axis=1)[:, self._order]

    def _rest_tips(self, betas: Array) -> Array:
        tips: Array = self.tips + (betas @ self.tips_shape.reshape(-1, 10).T).reshape(-1, len(self.tips), 3)
        return tips

    def forward(self, local: Array, betas: Array, wrist: Array) -> Posed:
        """Pose hands: local rotations (B, 16, 3, 3), shape (B, 10), wrist positions (B, 3) m."""
        rest = self.rest_joints(betas)
        bones = (rest[:, 1:] - rest[:, PARENTS[1:]])[..., None]
        rotations = np.empty_like(local)
        joints = np.empty_like(rest)
        rotations[:, 0], joints[:, 0] = local[:, 0], wrist
        parent_rotation, parent_joint = local[:, :1], wrist[:, None]
        for level in _LEVELS:
            parent_joint = parent_joint + (parent_rotation @ bones[:, level - 1])[..., 0]
            parent_rotation = parent_rotation @ local[:, level]
            rotations[:, level], joints[:, level] = parent_rotation, parent_joint
        vertices = self._rest_tips(betas)
        if self._correctives is not None:
            features = (local[:, 1:] - np.eye(3)).reshape(-1, 135)
            vertices = vertices + (features @ self._correctives.T).reshape(-1, len(self.tips), 3)
        offsets = vertices[:, :, None] - rest[:, None]
        placed = (offsets.transpose(0, 2, 1, 3) @ rotations.swapaxes(-1, -2)).transpose(0, 2, 1, 3) + joints[:, None]
        tips = np.einsum("tj,btji->bti", self._tip_weights, placed)
        keypoints = np.concatenate([joints, tips], axis=1)[:, self._order]
        return Posed(local, rotations, joints, keypoints, offsets, placed)

    def jacobian(self, posed: Posed, axes: Array, dof_joint: NDArray[np.int64], shape: bool) -> Array:
        """Derivatives (B, P, 3, 6 + D + 10) of the points; the last ten columns only with ``shape``.

        ``axes`` (B, D, 3) are the body-frame angular velocities of the degrees of freedom, each of the joint
        ``dof_joint`` (D,): ``d local = local [axes]x``.
        """
        count, dofs = len(posed.joints), len(dof_joint)
        jacobian = np.empty((count, len(self._order), 3, 6 + dofs + (10 if shape else 0)))
        jacobian[..., :3] = skew(posed.joints[:, None, 0] - posed.keypoints)
        jacobian[..., 3:6] = np.eye(3)
        world = (posed.rotations[:, dof_joint] @ axes[..., None])[..., 0]
        # A point turns about a joint by axis x (what the joint carries of it, less its weight times the joint).
        carried = np.concatenate(
            [
                posed.joints[:, :, None] * _DESCENDS.T[..., None],
                (self._tip_subtree @ posed.placed),
            ],
            axis=1,
        )
        levers = (carried - self._levers[..., None] * posed.joints[:, None])[:, self._order[:, None], dof_joint]
        turned = (levers[..., None, :] @ skew(-world)[:, None])[..., 0, :]
        jacobian[..., 6 : 6 + dofs] = turned.swapaxes(-1, -2)
        blended = np.einsum("tj,bjik->btik", self._tip_weights, posed.rotations)
        if self._correctives is not None:
            change = (posed.local[:, dof_joint] @ skew(axes)).reshape(count, dofs, 1, 9)
            columns = self._correctives.reshape(-1, 15, 9)[:, dof_joint - 1].transpose(1, 2, 0)
            shift = (change @ columns).reshape(count, dofs, len(self.tips), 3).transpose(0, 2, 3, 1)
            chosen = self._order[self._tip_rows] - 16
            jacobian[:, self._tip_rows, :, 6 : 6 + dofs] += (blended @ shift)[:, chosen]
        if shape:
            jacobian[..., -10:] = self._shape_jacobian(posed, blended)
        return jacobian

    def _shape_jacobian(self, posed: Posed, blended: Array) -> Array:
        moved = np.zeros((len(posed.joints), 16, 3, 10))
        parent, rotation = moved[:, :1], posed.rotations[:, :1]
        for level in _LEVELS:
            parent = parent + rotation @ self._bone_shape[level - 1]
            rotation = posed.rotations[:, level]
            moved[:, level] = parent
        carried = (moved - posed.rotations @ self.rest_shape).reshape(-1, 16, 30)
        tips = (self._tip_weights @ carried).reshape(-1, len(self.tips), 3, 10) + blended @ self.tips_shape
        return np.concatenate([moved, tips], axis=1)[:, self._order]
