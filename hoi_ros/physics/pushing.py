"""Does a hand push a part, as pressing, supporting and levering need? The object does not give way.

The wrist slides along the use's force, pushed with 5 N, held sideways by a spring as a compliant arm would, and does
not turn. The fingers are stiffened for that force. The part is pushed where it carries the force, without the touching
skin sliding over it, the hand giving way, or hand and object running into each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.physics.human_hand import HumanHand
from hoi_ros.physics.squeeze import pushing_torques
from hoi_ros.physics.touch import Touch
from hoi_ros.types import Array, HandBatch

FORCE = 5.0  # N
CARRIED = 0.8  # of the force, at least, by the part
SLIP = 0.005  # m, at most, of the touching skin along the surface
ADVANCE = 0.02  # m, at most, of the wrist until the hand stands
DEPTH = 0.003  # m, at most, of hand in object while pushing

_APPROACH, _RISE, _PUSH = 0.2, 0.2, 0.3  # s
_TOUCH = 0.2  # of the force while the hand comes to the part


@dataclass(frozen=True)
class Pushed:
    """Outcome of a push."""

    pushed: NDArray[np.bool_]  # (N,)
    force: Array  # (N,) N along the push on the part
    slip: Array  # (N,) m
    advance: Array  # (N,) m of the wrist along the push
    depth: Array  # (N,) m
    reason: tuple[str, ...]  # (N,) "pushed", or why not: "missed", "slipped", "gave way" or "penetrates"


def push(hand: HumanHand, grasps: HandBatch, direction: Array, pieces: NDArray[np.int64], friction: float) -> Pushed:
    """Push with each hand along ``direction`` (3,) unit; ``pieces`` are those of the part."""
    outcomes = [_push(hand, grasps, row, direction, pieces, friction) for row in range(len(grasps))]
    force, slip, advance, depth = np.array(outcomes, dtype=np.float64).reshape(-1, 4).T
    reasons = np.select(
        [force < CARRIED * FORCE, slip > SLIP, advance > ADVANCE, depth > DEPTH],
        ["missed", "slipped", "gave way", "penetrates"],
        "pushed",
    )
    return Pushed(reasons == "pushed", force, slip, advance, depth, tuple(reasons.tolist()))


def _push(
    hand: HumanHand, grasps: HandBatch, row: int, direction: Array, pieces: NDArray[np.int64], friction: float
) -> tuple[float, float, float, float]:
    """Force on the part, slip, advance and depth."""
    hand.pose(grasps, row)
    start = hand.wrist()
    hand.slide_along(direction)
    torques = pushing_torques(hand, FORCE * direction, friction, pieces)
    hand.squeeze(_TOUCH * torques)
    hand.push(_TOUCH * FORCE * direction)
    hand.run(_APPROACH)
    touched = Touch(hand, pieces)
    if not touched:
        return 0.0, 0.0, float((hand.wrist() - start) @ direction), 0.0
    steps = hand.steps(_RISE)
    for step in range(steps):
        share = _TOUCH + (1.0 - _TOUCH) * (step + 1) / steps
        hand.squeeze(share * torques)
        hand.push(share * FORCE * direction)
        hand.step(1)
    hand.run(_PUSH)
    contacts, forces = hand.contacts(), hand.contact_forces()
    force = float((forces[np.isin(contacts.pieces, pieces)] @ direction).sum())
    advance = float((hand.wrist() - start) @ direction)
    return force, touched.slip(), advance, float(-contacts.distances.min(initial=0.0))
