"""CHOIR whole: what it does to hands does not depend on where they are, and the table measures what it says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from made_pairs import cloud, cylinder, hands
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.choir import refinery as refinery_module
from hoi_ros.methods.choir.joint_diffusion import CONTACTS, JointDiffusion
from hoi_ros.methods.choir.parts import PARTS, TABLES
from hoi_ros.methods.choir.refinery import Refinery, Settings
from hoi_ros.methods.choir.rows import ROWS, by, by_test_time, untold
from hoi_ros.methods.choir.scoring import Case, score
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface, surface_of
from hoi_ros.types import Array, HandBatch


def network(trained: bool) -> JointDiffusion:
    torch.manual_seed(0)
    made = JointDiffusion(widths=(16, 32))
    if trained:  # as if: it says something
        torch.nn.init.normal_(made.after[-1].weight, std=0.01)
    return made.eval()


def joints(batch: HandBatch) -> Array:
    return load_hand_model().joints(batch.global_orient, batch.hand_pose, batch.betas, batch.transl)


def moved(batch: HandBatch, turn: Rotation, shift: Array) -> HandBatch:
    rest = load_hand_model().kinematics.rest_joints(batch.betas)[:, 0]
    orient = (turn * Rotation.from_rotvec(batch.global_orient)).as_rotvec()
    return HandBatch(orient, batch.hand_pose, batch.betas, turn.apply(batch.transl + rest) + shift - rest)


def test_an_untrained_field_gives_the_hand_back() -> None:
    refinery = Refinery(network(trained=False), settings=Settings(contacts=None, passes=(1.0,)))
    off = np.linalg.norm(joints(refinery.refine(hands(), cloud()).hands) - joints(hands()), axis=-1)
    assert 1e3 * off.mean() < 0.5


def test_hands_are_refined_alike_wherever_they_are() -> None:
    """Hand and object moved together: the refined hand moves with them."""
    refinery = Refinery(network(trained=True), settings=Settings(passes=(1.0,), contacts=None))
    turn, shift = Rotation.from_rotvec([0.4, -1.2, 0.7]), np.array([0.5, -0.3, 0.8])
    surface = cloud()
    points, normals = (values.double().numpy() for values in (surface.points, surface.normals))
    elsewhere = surface_of(turn.apply(points) + shift, turn.apply(normals))
    here = refinery.refine(hands(3), surface, seed=1).hands
    there = refinery.refine(moved(hands(3), turn, shift), elsewhere, seed=1).hands
    assert joints(there) == pytest.approx(joints(moved(here, turn, shift)), abs=3e-4)
    assert np.linalg.norm(joints(here) - joints(hands(3)), axis=-1).mean() > 0.001  # it did something


def test_the_same_seed_gives_the_same_hands() -> None:
    refinery = Refinery(network(trained=True))
    one, two = (refinery.refine(hands(2), cloud(), seed=4).hands for _ in range(2))
    assert np.array_equal(joints(one), joints(two))


def test_a_level_that_is_told_changes_a_hand() -> None:
    refinery = Refinery(network(trained=True), settings=Settings(passes=(1.0,), contacts=None))
    little, much, nothing = (joints(refinery.refine(hands(2), cloud(), level).hands) for level in (0.1, 1.0, math.nan))
    for one, two in ((little, much), (little, nothing), (much, nothing)):
        assert np.abs(one - two).max() > 1e-5
    assert np.isfinite(nothing).all()


@pytest.mark.parametrize(("level", "told"), [(0.8, [0.8, 0.4, 0.2]), (math.nan, [math.nan] * 3)])
def test_each_pass_is_told_what_is_left_of_the_noise(
    level: float, told: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float] = []

    def sampled(_network: JointDiffusion, obj: Tensor, noisy: Tensor, given: Tensor, level: Tensor, *_: int) -> Any:
        assert given.all()
        heard.extend(level.tolist())
        return torch.full_like(obj, 0.1), torch.zeros(len(obj), CONTACTS)

    monkeypatch.setattr(refinery_module, "sample", sampled)
    Refinery(network(trained=False), settings=Settings(passes=(1.0, 0.5, 0.25))).refine(hands(1), cloud(), level)
    assert heard == pytest.approx(told, nan_ok=True)


def test_the_row_that_is_not_told_is_told_nothing() -> None:
    told, not_told = by(network(trained=True)), untold(network(trained=True))
    one, two = (joints(not_told(hands(1), cloud(), level, 0)) for level in (0.1, 1.0))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, joints(told(hands(1), cloud(), 1.0, 0)))


def test_the_table_tells_its_rows_the_level_of_the_noise() -> None:
    heard: list[float] = []

    def row(noisy: HandBatch, _surface: CloudSurface, level: float, _seed: int) -> HandBatch:
        heard.append(level)
        return noisy

    score({"row": row}, iter([Case(cylinder(), cloud(), hands(2))]), (1.0, 0.25), 0, lambda: None)
    assert heard == [1.0, 0.25]


def test_true_hands_are_measured_as_true_and_far_ones_as_far() -> None:
    def far(noisy: HandBatch, _surface: CloudSurface, _level: float, _seed: int) -> HandBatch:
        return HandBatch(noisy.global_orient, noisy.hand_pose, noisy.betas, noisy.transl + np.array([1.0, 0.0, 0.0]))

    rows = {"true": lambda noisy, _surface, _level, _seed: noisy, "far": far}
    found = score(rows, iter([Case(cylinder(), cloud(), hands(3))]), (0.0,), 0, lambda: None)
    assert found["true at 0"]["mpjpe_mm"] == pytest.approx(0.0, abs=1e-6)
    assert found["true at 0"]["f1"] == pytest.approx(1.0)
    assert found["far at 0"]["mpjpe_mm"] == pytest.approx(1000.0)
    assert found["far at 0"]["r_mpjpe_mm"] == pytest.approx(0.0, abs=1e-6)
    assert found["far at 0"]["iv_5mm_cm3"] == 0.0
    assert found["far at 0"]["hands"] == 3


def test_test_time_adaptation_leads_a_hand_out_of_the_object() -> None:
    """A flat hand whose back is pushed against the cylinder until it is 6 mm deep."""
    model, surface = load_hand_model(), cloud()
    flat = HandBatch(np.zeros((1, 3)), np.zeros((1, 45)), np.zeros((1, 10)), np.zeros((1, 3)))

    def depth(batch: HandBatch) -> float:
        vertices = model.mesh(batch.global_orient, batch.hand_pose, batch.betas, batch.transl).vertices
        distance = surface.lookup(torch.from_numpy(vertices.astype(np.float32)))[0]
        return float(-distance.min())

    def pushed(by: float) -> HandBatch:
        return HandBatch(flat.global_orient, flat.hand_pose, flat.betas, np.array([[0.0, by, 0.0]]))

    inside = next(hand for by in np.arange(0.3, 0.0, -0.001) if depth(hand := pushed(by)) > 0.006)
    assert depth(by_test_time()(inside, surface, 0.0, 0)) < 0.6 * depth(inside)


def test_every_row_that_is_trained_has_a_training() -> None:
    assert set(TABLES) == {"refinement", "fit", "synthesis"}
    assert {"keypoints", "both"} <= PARTS.keys() & ROWS.keys()
