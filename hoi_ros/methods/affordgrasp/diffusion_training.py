"""Training of the latent diffusion on the engine's grasps, in the codes of a frozen autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.schedule import STEPS
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.autoencoder import HandAutoencoder
from hoi_ros.methods.affordgrasp.conditions import Asked
from hoi_ros.methods.affordgrasp.diffusion import LatentDiffusion
from hoi_ros.methods.affordgrasp.grasp_requests import Draws, Requests
from hoi_ros.methods.affordgrasp.hand_surface import Hands, Skin, hand_skin

RECIPE = Recipe(steps=7000, rate=1e-3)
DROPPED = 0.1  # share of the requests whose condition is left out [affordgrasp 3.2]
NORMALISED = 64  # batches whose codes give mean and deviation
DRAWS = 4  # steps of noise drawn for each grasp, whose condition is computed once


class Coder:
    """The frozen autoencoder with the skin it reads."""

    def __init__(self, autoencoder: HandAutoencoder, skin: Skin) -> None:
        self._autoencoder, self._skin = autoencoder.requires_grad_(False), skin

    @classmethod
    def shipped(cls) -> Coder:
        """With the shipped weights."""
        return cls(HandAutoencoder.load(load_shipped("affordgrasp_autoencoder")), hand_skin())

    @torch.no_grad()
    def codes(self, hands: Hands, device: torch.device) -> Tensor:
        """Codes (B, C)."""
        self._autoencoder.to(device)
        code: Tensor = self._autoencoder.encode(self._skin.to(device).surface(hands.to(device)))
        return code

    def hands(self, codes: Tensor) -> Hands:
        """Hands of codes (B, C), differentiable."""
        return self._autoencoder.decode(codes)


@dataclass(frozen=True)
class Noising:
    """Requests with codes of the grasps that answer them, and the noise to be found in the codes."""

    asked: Asked  # (B,)
    codes: Tensor  # (B * K, C)
    steps: Tensor  # (B * K,)
    noise: Tensor  # (B * K, C)
    dropped: Tensor  # (B,) requests that are left out


@dataclass(frozen=True)
class Noisings:
    """Batches for training."""

    draws: Draws
    coder: Coder

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Noisings:
        """Read the split ``train``."""
        return cls(Draws(Requests.of(dataset, "train", seed, advance), hand_skin()), Coder.shipped())

    def codes(self, seed: int) -> Tensor:
        """Codes (N, C) of enough grasps for a mean and a deviation."""
        batches = (self.draws(np.random.default_rng([seed, n])) for n in range(NORMALISED))
        return torch.cat([self.coder.codes(batch.hands, torch.device("cpu")) for batch in batches])

    def __call__(self, rng: np.random.Generator, device: torch.device) -> Noising:
        """One batch."""
        batch = self.draws(rng)
        codes = self.coder.codes(batch.hands, device).repeat_interleave(DRAWS, 0)
        steps = torch.from_numpy(rng.integers(STEPS, size=len(codes))).to(device)
        noise = torch.from_numpy(rng.standard_normal(codes.shape, dtype=np.float32)).to(device)
        dropped = torch.from_numpy(rng.random(len(batch.asked.points)) < DROPPED).to(device)
        return Noising(batch.asked.to(device), codes, steps, noise, dropped)


@dataclass(frozen=True)
class Denoising:
    """The training of the diffusion."""

    model: LatentDiffusion
    noisings: Noisings

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None], affordances: bool = True) -> Denoising:
        """Read the split ``train``; the same seed starts with the same network."""
        noisings = Noisings.of(dataset, seed, advance)
        codes = noisings.codes(seed)
        torch.manual_seed(seed)
        model = LatentDiffusion(affordances=affordances)
        model.normalise(codes)
        return cls(model, noisings)

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Error of the noise (affordgrasp eq. 4)."""
        drawn = self.noisings(rng, device)
        return {"noise": model(drawn.asked, drawn.codes, drawn.steps, drawn.noise, drawn.dropped)}
