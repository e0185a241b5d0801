"""Rotations as the solver needs them: exponential, its right Jacobian, and back. Any leading axes."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.types import Array

# vector @ _SKEW gives the nine entries of the cross product matrix.
_SKEW = np.zeros((3, 9))
_SKEW[0, [5, 7]] = -1.0, 1.0
_SKEW[1, [2, 6]] = 1.0, -1.0
_SKEW[2, [1, 3]] = -1.0, 1.0
_EYE = np.eye(3)


def skew(vectors: Array) -> Array:
    """Cross product matrices (..., 3, 3) of vectors (..., 3)."""
    matrices: Array = (vectors @ _SKEW).reshape(*vectors.shape, 3)
    return matrices


def exp(vectors: Array) -> Array:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3), rad."""
    return exp_and_jacobian(vectors)[0]


def exp_and_jacobian(vectors: Array) -> tuple[Array, Array]:
    """Rotation matrices and right Jacobians, both (..., 3, 3).

    With ``R = exp(v)`` and ``J`` its right Jacobian, ``exp(v + dv) = R exp(J dv)`` to first order.
    """
    square = np.einsum("...i,...i->...", vectors, vectors)
    small = square < 1e-10
    safe = np.where(small, 1.0, square)
    angle = np.sqrt(safe)
    sine = np.sin(angle)
    a = np.where(small, 1.0 - square / 6.0, sine / angle)[..., None, None]
    b = np.where(small, 0.5 - square / 24.0, (1.0 - np.cos(angle)) / safe)[..., None, None]
    c = np.where(small, 1.0 / 6.0, (angle - sine) / (angle * safe))[..., None, None]
    cross = skew(vectors)
    cross_twice = cross @ cross
    return _EYE + a * cross + b * cross_twice, _EYE - b * cross + c * cross_twice


def log(matrices: Array) -> Array:
    """Axis-angle vectors (..., 3), no longer than pi, of rotation matrices (..., 3, 3)."""
    vectors: Array = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(matrices.shape[:-1])
    return vectors


def align(source: Array, target: Array, weights: Array) -> tuple[Array, Array]:
    """Rigid motion (B, 3, 3), (B, 3) that best takes weighted points (B, N, 3) onto others, by SVD (Kabsch 1976)."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    source_mean = np.einsum("bn,bni->bi", weights, source)
    target_mean = np.einsum("bn,bni->bi", weights, target)
    covariance = np.einsum("bn,bni,bnj->bij", weights, target - target_mean[:, None], source - source_mean[:, None])
    left, _, right = np.linalg.svd(covariance)
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    rotation = left @ right
    return rotation, target_mean - np.einsum("bij,bj->bi", rotation, source_mean)
