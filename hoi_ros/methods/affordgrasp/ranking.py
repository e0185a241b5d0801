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
"""What ``Settled.felt`` knows of a grasp, by name."""


class Ranking(Network):
    """Logits (B,) of what is felt (B, F), in the order of ``names``: a logistic regression on logarithms."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, names: Sequence[str] = FELT) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {"names": list(names)}
        self.names = tuple(names)
        self.register_buffer("mean", torch.zeros(len(self.names)))
        self.register_buffer("deviation", torch.ones(len(self.names)))
        self.linear = nn.Linear(len(self.names), 1)
        nn.init.zeros_(self.linear.weight)

    @torch.no_grad()
    def normalise(self, values: Tensor) -> None:
        """Take mean and deviation from values (N, F)."""
        self.mean.copy_(values.mean(0))
        self.deviation.copy_(values.std(0).clamp(min=1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Logits (B,) of values (B, F)."""
        logits: Tensor = self.linear((values - self.mean) / self.deviation)[:, 0]
        return logits

    def values(self, felt: Mapping[str, Array]) -> Tensor:
        """Values (B, F) of what is felt (B,) by name; lengths and energies by their logarithm."""
        columns = [np.log1p(np.maximum(felt[name], 0.0)) for name in self.names]
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))

    @torch.inference_mode()
    def probability(self, felt: Mapping[str, Array]) -> Array:
        """Probability (B,) that a grasp does what it is for."""
        found: Array = self(self.values(felt)).sigmoid().numpy().astype(np.float64)
        return found
