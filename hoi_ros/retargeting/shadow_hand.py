"""The Shadow Dexterous Hand: 24 hinges, their limits, and where its links are.

Numbers measured from Shadow's published E3M5 model (data/shadow_hand_mjcf). Frames are Shadow's: every link's z runs
towards the fingertips, x towards the thumb of a right hand, -y out of the palm. ``J1`` is the distal joint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.types import Array, Side

PREFIXES: dict[Side, str] = {"right": "rh_", "left": "lh_"}
FINGERS = ("TH", "FF", "MF", "RF", "LF")  # thumb to little, as in K21
COUPLED = ("FF", "MF", "RF", "LF")  # J1 and J2 share a motor and obey J1 <= J2
ROOT = "forearm"

Vector = tuple[float, float, float]
SLANTED: Vector = (float(np.sin(np.radians(35))), 0.0, float(np.cos(np.radians(35))))  # axis of LFJ5


@dataclass(frozen=True)
class Joint:
    """One hinge: where it sits in its parent link, its axis there, and how far it turns. Metres, radians."""

    name: str  # without prefix
    parent: str
    link: str
    xyz: Vector = (0.0, 0.0, 0.0)
    rpy: Vector = (0.0, 0.0, 0.0)  # as in URDF: about the fixed x, y, z
    axis: Vector = (1.0, 0.0, 0.0)  # unit, in the joint's own frame
    lower: float = 0.0
    upper: float = 0.0

    @property
    def origin(self) -> Array:
        """Pose of the joint in its parent link at angle zero, (4, 4)."""
        return transform(Rotation.from_euler("xyz", self.rpy).as_matrix(), np.array(self.xyz))


def transform(rotation: Array, translation: Array) -> Array:
    """Homogeneous matrices (..., 4, 4) of rotations (..., 3, 3) and translations (..., 3)."""
    matrix = np.zeros((*rotation.shape[:-2], 4, 4))
    matrix[..., :3, :3], matrix[..., :3, 3], matrix[..., 3, 3] = rotation, translation, 1.0
    return matrix


def _finger(name: str, knuckle: Vector, parent: str, abduction: float) -> tuple[Joint, ...]:
    f = name.lower()
    return (
        Joint(f"{name}J4", parent, f"{f}knuckle", knuckle, axis=(0, abduction, 0), lower=-0.349066, upper=0.349066),
        Joint(f"{name}J3", f"{f}knuckle", f"{f}proximal", lower=-0.261799, upper=1.5708),
        Joint(f"{name}J2", f"{f}proximal", f"{f}middle", (0, 0, 0.045), upper=1.5708),
        Joint(f"{name}J1", f"{f}middle", f"{f}distal", (0, 0, 0.025), upper=1.5708),
    )


RIGHT = (
    Joint("WRJ2", ROOT, "wrist", (0, -0.01, 0.21301), axis=(0, 1, 0), lower=-0.523599, upper=0.174533),
    Joint("WRJ1", "wrist", "palm", (0, 0, 0.034), lower=-0.698132, upper=0.488692),
    *_finger("FF", (0.033, 0, 0.095), "palm", -1),
    *_finger("MF", (0.011, 0, 0.099), "palm", -1),
    *_finger("RF", (-0.011, 0, 0.095), "palm", 1),
    Joint("LFJ5", "palm", "lfmetacarpal", (-0.033, 0, 0.02071), axis=SLANTED, upper=0.785398),
    *_finger("LF", (0, 0, 0.06579), "lfmetacarpal", 1),
    Joint("THJ5", "palm", "thbase", (0.034, -0.00858, 0.029), (0, np.pi / 4, 0), (0, 0, -1), -1.0472, 1.0472),
    Joint("THJ4", "thbase", "thproximal", upper=1.22173),
    Joint("THJ3", "thproximal", "thhub", (0, 0, 0.038), lower=-0.20944, upper=0.20944),
    Joint("THJ2", "thhub", "thmiddle", axis=(0, -1, 0), lower=-0.698132, upper=0.698132),
    Joint("THJ1", "thmiddle", "thdistal", (0, 0, 0.032), (0, 0, -np.pi / 2), lower=-0.261799, upper=1.5708),
)
NAMES = tuple(joint.name for joint in RIGHT)
TIPS = {finger: (0.0, 0.0, 0.0275 if finger == "TH" else 0.026) for finger in FINGERS}  # in the distal links


def mirrored(joint: Joint) -> Joint:
    """The same joint of the other hand: its mirror image in x, turning the same way for the same angle."""
    (x, y, z), (r, p, w), (a, b, c) = joint.xyz, joint.rpy, joint.axis
    return replace(joint, xyz=(-x, y, z), rpy=(r, -p, -w), axis=(a, -b, -c))


@dataclass(frozen=True)
class ShadowHand:
    """A Shadow Hand: the embedded table, or what a user's robot description says (``robot_description.read_hand``)."""

    side: Side
    joints: tuple[Joint, ...]  # 24, in the order of NAMES
    tips: dict[str, Vector]  # finger -> fingertip in its distal link, m
    prefix: str

    @classmethod
    def embedded(cls, side: Side = "right") -> ShadowHand:
        """The hand of the table."""
        joints = RIGHT if side == "right" else tuple(mirrored(joint) for joint in RIGHT)
        return cls(side, joints, TIPS, PREFIXES[side])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The 24 joints as the robot names them."""
        return tuple(self.prefix + joint.name for joint in self.joints)

    @cached_property
    def lower(self) -> Array:
        """Lower limits (24,), rad."""
        return np.array([joint.lower for joint in self.joints])

    @cached_property
    def upper(self) -> Array:
        """Upper limits (24,), rad."""
        return np.array([joint.upper for joint in self.joints])

    @cached_property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Lower and upper limit of each joint by the robot's name, rad."""
        return {self.prefix + joint.name: (joint.lower, joint.upper) for joint in self.joints}

    @cached_property
    def _actuation(self) -> tuple[tuple[str, ...], Array]:
        names: list[str] = []
        matrix: list[Array] = []
        for row, name in zip(np.eye(len(NAMES)), NAMES, strict=True):
            if name[:2] in COUPLED and name.endswith("J1"):
                matrix[-1] = matrix[-1] + row  # J2 precedes J1
                names[-1] = f"{self.prefix}{name[:2]}J0"
            else:
                matrix.append(row)
                names.append(self.prefix + name)
        return tuple(names), np.array(matrix)

    @property
    def actuator_names(self) -> tuple[str, ...]:
        """The 20 motors: J0 = J1 + J2 on the four fingers."""
        return self._actuation[0]

    def actuators(self, positions: Array) -> Array:
        """Motor positions (..., 20) of joint positions (..., 24), rad."""
        actuators: Array = positions @ self._actuation[1].T
        return actuators

    def link_poses(self, positions: Array) -> dict[str, Array]:
        """Poses (N, 4, 4) of all links, without prefix, in the forearm's frame, for joint positions (N, 24)."""
        poses = {ROOT: np.broadcast_to(np.eye(4), (len(positions), 4, 4))}
        for joint, angles in zip(self.joints, positions.T, strict=True):
            turn = Rotation.from_rotvec(angles[:, None] * np.array(joint.axis)).as_matrix()
            poses[joint.link] = poses[joint.parent] @ joint.origin @ transform(turn, np.zeros(3))
        return poses
