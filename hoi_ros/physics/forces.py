"""Forces that fingers can press with: inside their friction cones, balancing each other on the object."""

from __future__ import annotations

import numpy as np

from hoi_ros.types import Array

TOTAL = 30.0  # N, sum of the normal forces: a firm hold, far below what a hand can do
RELIED = 0.45  # friction that the squeeze relies on, at most, which leaves it a reserve
TORQUE = 0.4  # Nm, at most in any joint, which leaves the servos a reserve
EDGES = 6  # of the pyramid that stands for the friction cone
_EXACT = 10.0  # weight of the sum of forces
_NEWTON_STEPS = 60
SPREAD = 0.1  # weight of small forces against balance: shares the load among the contacts


def gripping(points: Array, normals: Array, centre: Array, moment: Array, friction: float) -> Array:
    """Forces (K, EDGES, 3) N, along the edges of the friction cones, on an object.

    It is touched at ``points`` (K, 3) m, where its outward normals are ``normals`` (K, 3). The forces' normal parts add
    up to TOTAL, and their wrench is ``moment`` (3,) Nm about ``centre`` (3,) m alone, as far as they can.
    """
    edges = cone_edges(normals, min(friction, RELIED))
    arms = points - centre
    length = np.linalg.norm(arms, axis=1).max()
    wrench = np.concatenate([edges, np.cross(arms[:, None], edges) / length], axis=2).reshape(-1, 6).T
    rows = np.concatenate([wrench, np.full((1, wrench.shape[1]), _EXACT)])
    aim = np.concatenate([np.zeros(3), moment / (length * TOTAL), [_EXACT]])
    shares = non_negative(rows, aim)
    return TOTAL * shares.reshape(-1, EDGES, 1) * edges


def within_torque(torques: Array) -> Array:
    """Torques, all scaled down where one is above TORQUE."""
    return torques * min(1.0, TORQUE / max(float(np.abs(torques).max()), 1e-9))


def non_negative(rows: Array, aim: Array) -> Array:
    """The x (n,) >= 0 that minimises ``|rows x - aim|^2 + (SPREAD |x|)^2`` for few rows (m, n).

    With the residual y, x = max(0, rows^T y) / SPREAD^2: a root in m unknowns, found by Newton's method with steps
    that lower the convex function it is the gradient of. That takes a millisecond where n is a thousand.
    """
    weight = SPREAD**2
    residual = aim.astype(np.float64)
    for _ in range(_NEWTON_STEPS):
        positive = np.maximum(residual @ rows, 0.0)
        gradient = residual - aim + rows @ positive / weight
        if np.abs(gradient).max() < 1e-9 * np.abs(aim).max():
            break
        active = rows[:, positive > 0.0]
        step = np.linalg.solve(np.eye(len(aim)) + active @ active.T / weight, gradient)
        value, scale = _dual(rows, aim, residual), 1.0
        while _dual(rows, aim, residual - scale * step) > value - 1e-4 * scale * (gradient @ step) and scale > 1e-6:
            scale /= 2.0
        residual = residual - scale * step
    return np.maximum(residual @ rows, 0.0) / weight


def _dual(rows: Array, aim: Array, residual: Array) -> float:
    positive = np.maximum(residual @ rows, 0.0)
    return float(residual @ residual / 2.0 - aim @ residual + positive @ positive / (2.0 * SPREAD**2))


def cone_edges(normals: Array, friction: float) -> Array:
    """Edges (K, E, 3) of pyramids inside the friction cones of forces on the object at its normals (K, 3), normal parts 1."""
    inwards = -normals
    side = np.cross(inwards, np.where(np.abs(inwards[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(inwards, side)
    turn = 2.0 * np.pi * np.arange(EDGES)[:, None] / EDGES
    edges: Array = inwards[:, None] + friction * (np.cos(turn) * side[:, None] + np.sin(turn) * other[:, None])
    return edges
