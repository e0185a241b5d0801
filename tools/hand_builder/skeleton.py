"""The skeleton of the embedded hand in its zero pose: joint centres, fingertips, flexion and spreading axes.

Everything is in the template frame, which is MANO's: a flat right hand, fingers along -x, thumb towards +z, palm facing
-y, metres. Local joint frames are aligned with that frame at rest, so a joint's axis-angle vector is written directly
in the axes below (right-handed rotation):

* finger flexion (knuckle, middle and end joint): about ``cross(finger direction, pad direction)``, close to +z;
  positive bends the finger towards the palm (-y).
* finger spreading (knuckle only): about the finger's back direction, close to +y; positive moves the tip towards the
  thumb side (+z), for every finger. Index spreads with +, ring and little with -.
* thumb: ``flexion`` sweeps the thumb across the palm towards the little finger (CMC) and curls it (MCP, IP),
  ``spread`` is palmar abduction, positive lifting the thumb away from the palm plane (towards -y), ``twist`` is about
  the metacarpal (its reversed direction), positive turning the pad towards the fingertips (opposition).

Proportions are those of ``hand_anthropometry.json`` (the mean adult right hand of 376 recorded grasps): five palm
points and the bone lengths, both exact here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WRIST = np.array([0.0957, 0.0064, 0.0062])
DIGITS = ("index", "middle", "little", "ring", "thumb")
"""Digits in MANO's joint order: joints 1-3, 4-6, 7-9, 10-12, 13-15."""
PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
TIP_VERTICES = {"thumb": 744, "index": 320, "middle": 443, "ring": 554, "little": 671}

# Palm frame: x from the wrist to the middle knuckle, z to the thumb side in the palm plane, y out of the palm.
PALM_POINTS = {
    "thumb": (0.0234, 0.01717, 0.0254),
    "index": (0.08738, 0.00567, 0.02343),
    "middle": (0.09473, 0.0, 0.0),
    "ring": (0.08268, 0.00082, -0.02389),
    "little": (0.07042, 0.00567, -0.04131),
}
BONES = {
    "thumb": (0.03079, 0.02709, 0.03818),
    "index": (0.03300, 0.02219, 0.02362),
    "middle": (0.03174, 0.02328, 0.03171),
    "ring": (0.02884, 0.02479, 0.03053),
    "little": (0.02111, 0.01895, 0.02283),
}
SPREAD_DEG = {"index": 6.0, "middle": 0.5, "ring": -5.5, "little": -14.0}
"""Direction of each straight finger in the palm plane, degrees towards the thumb."""
ROLL_DEG = {"index": 12.5, "middle": 6.0, "ring": -7.5, "little": -14.5}
"""Roll of each finger about itself: the arch of the palm turns index and little pads towards each other."""
THUMB_BONES_DEG = ((42.0, 8.0), (36.0, 6.0), (32.0, 4.0))
"""Direction of the thumb's bones: degrees out of the finger direction in the palm plane, and out of it to the palm."""
THUMB_ROLL_DEG = (90.0, 55.0, 55.0)
"""Turn of each thumb bone's bending direction from the palm's way (0) to across the palm (90); the pad faces 55."""

LIMITS_DEG = {
    "finger": {"knuckle": (-15.0, 90.0), "spread": (-18.0, 18.0), "middle": (0.0, 108.0), "end": (-5.0, 80.0)},
    "thumb": {
        "cmc_flexion": (-25.0, 45.0),
        "cmc_spread": (-15.0, 50.0),
        "cmc_twist": (-20.0, 50.0),
        "mcp_flexion": (-10.0, 60.0),
        "mcp_spread": (-15.0, 15.0),
        "ip_flexion": (-10.0, 85.0),
    },
}
"""Recommended active ranges of the joints about the axes of :class:`Skeleton`."""


@dataclass(frozen=True)
class Skeleton:
    """Joint centres and axes at rest. Rows follow MANO's 16 joints; tips follow ``DIGITS``.

    ``joints`` (16, 3) m; ``tips`` (5, 3) m; ``direction``, ``flexion``, ``spread`` (16, 3) unit vectors: the bone that
    starts at the joint, its flexion axis and its spreading axis (for the wrist: forward, bending, radial).
    """

    joints: Array
    tips: Array
    direction: Array
    flexion: Array
    spread: Array

    def ends(self) -> Array:
        """Far end of the bone that starts at each joint (16, 3); the wrist's is the middle knuckle."""
        ends = np.empty_like(self.joints)
        ends[0] = self.joints[4]
        for digit in range(5):
            first = 1 + 3 * digit
            ends[first : first + 2] = self.joints[first + 1 : first + 3]
            ends[first + 2] = self.tips[digit]
        return ends


def from_palm(points: Array) -> Array:
    """Palm frame to template frame: half a turn about z, then the wrist's place."""
    return WRIST + np.asarray(points, dtype=float) * (-1.0, -1.0, 1.0)


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def _digit_frames(digit: str) -> list[tuple[Array, Array]]:
    """Direction and pad direction of each of the digit's three bones."""
    if digit != "thumb":
        yaw, roll = np.radians(SPREAD_DEG[digit]), np.radians(ROLL_DEG[digit])
        direction = np.array([-np.cos(yaw), 0.0, np.sin(yaw)])
        across = np.array([-np.sin(yaw), 0.0, -np.cos(yaw)])
        return [(direction, np.cos(roll) * np.array([0.0, -1.0, 0.0]) + np.sin(roll) * across)] * 3
    frames = []
    for (yaw_deg, lift_deg), roll_deg in zip(THUMB_BONES_DEG, THUMB_ROLL_DEG, strict=True):
        yaw, lift, roll = np.radians([yaw_deg, lift_deg, roll_deg])
        flat = np.array([-np.cos(yaw), 0.0, np.sin(yaw)])
        direction = np.cos(lift) * flat + np.sin(lift) * np.array([0.0, -1.0, 0.0])
        across = np.array([-np.sin(yaw), 0.0, -np.cos(yaw)])
        pad = np.cos(roll) * np.cross(direction, across) + np.sin(roll) * across
        frames.append((direction, pad))
    return frames


def build_skeleton() -> Skeleton:
    """The skeleton with the published proportions."""
    joints, tips = np.empty((16, 3)), np.empty((5, 3))
    direction, flexion, spread = np.empty((16, 3)), np.empty((16, 3)), np.empty((16, 3))
    joints[0] = WRIST
    direction[0], flexion[0], spread[0] = (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)
    for number, digit in enumerate(DIGITS):
        point = from_palm(np.array(PALM_POINTS[digit]))
        for bone, (along, pad) in enumerate(_digit_frames(digit)):
            row = 1 + 3 * number + bone
            joints[row] = point
            direction[row], flexion[row], spread[row] = along, _unit(np.cross(along, pad)), -pad
            point = point + BONES[digit][bone] * along
        tips[number] = point
    return Skeleton(joints, tips, direction, flexion, spread)


def bone_of(digit: str, bone: int) -> int:
    """Row of a digit's bone (0 nearest the palm) among the 16 joints."""
    return 1 + 3 * DIGITS.index(digit) + bone
