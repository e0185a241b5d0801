"""The keypoint baseline: a diffusion over joints and anchors instead of a field (choir B.3).

As in the paper, residual layers stand in for the U-Net, there are no contacts, and an object is a list of points, 4096
of them. The frame, what is predicted (what is clean) and the loss are as in JointDiffusion, so that the representation
differs, and that it is not trained on hands which it has refined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import load_hand_model
from hoi_ros.learning.schedule import alphas
from hoi_ros.learning.trainer import Network
from hoi_ros.methods.choir.draws import Draws
from hoi_ros.methods.choir.field import ANCHORS
from hoi_ros.methods.choir.joint_diffusion import GUIDE, waves
from hoi_ros.methods.choir.pairs import Pairs
from hoi_ros.methods.choir.training import CONTEXTS, drawn_steps, weighed
from hoi_ros.types import Array

JOINTS, POINTS = 21, 4096
NUMBERS = 3 * (JOINTS + ANCHORS)
WIDTH, CONTEXT, BLOCKS = 512, 2048, 4
UNIT = 0.05  # m


class Block(nn.Module):
    """Two layers, scaled and shifted by the guide, past which the input goes too."""

    def __init__(self, width: int, guide: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])
        self.guide = nn.Linear(guide, 2 * width)

    def forward(self, values: Tensor, guide: Tensor) -> Tensor:
        """(B, W)."""
        scale, shift = self.guide(guide).chunk(2, dim=1)
        inner = self.layers[0](self.norm(values) * (1.0 + scale) + shift)
        out: Tensor = values + self.layers[1](nn.functional.silu(inner))
        return out


class KeypointDiffusion(Network):
    """Keypoints (B, 159) of hands from noise, conditioned on noisy ones and an object's points."""

    def __init__(self, points: int = POINTS, context: int = CONTEXT, width: int = WIDTH) -> None:
        super().__init__()
        self.config = {"points": points, "context": context, "width": width}
        self.time = nn.Sequential(nn.Linear(GUIDE, width), nn.SiLU(), nn.Linear(width, width))
        self.context = nn.Sequential(nn.Linear(3 * points + NUMBERS, context), nn.SiLU())
        self.more = nn.Sequential(nn.LayerNorm(context), nn.Linear(context, context), nn.SiLU())
        self.known = nn.Linear(context, width)
        self.before = nn.Linear(2 * NUMBERS, width)
        self.blocks = nn.ModuleList(Block(width, width) for _ in range(BLOCKS))
        self.looks = nn.MultiheadAttention(width, 4, batch_first=True)
        self.after = nn.Linear(width, NUMBERS)
        nn.init.zeros_(self.after.weight)
        nn.init.zeros_(self.after.bias)

    def forward(self, obj: Tensor, noisy: Tensor, values: Tensor, steps: Tensor) -> Tensor:
        """Clean ones of noisier (B * K, 159) at steps (B * K,), for points (B, N, 3) and keypoints (B, 159), m."""
        hand = noisy / UNIT
        inner = self.context(torch.cat([obj.flatten(1) / UNIT, hand], dim=1))
        known = self.known(inner + self.more(inner)).repeat_interleave(len(values) // len(obj), 0)
        hand = hand.repeat_interleave(len(values) // len(obj), 0)
        guide = self.time(waves(steps))
        found = self.before(torch.cat([values, hand], dim=1))
        for block in self.blocks:
            found = block(found, guide + known)
            found = found + self.looks(found[:, None], known[:, None], known[:, None], need_weights=False)[0][:, 0]
        out: Tensor = hand + self.after(found)
        return out


def nearest_first(points: Array, count: int, rng: np.random.Generator) -> Array:
    """``count`` of points (N, 3), drawn at random, those nearest to the origin first: a list wants an order."""
    chosen = points[rng.choice(len(points), count, replace=len(points) < count)]
    return np.asarray(chosen[np.argsort(np.square(chosen).sum(axis=1))])


@dataclass(frozen=True)
class KeypointDenoising:
    """Its training."""

    model: KeypointDiffusion
    draws: Draws

    @classmethod
    def of(
        cls, dataset: Dataset, seed: int, advance: Callable[[], None], _trained: Path | None = None
    ) -> KeypointDenoising:
        """Read the split ``train``; the same seed starts with the same network."""
        pairs = Pairs.of_split(dataset, "train", seed, advance)
        torch.manual_seed(seed)
        return cls(KeypointDiffusion(), Draws(pairs, "pair", CONTEXTS))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Error of the keypoints, weighted as fields are."""
        drawn, hand = self.draws.drawn(rng), load_hand_model()
        place = drawn.place
        noisy_joints, joints = (
            hand.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
            for hands in (drawn.hands, drawn.true)
        )
        seen = np.stack(
            [
                nearest_first(place[row : row + 1].enter(tree.data[None])[0], POINTS, rng)
                for row, tree in enumerate(drawn.trees)
            ]
        )
        noisy, clean = (
            np.concatenate([place.enter(points) for points in pair], axis=1).reshape(len(place), -1)
            for pair in ((noisy_joints, drawn.noisy), (joints, drawn.anchors))
        )
        steps = drawn_steps(rng, len(place), in_one=True).to(device)
        kept = torch.from_numpy(alphas().astype(np.float32)).to(device)[steps][:, None]
        wanted = _single(clean / UNIT).to(device)
        noise = torch.from_numpy(rng.standard_normal(wanted.shape, dtype=np.float32)).to(device)
        values = kept.sqrt() * wanted + (1.0 - kept).sqrt() * noise
        found = model(_single(seen).to(device), _single(noisy).to(device), values, steps)
        off = (found - wanted).square().mean(1)
        return {"keypoints": weighed(off, _single(drawn.level).to(device), steps, in_one=True)}


def _single(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
