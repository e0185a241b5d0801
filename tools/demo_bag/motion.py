"""How the demo's hand moves: a few poses, and smooth ways between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, Limits
from hoi_ros.types import Array

FINGERS = ("index", "middle", "little", "ring", "thumb")  # MANO order
# Degrees of flexion at base, middle and end joint, and abduction of the base.
RELAXED = {"index": (12, 18, 8, 3), "middle": (14, 20, 10, 0), "ring": (16, 22, 10, -2), "little": (18, 22, 10, -5)}
OPEN = {"index": (0, 4, 2, 5), "middle": (0, 4, 2, 0), "ring": (0, 5, 2, -5), "little": (2, 5, 2, -10)}
SPREAD = {"index": (-6, 2, 0, 16), "middle": (-6, 2, 0, 2), "ring": (-6, 2, 0, -10), "little": (-6, 2, 0, -21)}
FIST = {"index": (78, 98, 55, 2), "middle": (82, 100, 55, 0), "ring": (82, 98, 55, -2), "little": (80, 92, 52, -5)}
THUMB_OPEN, THUMB_SPREAD, THUMB_FIST = (4, 0, 0, 5, 5), (-20, 5, 0, -5, -10), (30, -5, 10, 35, 45)
POSES: dict[str, tuple[Mapping[str, Sequence[int]], Sequence[int]]] = {
    "relaxed": (RELAXED, (10, 0, 0, 12, 15)),
    "open": (OPEN, THUMB_OPEN),
    "spread": (SPREAD, THUMB_SPREAD),
    "fist": (FIST, THUMB_FIST),
    "point": (FIST | {"index": (2, 6, 3, 0)}, THUMB_FIST),
    "victory": (FIST | {"index": (0, 5, 2, 12), "middle": (0, 5, 2, -10)}, THUMB_FIST),
}
# Time (s), pose, and how the hand is turned: yaw, pitch, roll in degrees, then its offset in cm.
SCORE = (
    (0.0, "relaxed", (0, 0, 0), (0, 0, 0)),
    (0.5, "open", (4, 4, 0), (0, -0.5, 0)),
    (1.1, "fist", (-6, -6, -4), (0.5, 0, -1)),
    (1.7, "open", (6, 4, 3), (0, -0.5, 0)),
    (2.2, "point", (-8, 0, -6), (1, 0, 1)),
    (2.7, "victory", (0, 2, 0), (0, 0, 0)),
    (3.3, "pinch", (24, -4, 6), (-1, 0, 0)),
    (3.9, "spread", (0, 5, 0), (0, 0, 0)),
    (4.3, "open", (4, 2, 16), (2, 0, 0)),
    (4.7, "open", (-4, 2, -14), (-2, 0, 0)),
    (5.0, "relaxed", (0, 0, 0), (0, 0, 0)),
)
FACING = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # fingers up, palm to the camera
PLACE = np.array([-0.02, 0.09, 0.44])  # m, of the wrist in the camera frame


def hand_motion(model: HandModel, times: Array) -> tuple[Array, Array, Array]:
    """Parameters at ``times`` (T,) s: global_orient (T, 3), hand_pose (T, 45), transl (T, 3)."""
    limits = Limits(model.kinematics)
    poses = {name: _hand_pose(limits, *pose) for name, pose in POSES.items()}
    poses["pinch"] = _pinch(model, limits, poses["relaxed"])
    at = np.array([beat[0] for beat in SCORE])
    hand_pose = PchipInterpolator(at, [poses[beat[1]] for beat in SCORE])(times)
    yaw, pitch, roll = PchipInterpolator(at, [beat[2] for beat in SCORE])(times).T
    turned = Rotation.from_euler("YXZ", np.column_stack([yaw, pitch, roll]), degrees=True) * Rotation.from_matrix(
        FACING
    )
    sway = np.column_stack([np.sin(1.9 * times), np.sin(2.6 * times + 1), np.sin(1.3 * times + 2)]) * 0.004
    wrist = PLACE + PchipInterpolator(at, [beat[3] for beat in SCORE])(times) / 100.0 + sway
    rest_wrist = model.kinematics.rest_joints(np.zeros((1, 10)))[0, 0]
    return turned.as_rotvec(), hand_pose, wrist - rest_wrist


def _hand_pose(limits: Limits, fingers: Mapping[str, Sequence[int]], thumb: Sequence[int]) -> Array:
    """Pose (45,) of finger angles; the thumb's: flexion, abduction, twist of its base, flexion of the next two."""
    angles = np.zeros((15, 3))  # flexion, abduction, twist
    for i, name in enumerate(FINGERS[:4]):
        base, middle, end, spread = fingers[name]
        angles[3 * i] = base, spread, 0
        angles[3 * i + 1 : 3 * i + 3, 0] = middle, end
    angles[12] = thumb[:3]
    angles[13:15, 0] = thumb[3:]
    return limits.clamp(np.einsum("jik,jk->ji", limits.frames, np.radians(angles)).ravel())


def _pinch(model: HandModel, limits: Limits, start: Array) -> Array:
    """Thumb and index tip a finger pad apart, near the relaxed pose."""
    free = np.isin((limits.joint - 1) // 3, (0, 4))  # index and thumb
    relaxed = limits.to_angles(start)

    def residual(x: Array) -> Array:
        angles = relaxed.copy()
        angles[free] = x
        points = model.joints(np.zeros(3), limits.to_pose(angles))[0]
        gap = points[4] - points[8]
        return np.concatenate([[40.0 * (np.linalg.norm(gap) - 0.008)], 0.1 * (x - relaxed[free])])

    bounds = limits.lower[free], limits.upper[free]
    angles = relaxed.copy()
    angles[free] = least_squares(residual, np.clip(relaxed[free], *bounds), bounds=bounds).x
    return limits.to_pose(angles)
