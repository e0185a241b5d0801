"""What the diffusion is compared with: a conditional VAE, and the affordance brought in as ControlNet would.

Their weights serve the table alone and are not shipped: they are read from where ``hoi train`` left them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.conditions import Asked, Conditions, Features
from hoi_ros.methods.affordgrasp.diffusion import Codes, LatentDiffusion, WayDown, denoise

KL = 5e-3  # weight of the divergence beside the mean squared error of a normal code


class ConditionalVae(Codes):
    """Codes (B, C) for requests from as many numbers in one pass, on the diffusion's conditions (Sohn et al., 2015)."""

    def __init__(self, code: int = 64, text_width: int = 384, features: int = 192, width: int = 512) -> None:
        super().__init__(code)
        self.config: Mapping[str, Any] = {"code": code, "text_width": text_width, "features": features, "width": width}
        self.conditions = Conditions(text_width, features)
        self.encoder = _mlp(code + features, width, 2 * code)
        self.decoder = _mlp(code + features, width, code)

    @classmethod
    def of(cls, diffusion: LatentDiffusion) -> ConditionalVae:
        """With the conditions of a trained diffusion, to go on from."""
        model = cls(**_sizes(diffusion))
        model.conditions.load_state_dict(diffusion.conditions.state_dict())
        model.mean.copy_(diffusion.mean)
        model.deviation.copy_(diffusion.deviation)
        return model

    def forward(self, asked: Asked, codes: Tensor, noise: Tensor, dropped: Tensor) -> dict[str, Tensor]:
        """Terms of the loss for codes (B * K, C) of B requests, with noise (B * K, C)."""
        fused = self.conditions(asked, dropped).fused.repeat_interleave(len(codes) // len(dropped), 0)
        true = self.normal(codes)
        mean, log_variance = self.encoder(torch.cat([true, fused], dim=1)).chunk(2, dim=1)
        latent = mean + noise * (0.5 * log_variance).exp()
        back = self.decoder(torch.cat([latent, fused], dim=1))
        return {"code": functional.mse_loss(back, true), "divergence": KL * divergence(mean, log_variance).mean()}

    @torch.no_grad()
    def sample(self, features: Features, noise: Tensor, _steps: int, _guidance: float) -> Tensor:
        """Codes (R * K, C) for R requests from noise (R * K, C)."""
        fused = features.fused.repeat_interleave(len(noise) // len(features.fused), 0)
        return self.raw(self.decoder(torch.cat([noise, fused], dim=1)))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Of normal distributions (B, C) from the standard one, by Kullback and Leibler, (B,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1)


class Control(Network):
    """A copy of conditions and way down of a diffusion that does not see the affordance, but this one sees it.

    What its levels find is added to that diffusion's through layers that begin at zero (Zhang et al., 2023).
    """

    def __init__(self, code: int = 64, text_width: int = 384, features: int = 192, width: int = 512) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {"code": code, "text_width": text_width, "features": features, "width": width}
        self.conditions = Conditions(text_width, features)
        self.way = WayDown(code, width, features)
        self.zeros = nn.ModuleList(_zero(level) for level in [*self.way.widths, self.way.widths[-1]])

    @classmethod
    def of(cls, blind: LatentDiffusion) -> Control:
        """As it begins."""
        control = cls(**_sizes(blind))
        control.conditions.load_state_dict(blind.conditions.state_dict())
        control.way.load_state_dict(blind.unet.state_dict(), strict=False)  # which has a way up besides
        return control

    def forward(self, asked: Asked, noisy: Tensor, steps: Tensor, dropped: Tensor) -> list[Tensor]:
        """What is added to the levels for codes (B * K, C) of B requests."""
        fused = self.conditions(asked, dropped).fused
        return self.added(noisy, steps, fused.repeat_interleave(len(noisy) // len(dropped), 0))

    def added(self, noisy: Tensor, steps: Tensor, fused: Tensor) -> list[Tensor]:
        """The same for features (R, W), of which each is for as many of the codes."""
        levels = self.way.levels(noisy, self.way.guide(steps, fused))
        return [zero(level) for zero, level in zip(self.zeros, levels, strict=True)]


@dataclass(frozen=True)
class ControlledDiffusion:
    """A diffusion that does not see the affordance, and the control that steers it."""

    blind: LatentDiffusion
    control: Control

    @property
    def config(self) -> Mapping[str, Any]:
        """That of the diffusion."""
        return self.blind.config

    def conditions(self, asked: Asked) -> Features:
        """Features of requests; all of them: (B, 2 W), those of the diffusion first."""
        blind, seen = self.blind.conditions(asked), self.control.conditions(asked)
        return replace(seen, fused=torch.cat([blind.fused, seen.fused], dim=1))

    @torch.no_grad()
    def sample(self, features: Features, noise: Tensor, steps: int, guidance: float) -> Tensor:
        """Codes (R * K, C) for R requests from noise (R * K, C), see ``denoise``."""
        nothing = torch.cat([self.blind.conditions.nothing, self.control.conditions.nothing])
        return self.blind.raw(denoise(self._noise, noise, features.fused, nothing, steps, guidance))

    def _noise(self, codes: Tensor, steps: Tensor, fused: Tensor) -> Tensor:
        blind, seen = fused.chunk(2, dim=1)
        noise: Tensor = self.blind.unet(codes, steps, blind, self.control.added(codes, steps, seen))
        return noise


def _sizes(diffusion: LatentDiffusion) -> dict[str, int]:
    return {name: diffusion.config[name] for name in ("code", "text_width", "features", "width")}


def _zero(width: int) -> nn.Linear:
    layer = nn.Linear(width, width)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _mlp(before: int, width: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(before, width), nn.GELU(),
        nn.Linear(width, width), nn.GELU(),
        nn.Linear(width, width), nn.GELU(),
        nn.Linear(width, after),
    )  # fmt: skip
