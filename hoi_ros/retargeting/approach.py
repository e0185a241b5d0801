"""How the hand comes to the object: how far it opens, from where it comes, and how the wrist bends for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoi_ros.retargeting.fitting import Fit, Posture
from hoi_ros.retargeting.kinematics import J2
from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.retargeting.spheres import Spheres
from hoi_ros.retargeting.surface import CloudSurface
from hoi_ros.types import Array

DISTANCE = 0.1  # m, that the hand is drawn back
_OFF = (0.012, 0.03)  # m that the fingers are opened off the object
_STRETCHED = ((0.5, 0.5), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))  # then stretched by shares: knuckles, other joints
_STEPS = np.array([0.01, 0.025, 0.045, 0.07, 0.1, 0.16])  # m, where a way back is looked at: on beyond DISTANCE
_FIRST_LOOK, _KEPT = 2, 5  # of the steps, which choose the ways that are looked at further
_CLEAR = 0.003  # m that the hand should keep off the object on its way
_PRICE = 0.0005  # m of overlap that opening further must save
# Directions of approach in the palm's frame, none from behind, the likelier first: -y is out of the palm, z to the
# fingers. And straight down in the object's.
_WAYS = np.array([(x, y, z) for x in (0, -1, 1) for y in (-1, 0) for z in (0, 1, -1) if (x, y, z) != (0, 0, 0)], float)
_WAYS /= np.linalg.norm(_WAYS, axis=1, keepdims=True)
_DOWN = np.array([0.0, 0.0, -1.0])
_WRIST_STEPS = 7, 9  # values of WRJ2 and WRJ1 that are tried
_FOREARM = ((0.045, 0.045), (0.045, 0.09), (0.045, 0.13), (0.032, 0.175))  # m, radius and height of its spheres
_BENT_COST = 0.01  # m of clearance that a radian of bent wrist must bring
_FOREARM_CLEAR = 0.01  # m


@dataclass(frozen=True)
class Ways:
    """How N hands come."""

    opened: Array  # (N, 5, 5) angles by finger and hinge
    approach: Array  # (N, 3) unit
    overlap: Array  # (N,) m, in what is to be kept clear, summed over looks at the way


def ways_back(fit: Fit, grasp: Posture, surface: CloudSurface) -> Ways:
    """Openings and directions of approach on which the hand meets least of the object and the table."""
    n, spheres = len(grasp.angles), fit.spheres
    thumb = 1.0 if spheres.hand.side == "right" else -1.0  # the side, in x, that it is on
    ways = np.concatenate(
        [_WAYS * (thumb, 1.0, 1.0) @ grasp.palm[..., :3].swapaxes(1, 2), np.broadcast_to(_DOWN, (n, 1, 3))], axis=1
    )
    hands = _opened(fit, grasp, surface)
    looked = _back(spheres, surface, hands[1][0], grasp.palm, ways, _STEPS[:_FIRST_LOOK])
    kept = np.argsort(looked, axis=1, kind="stable")[:, :_KEPT]
    ways = np.take_along_axis(ways, kept[..., None], axis=1)
    best, overlap = np.full(n, np.inf), np.empty(n)
    opened, approach = np.empty_like(grasp.angles), np.empty((n, 3))
    for angles, price in hands:
        half = _overlap(spheres, surface, _centres(spheres, 0.5 * (grasp.angles + angles), grasp.palm), 0.0)
        cost = _back(spheres, surface, angles, grasp.palm, ways, _STEPS) + (half + price)[:, None]
        way = cost.argmin(axis=1)
        least = cost[np.arange(n), way]
        better = least < best
        best, overlap = np.where(better, least, best), np.where(better, least - price, overlap)
        opened[better], approach[better] = angles[better], ways[np.arange(n), way][better]
    return Ways(opened, approach, overlap)


def _back(spheres: Spheres, surface: CloudSurface, angles: Array, palm: Array, ways: Array, steps: Array) -> Array:
    """Overlap (N, W) of an open hand that is drawn back against ``ways`` (N, W, 3), summed over ``steps`` m."""
    centres = _centres(spheres, angles, palm)
    back = centres[:, None, None] - steps[:, None, None] * ways[:, :, None, None]
    overlap: Array = _overlap(spheres, surface, back, _CLEAR).sum(axis=2)
    return overlap


def _opened(fit: Fit, grasp: Posture, surface: CloudSurface) -> list[tuple[Array, float]]:
    """Angles (N, 5, 5) of hands opened more and more, each with its price: fingers off the object, then stretched."""
    little, much = (fit.opened(grasp, surface, clear) for clear in _OFF)
    hands = [(little, 0.0), (much, _PRICE)]
    for knuckle, rest in _STRETCHED:
        angles = much.copy()
        angles[:, 1:, :J2] *= 1.0 - knuckle
        angles[:, 1:, J2:] *= 1.0 - rest
        hands.append((angles, _PRICE * (1.0 + knuckle + rest)))
    return hands


def wrists(hand: ShadowHand, palms: Array, approach: Array, surface: CloudSurface) -> Array:
    """WRJ2 and WRJ1 (N, 2), rad, that keep the forearm off the table and the object, bent no more than that needs."""
    grid = np.stack(np.meshgrid(*(np.linspace(hand.lower[i], hand.upper[i], _WRIST_STEPS[i]) for i in (0, 1))), -1)
    angles = np.concatenate([np.zeros((1, 2)), grid.reshape(-1, 2)])
    angles = np.clip(angles, hand.lower[:2], hand.upper[:2])
    positions = np.zeros((len(angles), 24))
    positions[:, :2] = angles
    forearm = np.linalg.inv(hand.link_poses(positions)["palm"])  # (W, 4, 4) in the palm's frame
    radii, heights = np.array(_FOREARM).T
    local = forearm[:, None, :3, 3] + heights[:, None] * forearm[:, None, :3, 2]  # (W, 4, 3)
    centres = np.einsum("nij,wsj->nwsi", palms[..., :3], local) + palms[:, None, None, :, 3]
    gaps = []
    for shift in (0.0, DISTANCE):
        placed = centres - shift * approach[:, None, None]
        gaps.append((surface.free(placed)[0] - radii).min(axis=2))
    lacking = np.maximum(_FOREARM_CLEAR - np.minimum(*gaps), 0.0)
    chosen = np.argmin(lacking + _BENT_COST * np.linalg.norm(angles, axis=1), axis=1)
    return angles[chosen]


def _centres(spheres: Spheres, angles: Array, palm: Array) -> Array:
    return spheres.place(angles, palm)[0][:, spheres.own]


def _overlap(spheres: Spheres, surface: CloudSurface, centres: Array, clear: float) -> Array:
    """How deep the hand's spheres (..., S, 3) are in what is to be kept clear, the deepest of them, m."""
    radii = spheres.radii[spheres.own]
    gap = surface.free(centres)[0] - radii
    deepest: Array = np.maximum(clear - gap.min(axis=-1), 0.0)
    return deepest
