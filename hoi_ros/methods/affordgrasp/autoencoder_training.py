"""Training and scoring of the autoencoder on the engine's hands, moved, turned and bent a little more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import smplx
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load, load_shipped
from hoi_ros.methods.affordgrasp.autoencoder import UNIT, HandAutoencoder, Hands, surface
from hoi_ros.methods.affordgrasp.classifier_training import hand_order
from hoi_ros.types import Array

RECIPE = Recipe(steps=6000, rate=1e-3)
BATCH = 64
PARAMETERS = 0.1  # weight of the parameters beside the vertices
BENT, MOVED, OTHER = np.radians(4.0), 0.02, 0.3  # deviation of angles, rad, places, m, and shape coefficients


@dataclass(frozen=True)
class Recorded:
    """MANO parameters of grasps, about the middle of their objects' boxes."""

    pose: Array  # (N, 48)
    betas: Array  # (N, 10)
    transl: Array  # (N, 3) m

    @classmethod
    def of(cls, dataset: Dataset, split: Split, advance: Callable[[], None]) -> Recorded:
        """Every grasp of a split."""
        found: list[list[Array]] = [[], [], []]
        for table in dataset.tables("grasps", split):
            advance()
            if not table.num_rows:
                continue
            vertices = dataset.object(table["object"][0].as_py()).vertices
            middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
            for kept, name, shift in zip(found, ("pose", "betas", "transl"), (0.0, 0.0, middle), strict=True):
                kept.append(column(table, name).astype(np.float64) - shift)
        return cls(*(np.concatenate(values) for values in found))

    def hands(self, rows: NDArray[np.int64] | slice) -> Hands:
        """Some of them as tensors."""
        pose = self.pose[rows]
        orient = Rotation.from_rotvec(pose[:, :3]).as_matrix()
        values = (orient, pose[:, 3:], self.betas[rows], self.transl[rows])
        return Hands(*(torch.from_numpy(v.astype(np.float32)) for v in values))


@dataclass(frozen=True)
class Coding:
    """The training of the autoencoder."""

    model: HandAutoencoder
    recorded: Recorded
    layer: smplx.MANO
    order: Tensor
    limits: Limits

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Coding:
        """Read the split ``train``; the same seed starts with the same network."""
        torch.manual_seed(seed)
        hand = load_hand_model()
        return cls(
            HandAutoencoder(),
            Recorded.of(dataset, "train", advance),
            hand.smplx(),
            torch.from_numpy(hand_order(hand)),
            Limits(hand.kinematics),
        )

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Distance of the vertices that come back, and of the parameters."""
        true = Hands(*(values.to(device) for values in vars(self._draw(rng)).values()))
        layer = self.layer.to(device)
        vertices = surface(layer, true)
        back = model(vertices[:, self.order.to(device)])
        off = (surface(layer, back) - vertices).norm(dim=-1)
        parameters = (back.pose - true.pose).square().mean() + 0.1 * (back.betas - true.betas).square().mean()
        return {"vertices": UNIT * off.mean(), "parameters": PARAMETERS * parameters}

    def _draw(self, rng: np.random.Generator) -> Hands:
        """Grasps turned about the vertical, moved, bent inside the limits, of somewhat other people."""
        rows = rng.integers(len(self.recorded.pose), size=BATCH)
        pose, betas, transl = (values[rows] for values in vars(self.recorded).values())
        turns = Rotation.from_euler("z", rng.uniform(0.0, 2.0 * np.pi, (BATCH, 1)))
        angles = self.limits.to_angles(pose[:, 3:])
        bent = np.clip(angles + rng.normal(0.0, BENT, angles.shape), self.limits.lower, self.limits.upper)
        wrist = load_hand_model().kinematics.rest_joints(betas)[:, 0]  # the orientation turns about it
        values = (
            (turns * Rotation.from_rotvec(pose[:, :3])).as_matrix(),
            self.limits.to_pose(bent),
            betas + rng.normal(0.0, OTHER, betas.shape),
            turns.apply(wrist + transl) - wrist + rng.normal(0.0, MOVED, transl.shape),
        )
        return Hands(*(torch.from_numpy(v.astype(np.float32)) for v in values))


def score_splits(
    dataset: Dataset,
    weights: Path | None,
    seed: int,  # noqa: ARG001  # nothing is drawn
    advance: Callable[[], None],
) -> dict[str, dict[str, dict[str, float]]]:
    """What is lost there and back, on new instances and on the unseen categories."""
    model = HandAutoencoder.load(load(weights) if weights else load_shipped("affordgrasp_autoencoder"))
    splits: Mapping[str, Split] = {"test": "test", "unseen": "unseen"}
    return {name: {"all": score(model, Recorded.of(dataset, split, advance))} for name, split in splits.items()}


@torch.inference_mode()
def score(model: HandAutoencoder, recorded: Recorded) -> dict[str, float]:
    """Mean and 95th percentile of the distance of vertices that come back, mm."""
    hand = load_hand_model()
    layer, order = hand.smplx(), hand_order(hand)
    off = []
    for start in range(0, len(recorded.pose), BATCH):
        vertices = surface(layer, recorded.hands(slice(start, start + BATCH)))
        off.append((surface(layer, model(vertices[:, order])) - vertices).norm(dim=-1).numpy())
    distances = 1e3 * np.concatenate(off)
    return {
        "grasps": float(len(distances)),
        "mean_mm": float(distances.mean()),
        "p95_mm": float(np.percentile(distances, 95)),
    }
