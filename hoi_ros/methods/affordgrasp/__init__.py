"""AffordGrasp: Cross-Modal Diffusion for Affordance-Aware Grasp Synthesis. See ``synthesizer`` for the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoi_ros.methods.affordgrasp.synthesizer import AffordGrasp
    from hoi_ros.parameters import Parameters


def build(parameters: Parameters) -> AffordGrasp:  # noqa: ARG001  # nothing of it is configured
    """The stage with the shipped weights."""
    from hoi_ros.methods.affordgrasp.synthesizer import AffordGrasp

    return AffordGrasp.shipped()
