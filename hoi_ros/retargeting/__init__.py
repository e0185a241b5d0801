"""Human hands to joint goals of the Shadow Hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hoi_ros.retargeting.contact import ContactRetargeter
from hoi_ros.retargeting.mjcf import mjcf, write_mjcf
from hoi_ros.retargeting.robot_description import read_hand
from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.retargeting.urdf import urdf, write_urdf
from hoi_ros.retargeting.vector import VectorRetargeter
from hoi_ros.types import Side

if TYPE_CHECKING:
    from hoi_ros.parameters import Parameters

__all__ = [
    "OBJECTIVES",
    "ContactRetargeter",
    "ShadowHand",
    "VectorRetargeter",
    "build",
    "mjcf",
    "read_hand",
    "urdf",
    "write_mjcf",
    "write_urdf",
]

OBJECTIVES: dict[str, type[VectorRetargeter] | type[ContactRetargeter]] = {
    "vector": VectorRetargeter,
    "contact": ContactRetargeter,
}


def build(parameters: Parameters) -> VectorRetargeter | ContactRetargeter:
    """The retargeter that ``parameters`` describe. Raises Refused(ROBOT_DESCRIPTION) for a URDF without the hand."""
    side: Side = "right" if parameters.robot_hand == "shadow_right" else "left"
    hand = read_hand(parameters.robot_description, side) if parameters.robot_description else ShadowHand.embedded(side)
    return OBJECTIVES[parameters.retargeter](hand, parameters.coupling)
