"""The noise schedule."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hoi_ros.methods.choir.joint_diffusion import STEPS
from hoi_ros.types import Array

if TYPE_CHECKING:
    from diffusers import DDIMScheduler


def schedule(predicts: str) -> DDIMScheduler:
    """Schedule and sampler [code: linear, 1e-4 to 0.02]."""
    from diffusers import DDIMScheduler

    kinds = {"clean": "sample", "noise": "epsilon", "velocity": "v_prediction"}
    return DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        prediction_type=kinds[predicts],
        timestep_spacing="trailing",
    )


@cache
def alphas() -> Array:
    """Share (1000,) of the variance that is left of what is clean."""
    kept: Array = schedule("clean").alphas_cumprod.double().numpy()
    return kept
