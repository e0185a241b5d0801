"""The noise schedule of every diffusion here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from hoi_ros.types import Array

if TYPE_CHECKING:
    from diffusers import DDIMScheduler

STEPS = 1000  # beta from 1e-4 to 0.02 in equal steps [FastGrasp; code of CHOIR]

Prediction = Literal["epsilon", "sample", "v_prediction"]


def schedule(predicts: Prediction = "epsilon") -> DDIMScheduler:
    """Noise schedule and sampler."""
    from diffusers import DDIMScheduler  # with torch's compiler, a second and a half

    return DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=False,
        prediction_type=predicts,
        timestep_spacing="trailing",
    )


@cache
def alphas() -> Array:
    """Share (1000,) of the variance that is left of what is clean."""
    kept: Array = schedule().alphas_cumprod.double().numpy()
    return kept
