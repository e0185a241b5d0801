"""The noise schedule of every diffusion here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
