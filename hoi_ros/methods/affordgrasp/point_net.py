"""PointNet++: features of a cloud at several levels of detail, and back at every point (Qi et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Level:
    """Points (B, M, 3) of a cloud and their features (B, M, C)."""

    points: Tensor
    features: Tensor

    def repeat(self, count: int) -> Level:
        """Each cloud ``count`` times."""
        return Level(*(values.repeat_interleave(count, 0) for values in (self.points, self.features)))

    def rows(self, chosen: Tensor) -> Level:
        """Points of every cloud by index (J,)."""
        return Level(self.points[:, chosen], self.features[:, chosen])


class Norm(nn.BatchNorm1d):
    """Batch normalisation of the last axis of (..., C), over everything else: it keeps what differs between points."""

    def forward(self, values: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        return super().forward(values.flatten(0, -2)).view(values.shape)


class Mlp(nn.Sequential):
    """Linear layers, each normalised and bent."""

    def __init__(self, *widths: int) -> None:
        layers: list[nn.Module] = []
        for one, two in pairwise(widths):
            layers += [nn.Linear(one, two), Norm(two), nn.GELU()]
        super().__init__(*layers)


class Gather(nn.Module):
    """Set abstraction: the first points of a cloud look at their nearest neighbours.

    Clouds come farthest point first (``scene.clouds.prepare``), so the first points are spread over all of it.
    """

    def __init__(self, count: int, neighbours: int, width_in: int, width: int) -> None:
        super().__init__()
        self.count, self.neighbours = count, neighbours
        self.mlp = Mlp(width_in + 3, width // 2, width)

    def forward(self, level: Level) -> Level:
        """Level of ``count`` points."""
        centres = level.points[:, : self.count]
        near = torch.cdist(centres, level.points).topk(self.neighbours, largest=False).indices
        offsets = rows_of(level.points, near) - centres[:, :, None]
        scale = offsets.norm(dim=-1).amax(-1)[..., None, None] + 1e-6
        seen = self.mlp(torch.cat([offsets / scale, rows_of(level.features, near)], dim=-1))
        return Level(centres, seen.amax(2))


class Spread(nn.Module):
    """Feature propagation: finer points take the features of the three nearest coarser ones."""

    def __init__(self, width_coarse: int, width_fine: int, width: int) -> None:
        super().__init__()
        self.mlp = Mlp(width_coarse + width_fine, width, width)

    def forward(self, coarse: Level, fine: Level) -> Level:
        """The finer level with both levels' features."""
        distance, near = torch.cdist(fine.points, coarse.points).topk(3, largest=False)
        weights = 1.0 / (distance + 1e-4)
        weights = weights / weights.sum(-1, keepdim=True)
        taken = (weights[..., None] * rows_of(coarse.features, near)).sum(2)
        return Level(fine.points, self.mlp(torch.cat([taken, fine.features], dim=-1)))


class PointNet(nn.Module):
    """The way down: a cloud (B, N, 3) with features (B, N, F) at every level, finest first."""

    def __init__(self, width_in: int, counts: Sequence[int], widths: Sequence[int], neighbours: int) -> None:
        super().__init__()
        self.gathers = nn.ModuleList(
            Gather(count, neighbours, before, width)
            for count, before, width in zip(counts, [width_in, *widths], widths, strict=False)
        )

    def forward(self, points: Tensor, features: Tensor) -> list[Level]:
        """The cloud itself, then each level that gathers it."""
        levels = [Level(points, features)]
        for gather in self.gathers:
            levels.append(gather(levels[-1]))
        return levels


def rows_of(values: Tensor, index: Tensor) -> Tensor:
    """Rows (B, M, K, C) of values (B, N, C) by index (B, M, K)."""
    first = torch.arange(len(values), device=values.device)[:, None, None] * values.shape[1]
    chosen = (index + first).flatten()  # with its gradient twice as fast as `gather`, and far faster than brackets
    return values.flatten(0, 1).index_select(0, chosen).view(*index.shape, values.shape[-1])


def unit_ball(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, N, 3), m, about the middle of their box and within radius 1; and that radius (B,), m."""
    middle = 0.5 * (points.amin(1, keepdim=True) + points.amax(1, keepdim=True))
    centred = points - middle
    radius = centred.norm(dim=-1).amax(1)
    return centred / radius[:, None, None], radius
