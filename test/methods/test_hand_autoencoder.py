"""The hand's autoencoder: what it is built from agrees with smplx, and it learns to give hands back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.learning.trainer import Recipe, train
from hoi_ros.learning.weights import load
from hoi_ros.methods.affordgrasp.autoencoder import HandAutoencoder
from hoi_ros.methods.affordgrasp.autoencoder_training import Coding, Recorded, score
from hoi_ros.methods.affordgrasp.hand_surface import Skin, hand_order, hand_skin, rotation

MODEL = load_hand_model()
LIMITS = Limits(MODEL.kinematics)


def recorded(count: int = 16) -> Recorded:
    rng = np.random.default_rng(0)
    orient = Rotation.random(count, random_state=0).as_rotvec()
    pose = np.concatenate([orient, LIMITS.sample(rng, count)], axis=1)
    return Recorded(pose, rng.normal(size=(count, 10)), rng.normal(0.0, 0.05, (count, 3)))


def test_the_skin_is_that_of_the_hand_model() -> None:
    hands = recorded()
    expected = MODEL.mesh(hands.pose[:, :3], hands.pose[:, 3:], hands.betas, hands.transl)
    chosen = hands.hands(slice(None))
    whole = Skin(MODEL.smplx(), torch.arange(778)).surface(chosen)
    np.testing.assert_allclose(whole.numpy(), expected.vertices, atol=2e-6)
    some, joints = hand_skin().pose(chosen)
    np.testing.assert_allclose(some.numpy(), expected.vertices[:, hand_order(MODEL)], atol=2e-6)
    np.testing.assert_allclose(joints[:, 0].numpy(), expected.keypoints[:, 0], atol=2e-6)
    rest = MODEL.kinematics.rest_joints(hands.betas)[:, 0]
    np.testing.assert_allclose(hand_skin().wrists(chosen.betas).numpy(), rest, atol=2e-6)


def test_rotations_come_from_any_two_columns() -> None:
    matrices = torch.from_numpy(Rotation.random(20, random_state=1).as_matrix())
    columns = torch.cat([3.0 * matrices[..., 0], 0.5 * matrices[..., 1] + 2.0 * matrices[..., 0]], dim=1)
    torch.testing.assert_close(rotation(columns), matrices)


def coding(code: int, width: int, hands: Recorded) -> Coding:
    return Coding(HandAutoencoder(256, code, width), hands, hand_skin(), LIMITS)


def test_turned_hands_stay_where_the_object_is() -> None:
    """A draw turns hand and object together about the middle of the part."""
    hands = recorded(1)
    task = coding(8, 32, hands)
    away = task.skin.surface(task._draw(np.random.default_rng(0))).numpy().mean(axis=1)
    here = task.skin.surface(hands.hands(slice(None))).numpy().mean(axis=1)
    assert abs(np.linalg.norm(away, axis=1).mean() - np.linalg.norm(here[0])) < 0.02
    assert abs(away[:, 2].mean() - here[0, 2]) < 0.02


def test_it_learns_to_give_hands_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    hands = recorded()
    task = coding(32, 64, hands)
    before = score(task.model.eval(), hands)["mean_mm"]
    task.model.train()
    weights = train(task, Recipe(60, rate=3e-3, smoothing=0.8), tmp_path, 0, lambda _done, _terms: None)
    assert score(HandAutoencoder.load(load(weights)), hands)["mean_mm"] < 0.5 * before
