"""What the diffusion is conditioned on: the sentence, the object, and the points it affords (affordgrasp eq. 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hoi_ros.language.encoder import Text
from hoi_ros.methods.affordgrasp.hand_surface import UNIT
from hoi_ros.methods.affordgrasp.point_net import PointNet

AFFORDED = 256  # points that the affordance encoder sees
_COUNTS, _NEIGHBOURS = (128, 32), 16


@dataclass(frozen=True)
class Asked:
    """A batch of requests.

    ``points`` (B, N, 3), m, in the request's frame (``placing``), farthest first; ``affordance`` (B, N) probabilities
    of the points; and the sentences.
    """

    points: Tensor
    affordance: Tensor
    text: Text

    def to(self, device: torch.device | str) -> Asked:
        """The same on another device."""
        return Asked(self.points.to(device), self.affordance.to(device), self.text.to(device))


@dataclass(frozen=True)
class Features:
    """Features of a batch: words (B, L, W) and which are real (B, L), sentence, object, affordance and all (B, W)."""

    words: Tensor
    mask: Tensor
    text: Tensor
    point: Tensor
    affordance: Tensor
    fused: Tensor

    def repeat(self, count: int) -> Features:
        """Those of each request ``count`` times, one after the other."""
        return Features(*(values.repeat_interleave(count, 0) for values in vars(self).values()))


class Conditions(nn.Module):
    """A text projection and two independent point encoders, one of the object and one of what it affords.

    ``affordances`` False leaves the second one blind: it sees points of the whole object.
    """

    def __init__(self, text_width: int, width: int, affordances: bool = True) -> None:
        super().__init__()
        self.affordances = affordances
        self.words = nn.Sequential(nn.Linear(text_width, width), nn.LayerNorm(width))
        self.object = PointNet(3, _COUNTS, (width // 2, width), _NEIGHBOURS)
        self.affordance = PointNet(4, _COUNTS, (width // 2, width), _NEIGHBOURS)
        self.fuse = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.nothing = nn.Parameter(torch.zeros(width))  # stands for every condition where it is left out

    def forward(self, asked: Asked, dropped: Tensor | None = None) -> Features:
        """Features of requests; those ``dropped`` (B,) are replaced by nothing (classifier-free guidance)."""
        points = UNIT * asked.points
        chance = asked.affordance if self.affordances else torch.ones_like(asked.affordance)
        first = (chance < 0.5).byte().argsort(dim=1, stable=True)[:, :AFFORDED]  # afforded ones, then the others
        near = points.gather(1, first[..., None].expand(-1, -1, 3))
        seen = torch.cat([near, chance.gather(1, first)[..., None]], dim=-1)
        point = self.object(points, points)[-1].features.amax(1)
        affordance = self.affordance(near, seen)[-1].features.amax(1)
        words = self.words(asked.text.tokens)
        real = asked.text.mask[..., None]
        text = (words * real).sum(1) / real.sum(1)
        fused = self.fuse(torch.cat([text, point, affordance], dim=-1))
        if dropped is not None:
            fused = torch.where(dropped[:, None], self.nothing, fused)
        return Features(words, asked.text.mask, text, point, affordance, fused)
