"""How a hand squeezes: finger torques whose contact forces balance each other on the object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.physics.simulation import Contacts, Simulation
from hoi_ros.types import Array

WITHIN = 0.004  # m, skin that near to the object takes part
TOTAL = 30.0  # N, sum of the normal forces: a firm hold, far below what a hand can do
RELIED = 0.45  # friction that the squeeze relies on, at most, which leaves it a reserve
TORQUE = 0.4  # Nm, at most in any joint, which leaves the servos a reserve
_EDGES = 6  # of the pyramid that stands for the friction cone
_EXACT = 10.0  # weight of the sum of forces
_NEWTON_STEPS = 60
_SPREAD = 0.1  # weight of small forces against balance: shares the load among the contacts


def squeeze(simulation: Simulation, friction: float) -> Array:
    """Torques (servos,) Nm of the fingers on what is near them; zero where no skin is near.

    The contact forces add up to TOTAL newtons in their normal parts, lie inside the friction cones, and leave as
    little wrench on the object as they can, shared among the contacts; the torques hold them (tau = J^T f). The palm
    gives way to nothing, so its forces come for free.
    """
    contacts = simulation.contacts(WITHIN)
    if not simulation.servos or not len(contacts.points):
        return np.zeros(simulation.servos)
    return _gripping(simulation, contacts, simulation.object_pose()[0], np.zeros(3), friction)


def turning_torques(
    simulation: Simulation, centre: Array, moment: Array, friction: float, pieces: NDArray[np.int64]
) -> Array:
    """As ``squeeze``, but of the ``pieces`` near the fingers, leaving ``moment`` (3,) Nm about ``centre`` (3,) m."""
    near = simulation.contacts(WITHIN)
    contacts = near[np.isin(near.pieces, pieces)]
    if not len(contacts.points):
        return np.zeros(simulation.servos)
    return _gripping(simulation, contacts, centre, moment, friction)


def pushing_torques(simulation: Simulation, force: Array, friction: float, pieces: NDArray[np.int64]) -> Array:
    """Torques (servos,) Nm of the fingers that carry ``force`` (3,) N to the ``pieces`` of the object near them."""
    near = simulation.contacts(WITHIN)
    contacts = near[np.isin(near.pieces, pieces)]
    if not len(contacts.points):
        return np.zeros(simulation.servos)
    edges = _cone_edges(contacts, friction)
    shares = _non_negative(edges.reshape(-1, 3).T, force)
    return _torques(simulation, contacts, shares.reshape(-1, _EDGES, 1) * edges)


def _gripping(simulation: Simulation, contacts: Contacts, centre: Array, moment: Array, friction: float) -> Array:
    """Torques of forces whose normal parts add up to TOTAL, and whose wrench is ``moment`` alone as far as they can."""
    edges = _cone_edges(contacts, min(friction, RELIED))
    arms = contacts.points - centre
    length = np.linalg.norm(arms, axis=1).max()
    wrench = np.concatenate([edges, np.cross(arms[:, None], edges) / length], axis=2).reshape(-1, 6).T
    rows = np.concatenate([wrench, np.full((1, wrench.shape[1]), _EXACT)])
    aim = np.concatenate([np.zeros(3), moment / (length * TOTAL), [_EXACT]])
    shares = _non_negative(rows, aim)
    return _torques(simulation, contacts, TOTAL * shares.reshape(-1, _EDGES, 1) * edges)


def _non_negative(rows: Array, aim: Array) -> Array:
    """The x (n,) >= 0 that minimises ``|rows x - aim|^2 + (_SPREAD |x|)^2`` for few rows (m, n).

    With the residual y, x = max(0, rows^T y) / _SPREAD^2: a root in m unknowns, found by Newton's method with steps
    that lower the convex function it is the gradient of. That takes a millisecond where n is a thousand.
    """
    weight = _SPREAD**2
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
    return float(residual @ residual / 2.0 - aim @ residual + positive @ positive / (2.0 * _SPREAD**2))


def _cone_edges(contacts: Contacts, friction: float) -> Array:
    """Edges (K, E, 3) of pyramids inside the friction cones of forces on the object, normal parts 1."""
    inwards = -contacts.normals
    side = np.cross(inwards, np.where(np.abs(inwards[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(inwards, side)
    turn = 2.0 * np.pi * np.arange(_EDGES)[:, None] / _EDGES
    edges: Array = inwards[:, None] + friction * (np.cos(turn) * side[:, None] + np.sin(turn) * other[:, None])
    return edges


def _torques(simulation: Simulation, contacts: Contacts, forces: Array) -> Array:
    """What holds ``forces`` (K, E, 3) N, all scaled down where a joint cannot."""
    torques = np.einsum("kei,kdi->d", forces, simulation.levers(contacts))
    return torques * min(1.0, TORQUE / max(float(np.abs(torques).max()), 1e-9))
