"""Errors of surfaces given as points, first of all the 778 vertices of a hand.

Arrays are (..., V, 3), m. Keys in brackets name the definition in ``reference/methods.md``, section 2. All raise
Refused(NOT_FINITE).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from hoi_ros.metrics.checks import check_count, check_finite
from hoi_ros.metrics.hands import mpjpe
from hoi_ros.types import Array

F_THRESHOLDS = (0.005, 0.015)  # m


def vertex_error(predicted: Array, true: Array) -> Array:
    """Mean distance (...,) of corresponding vertices: the papers' V-PE, of an object's vertices [OME].

    PA-V-PE is the same of ``procrustes(predicted, true)``.
    """
    check_finite(predicted=predicted, true=true)
    return mpjpe(predicted, true)


def f_scores(predicted: Array, true: Array, thresholds: Sequence[float] = F_THRESHOLDS) -> Array:
    """F-scores (..., T), 0..1, of points (..., P, 3) against (..., Q, 3) [F@5/15; of surface samples, FS@k].

    Precision is the share of the predicted points nearer than the threshold to any true one, recall that of the true
    ones near any predicted one, F their harmonic mean, 0 where both are 0. Points need not correspond.

    Raises also Refused(PARAMETER) without points.
    """
    batch = predicted.shape[:-2]
    pairs = zip(predicted.reshape(-1, *predicted.shape[-2:]), true.reshape(-1, *true.shape[-2:]), strict=True)
    limits = np.asarray(thresholds)[:, None]
    scores = np.zeros((int(np.prod(batch)), len(thresholds)))
    for row, (points, truth) in enumerate(pairs):
        precision, recall = ((d < limits).mean(axis=1) for d in nearest_distances(points, truth))
        total = precision + recall
        scores[row] = 2.0 * precision * recall / np.where(total > 0.0, total, 1.0)
    return scores.reshape(*batch, len(thresholds))


def nearest_distances(predicted: Array, true: Array) -> tuple[Array, Array]:
    """Distance (P,) of each predicted point (P, 3) to the nearest true one, and (Q,) of each true point (Q, 3) back.

    Raises also Refused(PARAMETER) without points.
    """
    for name, points in (("predicted", predicted), ("true", true)):
        check_count(len(points), 1, f"{name} points", "a distance")
        check_finite(**{name: points})
    forth, _ = cKDTree(true).query(predicted)
    back, _ = cKDTree(predicted).query(true)
    return forth, back
