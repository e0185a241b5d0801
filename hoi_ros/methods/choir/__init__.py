"""CHOIR: a coarse hand-object interaction representation, for refining and synthesising grasps (Morales et al.)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoi_ros.methods.choir.refiner import ChoirRefiner
    from hoi_ros.methods.choir.synthesizer import ChoirSynthesizer
    from hoi_ros.parameters import Parameters


def build_refiner(parameters: Parameters) -> ChoirRefiner:
    """The stage with the shipped weights. Raises Refused(HAND_MODEL, FILE, FOREIGN_CLASS) as the hand model does."""
    from hoi_ros.hand import load_hand_model
    from hoi_ros.methods.choir.refiner import ChoirRefiner

    return ChoirRefiner.shipped(load_hand_model(parameters.hand_model_path), parameters.refiner_reach)


def build_synthesizer(parameters: Parameters) -> ChoirSynthesizer:
    """The stage with the shipped weights. Raises Refused as ``build_refiner``, and PARAMETER where none are shipped."""
    from hoi_ros.hand import load_hand_model
    from hoi_ros.methods.choir.synthesizer import ChoirSynthesizer

    return ChoirSynthesizer.shipped(load_hand_model(parameters.hand_model_path))
