"""The flesh of the hand: an implicit surface of tapered, flattened capsules carried by the bones.

The field is negative inside, near a distance in metres close to the surface. Because every capsule belongs to a bone,
the same field exists in any pose; the pose correctives are fitted to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .skeleton import DIGITS, WRIST, Skeleton, bone_of, from_palm

Array = NDArray[np.float64]

MM = 1e-3
# Half breadth of each digit at its middle joint (thumb: at its end joint), m.
GIRTH = {"index": 9.7 * MM, "middle": 9.9 * MM, "little": 8.3 * MM, "ring": 9.4 * MM, "thumb": 13.0 * MM}
# Per bone: (place along it 0-1, radius / girth, shift to the pad / girth). The tip ball is added to end on the tip.
FINGER_PROFILE = (
    ((0.0, 1.12, 0.12), (0.40, 1.05, 0.12), (0.75, 0.98, 0.07), (1.0, 0.96, 0.0)),
    ((0.0, 0.96, 0.0), (0.45, 0.91, 0.06), (0.75, 0.87, 0.04), (1.0, 0.85, 0.0)),
    ((0.0, 0.85, 0.0), (0.42, 0.85, 0.04)),
)
THUMB_PROFILE = (
    ((0.0, 1.30, 0.0), (0.40, 1.28, 0.0), (0.75, 1.10, 0.0), (1.0, 1.02, 0.0)),
    ((0.0, 1.02, 0.0), (0.5, 0.94, 0.04), (1.0, 0.97, 0.0)),
    ((0.0, 0.97, 0.0), (0.45, 0.99, 0.03)),
)
TIP_RADIUS = {"finger": 0.72, "thumb": 0.74}
# Thickness over breadth of each bone's cross-section.
FINGER_SQUASH = (0.96, 0.92, 0.85)
THUMB_SQUASH = (0.98, 0.92, 0.82)

HALF_THUMB = 16
"""A bone that makes half of the thumb base's turn; it carries the ball of the thumb and the first web."""
# Palm frame, mm: (start, end, start radius, end radius, thickness / breadth, bone).
PALM_PARTS = (
    # metacarpals
    ((10, 2, 9), (84, 4.5, 22.0), 14.0, 12.2, 0.95, 0),
    ((8, 1, 3), (91, 1.8, 0), 14.0, 12.4, 0.95, 0),
    ((8, 1, -4), (79, 2.8, -22.8), 14.0, 12.0, 0.95, 0),
    ((8, 2, -10), (67, 6.0, -39.5), 14.0, 11.2, 0.95, 0),
    # pad across the palm below the knuckles, and the hollow behind it
    ((82, 6.5, 17), (63, 8.0, -36), 11.0, 10.0, 1.0, 0),
    ((62, 4.5, 2), (30, 4.5, -2), 14.0, 15.0, 1.0, 0),
    # heel and hypothenar
    ((15, 8, -19), (50, 8.5, -36), 15.5, 12.8, 0.95, 0),
    ((8, 6, 10), (8, 6, -12), 15.0, 15.0, 1.0, 0),
    # thenar and the first web
    ((16, 10, 14), (52, 13, 24), 14.5, 9.0, 1.0, HALF_THUMB),
    ((56, 7, 23), (47, 12, 33), 8.0, 8.0, 1.0, HALF_THUMB),
    # wrist stub
    ((0, 3, 11.0), (-26, 2.5, 11.0), 17.0, 17.0, 1.0, 0),
    ((0, 3, -11.0), (-26, 2.5, -11.0), 17.0, 17.0, 1.0, 0),
)
WEB = 0.62
"""Where the webs between fingers end, as a share of the first bone."""
CUT = WRIST[0] + 0.028
"""Where the wrist is cut, m along x."""

BLEND = {
    "palm": 9.0 * MM,
    "digit": 2.0 * MM,
    "knuckle": 6.0 * MM,
    "thumb": 13.0 * MM,
    "cut": 5.0 * MM,
    "crease": 4.0 * MM,
    "nail": 2.0 * MM,
}


@dataclass(frozen=True)
class Capsule:
    """A tapered capsule in the rest pose: ends (3,), radii, thickness over breadth along an axis (3,), and its bone."""

    start: Array
    end: Array
    start_radius: float
    end_radius: float
    squash: float
    axis: Array
    bone: int

    def distance(self, points: Array) -> Array:
        """Field (N,) at points (N, 3) in the capsule's rest frame."""
        stretch = 1.0 / self.squash - 1.0
        offset = points - self.start
        offset = offset + stretch * (offset @ self.axis)[:, None] * self.axis
        along = self.end - self.start
        along = along + stretch * (along @ self.axis) * self.axis
        place = np.clip(offset @ along / (along @ along), 0.0, 1.0)
        radius = self.start_radius + place * (self.end_radius - self.start_radius)
        return np.linalg.norm(offset - place[:, None] * along, axis=1) - radius


