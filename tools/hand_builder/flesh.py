"""The flesh of the hand: an implicit surface of tapered, flattened capsules carried by the bones.

The field is negative inside, near a distance in metres close to the surface. Because every capsule belongs to a bone,
the same field exists in any pose; the pose correctives are fitted to it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .skeleton import DIGITS, Skeleton, bone_of, from_palm

Array = NDArray[np.float64]

PALM = len(DIGITS)
"""Group number of the palm; digits are groups 0-4 in ``DIGITS`` order."""

MM = 1e-3
# Half breadth of each digit at its middle joint (thumb: at its end joint), m.
GIRTH = {"index": 9.3 * MM, "middle": 9.5 * MM, "little": 7.9 * MM, "ring": 9.0 * MM, "thumb": 10.6 * MM}
# Per bone: (place along it 0-1, radius / girth, shift to the pad / girth). The tip ball is added to end on the tip.
FINGER_PROFILE = (
    ((0.0, 1.10, 0.10), (0.40, 1.00, 0.10), (0.72, 0.94, 0.06), (1.0, 0.97, -0.02)),
    ((0.0, 0.97, -0.02), (0.45, 0.89, 0.06), (0.75, 0.85, 0.03), (1.0, 0.86, 0.0)),
    ((0.0, 0.86, 0.0), (0.40, 0.84, 0.03)),
)
THUMB_PROFILE = (
    ((0.0, 1.25, 0.0), (0.45, 1.12, 0.0), (0.8, 0.98, 0.0), (1.0, 0.99, 0.0)),
    ((0.0, 0.99, 0.0), (0.5, 0.92, 0.05), (1.0, 0.98, -0.02)),
    ((0.0, 0.98, -0.02), (0.40, 0.98, 0.02)),
)
TIP_RADIUS = {"finger": 0.70, "thumb": 0.72}
# Thickness over breadth of each bone's cross-section.
FINGER_SQUASH = (0.96, 0.92, 0.84)
THUMB_SQUASH = (0.98, 0.92, 0.80)

# Palm frame, mm: (start, end, start radius, end radius, thickness / breadth, bone that carries it: 0 or thumb).
PALM_PARTS = (
    # metacarpals
    ((10, 2, 9), (84, 4.5, 22.5), 13.0, 12.0, 0.95, 0),
    ((8, 1, 3), (91, 1.5, 0), 13.0, 12.3, 0.95, 0),
    ((8, 1, -4), (79, 2.5, -23.0), 13.0, 11.8, 0.95, 0),
    ((8, 2, -10), (67, 6.0, -40.0), 13.0, 10.8, 0.95, 0),
    # pad across the palm below the knuckles
    ((86, 8.0, 20), (66, 9.0, -38), 9.0, 8.5, 1.0, 0),
    # heel and hypothenar
    ((16, 8, -15), (50, 10, -36), 14.0, 11.5, 0.95, 0),
    ((10, 6, 10), (10, 6, -12), 14.0, 14.0, 1.0, 0),
    # thenar
    ((16, 11, 15), (50, 14, 22), 13.0, 9.0, 1.0, 0),
    # wrist stub
    ((0, 3, 10.5), (-24, 2, 10.5), 17.0, 16.0, 1.0, 0),
    ((0, 3, -9.5), (-24, 2, -9.5), 17.0, 16.0, 1.0, 0),
)
WEB = 0.62
"""Where the webs between fingers end, as a share of the first bone."""
CUT = -0.028
"""Where the wrist is cut, m along the palm frame's x."""

BLEND = {"palm": 7.0 * MM, "digit": 2.5 * MM, "knuckle": 6.0 * MM, "thumb": 11.0 * MM, "cut": 5.0 * MM}


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
    nails: tuple[tuple[int, Array, Array], ...]

    def field(self, points: Array, rotations: Array | None = None, centres: Array | None = None, groups: tuple[int, ...] = (0, 1, 2, 3, 4, PALM), rest: Array | None = None) -> Array:
        """Signed field (N,) at points (N, 3), in the rest pose or with the bones moved.

        ``rotations`` (16, 3, 3) and ``centres`` (16, 3) place each bone; ``rest`` (16, 3) are its centres at rest.
        """
        local: dict[int, Array] = {}

        def at(bone: int) -> Array:
            if rotations is None or centres is None or rest is None:
                return points
            if bone not in local:
                local[bone] = (points - centres[bone]) @ rotations[bone] + rest[bone]
            return local[bone]

        palm = self._palm(at)
        if groups == (PALM,):
            return palm
        hand = palm if PALM in groups else np.full(len(points), np.inf)
        for digit in range(PALM):
            if digit in groups:
                name = DIGITS[digit]
                finger = self._digit(digit, at)
                joined = smooth_union(palm, finger, BLEND["thumb" if name == "thumb" else "knuckle"])
                hand = np.minimum(hand, joined)
        return smooth_intersection(hand, (at(0) - self.cut_point) @ self.cut_normal, BLEND["cut"])

    def _capsules(self, rows: NDArray[np.int64], at) -> Array:
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

    def _palm(self, at) -> Array:
        parts = self._capsules(np.flatnonzero(self.group == PALM), at)
        palm = parts[0]
        for part in parts[1:]:
            palm = smooth_union(palm, part, BLEND["palm"])
        return palm

    def _digit(self, digit: int, at) -> Array:
        finger = None
        for bone in range(1 + 3 * digit, 4 + 3 * digit):
            part = self._capsules(np.flatnonzero((self.group == digit) & (self.bone == bone)), at).min(axis=0)
            for nail_bone, point, normal in self.nails:
                if nail_bone == bone:
                    part = smooth_intersection(part, (at(bone) - point) @ normal, 2.0 * MM)
            finger = part if finger is None else smooth_union(finger, part, BLEND["digit"])
        assert finger is not None
        return finger


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
    nails: list[tuple[int, Array, Array]] = []
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
                nails.append((row, balls[-2][0] - 0.66 * GIRTH[digit] * squash[2] * pad, _tilted(-pad, skeleton.direction[row], 10.0)))
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
        nails=tuple(nails),
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
