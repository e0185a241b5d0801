"""The autoencoder: a hand's vertices to a short code, and back to MANO parameters (affordgrasp 3.2; FastGrasp).

A PointNet reads the vertices. Hands lie in the frame of the object, about its middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import smplx
import torch
from smplx.lbs import batch_rodrigues, lbs
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.learning.trainer import Network
from hoi_ros.methods.affordgrasp.point_net import Mlp

UNIT = 10.0  # per m: hands are read and placed in decimetres
_SIZES = (6, 45, 10, 3)  # orientation as two columns, pose, betas, translation


@dataclass(frozen=True)
class Hands:
    """MANO parameters of a batch: orientation (B, 3, 3), pose (B, 45) rad, betas (B, 10), translation (B, 3) m."""

    orient: Tensor
    pose: Tensor
    betas: Tensor
    transl: Tensor


class HandAutoencoder(Network):
    """Vertices (B, V, 3), m, of one choice of the hand's vertices, to codes (B, ``code``), and codes to ``Hands``."""

    def __init__(self, vertices: int = 256, code: int = 64, width: int = 256) -> None:
        super().__init__()
        self.config: Mapping[str, Any] = {"vertices": vertices, "code": code, "width": width}
        self.names = nn.Parameter(0.1 * torch.randn(vertices, 8))  # which vertex a point is
        self.points = nn.Sequential(Mlp(11, width // 4, width // 2), nn.Linear(width // 2, 2 * width))
        self.to_code = nn.Sequential(nn.GELU(), nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, code))
        self.decoder = nn.Sequential(
            nn.Linear(code, 2 * width), nn.GELU(), nn.Linear(2 * width, 2 * width), nn.GELU(),
            nn.Linear(2 * width, sum(_SIZES)),
        )  # fmt: skip

    def encode(self, vertices: Tensor) -> Tensor:
        """Codes (B, C) of vertices (B, V, 3), m."""
        named = torch.cat([UNIT * vertices, self.names.expand(len(vertices), -1, -1)], dim=-1)
        code: Tensor = self.to_code(self.points(named).amax(1))
        return code

    def decode(self, code: Tensor) -> Hands:
        """Hands of codes (B, C)."""
        columns, pose, betas, transl = self.decoder(code).split(_SIZES, dim=1)
        return Hands(rotation(columns), pose, betas, transl / UNIT)

    def forward(self, vertices: Tensor) -> Hands:
        """There and back."""
        return self.decode(self.encode(vertices))


def rotation(columns: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) from their first two columns (B, 6), which need be neither unit nor perpendicular."""
    one = functional.normalize(columns[:, :3], dim=1)
    two = functional.normalize(columns[:, 3:] - (one * columns[:, 3:]).sum(1, keepdim=True) * one, dim=1)
    return torch.stack([one, two, torch.linalg.cross(one, two)], dim=2)


def surface(layer: smplx.MANO, hands: Hands) -> Tensor:
    """Vertices (B, 778, 3), m, of hands, differentiable in all their parameters."""
    count = len(hands.pose)
    turns = batch_rodrigues(hands.pose.reshape(-1, 3)).view(count, 15, 3, 3)
    vertices: Tensor = lbs(
        hands.betas,
        torch.cat([hands.orient[:, None], turns], dim=1),
        layer.v_template,
        layer.shapedirs,
        layer.posedirs,
        layer.J_regressor,
        layer.parents,
        layer.lbs_weights,
        pose2rot=False,
    )[0]
    return vertices + hands.transl[:, None]
