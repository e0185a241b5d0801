"""Skinning weights: smooth ramps along the digits, shared at the webs, with no steep step along any edge."""

import numpy as np
from numpy.typing import NDArray

from .skeleton import DIGITS, Skeleton, bone_of

Array = NDArray[np.float64]
Faces = NDArray[np.int64]

HALF_WIDTH = 0.011
"""Half length of the ramp across a joint, m; shorter where a bone is short."""
STEEPEST = 0.33
"""Largest change of any weight along an edge."""


def build_weights(vertices: Array, faces: Faces, skeleton: Skeleton) -> Array:
    """Weights (V, 16), non-negative, rows sum to one."""
    weights = np.zeros((len(vertices), 16))
    share = _digit_shares(vertices, skeleton)
    for number, digit in enumerate(DIGITS):
        rows = [bone_of(digit, bone) for bone in range(3)]
        moved = share[:, number]
        for row in rows[1:]:
            passed = _ramp(_along(vertices, skeleton, row) / _half_width(skeleton, row))
            weights[:, row - 1] += moved * (1.0 - passed)
            moved = moved * passed
        weights[:, rows[-1]] += moved
    weights[:, 0] = 1.0 - weights.sum(axis=1)
    weights[weights < 0.01] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return _without_steps(weights, faces)


def edges_of(faces: Faces) -> Faces:
    """Unique edges (E, 2)."""
    return np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)


def _ramp(place: Array) -> Array:
    """Zero below -1, one above 1, smooth between."""
    t = np.clip(0.5 * (place + 1.0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _along(vertices: Array, skeleton: Skeleton, row: int) -> Array:
    """Distance past a joint along the mean direction of the bones that meet there (V,)."""
    direction = skeleton.direction[row] + (skeleton.direction[row - 1] if row % 3 != 1 else 0.0)
    return (vertices - skeleton.joints[row]) @ (direction / np.linalg.norm(direction))


def _from_bone(vertices: Array, skeleton: Skeleton, row: int) -> Array:
    """Distance of vertices (V,) from the bone that starts at a joint."""
    start, end = skeleton.joints[row], skeleton.ends()[row]
    place = np.clip((vertices - start) @ (end - start) / ((end - start) @ (end - start)), 0.0, 1.0)
    return np.linalg.norm(vertices - start - place[:, None] * (end - start), axis=1)


def _half_width(skeleton: Skeleton, row: int) -> float:
    ends = skeleton.ends()
    shortest = np.linalg.norm((ends - skeleton.joints)[[row - 1, row]], axis=1).min()
    return min(HALF_WIDTH, 0.52 * float(shortest))


def _digit_shares(vertices: Array, skeleton: Skeleton) -> Array:
    """How much of each vertex each digit moves (V, 5); the rest stays with the palm.

    A finger takes over across its knuckle, later on the palm's side, where its crease lies at the web. The thumb takes
    over along its metacarpal, over a wide field: the ball of the thumb and the first web follow in part.
    """
    distance = np.empty((len(vertices), 5))
    passed = np.empty((len(vertices), 5))
    ends = skeleton.ends()
    for number, digit in enumerate(DIGITS):
        row = bone_of(digit, 0)
        start, tip = skeleton.joints[row], ends[row + 2]
        past = _along(vertices, skeleton, row)
        if digit == "thumb":
            beside = np.min([_from_bone(vertices, skeleton, r) for r in (row, row + 1, row + 2)], axis=0)
            passed[:, number] = _ramp((past - 0.009 - 0.9 * np.maximum(beside - 0.015, 0.0)) / 0.019)
        else:
            palmward = (vertices - start) @ -skeleton.spread[row]
            crease = 0.001 + 0.008 * np.clip((palmward + 0.004) / 0.016, 0.0, 1.0)
            beside = np.linalg.norm(np.cross(vertices - start, (tip - start) / np.linalg.norm(tip - start)), axis=1)
            passed[:, number] = _ramp((past - crease - 0.8 * np.maximum(beside - 0.011, 0.0)) / 0.013)
        distance[:, number] = beside
    fingers = [number for number, digit in enumerate(DIGITS) if digit != "thumb"]
    share = np.zeros_like(passed)
    nearness = np.exp(-(distance[:, fingers] - distance[:, fingers].min(axis=1, keepdims=True)) / 0.0015)
    share[:, fingers] = passed[:, fingers] * nearness / nearness.sum(axis=1, keepdims=True)
    thumb = DIGITS.index("thumb")
    share[:, thumb] = passed[:, thumb] * (1.0 - _ramp((distance[:, thumb] - 0.024) / 0.008))
    share[:, fingers] *= 1.0 - share[:, [thumb]]
    return share


def _without_steps(weights: Array, faces: Faces) -> Array:
    """Brings the two ends of every steep edge towards each other until no weight steps by more than ``STEEPEST``."""
    edges = edges_of(faces)
    weights = weights.copy()
    for _ in range(1000):
        step = weights[edges[:, 0]] - weights[edges[:, 1]]
        largest = np.abs(step).max(axis=1)
        steep = np.flatnonzero(largest > STEEPEST)
        if not len(steep):
            return weights
        for edge in steep:
            a, b = edges[edge]
            change = weights[a] - weights[b]
            size = np.abs(change).max()
            if size > STEEPEST:
                half = 0.5 * (1.0 - (STEEPEST - 1e-3) / size) * change
                weights[a] -= half
                weights[b] += half
    raise RuntimeError("the weights stay steep")
