"""Human hands to joint goals of the Shadow Hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.retargeting.vector import VectorRetargeter
from hoi_ros.types import Side

if TYPE_CHECKING:
    from hoi_ros.parameters import Parameters

__all__ = ["ShadowHand", "VectorRetargeter", "build"]


def build(parameters: Parameters) -> VectorRetargeter:
    """The retargeter that ``parameters`` describe."""
    side: Side = "right" if parameters.robot_hand == "shadow_right" else "left"
    return VectorRetargeter(ShadowHand.embedded(side), parameters.coupling)
