"""The flesh of the hand: an implicit surface of tapered, flattened capsules carried by the bones.

The field is negative inside, near a distance in metres close to the surface. Because every capsule belongs to a bone,
the same field exists in any pose; the pose correctives are fitted to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .skeleton import DIGITS, Skeleton, bone_of, from_palm

Array = NDArray[np.float64]

PALM = len(DIGITS)
"""Group number of the palm; digits are groups 0-4 in ``DIGITS`` order."""

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
CUT = -0.028
"""Where the wrist is cut, m along the palm frame's x."""

BLEND = {"palm": 9.0 * MM, "digit": 2.0 * MM, "knuckle": 6.0 * MM, "thumb": 13.0 * MM, "cut": 5.0 * MM, "crease": 4.0 * MM, "nail": 2.0 * MM}


@dataclass(frozen=True)
class Flesh:
    """Capsules: ends ``a``, ``b`` (P, 3), radii (P,), flattening ``axis`` (P, 3) and ``squash`` (P,), ``bone``, ``group``."""

    a: Array
    b: Array
    radius_a: Array
    radius_b: Array
    axis: Array
    squash: Array
    bone: NDArray[np.int64]
    group: NDArray[np.int64]
    cut_point: Array
    cut_normal: Array
    nails: dict[int, tuple[Array, Array]]

    def field(self, points: Array) -> Array:
        """Signed field (N,) of the whole hand at rest, at points (N, 3)."""
        palm = self._palm(lambda bone: points)
        hand = palm
        for digit, name in enumerate(DIGITS):
            finger = self._bone(1 + 3 * digit, lambda bone: points)
            for bone in (2 + 3 * digit, 3 + 3 * digit):
                finger = smooth_union(finger, self._bone(bone, lambda bone: points), BLEND["digit"])
            hand = np.minimum(hand, smooth_union(palm, finger, BLEND["thumb" if name == "thumb" else "knuckle"]))
        return smooth_intersection(hand, (points - self.cut_point) @ self.cut_normal, BLEND["cut"])

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

    def _capsules(self, rows: NDArray[np.int64], at: Callable[[int], Array]) -> Array:
        distances = []
        for row in rows:
            points = at(int(self.bone[row]))
            stretch = 1.0 / self.squash[row] - 1.0
            offset = points - self.a[row]
            offset = offset + stretch * (offset @ self.axis[row])[:, None] * self.axis[row]
            along = self.b[row] - self.a[row]
            along = along + stretch * (along @ self.axis[row]) * self.axis[row]
            place = np.clip(offset @ along / max(along @ along, 1e-12), 0.0, 1.0)
            radius = self.radius_a[row] + place * (self.radius_b[row] - self.radius_a[row])
            distances.append(np.linalg.norm(offset - place[:, None] * along, axis=1) - radius)
        return np.array(distances)

    def _palm(self, at: Callable[[int], Array]) -> Array:
        parts = self._capsules(np.flatnonzero(self.group == PALM), at)
        palm = parts[0]
        for part in parts[1:]:
            palm = smooth_union(palm, part, BLEND["palm"])
        return palm

    def _bone(self, bone: int, at: Callable[[int], Array]) -> Array:
        """Field (N,) of one bone of a digit; the last is flattened at the nail."""
        part: Array = self._capsules(np.flatnonzero((self.group < PALM) & (self.bone == bone)), at).min(axis=0)
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
    rows: list[tuple[Array, Array, float, float, Array, float, int, int]] = []
    nails: dict[int, tuple[Array, Array]] = {}
    ends = skeleton.ends()
    for group, digit in enumerate(DIGITS):
        thumb = digit == "thumb"
        profile, squash = (THUMB_PROFILE, THUMB_SQUASH) if thumb else (FINGER_PROFILE, FINGER_SQUASH)
        for bone in range(3):
            row = bone_of(digit, bone)
            pad = -skeleton.spread[bone_of(digit, max(bone, 1))]
            start, along = skeleton.joints[row], ends[row] - skeleton.joints[row]
            balls = [(start + s * along + shift * GIRTH[digit] * pad, r * GIRTH[digit]) for s, r, shift in profile[bone]]
            if bone == 2:
                radius = TIP_RADIUS["thumb" if thumb else "finger"] * GIRTH[digit]
                balls.append((ends[row] - radius * skeleton.direction[row], radius))
                nails[row] = (balls[-2][0] - 0.66 * GIRTH[digit] * squash[2] * pad, _tilted(-pad, skeleton.direction[row], 10.0))
            for (a, ra), (b, rb) in zip(balls, balls[1:], strict=False):
                rows.append((a, b, ra, rb, pad, squash[bone], row, group))
    down = np.array([0.0, -1.0, 0.0])
    for a, b, ra, rb, flat, bone in PALM_PARTS:
        rows.append((from_palm(MM * np.array(a)), from_palm(MM * np.array(b)), ra * MM, rb * MM, down, flat, bone, PALM))
    rows += [(*web, down, 0.8, 0, PALM) for web in _webs(skeleton)]
    columns = list(zip(*rows, strict=True))
    return Flesh(
        *(np.array(column) for column in columns),
        cut_point=from_palm(np.array([CUT, 0.0, 0.0])),
        cut_normal=np.array([1.0, 0.0, 0.0]),
        nails=nails,
    )


def _tilted(normal: Array, direction: Array, degrees: float) -> Array:
    return np.cos(np.radians(degrees)) * normal + np.sin(np.radians(degrees)) * direction


def _webs(skeleton: Skeleton) -> list[tuple[Array, Array, float, float]]:
    """A bridge between neighbouring fingers part of the way along their first bones."""
    webs = []
    order = ("index", "middle", "ring", "little")
    for left, right in zip(order, order[1:], strict=False):
        i, j = bone_of(left, 0), bone_of(right, 0)
        ends = skeleton.ends()
        base = 0.5 * (skeleton.joints[i] + skeleton.joints[j]) + np.array([0.0, -3.0 * MM, 0.0])
        far = 0.5 * (skeleton.joints[i] + WEB * (ends[i] - skeleton.joints[i]) + skeleton.joints[j] + WEB * (ends[j] - skeleton.joints[j]))
        far = far + np.array([0.0, -2.5 * MM, 0.0])
        tip = far + 5.0 * MM * _towards(base - far)
        webs.append((base, tip, 8.0 * MM, 5.0 * MM))
    return webs


def _towards(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)
