"""The autoencoder: a hand's vertices to a short code, and back to MANO parameters (affordgrasp 3.2; FastGrasp).

Hands lie in the frame of a request (``placing``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.hand_surface import SEEN, SIZES, UNIT, Hands


class HandAutoencoder(Network):
    """Vertices (B, V, 3), m, of one choice of the hand's vertices, to codes (B, ``code``), and codes to ``Hands``.

    Vertices have names, so they are read in order: the public base's PointNet, which forgets which is which, lost
    three times as much.
    """

    def __init__(self, vertices: int = SEEN, code: int = 64, width: int = 512) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {"vertices": vertices, "code": code, "width": width}
        self.encoder = _mlp(3 * vertices, width, code)
        self.decoder = _mlp(code, width, sum(SIZES))

    def encode(self, vertices: Tensor) -> Tensor:
        """Codes (B, C) of vertices (B, V, 3), m."""
        code: Tensor = self.encoder(UNIT * vertices.flatten(1))
        return code

    def decode(self, code: Tensor) -> Hands:
        """Hands of codes (B, C)."""
        return Hands.of(self.decoder(code))

    def forward(self, vertices: Tensor) -> Hands:
        """There and back."""
        return self.decode(self.encode(vertices))


def _mlp(before: int, width: int, after: int) -> nn.Sequential:
    """Three hidden layers."""
    layers: list[nn.Module] = []
    for one, two in pairwise([before, width, width, width]):
        layers += [nn.Linear(one, two), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(width, after))
