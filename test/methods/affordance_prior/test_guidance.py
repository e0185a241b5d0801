"""The keypoint fitting: what is seen stays, what is hidden goes where the prior wants it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordance_prior.guidance import LATERAL, RADIAL, Guide, Seen
from hoi_ros.types import Array, HandBatch

MODEL = load_hand_model()
GUIDE = Guide(MODEL)
LIMITS = GUIDE.limits
BEFORE = np.array([0.05, -0.02, 0.5])  # m: where the hands are before the camera


def hands(count: int = 3, seed: int = 0) -> tuple[HandBatch, Array]:
    """Some hands, and their angles."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0.3 * LIMITS.lower, 0.6 * LIMITS.upper, (count, LIMITS.size))
    orient, betas = rng.normal(0.0, 0.5, (count, 3)), rng.normal(0.0, 0.5, (count, 10))
    return HandBatch(orient, LIMITS.to_pose(angles), betas, np.tile(BEFORE, (count, 1))), angles


def keypoints(batch: HandBatch) -> Array:
    return MODEL.joints(batch.global_orient, batch.hand_pose, batch.betas, batch.transl)


def hidden(*rows: int) -> Array:
    lost = np.zeros((3, 21), dtype=bool)
    lost[:, list(rows)] = True
    return lost


def test_where_all_is_hidden_the_prior_has_its_way() -> None:
    batch, angles = hands()
    seen = Seen.of(batch, keypoints(batch), np.ones((3, 21), dtype=bool), True)
    wanted = np.clip(angles + 0.2, LIMITS.lower, LIMITS.upper)
    found, points = GUIDE.guided(wanted, np.full_like(angles, 10.0), seen, 3)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    moved = HandBatch(batch.global_orient, LIMITS.to_pose(found), batch.betas, batch.transl)
    np.testing.assert_allclose(points, keypoints(moved), atol=1e-9)


@pytest.mark.parametrize("camera", [True, False])
def test_seen_keypoints_hold_against_a_prior_that_wants_them_elsewhere(camera: bool) -> None:
    batch, angles = hands()
    true = keypoints(batch)
    seen = Seen.of(batch, true, hidden(8, 12), camera)
    rng = np.random.default_rng(1)
    wanted = np.clip(angles + rng.normal(0.0, 0.2, angles.shape), LIMITS.lower, LIMITS.upper)
    _, points = GUIDE.guided(wanted, np.full_like(angles, 0.2**-2.0), seen, 8)
    off = 1e3 * np.linalg.norm(points - true, axis=-1)
    assert off[:, np.setdiff1d(np.arange(21), [8, 12])].mean() < 0.25
    assert off[:, [8, 12]].mean() > 1.0


def test_it_finds_the_minimum_that_a_general_solver_finds() -> None:
    batch, angles = hands(1)
    true = keypoints(batch)
    lost = np.zeros((1, 21), dtype=bool)
    lost[:, [6, 7, 8, 20]] = True
    seen = Seen.of(batch, true, lost, True)
    wanted = np.clip(angles + 0.1, LIMITS.lower, LIMITS.upper)
    precision = np.full_like(angles, 0.15**-2.0)
    found, _ = GUIDE.guided(wanted, precision, seen, 20)

    def cost(values: Array) -> float:
        moved = HandBatch(batch.global_orient, LIMITS.to_pose(values[None]), batch.betas, batch.transl)
        off = (keypoints(moved) - true)[0]
        rays = true[0] / np.linalg.norm(true[0], axis=1, keepdims=True)
        along = (off * rays).sum(axis=1)
        across = np.square(off).sum(axis=1) - np.square(along)
        held = (across / LATERAL**2 + np.square(along) / RADIAL**2) * ~lost[0]
        return float(held.sum() + (precision[0] * np.square(values - wanted[0])).sum())

    bounds = list(zip(LIMITS.lower, LIMITS.upper, strict=True))
    best = minimize(cost, found[0], method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    assert cost(found[0]) <= best.fun * 1.001 + 1e-6


def test_along_a_ray_a_keypoint_is_held_less_than_across_it() -> None:
    batch, _ = hands(1)
    points = keypoints(batch)
    held = Seen.of(batch, points, np.zeros((1, 21), dtype=bool), True).stiffness[0, 8]
    ray = points[0, 8] / np.linalg.norm(points[0, 8])
    across = np.cross(ray, [0.0, 1.0, 0.0])
    across = across / np.linalg.norm(across)
    assert ray @ held @ ray == pytest.approx(RADIAL**-2.0)
    assert across @ held @ across == pytest.approx(LATERAL**-2.0)
