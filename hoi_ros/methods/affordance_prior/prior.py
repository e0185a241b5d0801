"""The prior: a diffusion over finger poses that is told what the hand does (affordance_guided_prior, fig. 2).

As in InterHandGen, tokens of the noise, of what is told and of the pose pass a small transformer and then a deep
network with skips, which predicts the clean pose; a description takes the counter-hand's place. Each finger joint has
a noise step of its own, so that those that are seen can stay clean beside those that are hidden.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.hand import Limits
from hoi_ros.language.encoder import Text
from hoi_ros.learning.trainer import Network
from hoi_ros.types import Array

JOINTS = 15
NUMBERS = 3 * JOINTS
TOLD = 384  # numbers of a word, as MiniLM gives them
HEARD = 96  # numbers that are kept of a word
QUERIES, HEADS = 4, 4  # of what is told
RATES = 16  # of the sines of a noise step
LAYERS = 7  # of the deep network [InterHandGen]


class Listener(nn.Module):
    """A description as one token: learned questions to its words, or a learned token where nothing is said."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.words = nn.Linear(TOLD, HEARD)
        self.questions = nn.Parameter(torch.randn(QUERIES, HEARD) * HEARD**-0.5)
        self.looks = nn.MultiheadAttention(HEARD, HEADS, batch_first=True)
        self.after = nn.Sequential(nn.LayerNorm(QUERIES * HEARD), nn.Linear(QUERIES * HEARD, width))
        self.silence = nn.Parameter(torch.zeros(width))

    def forward(self, text: Text) -> Tensor:
        """(B, width) of texts (B, L, 384); those without any real word are silent."""
        silent = ~text.mask.any(dim=1)
        mask = text.mask | silent[:, None]
        words = self.words(text.tokens)
        asked = self.questions.expand(len(words), -1, -1)
        heard = self.looks(asked, words, words, key_padding_mask=~mask, need_weights=False)[0]
        said: Tensor = self.after((asked + heard).flatten(1))
        return torch.where(silent[:, None], self.silence, said)


class AffordancePrior(Network):
    """Clean poses from noisy ones.

    Poses are (B, 15, 3) by joint in MANO's order and flexion, abduction and twist of ``hand.Limits``, less ``mean`` and
    in units of ``deviation``, which come with the weights.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int = 256, inner: int = 640, told: bool = True) -> None:
        super().__init__()
        self.config = {"width": width, "inner": inner, "told": told}
        self.register_buffer("mean", torch.zeros(JOINTS, 3))
        self.register_buffer("deviation", torch.ones(JOINTS, 3))
        self.listener = Listener(width) if told else None
        self.noise = nn.Linear(JOINTS * 2 * RATES, width)
        self.pose = nn.Linear(NUMBERS, width)
        self.kinds = nn.Parameter(torch.zeros(3, width))
        layer = nn.TransformerEncoderLayer(width, HEADS, 2 * width, 0.0, functional.gelu, batch_first=True)
        self.mixer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.before = nn.Linear(3 * width, inner)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(inner + width), nn.Linear(inner + width, inner), nn.SiLU())
            for _ in range(LAYERS)
        )
        self.after = nn.Linear(inner, NUMBERS)
        nn.init.zeros_(self.after.weight)
        nn.init.zeros_(self.after.bias)

    def forward(self, poses: Tensor, steps: Tensor, said: Tensor) -> Tensor:
        """Clean poses (B, 15, 3) of noisy ones at steps (B, 15) of the schedule; ``said`` (B, width) of ``hear``."""
        pose = self.pose(poses.flatten(1))
        tokens = torch.stack([self.noise(waves(steps).flatten(1)), said, pose], dim=1) + self.kinds
        mixed = self.mixer(tokens)
        values = self.before(mixed.flatten(1))
        for block in self.blocks:
            values = values + block(torch.cat([values, mixed[:, 2]], dim=1))
        out: Tensor = self.after(values).view_as(poses)
        return out

    def hear(self, text: Text) -> Tensor:
        """What descriptions (B, L, 384) come to, (B, width); zeros for a prior that is told nothing."""
        if self.listener is None:
            return text.tokens.new_zeros(len(text.mask), int(self.config["width"]))
        out: Tensor = self.listener(text)
        return out

    def entered(self, values: Tensor) -> Tensor:
        """Poses (..., 15, 3), rad, as the network has them."""
        return (values - self.mean) / self.deviation

    def left(self, poses: Tensor) -> Tensor:
        """And back, rad."""
        return poses * self.deviation + self.mean


def waves(steps: Tensor) -> Tensor:
    """Sines and cosines (..., 32) of steps."""
    rates = torch.exp(-math.log(1e3) * torch.arange(RATES, device=steps.device) / RATES)
    angles = steps[..., None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def silence(count: int) -> Text:
    """Nothing said, so often."""
    return Text(torch.zeros(count, 1, TOLD), torch.zeros(count, 1, dtype=torch.bool))


def pose_axes(limits: Limits, hand_pose: Array) -> Array:
    """(N, 15, 3) rad by joint and flexion, abduction, twist, of poses (N, 45)."""
    return np.einsum("njk,jkc->njc", hand_pose.reshape(-1, JOINTS, 3), limits.frames)


def hand_pose(limits: Limits, values: Array) -> Array:
    """Poses (N, 45) again."""
    return np.einsum("njc,jkc->njk", values, limits.frames).reshape(len(values), -1)
