"""The side that is not seen: near the true surface, where no camera could have seen it, and only of single views."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.objects import make_object
from hoi_ros.scene.clouds import farthest_points, sample_surface, seen_from
from hoi_ros.scene.completion import hidden_side, towards_camera
from hoi_ros.types import Array

AHEAD = np.array([0.45, 0.1, 0.35])  # m from the middle of the object


def view(category: str, eye: Array = AHEAD) -> tuple[Array, Array, Array]:
    """Points and normals (1024, 3) that are seen, and the whole surface (8000, 3)."""
    obj = make_object(category, 0, 0)
    points, normals, _ = sample_surface(obj, 12_000, np.random.default_rng(0))
    seen = np.flatnonzero(seen_from(obj, points, normals, points.mean(axis=0) + eye))
    chosen = seen[farthest_points(points[seen], 1024)]
    return points[chosen], normals[chosen], points[:8000]


@pytest.mark.parametrize("category", ["can", "bottle", "box", "jar", "cup"])
def test_it_is_the_surface_that_was_missing(category: str) -> None:
    points, normals, whole = view(category)
    found = hidden_side(points, normals)
    assert found is not None
    assert np.quantile(cKDTree(whole).query(found.points)[0], 0.8) < 0.008
    before, after = (
        (cKDTree(known).query(whole)[0] < 0.008).mean() for known in (points, np.concatenate([points, found.points]))
    )
    assert after > before + 0.05


def test_it_looks_away_from_the_camera_and_lies_behind_what_is_seen() -> None:
    points, normals, _ = view("can")
    found = hidden_side(points, normals)
    assert found is not None
    level = AHEAD * [1.0, 1.0, 0.0] / np.hypot(*AHEAD[:2])
    assert (found.normals @ level).mean() < -0.3
    assert np.quantile(found.points @ level, 0.9) < np.median(points @ level)
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(found.points[:, 2], points[found.source, 2])  # the mirror stands upright


@pytest.mark.parametrize("category", ["can", "mug", "knife", "laptop", "power_drill", "bowl"])
def test_a_whole_object_hides_nothing(category: str) -> None:
    points, normals, _ = sample_surface(make_object(category, 0, 0), 1024, np.random.default_rng(0))
    assert hidden_side(points, normals) is None


def test_from_straight_above_nothing_upright_is_hidden() -> None:
    points, normals, _ = view("box", np.array([0.0, 0.0, 0.6]))
    assert hidden_side(points, normals) is None


def test_it_turns_with_the_object() -> None:
    points, normals, _ = view("bottle")
    turn = Rotation.from_euler("z", 1.1).as_matrix()
    one, two = hidden_side(points, normals), hidden_side(points @ turn.T, normals @ turn.T)
    assert one is not None and two is not None
    assert np.median(cKDTree(two.points).query(one.points @ turn.T)[0]) < 0.003


def test_the_camera_is_found_within_its_error_of_perspective() -> None:
    _, normals, _ = view("can")
    way = towards_camera(normals)
    assert way is not None
    assert way @ AHEAD / np.linalg.norm(AHEAD) > np.cos(np.radians(25.0))
