"""The semantic classifier: which of the ten affordances a hand on an object shows (affordgrasp 10.1, 14; PointBERT).

Hand and object are one cloud. Groups of near points become tokens by a small PointNet, tokens with their places go
through a transformer, and a token of its own answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.point_net import Mlp, rows_of
from hoi_ros.scene.affordances import Affordance

CLASSES: tuple[Affordance, ...] = tuple(Affordance)
OBJECT_POINTS = 768


class SemanticClassifier(Network):
    """Logits (B, 10), in the order of ``CLASSES``, of hands and objects as points.

    Half of the groups have their centres on the hand and half on the object, so that both are always seen.
    """

    def __init__(
        self, width: int = 96, layers: int = 3, heads: int = 4, groups: int = 48, neighbours: int = 16
    ) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {
            "width": width,
            "layers": layers,
            "heads": heads,
            "groups": groups,
            "neighbours": neighbours,
        }
        self.groups, self.neighbours = groups, neighbours
        self.inner = Mlp(4, width // 2, width)
        self.outer = Mlp(2 * width, width, width)
        self.place = nn.Sequential(nn.Linear(5, width), nn.GELU(), nn.Linear(width, width))
        self.answer = nn.Parameter(torch.zeros(width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.1, "gelu", batch_first=True, norm_first=True)
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, len(CLASSES)))

    def forward(self, hand: Tensor, obj: Tensor, scale: Tensor) -> Tensor:
        """Points of hands (B, H, 3) and objects (B, O, 3), farthest first, and the radius (B,), m, of the objects."""
        half = self.groups // 2
        points = torch.cat([hand, obj], dim=1)
        whose = torch.zeros_like(points[..., :1])
        whose[:, : hand.shape[1]] = 1.0
        centres = torch.cat([hand[:, :half], obj[:, :half]], dim=1)
        near = torch.cdist(centres, points).topk(self.neighbours, largest=False).indices
        offsets = rows_of(points, near) - centres[:, :, None]
        inner = self.inner(torch.cat([offsets, rows_of(whose, near)], dim=-1))
        whole = inner.amax(2, keepdim=True).expand_as(inner)
        tokens = self.outer(torch.cat([inner, whole], dim=-1)).amax(2)
        own = torch.cat([whose[:, :half], whose[:, hand.shape[1] : hand.shape[1] + half]], dim=1)
        size = scale.log()[:, None, None].expand_as(own)
        tokens = tokens + self.place(torch.cat([centres, own, size], dim=-1))
        tokens = torch.cat([self.answer.expand(len(tokens), 1, -1), tokens], dim=1)
        seen = self.transformer(tokens)
        logits: Tensor = self.head(torch.cat([seen[:, 0], seen[:, 1:].amax(1)], dim=-1))
        return logits
