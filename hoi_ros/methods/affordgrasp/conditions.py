"""What the diffusion is conditioned on: the sentence, the object, and the points it affords (affordgrasp eq. 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hoi_ros.language.encoder import Text
from hoi_ros.methods.affordgrasp.point_net import PointNet

_COUNTS, _NEIGHBOURS = (128, 32), 16


@dataclass(frozen=True)
class Asked:
    """A batch of requests.

    ``points`` (B, N, 3) in the unit ball, farthest first, ``radius`` (B,) m of that ball, ``affordance`` (B, N)
    probabilities of the points, and the sentences.
    """

    points: Tensor
    radius: Tensor
    affordance: Tensor
    text: Text

    def to(self, device: torch.device | str) -> Asked:
        """The same on another device."""
        return Asked(self.points.to(device), self.radius.to(device), self.affordance.to(device), self.text.to(device))

    def repeat(self, count: int) -> Asked:
        """Each request ``count`` times, one after the other."""
        text = Text(self.text.tokens.repeat_interleave(count, 0), self.text.mask.repeat_interleave(count, 0))
        points, radius, affordance = (
            values.repeat_interleave(count, 0) for values in (self.points, self.radius, self.affordance)
        )
        return Asked(points, radius, affordance, text)


@dataclass(frozen=True)
class Features:
    """Features of a batch: words (B, L, W) and which are real (B, L), sentence, object, affordance and all (B, W)."""

    words: Tensor
    mask: Tensor
    text: Tensor
    point: Tensor
    affordance: Tensor
    fused: Tensor


class Conditions(nn.Module):
    """A text projection and two independent point encoders; ``affordances`` False leaves the second one blind."""

    def __init__(self, text_width: int, width: int, affordances: bool = True) -> None:
        super().__init__()
        self.affordances = affordances
        self.words = nn.Sequential(nn.Linear(text_width, width), nn.LayerNorm(width))
        self.object = PointNet(4, _COUNTS, (width // 2, width), _NEIGHBOURS)
        self.affordance = PointNet(5, _COUNTS, (width // 2, width), _NEIGHBOURS)
        self.fuse = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.nothing = nn.Parameter(torch.zeros(width))  # stands for every condition where it is left out

    def forward(self, asked: Asked, dropped: Tensor | None = None) -> Features:
        """Features of requests; those ``dropped`` (B,) are replaced by nothing (classifier-free guidance)."""
        size = asked.radius.log()[:, None, None].expand(-1, asked.points.shape[1], 1)
        seen = torch.cat([asked.points, size], dim=-1)
        chance = asked.affordance[..., None] if self.affordances else torch.zeros_like(size)
        point = self.object(asked.points, seen)[-1].features.amax(1)
        affordance = self.affordance(asked.points, torch.cat([seen, chance], dim=-1))[-1].features.amax(1)
        words = self.words(asked.text.tokens)
        real = asked.text.mask[..., None]
        text = (words * real).sum(1) / real.sum(1)
        fused = self.fuse(torch.cat([text, point, affordance], dim=-1))
        if dropped is not None:
            fused = torch.where(dropped[:, None], self.nothing, fused)
        return Features(words, asked.text.mask, text, point, affordance, fused)
