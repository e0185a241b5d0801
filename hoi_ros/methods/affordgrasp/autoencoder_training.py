"""Training and scoring of the autoencoder on the engine's hands, moved, turned and bent a little more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load, load_shipped
from hoi_ros.methods.affordgrasp.autoencoder import HandAutoencoder
from hoi_ros.methods.affordgrasp.grasp_requests import random_turns
from hoi_ros.methods.affordgrasp.hand_surface import UNIT, Hands, Skin, hand_skin
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

RECIPE = Recipe(steps=24_000, rate=1e-3, decay=1e-5)
BATCH = 128
PARAMETERS = 0.1  # weight of the parameters beside the vertices
BENT, MOVED, OTHER = np.radians(4.0), 0.03, 0.3  # deviation of angles, rad, places, m, and shape coefficients


@dataclass(frozen=True)
class Recorded:
    """MANO parameters of grasps, about the middle of the part that is asked for."""

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
            obj = dataset.object(table["object"][0].as_py())
            middles = _middles(obj)[[obj.part(name) for name in table["part"].to_pylist()]]
            for kept, name in zip(found, ("pose", "betas", "transl"), strict=True):
                kept.append(column(table, name).astype(np.float64))
            found[2][-1] -= middles
        return cls(*(np.concatenate(values) for values in found))

    def hands(self, rows: NDArray[np.int64] | slice) -> Hands:
        """Some of them as tensors."""
        pose = self.pose[rows]
        orient = Rotation.from_rotvec(pose[:, :3]).as_matrix()
        values = (orient, pose[:, 3:], self.betas[rows], self.transl[rows])
        return Hands(*(torch.from_numpy(v.astype(np.float32)) for v in values))


def _middles(obj: ObjectModel) -> Array:
    """Middle (P, 3), m, of the surface of each part."""
    corners = obj.vertices[obj.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weights = np.array([np.where(obj.face_parts == part, area, 0.0) for part in range(len(obj.part_names))])
    middles: Array = weights @ corners.mean(axis=1) / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    return middles


@dataclass(frozen=True)
class Coding:
    """The training of the autoencoder."""

    model: HandAutoencoder
    recorded: Recorded
    skin: Skin
    limits: Limits

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Coding:
        """Read the split ``train``; the same seed starts with the same network."""
        torch.manual_seed(seed)
        recorded = Recorded.of(dataset, "train", advance)
        return cls(HandAutoencoder(), recorded, hand_skin(), Limits(load_hand_model().kinematics))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Distance of the vertices that come back, and of the parameters."""
        true, skin = self._draw(rng).to(device), self.skin.to(device)
        vertices = skin.surface(true)
        back = model(vertices)
        off = (skin.surface(back) - vertices).norm(dim=-1)
        parameters = (back.pose - true.pose).square().mean() + 0.1 * (back.betas - true.betas).square().mean()
        return {"vertices": UNIT * off.mean(), "parameters": PARAMETERS * parameters}

    def _draw(self, rng: np.random.Generator) -> Hands:
        """Grasps turned about the vertical, moved, bent inside the limits, of somewhat other people."""
        rows = rng.integers(len(self.recorded.pose), size=BATCH)
        pose, betas, transl = (values[rows] for values in vars(self.recorded).values())
        turns = random_turns(rng, BATCH)
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
    skin, off = hand_skin(), []
    for start in range(0, len(recorded.pose), BATCH):
        vertices = skin.surface(recorded.hands(slice(start, start + BATCH)))
        off.append((skin.surface(model(vertices)) - vertices).norm(dim=-1).numpy())
    distances = 1e3 * np.concatenate(off)
    return {
        "grasps": float(len(distances)),
        "mean_mm": float(distances.mean()),
        "p95_mm": float(np.percentile(distances, 95)),
    }
