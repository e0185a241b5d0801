"""How large an object is, and how far a hand must open for it: what a cloud tells a description."""

from __future__ import annotations

import numpy as np

from hoi_ros.hand.limits import palm_back
from hoi_ros.types import Array

BEFORE = 0.02  # m out of the palm, where a hand holds
ABOUT = 0.05  # m about that place
BESIDE = 0.015  # m about the line from tip to tip
FEWEST = 12  # points that tell a thickness
INNER = (5.0, 95.0)  # percentiles between which things are measured: strays are not
KNUCKLES = [5, 9, 13, 17]


def extents(points: Array) -> Array:
    """Sides (3,) m of a box about points (N, 3), longest first, along their principal axes."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    low, high = np.percentile(centred @ axes.T, INNER, axis=0)
    return np.asarray(np.sort(high - low)[::-1])


def gripped_width(points: Array, keypoints: Array) -> float | None:
    """How far, m, what of points (N, 3) lies before the palm of keypoints (21, 3) reaches along the fingers.

    None where nothing lies there. That is what fingers must reach around; wrist and knuckles alone tell it, since
    fingers may be hidden. Right hands.
    """
    palm = keypoints[KNUCKLES].mean(axis=0) - BEFORE * palm_back(keypoints)
    near = points[np.linalg.norm(points - palm, axis=1) < ABOUT]
    if len(near) < FEWEST:
        return None
    forward = keypoints[9] - keypoints[0]
    low, high = np.percentile(near @ (forward / np.linalg.norm(forward)), INNER)
    return float(high - low)


def held_width(points: Array, keypoints: Array) -> float | None:
    """How thick, m, points (N, 3) are between the tips of thumb and next fingers of keypoints (21, 3), if they are.

    By those who know the whole hand: what fingers that are hidden hold between them.
    """
    start, end = keypoints[4], keypoints[[8, 12]].mean(axis=0)
    length = float(np.linalg.norm(end - start))
    way = (end - start) / max(length, 1e-6)
    along = (points - start) @ way
    aside = np.linalg.norm(points - start - along[:, None] * way, axis=1)
    between = along[(aside < BESIDE) & (along > -BESIDE) & (along < length + BESIDE)]
    return float(np.ptp(between)) if len(between) >= FEWEST else None
