"""Affordances: what a hand can do with a part of an object, and how it must come to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.types import Array


class Affordance(StrEnum):
    """The 10 classes of AffordGrasp ; No-grasp and Null carry no hand."""

    HANDLE_GRASP = "Handle-grasp"
    NO_GRASP = "No-grasp"
    PRESS = "Press"
    LIFT = "Lift"
    WRAP_GRASP = "Wrap-grasp"
    TWIST = "Twist"
    SUPPORT = "Support"
    PULL = "Pull"
    LEVER = "Lever"
    NULL = "Null"


HOLDING = frozenset({Affordance.HANDLE_GRASP, Affordance.LIFT, Affordance.WRAP_GRASP, Affordance.PULL})
"""Affordances whose grasp must hold the free object."""

PUSHING = frozenset({Affordance.PRESS, Affordance.SUPPORT, Affordance.LEVER})
"""Affordances whose hand must push a part of an object that does not give way.

Twist alone must turn a part, and its object does not give way either: it stands, or the other hand holds it.
"""


@dataclass(frozen=True)
class Use:
    """One way of using one part of an object, in the object's frame.

    ``axis`` (3,) unit is the line a grip closes around (a handle's run, a bottle's height) or None where there is none.
    ``approach`` (3,) unit is the direction the palm travels towards the part, free within ``cone`` rad about it; None:
    any. ``force`` (3,) unit is where the hand pushes, pulls or turns about (Press, Support, Pull, Lever; the axis of
    Twist); None for plain holding. ``grasp_types``: what fits the part, likeliest first. ``neighbours``: other parts
    the hand may also touch.
    """

    affordance: Affordance
    part: str
    grasp_types: tuple[GraspType, ...]
    axis: Array | None = None
    approach: Array | None = None
    cone: float = 3.1416
    force: Array | None = None
    neighbours: tuple[str, ...] = ()
