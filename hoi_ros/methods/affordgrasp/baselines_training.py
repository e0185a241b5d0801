"""Training of what the diffusion is compared with, on the same batches as the diffusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.method import load_trained
from hoi_ros.learning.schedule import schedule
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.baselines import ConditionalVae, Control
from hoi_ros.methods.affordgrasp.diffusion import LatentDiffusion
from hoi_ros.methods.affordgrasp.diffusion_training import Noisings

VAE_RECIPE = Recipe(steps=2000, rate=1e-3)
CONTROL_RECIPE = Recipe(steps=1500, rate=5e-4)


@dataclass(frozen=True)
class Encoding:
    """The training of the conditional VAE. Its conditions go on from the diffusion's, so few steps do."""

    model: ConditionalVae
    noisings: Noisings

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Encoding:
        """Read the split ``train``; the same seed starts with the same network."""
        torch.manual_seed(seed)
        model = ConditionalVae.of(LatentDiffusion.load(load_shipped("affordgrasp_diffusion")))
        return cls(model, Noisings.of(dataset, seed, advance))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Error of the code, and divergence of the latent from the noise that samples start from."""
        drawn = self.noisings(rng, device)
        terms: dict[str, Tensor] = model(drawn.asked, drawn.codes, drawn.noise, drawn.dropped)
        return terms


@dataclass(frozen=True)
class Controlling:
    """The training of the control, with the diffusion that it steers frozen."""

    model: Control
    blind: LatentDiffusion
    noisings: Noisings

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None], trained: Path | None) -> Controlling:
        """Read the split ``train``, and ``diffusion_blind`` from the folder ``trained``.

        Raises Refused(FILE) where that has not been trained.
        """
        blind = load_trained(LatentDiffusion, trained, "affordgrasp", "diffusion_blind").requires_grad_(False)
        torch.manual_seed(seed)
        return cls(Control.of(blind), blind, Noisings.of(dataset, seed, advance))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Error of the noise (affordgrasp eq. 4)."""
        drawn, blind = self.noisings(rng, device), self.blind.to(device)
        noisy = schedule().add_noise(blind.normal(drawn.codes), drawn.noise, drawn.steps)
        with torch.no_grad():
            fused = blind.conditions(drawn.asked, drawn.dropped).fused
        added = model(drawn.asked, noisy, drawn.steps, drawn.dropped)
        fused = fused.repeat_interleave(len(noisy) // len(drawn.dropped), 0)
        return {"noise": functional.mse_loss(blind.unet(noisy, drawn.steps, fused, added), drawn.noise)}
