"""The affordance-guided diffusion prior: hidden fingers where sentence and object want them (Suzuki et al.)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoi_ros.methods.affordance_prior.refiner import AffordancePriorRefiner
    from hoi_ros.parameters import Parameters


def build(parameters: Parameters) -> AffordancePriorRefiner:
    """The stage with the shipped weights. Raises Refused(HAND_MODEL, FILE, FOREIGN_CLASS) as the hand model does."""
    from hoi_ros.hand import load_hand_model
    from hoi_ros.methods.affordance_prior.refiner import AffordancePriorRefiner

    return AffordancePriorRefiner.shipped(load_hand_model(parameters.hand_model_path))
