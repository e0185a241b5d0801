"""Training of the Distribution Adjustment Module: on estimates of the frozen diffusion (affordgrasp 3.3, eq. 5, 22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.learning.schedule import schedule
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.adjustment import DistributionAdjustment
from hoi_ros.methods.affordgrasp.diffusion import LatentDiffusion
from hoi_ros.methods.affordgrasp.diffusion_training import Coder
from hoi_ros.methods.affordgrasp.grasp_requests import Draws, Requests
from hoi_ros.methods.affordgrasp.hand_surface import Skin, hand_skin
from hoi_ros.methods.affordgrasp.losses import Weights, adjustment_losses

RECIPE = Recipe(steps=2000, rate=2e-4)
HANDS = 2  # for each request
LATEST = 300  # step of noise from which estimates are made: from more noise they are means of many grasps


@dataclass(frozen=True)
class Adjusting:
    """The training of the module, with all that is frozen."""

    model: DistributionAdjustment
    diffusion: LatentDiffusion
    coder: Coder
    draws: Draws
    whole: Skin  # every vertex
    faces: Tensor  # (F, 3)
    pads: Tensor  # (P,) vertices about the anchors
    weights: Weights

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        seed: int,
        advance: Callable[[], None],
        heads: int = 4,
    ) -> Adjusting:
        """Read the split ``train``; the same seed starts with the same network."""
        hand = load_hand_model()
        torch.manual_seed(seed)
        return cls(
            DistributionAdjustment(heads=heads),
            LatentDiffusion.load(load_shipped("affordgrasp_diffusion")).requires_grad_(False),
            Coder.shipped(),
            Draws(Requests.of(dataset, "train", seed, advance), hand_skin(), hands=HANDS),
            Skin(hand.smplx(), torch.arange(len(hand.v_template))),
            torch.from_numpy(hand.closed_faces.astype(np.int64)),
            torch.from_numpy(np.unique(find_anchors(hand).corners).astype(np.int64)),
            Weights(),
        )

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Terms for adjusted estimates of the hands of one batch."""
        batch = self.draws(rng)
        asked, true, surface = batch.asked.to(device), batch.hands.to(device), batch.surface.to(device)
        with torch.no_grad():
            diffusion, skin = self.diffusion.to(device).eval(), self.whole.to(device)
            features = diffusion.conditions(asked).repeat(HANDS)
            codes = diffusion.normal(self.coder.codes(true, device))
            steps = torch.from_numpy(rng.integers(LATEST, size=len(codes))).to(device)
            noise = torch.from_numpy(rng.standard_normal(codes.shape, dtype=np.float32)).to(device)
            estimates = diffusion.estimate(schedule().add_noise(codes, noise, steps), steps, features)
            there = skin.surface(true)
        hands = self.coder.hands(model(estimates, features))
        points = surface.repeat_interleave(HANDS, 0)
        return adjustment_losses(
            hands, true, skin.surface(hands), there, points, self.faces.to(device), self.pads.to(device), self.weights
        )