@dataclass(frozen=True)
class Flesh:
    """Capsules of the palm and of each bone of the digits; nails as planes (point, normal) that flatten a bone."""

    palm: tuple[Capsule, ...]
    bones: dict[int, tuple[Capsule, ...]]
    nails: dict[int, tuple[Array, Array]]

    def field(self, points: Array) -> Array:
        """Signed field (N,) of the whole hand at rest, at points (N, 3)."""

        def at_rest(_: int) -> Array:
            return points

        palm = self._palm(at_rest)
        hand = palm
        for digit, name in enumerate(DIGITS):
            finger = self._bone(1 + 3 * digit, at_rest)
            for bone in (2 + 3 * digit, 3 + 3 * digit):
                finger = smooth_union(finger, self._bone(bone, at_rest), BLEND["digit"])
            hand = np.minimum(hand, smooth_union(palm, finger, BLEND["thumb" if name == "thumb" else "knuckle"]))
        return smooth_intersection(hand, points[:, 0] - CUT, BLEND["cut"])

    def joint_field(self, joint: int, points: Array, placed: tuple[Array, Array, Array] | None = None) -> Array:
        """Field (N,) of only the two bones that meet at a joint (the palm, for a digit's first).

        ``placed``: rotations (17, 3, 3), centres (17, 3) and rest centres (17, 3) of bones, where they are not at rest.
        """

        def at(bone: int) -> Array:
            if placed is None:
                return points
            rotations, centres, rest = placed
            return (points - centres[bone]) @ rotations[bone] + rest[bone]

        if joint % 3 == 1:
            blend = BLEND["thumb" if joint == bone_of("thumb", 0) else "knuckle"]
            return smooth_union(self._palm(at), self._bone(joint, at), blend)
        return smooth_union(self._bone(joint - 1, at), self._bone(joint, at), BLEND["crease"])

    def _palm(self, at: Callable[[int], Array]) -> Array:
        """Field (N,) of the palm, given the points in the rest frame of each bone."""
        palm, *parts = (part.distance(at(part.bone)) for part in self.palm)
        for part in parts:
            palm = smooth_union(palm, part, BLEND["palm"])
        return palm

    def _bone(self, bone: int, at: Callable[[int], Array]) -> Array:
        """Field (N,) of one bone of a digit; the last is flattened at the nail."""
        part: Array = np.min([capsule.distance(at(bone)) for capsule in self.bones[bone]], axis=0)
        if bone in self.nails:
            point, normal = self.nails[bone]
            part = smooth_intersection(part, (at(bone) - point) @ normal, BLEND["nail"])
        return part


def smooth_union(first: Array, second: Array, blend: float) -> Array:
    """Minimum of two fields, rounded where they differ by less than ``blend``."""
    near = np.maximum(blend - np.abs(first - second), 0.0) / blend
    return np.minimum(first, second) - 0.25 * blend * near**2


def smooth_intersection(first: Array, second: Array, blend: float) -> Array:
    """Maximum of two fields, rounded likewise."""
    return -smooth_union(-first, -second, blend)


def build_flesh(skeleton: Skeleton) -> Flesh:
    """Dresses the skeleton."""
    down = np.array([0.0, -1.0, 0.0])
    palm = [
        Capsule(from_palm(MM * np.array(start)), from_palm(MM * np.array(end)), r * MM, s * MM, squash, down, bone)
        for start, end, r, s, squash, bone in PALM_PARTS
    ]
    bones: dict[int, tuple[Capsule, ...]] = {}
    nails: dict[int, tuple[Array, Array]] = {}
    for digit in DIGITS:
        for bone in range(3):
            row = bone_of(digit, bone)
            squash = (THUMB_SQUASH if digit == "thumb" else FINGER_SQUASH)[bone]
            pad = -skeleton.spread[bone_of(digit, max(bone, 1))]
            balls = _balls(skeleton, digit, bone, pad)
            bones[row] = tuple(Capsule(a, b, r, s, squash, pad, row) for (a, r), (b, s) in pairwise(balls))
            if bone == 2:
                tilt = np.radians(10.0)
                normal = -np.cos(tilt) * pad + np.sin(tilt) * skeleton.direction[row]
                nails[row] = (balls[-2][0] - 0.66 * GIRTH[digit] * squash * pad, normal)
    return Flesh((*palm, *_webs(skeleton)), bones, nails)


def _balls(skeleton: Skeleton, digit: str, bone: int, pad: Array) -> list[tuple[Array, float]]:
    """Centres and radii along one bone of a digit."""
    row, girth = bone_of(digit, bone), GIRTH[digit]
    start, end = skeleton.joints[row], skeleton.ends()[row]
    profile = (THUMB_PROFILE if digit == "thumb" else FINGER_PROFILE)[bone]
    balls = [(start + place * (end - start) + shift * girth * pad, size * girth) for place, size, shift in profile]
    if bone == 2:
        radius = TIP_RADIUS["thumb" if digit == "thumb" else "finger"] * girth
        balls.append((end - radius * skeleton.direction[row], radius))
    return balls


def _webs(skeleton: Skeleton) -> list[Capsule]:
    """A bridge between neighbouring fingers part of the way along their first bones."""
    webs = []
    ends, down = skeleton.ends(), np.array([0.0, -1.0, 0.0])
    for pair in pairwise(("index", "middle", "ring", "little")):
        rows = [bone_of(digit, 0) for digit in pair]
        base = skeleton.joints[rows].mean(axis=0)
        far = base + WEB * (ends[rows].mean(axis=0) - base) + 2.5 * MM * down
        base = base + 3.0 * MM * down
        tip = far + 5.0 * MM * (base - far) / np.linalg.norm(base - far)
        webs.append(Capsule(base, tip, 8.0 * MM, 5.0 * MM, 0.8, down, 0))
    return webs
