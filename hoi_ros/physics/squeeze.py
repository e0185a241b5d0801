"""How a hand squeezes: finger torques whose contact forces balance each other on the object."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from hoi_ros.physics.simulation import Contacts, Simulation
from hoi_ros.types import Array

WITHIN = 0.004  # m, skin that near to the object takes part
TOTAL = 8.0  # N, sum of the normal forces
TORQUE = 0.3  # Nm, at most in any joint
_EDGES = 6  # of the pyramid that stands for the friction cone
_SPREAD = 0.1  # weight of small forces against balance: shares the load among the contacts


def squeeze(simulation: Simulation, friction: float) -> Array:
    """Torques (26,) Nm of the fingers on what is near them.

    The contact forces are those non-negative ones inside the friction cones that leave the least wrench on the object
    and are shared most evenly, found by least squares; the torques hold them (tau = J^T f). The palm gives way to
    nothing, so its forces come for free. Zero where no finger is near.
    """
    contacts = simulation.contacts(WITHIN)
    torques = np.zeros(simulation.model.nu)
    if not len(contacts.points):
        return torques
    forces = balanced_forces(contacts, simulation.object_pose()[0], friction)
    torques = np.einsum("ki,kdi->d", forces, simulation.levers(contacts))
    return torques * min(1.0, TORQUE / max(float(np.abs(torques).max()), 1e-9))


def balanced_forces(contacts: Contacts, centre: Array, friction: float) -> Array:
    """Forces (K, 3) N of the hand on the object, TOTAL newtons in their normal parts, as near to balance as can be."""
    inwards = -contacts.normals
    side = np.cross(inwards, np.where(np.abs(inwards[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = 2.0 * np.pi * np.arange(_EDGES) / _EDGES
    tangents = (
        np.cos(turn)[:, None] * side[:, None] + np.sin(turn)[:, None] * np.cross(inwards, side)[:, None]
    )  # (K, E, 3)
    edges = (inwards[:, None] + friction * tangents).reshape(-1, 3)
    arms = np.repeat(contacts.points - centre, _EDGES, axis=0)
    size = np.linalg.norm(contacts.points - centre, axis=1).max() + 1e-6
    wrench = np.concatenate([edges.T, np.cross(arms, edges).T / size])
    count = edges.shape[0]
    rows = np.concatenate([wrench, _SPREAD * np.eye(count), 10.0 * np.ones((1, count))])
    aim = np.concatenate([np.zeros(6 + count), [10.0]])
    shares = nnls(rows, aim)[0]
    return TOTAL * (shares[:, None] * edges).reshape(-1, _EDGES, 3).sum(axis=1)
