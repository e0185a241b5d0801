"""From human grasps to what a Shadow Hand does: come from there, opened; close to the object; squeeze.

The plan needs the object's points and normals only. The robot's fingertips go to the human's (``ContactRetargeter``),
then the whole hand is fitted to the surface (``fitting``). To squeeze, the motors aim at fingers inside the object, so
that their servos press.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.approach import DISTANCE, ways_back, wrists
from hoi_ros.retargeting.contact import LAST_JOINTS, MIDDLES, TIPS, ContactRetargeter
from hoi_ros.retargeting.fitting import Fit, Posture, Wanted
from hoi_ros.retargeting.goals import finger_angles, joint_positions
from hoi_ros.retargeting.kinematics import J1, J2
from hoi_ros.retargeting.palm import checked
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.surface import CloudSurface
from hoi_ros.types import Array, ObjectCloud

_TOUCHING = 0.005  # m between skin and object that counts as contact
_FINGER, _PALM = 0.008, 0.014  # m from a human finger's and palm's bones to the skin
_BONE: Array = np.linspace(0.2, 0.85, 4)[:, None]  # where a bone is looked at
_AWAY = 0.012  # m that touching fingers are drawn off the object first, so that each ends on the human's side of a wall
_REACH = 0.02  # m from the object, beyond which they are not
_PRESSING = 0.003  # m from the object: links that near take part in the squeeze
_INSIDE = (
    0.01  # m that they aim at beyond the surface: the motors press with about 1 Nm, and errors of mm do not matter
)


FREE = 0.001  # m of overlap: of plans below it nine in ten of the engine's own grasps are lifted


@dataclass(frozen=True)
class Plan:
    """What a Shadow Hand does for N grasps, in the object's frame, m and rad.

    Joint positions are (N, 24) in the order of ``hand.names``, inside the limits, J1 <= J2; poses (N, 7), xyz + xyzw,
    are of the palm link, the wrist's joints being those of the positions. ``approach`` (N, 3), unit, is how the palm
    travels from ``pre_palm`` to ``palm``. ``pressing`` (N, 5): the fingers that squeeze, thumb to little. ``overlap``
    (N,), m: how deep the hand would be in the object or the table, in its place and added up over looks at its way
    there; above some 5 mm it runs into something.
    """

    hand: ShadowHand
    pre_grasp: Array
    grasp: Array
    squeeze: Array
    pre_palm: Array
    palm: Array
    approach: Array
    pressing: NDArray[np.bool_]
    overlap: Array

    def __len__(self) -> int:
        return len(self.palm)

    def choice(self) -> int:
        """The first grasp, of those given best first, that the hand comes to freely; else the one it meets least at."""
        free = self.overlap < FREE
        return int(free.argmax() if free.any() else self.overlap.argmin())

    def __getitem__(self, chosen: Any) -> Plan:
        """The grasps that a slice, mask or index array chooses."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)[1:]})


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
        way = ways_back(self._fit, grasp, surface)
        wrist = wrists(self.hand, grasp.palm, way.approach, surface)
        squeezed, pressing = self._fit.pressed(grasp, surface, _PRESSING, _INSIDE)
        turn = Rotation.from_matrix(grasp.palm[..., :3]).as_quat()
        place = grasp.palm[..., 3]
        opened, closed, aimed = (joint_positions(wrist, angles) for angles in (way.opened, grasp.angles, squeezed))
        return Plan(
            self.hand,
            pre_grasp=opened,
            grasp=closed,
            squeeze=aimed,
            pre_palm=np.concatenate([place - DISTANCE * way.approach, turn], axis=1),
            palm=np.concatenate([place, turn], axis=1),
            approach=way.approach,
            pressing=pressing,
            overlap=way.overlap + self._fit.depth(grasp, surface),
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


def _wanted(keypoints: Array, surface: CloudSurface) -> Wanted:
    """Marks and contacts of human hands: bones whose skin is at the object."""
    chains = keypoints[:, 1:].reshape(-1, len(FINGERS), 4, 3)
    touching = np.zeros((len(keypoints), len(FINGERS), 5), dtype=bool)
    for bone, hinge in ((0, 2), (1, J2), (2, J1)):
        points: Array = chains[:, :, bone, None] * (1.0 - _BONE) + chains[:, :, bone + 1, None] * _BONE
        touching[:, :, hinge] = surface(points)[0].min(axis=2) - _FINGER < _TOUCHING
    palm: Array = keypoints[:, :1, None] * (1.0 - _BONE) + chains[:, 1:, :1] * _BONE
    palm_touching = surface(palm)[0].min(axis=(1, 2)) - _PALM < _TOUCHING
    return Wanted(np.stack([keypoints[:, TIPS], keypoints[:, MIDDLES]], axis=2), touching, palm_touching)
