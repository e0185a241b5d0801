"""Basis point sets against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.bps import basis_points, encode, grid_points


def test_the_basis_fills_its_ball_evenly_and_is_the_same_each_time():
    basis = basis_points(20000, 0.15, seed=3)
    reach = np.linalg.norm(basis, axis=1) / 0.15
    assert reach.max() <= 1 and abs((reach < 0.5).mean() - 1 / 8) < 0.01
    assert np.abs(basis.mean(0)).max() < 0.002
    assert (basis == basis_points(20000, 0.15, seed=3)).all()


def test_the_grid_reaches_its_corners():
    grid = grid_points(16, 0.1)
    assert grid.shape == (4096, 3) and grid[0].tolist() == [-0.1] * 3 and grid[-1].tolist() == [0.1] * 3
    assert grid[1, 2] - grid[0, 2] == pytest.approx(0.2 / 15)


def test_the_code_is_the_nearest_distance_and_step():
    points, basis = np.random.default_rng(0).normal(size=(500, 3)), basis_points(200, 1.0)
    distance, step = encode(points, basis)
    assert distance == pytest.approx(cdist(basis, points).min(1))
    assert np.linalg.norm(step, axis=1) == pytest.approx(distance)
    assert cdist(basis + step, points).min(1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("points", [np.empty((0, 3)), np.full((5, 3), np.nan), np.full((5, 3), np.inf)])
def test_no_points_have_no_code(points):
    with pytest.raises(Refused) as caught:
        encode(points, basis_points(10, 0.1))
    assert caught.value.reason is Reason.CLOUD
