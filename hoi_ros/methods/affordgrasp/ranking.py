"""Which grasp is best: the probability that it does what it is for, from what is felt on the cloud after settling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hoi_ros.learning.trainer import Network
from hoi_ros.types import Array

FELT = (
    "touch", "hold", "penetration", "self", "keep_off", "unnatural",
    "depth", "flesh_depth", "part", "fingers", "patches",
)  # fmt: skip
"""What ``Settled.felt`` knows of a grasp, by name; a grasp that need not hold has no "hold"."""


class Ranking(Network):
    """Logits (B,) of what is felt (B, F), in the order of ``names``, and whether the grasp must hold.

    A logistic regression on logarithms: hidden layers ranked unseen objects no better.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, names: Sequence[str] = FELT) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {"names": list(names)}
        self.names = tuple(names)
        width = len(self.names) + 1
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.linear = nn.Linear(width, 1)

    @torch.no_grad()
    def normalise(self, values: Tensor) -> None:
        """Take mean and deviation from values (N, F)."""
        self.mean.copy_(values.mean(0))
        self.deviation.copy_(values.std(0).clamp(min=1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Logits (B,) of values (B, F)."""
        logits: Tensor = self.linear((values - self.mean) / self.deviation)[:, 0]
        return logits

    def values(self, felt: Mapping[str, Array], holds: bool) -> Tensor:
        """Values (B, F) of what is felt (B,) by name; lengths and energies by their logarithm."""
        count = len(next(iter(felt.values())))
        columns = [np.log1p(np.maximum(felt.get(name, np.zeros(count)), 0.0)) for name in self.names]
        columns.append(np.full(count, float(holds)))
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))

    @torch.inference_mode()
    def probability(self, felt: Mapping[str, Array], holds: bool) -> Array:
        """Probability (B,) that a grasp does what it is for."""
        found: Array = self(self.values(felt, holds)).sigmoid().numpy().astype(np.float64)
        return found
