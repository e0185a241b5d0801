"""The hand as spheres along its links, with their Jacobians: what it touches and what it would cut through."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hoi_ros.retargeting.bodies import Shape, bodies
from hoi_ros.retargeting.kinematics import DEPTH, J1, J2, Fingers
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.types import Array

VARIABLES = len(FINGERS) * DEPTH + 6  # hinges by finger, then turn and shift of the palm
_ALONG = 3  # spheres along a bone
_SHORT = 0.003  # m: half of a bone that one sphere fills
_GRID = 0.014  # m, between spheres of the palm
# Links by hinge, J5 to J1; the thumb's bones sit one hinge nearer to the palm than the fingers'.
_THUMB = ("thbase", "thproximal", "thhub", "thmiddle", "thdistal")
_FINGER = ("", "knuckle", "proximal", "middle", "distal")
PALM = -1  # bone of a sphere that no finger moves


class Spheres:
    """Spheres of a hand's palm and fingers. Sphere ``s`` belongs to ``finger[s]`` (PALM: none) and hinge ``link[s]``.

    A posture is ``angles`` (N, 5, 5) by finger and hinge, J5 to J1, and the palm's pose (N, 3, 4) in some frame.
    """

    def __init__(self, hand: ShadowHand) -> None:
        self.hand = hand
        points: list[tuple[int, Array]] = []
        radii: list[Array] = []
        for hinge in range(DEPTH):
            centres, sizes = zip(*(_of_link(hand, row, hinge) for row in range(len(FINGERS))), strict=True)
            for number in range(_ALONG):
                points.append((hinge, np.stack([one[number] for one in centres])))
                radii.append(np.array([one[number] for one in sizes]))
        tips = np.array([hand.tips[finger] for finger in FINGERS])
        self._fingers = Fingers(hand, [*points, (J1, tips), (J2, np.zeros((len(FINGERS), 3)))])
        self._palm, palm_radii = _of_palm(hand)
        self._per_finger = len(points)
        self.radii = np.concatenate([np.stack(radii, axis=1).ravel(), palm_radii])
        links = np.tile([hinge for hinge, _ in points], len(FINGERS))
        self.finger = np.concatenate([np.repeat(np.arange(len(FINGERS)), len(points)), np.full(len(self._palm), PALM)])
        self.link = np.concatenate([links, np.full(len(self._palm), PALM)])

    @cached_property
    def own(self) -> NDArray[np.bool_]:
        """(S,) that stand for flesh; the rest are padding, so that all links have as many."""
        own: NDArray[np.bool_] = self.radii > 0.0
        return own

    def nearest(self, gap: Array, finger: int, hinge: int) -> NDArray[np.intp]:
        """The sphere (N,) of a link that has the least ``gap`` (N, S)."""
        mine = np.flatnonzero((self.finger == finger) & (self.link == hinge))
        chosen: NDArray[np.intp] = mine[np.argmin(gap[:, mine], axis=1)]
        return chosen

    def place(self, angles: Array, palm: Array) -> tuple[Array, Array, Array, Array]:
        """Centres (N, S, 3), marks (N, 5, 2, 3) (tip and middle joint of each finger), and the Jacobians of both.

        Jacobians are (N, ..., 3, VARIABLES) in the palm's axes, of hinges and of the palm's twist in its own frame.
        """
        n = len(angles)
        made, moves = self._fingers(angles)  # (N, 5, 3, K), (N, 5, 5, 3, K)
        made, moves = made.transpose(0, 1, 3, 2), moves.transpose(0, 1, 4, 3, 2)
        count = made.shape[2]
        jacobian = np.zeros((n, len(FINGERS), count, 3, VARIABLES))
        for finger in range(len(FINGERS)):
            jacobian[:, finger, :, :, DEPTH * finger : DEPTH * (finger + 1)] = moves[:, finger]
        k = self._per_finger
        still = np.zeros((n, len(self._palm), 3, VARIABLES))
        centres = np.concatenate([made[:, :, :k].reshape(n, -1, 3), np.repeat(self._palm[None], n, axis=0)], axis=1)
        jacobians = np.concatenate([jacobian[:, :, :k].reshape(n, -1, 3, VARIABLES), still], axis=1)
        marks, mark_jacobians = made[:, :, k:], jacobian[:, :, k:]
        for points, rows in ((centres, jacobians), (marks, mark_jacobians)):
            rows[..., -6:-3], rows[..., -3:] = _turning(points), np.eye(3)
        return _moved(centres, palm), _moved(marks, palm), jacobians, mark_jacobians


def _turning(points: Array) -> Array:
    """Derivatives (..., 3, 3) of points by a turn of their frame: minus their cross product matrices."""
    x, y, z = np.moveaxis(points, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=-1).reshape(*points.shape, 3)


def _moved(points: Array, palm: Array) -> Array:
    shape = points.shape
    flat = points.reshape(shape[0], -1, 3)
    moved: Array = flat @ palm[..., :3].swapaxes(-1, -2) + palm[:, None, :, 3]
    return moved.reshape(shape)


def _of_link(hand: ShadowHand, finger: int, hinge: int) -> tuple[Array, Array]:
    """Centres (_ALONG, 3) along a link's bone, and radii (_ALONG,): 0 where one is not needed to fill the link."""
    name = FINGERS[finger].lower()
    link = _THUMB[hinge] if finger == 0 else f"{name}{_FINGER[hinge]}" if hinge else f"{name}metacarpal"
    body = bodies(hand.side).get(link)
    if body is None:
        return np.zeros((_ALONG, 3)), np.zeros(_ALONG)
    (shape,) = body.shapes
    half = shape.size[1] if shape.kind == "capsule" else shape.size[2] - shape.size[1]
    radius = shape.size[0] if shape.kind == "capsule" else shape.size[1]
    needed = np.abs(np.linspace(-half, half, _ALONG)) >= (_SHORT if half < _SHORT else 0.0)
    needed[_ALONG // 2] = True
    return _line(shape, half), np.where(needed, radius, 0.0)


def _line(shape: Shape, half: float) -> Array:
    along: Array = np.linspace(-half, half, _ALONG)[:, None] * shape.pose[:3, 2]
    return np.asarray(shape.xyz) + along


def _of_palm(hand: ShadowHand) -> tuple[Array, Array]:
    """Centres (P, 3) and radii (P,) of spheres that fill the palm."""
    centres: list[Array] = []
    radii: list[Array] = []
    for shape in bodies(hand.side)["palm"].shapes:
        if shape.kind == "capsule":
            centres.append(_line(shape, shape.size[1]))
            radius = shape.size[0]
        else:
            radius = shape.size[1]
            x, z = (
                np.linspace(-room, room, max(2, int(np.ceil(2 * room / _GRID)) + 1)) if room > 1e-6 else np.zeros(1)
                for room in (max(shape.size[0] - radius, 0.0), max(shape.size[2] - radius, 0.0))
            )
            grid = np.stack(np.meshgrid(x, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 3)
            centres.append(grid + np.asarray(shape.xyz))
        radii.append(np.full(len(centres[-1]), radius))
    return np.concatenate(centres), np.concatenate(radii)
