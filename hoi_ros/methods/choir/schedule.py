"""The noise schedule by what JointDiffusion predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hoi_ros.learning.schedule import Prediction
from hoi_ros.learning.schedule import schedule as of_prediction
from hoi_ros.methods.choir.joint_diffusion import Predicts

if TYPE_CHECKING:
    from diffusers import DDIMScheduler

_KINDS: Mapping[Predicts, Prediction] = {"clean": "sample", "noise": "epsilon", "velocity": "v_prediction"}


def schedule(predicts: Predicts) -> DDIMScheduler:
    """Schedule and sampler."""
    return of_prediction(_KINDS[predicts])
