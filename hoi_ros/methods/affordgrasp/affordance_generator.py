"""The Affordance Generator: how much each point of a cloud is what a sentence speaks of (affordgrasp 3.1; LASO).

A text encoder and a point encoder; three fusion blocks, one at each level on the way back to the points, in which words
and points look at each other; and a kernel made from the words that is laid on every point.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.language.encoder import Text
from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.point_net import Level, PointNet, Spread

FOCUS, BALANCE = 2.0, 0.25  # gamma and alpha of the focal loss [LASO]
UNHEARD = 0.2  # share of the features of words that training leaves out
SMOOTH = 1.0  # of the dice loss, points


class FusionBlock(nn.Module):
    """Words look at points, then points at words."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.to_words = nn.MultiheadAttention(width, heads, batch_first=True)
        self.to_points = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, words: Tensor, mask: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Words (B, L, W), which of them are real (B, L), and points (B, M, W); both come back changed."""
        words = self.norms[0](words + self.to_words(words, points, points, need_weights=False)[0])
        asked = self.to_points(points, words, words, key_padding_mask=~mask, need_weights=False)[0]
        points = self.norms[1](points + asked)
        return self.norms[2](words), self.norms[3](points + self.mlp(points))


class AffordanceGenerator(Network):
    """Logits that points, scaled to the unit ball, belong to what sentences ask for."""

    def __init__(
        self, text_width: int = 384, width: int = 128, counts: Sequence[int] = (512, 128, 32), neighbours: int = 16
    ) -> None:
        super().__init__()
        self.config = {
            "text_width": text_width,
            "width": width,
            "counts": list(counts),
            "neighbours": neighbours,
        }
        widths = (width // 2, width, width)
        self.encoder = PointNet(7, counts, widths, neighbours)
        self.words = nn.Sequential(nn.Dropout(UNHEARD), nn.Linear(text_width, width), nn.LayerNorm(width), nn.GELU())
        self.sentence = nn.Sequential(nn.Dropout(UNHEARD), nn.Linear(text_width, width), nn.LayerNorm(width), nn.GELU())
        self.fusions = nn.ModuleList(FusionBlock(width) for _ in counts)
        self.spreads = nn.ModuleList(
            [Spread(width, widths[1], width), Spread(width, widths[0], width), Spread(width, 7, width)]
        )
        self.kernel = nn.Sequential(nn.Linear(3 * width, width), nn.GELU(), nn.Linear(width, width + 1))

    def forward(self, points: Tensor, normals: Tensor, scale: Tensor, text: Text, rows: Tensor | None = None) -> Tensor:
        """Clouds (C, N, 3) farthest point first, their unit normals and radius (C,) in m; logits (B, N).

        Of the B sentences each cloud gets equally many, its own one after another. ``rows`` (J,): points that are
        answered about, (B, J); all by default.
        """
        size = scale.log()[:, None, None].expand(-1, points.shape[1], 1)
        fine, *levels = self.encoder(points, torch.cat([points, normals, size], dim=-1))
        real = text.mask[..., None]
        sentence = self.sentence((text.tokens * real).sum(1) / real.sum(1))
        words = self.words(text.tokens) + sentence[:, None]
        shown = fine if rows is None else fine.rows(rows)
        each = len(text.mask) // len(points)
        level, *finer = (one.repeat(each) for one in [*reversed(levels), shown])
        for fusion, spread, below in zip(self.fusions, self.spreads, finer, strict=True):
            words, features = fusion(words, text.mask, level.features)
            level = spread(Level(level.points, features), below)
        said = (words * real).sum(1) / real.sum(1)
        heard = torch.cat([said, sentence, level.features.amax(1)], dim=-1)
        kernel, bias = self.kernel(heard).split([words.shape[-1], 1], dim=1)
        return (level.features @ kernel[..., None])[..., 0] + bias


def affordance_loss(logits: Tensor, target: Tensor, balance: float = 1.0) -> dict[str, Tensor]:
    """Focal and symmetric dice loss of logits (B, N) against masks (B, N) of 0 and 1 (affordgrasp 10.2)."""
    plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    right = torch.where(target > 0.5, probability, 1.0 - probability)
    alpha = torch.where(target > 0.5, BALANCE, 1.0 - BALANCE)
    focal = (alpha * (1.0 - right) ** FOCUS * plain).mean()
    dice = 1.0 - 0.5 * (_dice(probability, target) + _dice(1.0 - probability, 1.0 - target)).mean()
    return {"focal": focal, "dice": balance * dice}


def _dice(one: Tensor, two: Tensor) -> Tensor:
    return (2.0 * (one * two).sum(1) + SMOOTH) / (one.sum(1) + two.sum(1) + SMOOTH)
