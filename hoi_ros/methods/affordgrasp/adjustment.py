"""The Distribution Adjustment Module: one pass that brings a code to contact and sense (affordgrasp 3.3, eq. 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.conditions import Features

SMALL = 0.1  # of the module's answer: a code that is led too far decodes to no hand


class DistributionAdjustment(Network):
    """Adjusted codes (B, C) of codes (B, C).

    Words look at the object, the afforded points and the hand; the first residual keeps the words, the second the hand.
    """

    def __init__(self, code: int = 64, features: int = 192, heads: int = 4) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {"code": code, "features": features, "heads": heads}
        self.hand = nn.Linear(code, features)
        self.fuse = nn.Linear(features, features)
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.norm = nn.LayerNorm(features)
        last = nn.Linear(4 * features, code)
        nn.init.zeros_(last.weight)  # it begins by changing nothing
        nn.init.zeros_(last.bias)
        self.mlp = nn.Sequential(
            nn.Linear(2 * features + code, 4 * features), nn.GELU(),
            nn.Linear(4 * features, 4 * features), nn.GELU(),
            last,
        )  # fmt: skip

    def forward(self, codes: Tensor, features: Features) -> Tensor:
        """Adjusted codes."""
        hand = self.hand(codes)
        space = self.fuse(torch.stack([features.point, features.affordance, hand], dim=1))
        heard = self.norm(features.words + self.attention(features.words, space, space, need_weights=False)[0])
        real = features.mask[..., None]
        said = (heard * real).sum(1) / real.sum(1)
        return codes + SMALL * self.mlp(torch.cat([said, features.fused, codes], dim=-1))
