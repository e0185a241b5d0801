"""The hand's autoencoder: what it is built from agrees with smplx, and it learns to give hands back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.learning.trainer import Recipe, train
from hoi_ros.learning.weights import load
from hoi_ros.methods.affordgrasp.autoencoder import HandAutoencoder, Hands, rotation, surface
from hoi_ros.methods.affordgrasp.autoencoder_training import Coding, Recorded, score
from hoi_ros.methods.affordgrasp.classifier_training import hand_order

MODEL = load_hand_model()
LIMITS = Limits(MODEL.kinematics)


def recorded(count: int = 16) -> Recorded:
    rng = np.random.default_rng(0)
    orient = Rotation.random(count, random_state=0).as_rotvec()
    pose = np.concatenate([orient, LIMITS.sample(rng, count)], axis=1)
    return Recorded(pose, rng.normal(size=(count, 10)), rng.normal(0.0, 0.05, (count, 3)))


def test_the_surface_is_that_of_the_hand_model() -> None:
    hands = recorded()
    expected = MODEL.mesh(hands.pose[:, :3], hands.pose[:, 3:], hands.betas, hands.transl).vertices
    np.testing.assert_allclose(surface(MODEL.smplx(), hands.hands(slice(None))).numpy(), expected, atol=2e-6)


def test_rotations_come_from_any_two_columns() -> None:
    matrices = torch.from_numpy(Rotation.random(20, random_state=1).as_matrix())
    columns = torch.cat([3.0 * matrices[..., 0], 0.5 * matrices[..., 1] + 2.0 * matrices[..., 0]], dim=1)
    torch.testing.assert_close(rotation(columns), matrices)


def test_turned_hands_stay_where_the_object_is(tmp_path: Path) -> None:
    """A draw turns hand and object together about the vertical through the object's middle."""
    hands = recorded(1)
    task = Coding(HandAutoencoder(256, 8, 32), hands, MODEL.smplx(), torch.from_numpy(hand_order(MODEL)), LIMITS)
    rng = np.random.default_rng(0)
    drawn: Hands = task._draw(rng)
    away = surface(task.layer, drawn).numpy().mean(axis=1)
    here = surface(task.layer, hands.hands(slice(None))).numpy().mean(axis=1)
    assert abs(np.hypot(*away[:, :2].T).mean() - np.hypot(*here[0, :2])) < 0.02
    assert abs(away[:, 2].mean() - here[0, 2]) < 0.02


def test_it_learns_to_give_hands_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    hands = recorded()
    task = Coding(HandAutoencoder(256, 32, 64), hands, MODEL.smplx(), torch.from_numpy(hand_order(MODEL)), LIMITS)
    before = score(task.model.eval(), hands)["mean_mm"]
    task.model.train()
    weights = train(task, Recipe(60, rate=3e-3, smoothing=0.8), tmp_path, 0, lambda _done, _terms: None)
    assert score(HandAutoencoder.load(load(weights)), hands)["mean_mm"] < 0.5 * before
