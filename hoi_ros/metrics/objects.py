"""Errors of an object's pose and of its surface.

Poses (..., 4, 4) take points of the object's frame, m, to the camera's; ``predicted`` and ``true`` broadcast, results
are (...,), m. ``vertices`` (V, 3) is the model. Memory grows with poses times vertices: give a long recording in
blocks. Keys in brackets name the definition in ``reference/methods.md``, section 2.

All raise Refused(NOT_FINITE); those with poses Refused(PARAMETER) for one that is not rigid, such as a mirrored one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.metrics.checks import check_finite
from hoi_ros.metrics.vertices import f_scores, nearest_distances
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

Mask = NDArray[np.bool_]

FS_THRESHOLDS = (0.001, 0.005, 0.01)  # m
CM2 = 1e4  # of a m^2
_CORNERS = np.indices((2, 2, 2)).reshape(3, 8).T  # low or high in x, y and z
_RIGID = 1e-4  # single precision passes, any scale or shear that matters does not


def relative_to(poses: Array, roots: Array) -> Array:
    """Poses with the position taken from a root (..., 3), m, as the literature gives OCE and MCE: each hand's wrist.

    Axes stay the camera's.
    """
    moved = np.array(np.broadcast_to(poses, (*np.broadcast_shapes(poses.shape[:-2], roots.shape[:-1]), 4, 4)))
    moved[..., :3, 3] -= roots
    return moved


def oce(predicted: Array, true: Array) -> Array:
    """Distance of the centres, which are the origins of the object's frame, as HOISDF's are [OCE].

    Root-relative with poses from `relative_to`.
    """
    _check_poses(predicted=predicted, true=true)
    distance: Array = np.linalg.norm(predicted[..., :3, 3] - true[..., :3, 3], axis=-1)
    return np.asarray(distance)


def mce(predicted: Array, true: Array, vertices: Array) -> Array:
    """Mean distance of the 8 corners of the boxes, along the camera's axes, of the model where each pose puts it [MCE].

    Root-relative with poses from `relative_to`.
    """
    _check_poses(predicted=predicted, true=true)
    check_finite(vertices=vertices)
    p, t = transformed(predicted, vertices), transformed(true, vertices)
    ends = np.stack([p.min(-2) - t.min(-2), p.max(-2) - t.max(-2)], axis=-2)
    return np.asarray(np.linalg.norm(ends[..., _CORNERS, np.arange(3)], axis=-1).mean(-1))


def add(predicted: Array, true: Array, vertices: Array) -> Array:
    """Mean distance of each vertex in one pose from the same vertex in the other: ADD [OME]."""
    _check_poses(predicted=predicted, true=true)
    check_finite(vertices=vertices)
    apart = transformed(predicted - true, vertices)  # the difference of two affine maps is one
    return np.asarray(np.linalg.norm(apart, axis=-1).mean(-1))


def add_s(predicted: Array, true: Array, vertices: Array) -> Array:
    """Mean distance of each vertex in the true pose from the nearest vertex in the predicted one [ADD-S].

    HOISDF's and UniHOPE's code goes the other way, from the predicted vertices to the true ones; that is
    ``add_s(true, predicted, vertices)``.
    """
    _check_poses(predicted=predicted, true=true)
    check_finite(vertices=vertices)
    seen_from_predicted = np.linalg.inv(predicted) @ true  # one tree serves all poses: distances know no rigid motion
    distance, _ = cKDTree(vertices).query(transformed(seen_from_predicted, vertices))
    return np.asarray(distance.mean(-1))


def add_05d(predicted: Array, true: Array, vertices: Array, symmetric: bool = False) -> Mask:
    """Whether ADD, of a symmetric object ADD-S, is at most half the diagonal of the model's box in its own frame.

    The mean over frames is the recall [ADD-0.5D]; UniHOPE takes it over the frames of grasps alone.
    """
    error = (add_s if symmetric else add)(predicted, true, vertices)
    diagonal = np.linalg.norm(np.ptp(vertices, axis=0))
    within: Mask = error <= 0.5 * diagonal
    return np.asarray(within)


def chamfer_cm2(predicted: Array, true: Array) -> float:
    """Mean squared distance to the nearest point, both ways added, in cm^2 (not m^2), of points (P, 3), (Q, 3) m [CD].

    gSDF takes 30,000 random points of each surface, which are the caller's to draw, and the median over pictures.

    Raises also Refused(PARAMETER) without points.
    """
    return CM2 * float(sum((d**2).mean() for d in nearest_distances(predicted, true)))


def fs_at_1_5_10(predicted: Array, true: Array) -> Array:
    """F-scores (3,), 0..1, at 1, 5 and 10 mm of the points of `chamfer_cm2` [FS@k]."""
    return f_scores(predicted, true, FS_THRESHOLDS)


def transformed(poses: Array, points: Array) -> Array:
    """Points (..., V, 3) of points (V, 3) under matrices (..., 4, 4)."""
    return np.asarray(points @ np.swapaxes(poses[..., :3, :3], -1, -2) + poses[..., None, :3, 3])


def _check_poses(**poses: Array) -> None:
    check_finite(**poses)
    for name, matrices in poses.items():
        rotations = matrices[..., :3, :3]
        skew = np.abs(np.swapaxes(rotations, -1, -2) @ rotations - np.eye(3)).max(initial=0.0)
        last = np.abs(matrices[..., 3, :] - [0.0, 0.0, 0.0, 1.0]).max(initial=0.0)
        if max(skew, last) > _RIGID or (np.linalg.det(rotations) < 0.0).any():
            raise Refused(
                Reason.PARAMETER, f"{name} holds poses that are not rigid: mirrored, or {max(skew, last):.3g} off"
            )
