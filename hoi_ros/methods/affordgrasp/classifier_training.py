"""Training and scoring of the semantic classifier on the engine's grasps, and on hands that do nothing with an object.

No-grasp is a hand that keeps off: a grasp drawn back until it touches nothing. Null is a hand in no relation to the
object: any natural pose anywhere near it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load, load_shipped
from hoi_ros.methods.affordgrasp.hand_surface import hand_order
from hoi_ros.methods.affordgrasp.point_net import unit_ball
from hoi_ros.methods.affordgrasp.semantic_classifier import CLASSES, OBJECT_POINTS, SemanticClassifier
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.clouds import farthest_points, sample_surface
from hoi_ros.types import Array

RECIPE = Recipe(steps=4000, rate=1e-3)
BATCH = 32
NOTHING = 0.1  # share of hands that keep off, and as many that are in no relation
NOISE = 0.0015  # m
_BACK = (0.02, 0.15)  # m that a hand is drawn back
_NEAR = 0.12  # m about the object's box in which a hand may be by chance


@dataclass(frozen=True)
class Grasps:
    """Grasps as points: hands (N, H, 3) and the number (N,) of their object among ``objects``, (O, P, 3); m."""

    hands: NDArray[np.float32]
    palms: NDArray[np.float32]  # (N, 3) unit, out of the palm
    owner: NDArray[np.int64]
    objects: NDArray[np.float32]
    label: NDArray[np.int64]  # (N,) row of ``CLASSES``

    @classmethod
    def of(cls, dataset: Dataset, split: Split, seed: int, advance: Callable[[], None]) -> Grasps:
        """Every grasp of a split."""
        model, order = load_hand_model(), hand_order(load_hand_model())
        hands, palms, owner, objects, label = [], [], [], [], []
        for number, record in enumerate(dataset.units(split)):
            points = sample_surface(
                dataset.object(record.name), 4 * OBJECT_POINTS, np.random.default_rng([seed, number])
            )[0]
            objects.append(points[farthest_points(points, OBJECT_POINTS)])
            advance()
        names = [record.name for record in dataset.units(split)]
        for table in dataset.tables("grasps", split):
            if not table.num_rows:
                continue
            pose, keypoints = column(table, "pose").astype(np.float64), column(table, "keypoints").reshape(-1, 21, 3)
            mesh = model.mesh(pose[:, :3], pose[:, 3:], column(table, "betas"), column(table, "transl"))
            hands.append(mesh.vertices[:, order])
            palms.append(_out_of_palm(keypoints))
            owner += [names.index(name) for name in table["object"].to_pylist()]
            label += [CLASSES.index(Affordance(name)) for name in table["affordance"].to_pylist()]
        return cls(
            np.concatenate(hands).astype(np.float32),
            np.concatenate(palms).astype(np.float32),
            np.array(owner),
            np.array(objects, dtype=np.float32),
            np.array(label),
        )


def _out_of_palm(keypoints: Array) -> Array:
    out = np.cross(keypoints[:, 17] - keypoints[:, 0], keypoints[:, 5] - keypoints[:, 0])
    return -out / np.linalg.norm(out, axis=1, keepdims=True)


class Draws:
    """Batches of hands (B, H, 3) and objects (B, O, 3) about the object's middle, scale (B,) m and label (B,)."""

    def __init__(self, grasps: Grasps, batch: int = BATCH) -> None:
        self._grasps, self._batch = grasps, batch
        model = load_hand_model()
        self._model, self._order, self._limits = model, hand_order(model), Limits(model.kinematics)
        kinds = [np.flatnonzero(grasps.label == kind) for kind in np.unique(grasps.label)]
        self._kinds = [rows for rows in kinds if len(rows)]

    def __call__(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Every affordance as often as any other, turned about the vertical, with a sensor's noise."""
        rows = np.array([rng.choice(self._kinds[rng.integers(len(self._kinds))]) for _ in range(self._batch)])
        hands, objects = self._grasps.hands[rows].copy(), self._grasps.objects[self._grasps.owner[rows]]
        label = self._grasps.label[rows].copy()
        idle = rng.random(self._batch)
        for row in np.flatnonzero(idle < NOTHING):
            hands[row] -= rng.uniform(*_BACK) * self._grasps.palms[rows[row]]
            label[row] = CLASSES.index(Affordance.NO_GRASP)
        for row in np.flatnonzero(idle > 1.0 - NOTHING):
            hands[row] = self._anywhere(objects[row], rng)
            label[row] = CLASSES.index(Affordance.NULL)
        turns = Rotation.from_euler("z", rng.uniform(0.0, 2.0 * np.pi, (self._batch, 1))).as_matrix()
        hands, objects = (values @ turns.swapaxes(1, 2) for values in (hands, objects))
        hands, objects = (values + rng.normal(0.0, NOISE, values.shape) for values in (hands, objects))
        return *scaled(hands, objects), torch.from_numpy(label)

    def _anywhere(self, obj: NDArray[np.float32], rng: np.random.Generator) -> Array:
        pose = self._limits.sample(rng, 1)
        turn = Rotation.random(random_state=rng).as_rotvec()[None]
        hand = self._model.mesh(turn, pose, np.zeros((1, 10)), np.zeros((1, 3))).vertices[0, self._order]
        low, high = obj.min(axis=0) - _NEAR, obj.max(axis=0) + _NEAR
        moved: Array = hand - hand.mean(axis=0) + rng.uniform(low, high)
        return moved


def scaled(hands: NDArray[Any], objects: NDArray[Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Hands and objects (B, *, 3), m, in the object's unit ball, and its radius (B,), m."""
    cloud = torch.from_numpy(objects.astype(np.float32))
    points, radius = unit_ball(cloud)
    middle = 0.5 * (cloud.amin(1, keepdim=True) + cloud.amax(1, keepdim=True))
    hand = (torch.from_numpy(hands.astype(np.float32)) - middle) / radius[:, None, None]
    return hand, points, radius


@dataclass(frozen=True)
class Semantics:
    """The training of the classifier."""

    model: SemanticClassifier
    draws: Draws

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Semantics:
        """Read the split ``train``; the same seed starts with the same network."""
        torch.manual_seed(seed)
        return cls(SemanticClassifier(), Draws(Grasps.of(dataset, "train", seed, advance)))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Cross-entropy of one batch (affordgrasp eq. 12)."""
        hand, obj, radius, label = (values.to(device) for values in self.draws(rng))
        return {"cross_entropy": functional.cross_entropy(model(hand, obj, radius), label)}


def score_splits(
    dataset: Dataset, weights: Path | None, seed: int, advance: Callable[[], None]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy on new instances and on the unseen categories: of all grasps, and of each affordance."""
    model = SemanticClassifier.load(load(weights) if weights else load_shipped("affordgrasp_classifier"))
    splits: Mapping[str, Split] = {"test": "test", "unseen": "unseen"}
    return {name: score(model, Grasps.of(dataset, split, seed, advance)) for name, split in splits.items()}


@torch.inference_mode()
def score(model: SemanticClassifier, grasps: Grasps) -> dict[str, dict[str, Any]]:
    """Share of the grasps whose affordance is named, over all and by affordance."""
    named = []
    for start in range(0, len(grasps.hands), 64):
        rows = slice(start, start + 64)
        hand, obj, radius = scaled(grasps.hands[rows], grasps.objects[grasps.owner[rows]])
        named.append(model(hand, obj, radius).argmax(1).numpy())
    right = np.concatenate(named) == grasps.label
    table = {"all": {"grasps": len(right), "accuracy": float(right.mean())}}
    for number in np.unique(grasps.label):
        of = right[grasps.label == number]
        table[str(CLASSES[number])] = {"grasps": len(of), "accuracy": float(of.mean())}
    return table
