"""Cross-modal latent diffusion: codes of hands from noise, for a sentence and an object (affordgrasp 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.learning.schedule import STEPS, schedule
from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.conditions import Asked, Conditions, Features
from hoi_ros.refusals import Reason, Refused


class Block(nn.Module):
    """Two layers, moved and scaled by what is asked and how noisy it is, past which the input goes too."""

    def __init__(self, width_in: int, width: int, guide: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width_in), nn.LayerNorm(width)])
        self.layers = nn.ModuleList([nn.Linear(width_in, width), nn.Linear(width, width)])
        self.guide = nn.Linear(guide, 2 * width)
        self.past = nn.Linear(width_in, width)

    def forward(self, values: Tensor, guide: Tensor) -> Tensor:
        """(B, W) to (B, ``width``); each row of the guide is for as many rows as there are of values to one of it."""
        scale, shift = self.guide(guide).repeat_interleave(len(values) // len(guide), 0).chunk(2, dim=1)
        inner = self.layers[0](functional.silu(self.norms[0](values)))
        inner = self.layers[1](functional.silu(self.norms[1](inner) * (1.0 + scale) + shift))
        out: Tensor = self.past(values) + inner
        return out


class WayDown(nn.Module):
    """The first half of the U-Net: from codes to ever fewer numbers.

    Its levels are layers, not convolutions: the numbers of a code have no neighbours.
    """

    def __init__(self, code: int, width: int, features: int) -> None:
        super().__init__()
        self.widths = [width, width // 2, width // 4]
        self.time = nn.Sequential(nn.Linear(features, features), nn.SiLU(), nn.Linear(features, features))
        self.before = nn.Linear(code, width)
        self.down = nn.ModuleList(
            Block(a, b, features) for a, b in zip([width, *self.widths], self.widths, strict=False)
        )
        self.middle = Block(self.widths[-1], self.widths[-1], features)

    def guide(self, steps: Tensor, fused: Tensor) -> Tensor:
        """What moves every level (R, W): features (R, W) and steps (R,)."""
        guide: Tensor = fused + self.time(_waves(steps, fused.shape[1]))
        return guide

    def levels(self, codes: Tensor, guide: Tensor) -> list[Tensor]:
        """What each level (R * K, its width) makes of codes (R * K, C), the middle last."""
        levels = [self.before(codes)]
        for block in [*self.down, self.middle]:
            levels.append(block(levels[-1], guide))
        return levels[1:]


class DenoisingUnet(WayDown):
    """The noise (R * K, C) in codes (R * K, C), K at each of steps (R,), conditioned on features (R, W)."""

    def __init__(self, code: int, width: int, features: int) -> None:
        super().__init__(code, width, features)
        up = self.widths[::-1]
        self.up = nn.ModuleList(Block(a + b, b, features) for a, b in zip([up[0], *up], up, strict=False))
        self.after = nn.Linear(width, code)

    def forward(self, codes: Tensor, steps: Tensor, fused: Tensor, added: Sequence[Tensor] = ()) -> Tensor:
        """The noise; ``added``, if any, to the levels, one by one."""
        guide = self.guide(steps, fused)
        levels = self.levels(codes, guide)
        if added:
            levels = [level + more for level, more in zip(levels, added, strict=True)]
        *kept, values = levels
        for block in self.up:
            values = block(torch.cat([values, kept.pop()], dim=1), guide)
        noise: Tensor = self.after(values)
        return noise


def _waves(steps: Tensor, width: int) -> Tensor:
    """Sines and cosines (B, ``width``) of steps (B,)."""
    rates = torch.exp(-math.log(1e4) * torch.arange(width // 2, device=steps.device) / (width // 2))
    angles = steps[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class CodeSampler(Protocol):
    """What gives codes of hands for requests: the diffusion, or what it is compared with (``baselines``)."""

    @property
    def config(self) -> Mapping[str, Any]:
        """``code``: how long a code is."""

    @property
    def conditions(self) -> Callable[[Asked], Features]:
        """Features of requests."""

    def sample(self, features: Features, noise: Tensor, steps: int, guidance: float, /) -> Tensor:
        """Codes (R * K, C) for R requests from noise (R * K, C) in so many steps, heeding the requests so much."""


def denoise(
    predict: Callable[[Tensor, Tensor, Tensor], Tensor],
    noise: Tensor,
    fused: Tensor,
    nothing: Tensor,
    steps: int,
    guidance: float,
) -> Tensor:
    """Codes (R * K, C) of mean 0 and deviation 1 from noise (R * K, C), by DDIM in few steps.

    ``predict`` gives the noise in codes, K at each of steps (R,), for features ``fused`` (R, W). A guidance above 1
    goes further away from what ``nothing`` (W,) in their place gives. Raises Refused(PARAMETER) unless ``steps``
    divides 1000: the sampler would stop before all noise is gone.
    """
    if steps < 1 or STEPS % steps:
        raise Refused(Reason.PARAMETER, f"{steps} steps do not divide the {STEPS} of the noise schedule")
    sampler = schedule()
    sampler.set_timesteps(steps)
    guided = guidance != 1.0
    asked = torch.cat([fused, nothing.expand_as(fused)]) if guided else fused
    for step in sampler.timesteps:
        predicted = predict(noise.repeat(1 + guided, 1), step.expand(len(asked)).to(noise.device), asked)
        if guided:
            heard, without = predicted.chunk(2)
            predicted = without + guidance * (heard - without)
        noise = sampler.step(predicted, step, noise).prev_sample
    return noise


class Codes(Network):
    """A network whose codes (B, C) are the autoencoder's without, and have mean 0 and deviation 1 within."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, code: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("deviation", torch.ones(code))

    @torch.no_grad()
    def normalise(self, codes: Tensor) -> None:
        """Take mean and deviation from codes (N, C)."""
        self.mean.copy_(codes.mean(0))
        self.deviation.copy_(codes.std(0).clamp(min=1e-4))

    def normal(self, codes: Tensor) -> Tensor:
        """Codes as they are within."""
        return (codes - self.mean) / self.deviation

    def raw(self, codes: Tensor) -> Tensor:
        """Codes as they are without."""
        return codes * self.deviation + self.mean


