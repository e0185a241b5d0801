"""From human grasps to what a Shadow Hand does: come from there, opened; close to the object; squeeze.

The plan needs the object's points and normals only. The robot's fingertips go to the human's (``ContactRetargeter``),
then the whole hand is fitted to the surface (``fitting``). The squeeze aims the motors as far beyond the surface as makes
the forces of fingers and palm balance each other on the object (``physics.forces``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.physics.forces import gripping
from hoi_ros.retargeting import approach as approaching
from hoi_ros.retargeting.contact import LAST_JOINTS, MIDDLES, TIPS, ContactRetargeter
from hoi_ros.retargeting.fitting import Fit, Posture, Wanted
from hoi_ros.retargeting.goals import finger_angles, joint_positions
from hoi_ros.retargeting.kinematics import J1, J2
from hoi_ros.retargeting.mjcf import STIFFNESS
from hoi_ros.retargeting.palm import checked
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.surface import CloudSurface
from hoi_ros.types import Array, ObjectCloud

_TOUCHING = 0.005  # m between skin and object that counts as contact
_FINGER, _PALM = 0.008, 0.014  # m from a human finger's and palm's bones to the skin
_BONE = np.linspace(0.2, 0.85, 4)[:, None]  # where a bone is looked at
_AWAY = 0.012  # m that touching fingers are drawn off the object first, so that each ends on the human's side of a wall
_REACH = 0.02  # m from the object, beyond which they are not
_PRESSING = 0.003  # m from the object: links that near take part in the squeeze
_TORQUE = 0.4  # Nm, of the motor that squeezes hardest
_FRICTION = 0.6  # of the hand on the object


@dataclass(frozen=True)
class Plan:
    """What a Shadow Hand does for N grasps, in the object's frame, m and rad.

    Joint positions are (N, 24) in the order of ``hand.names``, inside the limits, J1 <= J2; poses (N, 7), xyz + xyzw,
    are of the palm link, the wrist's joints being those of the positions. ``approach`` (N, 3), unit, is how the palm
    travels from ``pre_palm`` to ``palm``. ``touching`` (N,): how many fingers press on the object.
    """

    hand: ShadowHand
    pre_grasp: Array
    grasp: Array
    squeeze: Array
    pre_palm: Array
    palm: Array
    approach: Array
    touching: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.palm)

    def __getitem__(self, chosen: Any) -> Plan:
        """The grasps that a slice, mask or index array chooses."""
        return Plan(self.hand, *(getattr(self, field.name)[chosen] for field in fields(self)[1:]))


class Planner:
    """Plans of one robot hand."""

    def __init__(self, hand: ShadowHand | None = None) -> None:
        self.hand = hand or ShadowHand.embedded()
        self._retargeter = ContactRetargeter(self.hand)
        self._fit = Fit(self.hand)

    def plan(self, keypoints: Array, cloud: ObjectCloud, table: float | None = None) -> Plan:
        """Plans for human hands' keypoints (N, 21, 3), m, on the object of ``cloud``, which needs normals.

        ``table`` is the height z of the plane that the object stands on, m; None: it is held free. Raises
        Refused(KEYPOINTS) for what is no hand and Refused(CLOUD) for a cloud without normals.
        """
        keypoints, surface = checked(keypoints), CloudSurface(cloud, table)
        grasp = self._fit(self._start(keypoints, surface), _wanted(keypoints, surface), surface)
        opened, approach = approaching.ways_back(self._fit, grasp, surface)
        wrist = approaching.wrists(self.hand, grasp.palm, approach, surface)
        squeezed, touching = self._squeezed(grasp, surface)
        turn = Rotation.from_matrix(grasp.palm[..., :3]).as_quat()
        place = grasp.palm[..., 3]
        return Plan(
            self.hand,
            *(joint_positions(wrist, angles) for angles in (opened, grasp.angles, squeezed)),
            np.concatenate([place - approaching.DISTANCE * approach, turn], axis=1),
            np.concatenate([place, turn], axis=1),
            approach,
            touching,
        )

    def _start(self, keypoints: Array, surface: CloudSurface) -> Posture:
        """Fingertips at the human's, but off the object."""
        pads = 0.5 * (keypoints[:, TIPS] + keypoints[:, LAST_JOINTS])
        distance, normal = surface(pads)
        away = _AWAY * np.clip(1.0 - distance / _REACH, 0.0, 1.0)[..., None] * normal
        drawn = keypoints.copy()
        drawn[:, TIPS] += away
        drawn[:, LAST_JOINTS] += away
        drawn[:, MIDDLES] += 0.5 * away
        goals = self._retargeter.retarget_batch(drawn)
        turn = Rotation.from_quat(goals.wrist_pose[:, 3:]).as_matrix()
        palm = np.concatenate([turn, goals.wrist_pose[:, :3, None]], axis=2)
        return Posture(finger_angles(goals.positions), palm)

    def _squeezed(self, grasp: Posture, surface: CloudSurface) -> tuple[Array, NDArray[np.int64]]:
        """Angles (N, 5, 5) that the motors aim at, and how many fingers press."""
        spheres, n = self._fit.spheres, len(grasp.angles)
        centres, _, jacobian, _ = spheres.place(grasp.angles, grasp.palm)
        distance, normal = surface(centres)
        near = (distance - spheres.radii < _PRESSING) & spheres.own
        torques = np.zeros((n, len(FINGERS) * 5))
        touching = np.zeros(n, dtype=np.int64)
        for row in np.flatnonzero(near.any(axis=1)):
            on = near[row]
            points = centres[row, on] - spheres.radii[on, None] * normal[row, on]
            forces = gripping(points, normal[row, on], points.mean(axis=0), np.zeros(3), _FRICTION).sum(axis=1)
            levers = (jacobian[row, on] @ self._fit.reduce)[..., : torques.shape[1]]
            torques[row] = np.einsum("ki,kiv->v", forces @ grasp.palm[row, :, :3], levers)
            fingers = spheres.finger[on]
            touching[row] = len(np.unique(fingers[fingers >= 0]))
        torques = torques.reshape(n, len(FINGERS), 5)
        torques[:, 1:, J2] *= 0.5  # the motor of J0 pulls at J1 and J2 alike
        torques *= _TORQUE / np.maximum(np.abs(torques).max(axis=(1, 2), keepdims=True), 1e-9)
        moved = torques / STIFFNESS[""]
        moved[:, 1:, J2] *= 0.5  # of the motor's travel half goes to each
        moved[:, 1:, J1] = moved[:, 1:, J2]
        return self._fit.coupled(grasp.angles + moved), touching


def _wanted(keypoints: Array, surface: CloudSurface) -> Wanted:
    """Marks and contacts of human hands: bones whose skin is at the object."""
    chains = keypoints[:, 1:].reshape(-1, len(FINGERS), 4, 3)
    touching = np.zeros((len(keypoints), len(FINGERS), 5), dtype=bool)
    for bone, hinge in ((0, 2), (1, J2), (2, J1)):
        points = chains[:, :, bone, None] * (1.0 - _BONE) + chains[:, :, bone + 1, None] * _BONE
        touching[:, :, hinge] = surface(points)[0].min(axis=2) - _FINGER < _TOUCHING
    palm = keypoints[:, :1, None] * (1.0 - _BONE) + chains[:, 1:, :1] * _BONE
    palm_touching = surface(palm)[0].min(axis=(1, 2)) - _PALM < _TOUCHING
    return Wanted(np.stack([keypoints[:, TIPS], keypoints[:, MIDDLES]], axis=2), touching, palm_touching)
