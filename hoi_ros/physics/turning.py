"""Does a hand turn a part, as twisting a cap, lid, knob or handle needs? The object does not give way.

The wrist turns about the use's force through the part's centre, held in place by springs as a tensed arm would, so that
a hand that presses on one side alone is pushed off. The fingers grip the part, by forces that cancel, and then turn it,
by forces that add up to the torque. The part is turned where it carries the torque, without the touching skin sliding
over it, the hand giving way, or hand and object running into each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray

from hoi_ros.physics.human_hand import HumanHand
from hoi_ros.physics.pushing import CARRIED, DEPTH, FORCE, SLIP
from hoi_ros.physics.squeeze import turning_torques
from hoi_ros.physics.touch import Touch
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

TURN = np.radians(15.0)  # rad, at most, of the wrist until the hand stands
DIGITS = 2  # at least, that touch the part; the palm counts as one

_CLOSING, _SETTLING, _RISE, _TURNING = 0.1, 0.2, 0.2, 0.3  # s


@dataclass(frozen=True)
class Hub:
    """One connected surface of a part (a faucet has two knobs): what is turned at once.

    The torque asked is FORCE at its ``radius`` (m, the farthest it reaches from the axis through its ``centre`` (3,)):
    caps are made to open by a torque in proportion to their diameter. Enough for a cap once it is loose.
    """

    centre: Array
    radius: float

    @property
    def torque(self) -> float:
        """Nm."""
        return FORCE * self.radius


@dataclass(frozen=True)
class Turned:
    """Outcome of a turn."""

    turned: NDArray[np.bool_]  # (N,)
    torque: Array  # (N,) Nm about the axis on the part, as a share of the torque asked
    slip: Array  # (N,) m
    angle: Array  # (N,) rad of the wrist about the axis
    depth: Array  # (N,) m
    reason: tuple[str, ...]  # (N,) "turned", or why not: "missed", "slipped", "gave way" or "penetrates"


def find_hubs(obj: ObjectModel, part: int, axis: Array) -> tuple[Hub, ...]:
    """The hubs of ``part`` for ``axis`` (3,) unit."""
    surface = trimesh.Trimesh(obj.vertices, obj.faces[obj.face_parts == part], process=False)
    faces = np.arange(len(surface.faces))
    return tuple(
        _hub(surface, chosen, axis)
        for chosen in trimesh.graph.connected_components(surface.face_adjacency, nodes=faces)
    )


def turn(
    hand: HumanHand,
    grasps: HandBatch,
    axis: Array,
    hubs: Sequence[Hub],
    pieces: NDArray[np.int64],
    friction: float,
) -> Turned:
    """Turn with each hand the nearest of ``hubs`` about ``axis`` (3,) unit, right-handed; ``pieces`` of the part."""
    outcomes = [_turn(hand, grasps, row, axis, hubs, pieces, friction) for row in range(len(grasps))]
    torque, slip, angle, depth = np.array(outcomes, dtype=np.float64).reshape(-1, 4).T
    reasons = np.select(
        [slip > SLIP, angle > TURN, torque < CARRIED, depth > DEPTH],
        ["slipped", "gave way", "missed", "penetrates"],
        "turned",
    )
    return Turned(reasons == "turned", torque, slip, angle, depth, tuple(reasons.tolist()))


def _turn(
    hand: HumanHand,
    grasps: HandBatch,
    row: int,
    axis: Array,
    hubs: Sequence[Hub],
    pieces: NDArray[np.int64],
    friction: float,
) -> tuple[float, float, float, float]:
    """Share of the torque on the part, slip, angle and depth."""
    hand.pose(grasps, row)
    middle = hand.data.xpos[hand.bodies].mean(axis=0)
    hub = min(hubs, key=lambda hub: float(np.linalg.norm(hub.centre - middle)))
    hand.turn_about(axis, hub.centre)
    grip, turning = (
        turning_torques(hand, hub.centre, moment, friction, pieces) for moment in (np.zeros(3), hub.torque * axis)
    )
    for share in _rising(hand, _CLOSING):
        hand.squeeze(share * grip)
        hand.step(1)
    hand.run(_SETTLING)
    touched, start = Touch(hand, pieces), hand.turned()
    if not touched:
        return 0.0, 0.0, 0.0, 0.0
    for share in _rising(hand, _RISE):
        hand.squeeze(grip + share * (turning - grip))
        hand.turn(share * hub.torque)
        hand.step(1)
    hand.run(_TURNING)
    contacts, forces = hand.contacts(), hand.contact_forces()
    on = np.isin(contacts.pieces, pieces)
    moments = np.cross(contacts.points[on] - hub.centre, forces[on]) @ axis
    torque = moments.sum() / hub.torque if _digits(hand, contacts.bodies[on]) >= DIGITS else 0.0
    return float(torque), touched.slip(), hand.turned() - start, float(-contacts.distances.min(initial=0.0))


def _hub(surface: trimesh.Trimesh, faces: NDArray[np.int64], axis: Array) -> Hub:
    centre = np.average(surface.triangles_center[faces], axis=0, weights=surface.area_faces[faces])
    arms = surface.triangles[faces].reshape(-1, 3) - centre
    return Hub(centre, float(np.linalg.norm(np.cross(arms, axis), axis=1).max()))


def _rising(hand: HumanHand, duration: float) -> Array:
    """Shares from 0 to 1, one for each step."""
    steps = hand.steps(duration)
    return np.arange(1, steps + 1) / steps


def _digits(hand: HumanHand, bodies: NDArray[np.int64]) -> int:
    """How many of the five digits and the palm are among ``bodies``."""
    joints = np.flatnonzero(np.isin(hand.bodies, bodies))
    return len(np.unique((joints + 2) // 3))
