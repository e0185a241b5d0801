"""How a hand squeezes: finger torques whose contact forces balance each other on the object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.physics.forces import EDGES, cone_edges, gripping, non_negative, within_torque
from hoi_ros.physics.simulation import Contacts, Simulation
from hoi_ros.types import Array

WITHIN = 0.004  # m, skin that near to the object takes part


def squeeze(simulation: Simulation, friction: float) -> Array:
    """Torques (servos,) Nm of the fingers on what is near them; zero where no skin is near.

    The contact forces add up to TOTAL newtons in their normal parts, lie inside the friction cones, and leave as
    little wrench on the object as they can, shared among the contacts; the torques hold them (tau = J^T f). The palm
    gives way to nothing, so its forces come for free.
    """
    contacts = simulation.contacts(WITHIN)
    if not simulation.servos or not len(contacts.points):
        return np.zeros(simulation.servos)
    centre = simulation.object_pose()[0]
    return _torques(simulation, contacts, gripping(contacts.points, contacts.normals, centre, np.zeros(3), friction))


def turning_torques(
    simulation: Simulation, centre: Array, moment: Array, friction: float, pieces: NDArray[np.int64]
) -> Array:
    """As ``squeeze``, but of the ``pieces`` near the fingers, leaving ``moment`` (3,) Nm about ``centre`` (3,) m."""
    near = simulation.contacts(WITHIN)
    contacts = near[np.isin(near.pieces, pieces)]
    if not len(contacts.points):
        return np.zeros(simulation.servos)
    return _torques(simulation, contacts, gripping(contacts.points, contacts.normals, centre, moment, friction))


def pushing_torques(simulation: Simulation, force: Array, friction: float, pieces: NDArray[np.int64]) -> Array:
    """Torques (servos,) Nm of the fingers that carry ``force`` (3,) N to the ``pieces`` of the object near them."""
    near = simulation.contacts(WITHIN)
    contacts = near[np.isin(near.pieces, pieces)]
    if not len(contacts.points):
        return np.zeros(simulation.servos)
    edges = cone_edges(contacts.normals, friction)
    shares = non_negative(edges.reshape(-1, 3).T, force)
    return _torques(simulation, contacts, shares.reshape(-1, EDGES, 1) * edges)


def _torques(simulation: Simulation, contacts: Contacts, forces: Array) -> Array:
    """What holds ``forces`` (K, E, 3) N, all scaled down where a joint cannot."""
    return within_torque(np.einsum("kei,kdi->d", forces, simulation.levers(contacts)))
