"""Errors of hand keypoints against ground truth.

Arrays are (..., 21, 3) or (..., 21, 2), K21; results have the unit of the input. `score_hands` gives millimetres and
pixels. Keys in brackets name the definition in ``reference/methods.md``, section 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.integrate import trapezoid

from hoi_ros.metrics.checks import check_finite
from hoi_ros.types import Array, HandPose, Intrinsics

MIDDLE_MCP = 9  # joint 4 of HO3D: its order is MANO's, wrist, index 1-3, middle from 4 on
AUC_STEPS = 100
AUC_LIMIT = 0.05  # m


def mpjpe(predicted: Array, true: Array) -> Array:
    """Mean distance of the keypoints [MPJPE/MJE], (...,)."""
    distances: Array = np.linalg.norm(predicted - true, axis=-1)
    return np.asarray(distances.mean(-1))


def r_mpjpe(predicted: Array, true: Array) -> Array:
    """Mean distance after subtracting the wrist, joint 0, from both [R-MPJPE], (...,)."""
    return mpjpe(predicted - predicted[..., :1, :], true - true[..., :1, :])


def procrustes(source: Array, target: Array) -> Array:
    """``source`` moved onto ``target`` by the best similarity: rotation (never a reflection), scale, translation.

    Kabsch-Umeyama; (..., N, 3) both.
    """
    source_mean, target_mean = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    a, b = source - source_mean, target - target_mean
    u, s, vt = np.linalg.svd(np.swapaxes(a, -1, -2) @ b)
    s[..., 2] *= np.sign(np.linalg.det(u @ vt))
    vt[..., 2, :] *= np.sign(np.linalg.det(u @ vt))[..., None]
    spread = (a**2).sum((-1, -2))
    scale = s.sum(-1) / np.where(spread > 0.0, spread, 1.0)
    return np.asarray(scale[..., None, None] * (a @ (u @ vt)) + target_mean)


def pa_mpjpe(predicted: Array, true: Array) -> Array:
    """Mean distance after the best similarity without reflection [PA-MPJPE, HFL-Net's ``rigid_align``], (...,)."""
    return mpjpe(procrustes(predicted, true), true)


def st_mjpe(predicted: Array, true: Array) -> Array:
    """Mean distance with the wrists on each other and the prediction as large as the truth [ST-MJE], (...,).

    Large is how long the palm is, from the wrist to the middle finger's knuckle; nothing is rotated. A prediction
    without a palm, both at one place, keeps its size. Raises Refused(NOT_FINITE).
    """
    check_finite(predicted=predicted, true=true)
    a, b = predicted - predicted[..., :1, :], true - true[..., :1, :]
    length, true_length = (np.linalg.norm(x[..., MIDDLE_MCP, :], axis=-1) for x in (a, b))
    scale = np.where(length > 0.0, true_length, 1.0) / np.where(length > 0.0, length, 1.0)
    return mpjpe(scale[..., None, None] * a, b)


def error_2d(predicted: Array, true: Array) -> Array:
    """Mean distance in the picture, px (...,) of pixels (..., 21, 2)."""
    return mpjpe(predicted, true)


def pck(errors: Array, thresholds: Array) -> Array:
    """Share of keypoints within each threshold (T,), of distances (..., 21), as the mean of the keypoints' shares."""
    within = errors.reshape(-1, errors.shape[-1], 1) <= thresholds
    return np.asarray(within.mean((0, 1)))


def auc(errors: Array) -> float:
    """Area under the PCK curve from 0 to 50 mm, 0..1, of distances (..., 21) in m [AUC: 100 steps, trapezoid]."""
    thresholds = np.linspace(0.0, AUC_LIMIT, AUC_STEPS)
    return float(trapezoid(pck(errors, thresholds), thresholds) / AUC_LIMIT)


def score_hands(samples: Iterable[tuple[list[HandPose], Array, Intrinsics]]) -> dict[str, Any]:
    """Figures over pictures that each show one hand with known keypoints.

    Args:
        samples: for each picture the hands found in it, the true keypoints (21, 3) m in the camera frame, and the
            camera. Of several hands the one nearest to the truth in the picture counts.

    Returns:
        ``frames``, ``found`` (pictures with a hand), ``sides`` (how often each was called), and, over the found ones
        (None when there are none), ``mpjpe_mm``, ``r_mpjpe_mm``, ``pa_mpjpe_mm``, ``error_2d_px``, ``auc``.
    """
    frames, sides = 0, Counter[str]()
    predicted, true, predicted_px, true_px = [], [], [], []
    for hands, truth, intrinsics in samples:
        frames += 1
        if not hands:
            continue
        truth_px = intrinsics.project(truth)
        hand = min(hands, key=lambda h: float(error_2d(h.keypoints_2d, truth_px)))
        sides[hand.side] += 1
        predicted.append(hand.keypoints)
        true.append(truth)
        predicted_px.append(hand.keypoints_2d)
        true_px.append(truth_px)
    figures: dict[str, Any] = {"frames": frames, "found": len(predicted), "sides": dict(sides)}
    names = ("mpjpe_mm", "r_mpjpe_mm", "pa_mpjpe_mm", "error_2d_px", "auc")
    if not predicted:
        return figures | dict.fromkeys(names)
    p, t = np.stack(predicted), np.stack(true)
    values = (
        1e3 * mpjpe(p, t).mean(),
        1e3 * r_mpjpe(p, t).mean(),
        1e3 * pa_mpjpe(p, t).mean(),
        error_2d(np.stack(predicted_px), np.stack(true_px)).mean(),
        auc(np.linalg.norm(p - t, axis=-1)),
    )
    return figures | {name: float(value) for name, value in zip(names, values, strict=True)}