class LatentDiffusion(Codes):
    """Codes of hands (B, C) for requests."""

    def __init__(
        self, code: int = 64, text_width: int = 384, features: int = 192, width: int = 512, affordances: bool = True
    ) -> None:
        super().__init__(code)
        self.config: Mapping[str, Any] = {
            "code": code,
            "text_width": text_width,
            "features": features,
            "width": width,
            "affordances": affordances,
        }
        self.conditions = Conditions(text_width, features, affordances)
        self.unet = DenoisingUnet(code, width, features)

    def forward(self, asked: Asked, codes: Tensor, steps: Tensor, noise: Tensor, dropped: Tensor) -> Tensor:
        """Mean squared error of the predicted noise (affordgrasp eq. 4); codes (B * K, C) for B requests."""
        noisy = schedule().add_noise(self.normal(codes), noise, steps)
        fused = self.conditions(asked, dropped).fused.repeat_interleave(len(codes) // len(dropped), 0)
        return functional.mse_loss(self.unet(noisy, steps, fused), noise)

    @torch.no_grad()
    def sample(self, features: Features, noise: Tensor, steps: int, guidance: float = 1.0) -> Tensor:
        """Codes (R * K, C) for R requests from noise (R * K, C), see ``denoise``."""
        return self.raw(denoise(self.unet, noise, features.fused, self.conditions.nothing, steps, guidance))

    def estimate(self, noisy: Tensor, steps: Tensor, features: Features) -> Tensor:
        """Codes (B, C) that noisy ones come from, in one step (affordgrasp eq. 5)."""
        share = schedule().alphas_cumprod.to(noisy)[steps][:, None]
        return self.raw((noisy - (1.0 - share).sqrt() * self.unet(noisy, steps, features.fused)) / share.sqrt())
