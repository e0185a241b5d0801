"""Errors of object poses and surfaces against values worked out by hand, trimesh's boxes and brute force."""

from __future__ import annotations

import numpy as np
import open3d as o3d
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from hoi_ros.metrics import objects
from hoi_ros.metrics.vertices import f_scores
from hoi_ros.refusals import Reason, Refused

RNG = np.random.default_rng(0)
BOX = trimesh.creation.box((0.06, 0.08, 0.24))  # diagonal 0.26 m
CORNERS = np.array(BOX.vertices)
CLOUD = RNG.normal(scale=0.04, size=(60, 3))

lengths = st.floats(-0.3, 0.3)
vectors = st.tuples(lengths, lengths, lengths)
turns = st.tuples(*[st.floats(-3.0, 3.0)] * 3)
motions = st.builds(lambda r, t: pose(r, t), turns, vectors)


def pose(turn=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def placed(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return trimesh.transformations.transform_points(points, matrix)


def test_a_shift_of_5_mm():
    true = pose((0.3, 0.2, -1.0), (0.1, 0.0, 0.6))
    predicted = true + np.pad([[0.003], [0.0], [0.004]], ((0, 1), (3, 0)))
    for error in (objects.oce(predicted, true), objects.mce(predicted, true, CORNERS)):
        assert error == pytest.approx(0.005)
    assert objects.add(predicted, true, CORNERS) == pytest.approx(0.005)
    assert objects.add_s(predicted, true, CORNERS) == pytest.approx(0.005)


def test_half_a_turn_of_a_box_shows_only_to_add():
    """Every corner goes to the opposite one of its 6 x 8 cm face: 10 cm; nearest corners and boxes stay."""
    turned = pose((0.0, 0.0, np.pi))
    assert objects.add(turned, np.eye(4), CORNERS) == pytest.approx(0.10)
    assert objects.add_s(turned, np.eye(4), CORNERS) == pytest.approx(0.0, abs=1e-9)
    assert objects.mce(turned, np.eye(4), CORNERS) == pytest.approx(0.0, abs=1e-9)
    assert objects.oce(turned, np.eye(4)) == 0.0


def test_a_quarter_turn_swaps_the_sides_of_the_box():
    """6 x 8 becomes 8 x 6 cm: each corner of the box goes 1 cm in x and 1 cm in y."""
    turned = pose((0.0, 0.0, np.pi / 2))
    assert objects.mce(turned, np.eye(4), CORNERS) == pytest.approx(0.01 * np.sqrt(2))


def test_mce_takes_trimeshs_box_corners():
    predicted, true = pose((0.5, -0.3, 1.1), (0.02, 0.0, 0.5)), pose((0.4, -0.2, 1.3), (0.0, 0.01, 0.52))
    boxes = [trimesh.bounds.corners(trimesh.PointCloud(placed(m, CLOUD)).bounds) for m in (predicted, true)]
    expected = np.linalg.norm(boxes[0] - boxes[1], axis=1).mean()
    assert objects.mce(predicted, true, CLOUD) == pytest.approx(expected)


def test_relative_to_the_wrist():
    """Object and wrist 3 cm too far along z: right relative to the wrist, 3 cm off in the camera's frame."""
    true, root = pose((0.1, 0.2, 0.3), (0.0, 0.0, 0.5)), np.array([0.05, 0.0, 0.45])
    far = true + np.pad([[0.0], [0.0], [0.03]], ((0, 1), (3, 0)))
    near = [objects.relative_to(far, root + np.array([0.0, 0.0, 0.03])), objects.relative_to(true, root)]
    assert objects.oce(*near) == pytest.approx(0.0, abs=1e-12)
    assert objects.mce(*near, CORNERS) == pytest.approx(0.0, abs=1e-12)
    assert objects.oce(far, true) == pytest.approx(0.03)
    np.testing.assert_array_equal(far[:3, 3], [0.0, 0.0, 0.53])  # what is given stays as it is


def test_add_s_is_from_the_true_vertices_to_the_predicted():
    true = np.stack([pose(RNG.normal(size=3), RNG.normal(scale=0.03, size=3)) for _ in range(5)])
    predicted = np.stack([pose(RNG.normal(size=3), RNG.normal(scale=0.03, size=3)) for _ in range(5)])
    apart = np.array([cdist(placed(t, CLOUD), placed(p, CLOUD)) for t, p in zip(true, predicted, strict=True)])
    np.testing.assert_allclose(objects.add_s(predicted, true, CLOUD), apart.min(axis=2).mean(axis=1))
    np.testing.assert_allclose(objects.add_s(true, predicted, CLOUD), apart.min(axis=1).mean(axis=1))
    assert not np.allclose(apart.min(axis=2).mean(axis=1), apart.min(axis=1).mean(axis=1), rtol=1e-3)
    np.testing.assert_allclose(objects.add(predicted, true, CLOUD), [np.diag(a).mean() for a in apart])


@settings(max_examples=60, deadline=None)
@given(predicted=motions, true=motions, both=motions)
def test_what_a_motion_of_both_poses_leaves_alone(predicted, true, both):
    add, add_s = objects.add(predicted, true, CLOUD), objects.add_s(predicted, true, CLOUD)
    assert 0.0 <= add_s <= add + 1e-12
    assert objects.add(both @ predicted, both @ true, CLOUD) == pytest.approx(add, abs=1e-9)
    assert objects.add_s(both @ predicted, both @ true, CLOUD) == pytest.approx(add_s, abs=1e-9)
    assert objects.oce(both @ predicted, both @ true) == pytest.approx(objects.oce(predicted, true), abs=1e-9)
    assert objects.mce(predicted, true, CLOUD) == pytest.approx(objects.mce(true, predicted, CLOUD), abs=1e-12)


def test_half_a_diagonal_is_13_cm():
    true = pose((0.2, 0.1, 0.0), (0.0, 0.0, 0.6))
    shifts = np.array([0.0, 0.1299, 0.1301, 0.5])
    predicted = np.stack([pose((0.2, 0.1, 0.0), (s, 0.0, 0.6)) for s in shifts])
    within = objects.add_05d(predicted, true, CORNERS)
    np.testing.assert_array_equal(within, [True, True, False, False])
    assert within.mean() == 0.5


def test_symmetric_objects_are_judged_by_add_s():
    """End over end every corner of the long box goes far; nobody could tell."""
    turned = pose((np.pi, 0.0, 0.0))
    assert not objects.add_05d(turned, np.eye(4), CORNERS)
    assert objects.add_05d(turned, np.eye(4), CORNERS, symmetric=True)


def test_chamfer_of_two_layers_1_cm_apart_is_2_cm2():
    layer = np.array([[x, y, 0.0] for x in np.arange(5) for y in np.arange(4)]) * 0.03
    lifted = layer + np.array([0.0, 0.0, 0.01])
    assert objects.chamfer_cm2(lifted, layer) == pytest.approx(2.0)
    assert objects.chamfer_cm2(layer, layer) == 0.0
    np.testing.assert_array_equal(objects.fs_at_1_5_10(layer + np.array([0.0, 0.0, 0.004]), layer), [0.0, 1.0, 1.0])


def test_chamfer_takes_the_mean_of_each_side():
    """One of two predicted points is 2 cm off: 4 / 2 cm^2 one way, nothing the other."""
    predicted, true = np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0]]), np.zeros((1, 3))
    assert objects.chamfer_cm2(predicted, true) == pytest.approx(2.0)
    scores = objects.fs_at_1_5_10(predicted, true)  # precision 1/2, recall 1
    np.testing.assert_allclose(scores, 2 / 3)


def test_surfaces_of_two_balls():
    """Radii 3 and 4 cm about one middle: every point is about 1 cm from the other ball."""
    samples = [trimesh.sample.sample_surface(trimesh.creation.icosphere(4, r), 30_000, seed=1)[0] for r in (0.03, 0.04)]
    assert objects.chamfer_cm2(*samples) == pytest.approx(2.0, rel=0.02)
    np.testing.assert_array_equal(objects.fs_at_1_5_10(*samples)[:2], [0.0, 0.0])


def test_f_scores_are_open3ds_distances_counted():
    predicted, true = RNG.normal(scale=0.03, size=(2, 3, 50, 3))
    clouds = [[o3d.geometry.PointCloud(o3d.utility.Vector3dVector(p)) for p in batch] for batch in (predicted, true)]
    scores = f_scores(predicted, true)
    assert scores.shape == (3, 2)
    for row, (p, t) in enumerate(zip(*clouds, strict=True)):
        forth, back = (np.array(a.compute_point_cloud_distance(b)) for a, b in ((p, t), (t, p)))
        for column, limit in enumerate((0.005, 0.015)):
            precision, recall = (forth < limit).mean(), (back < limit).mean()
            expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
            assert scores[row, column] == pytest.approx(expected)
    assert 0.0 < scores[:, 1].min() < 1.0


@settings(max_examples=40, deadline=None)
@given(both=motions, seed=st.integers(0, 2**16), size=st.floats(0.002, 0.05))
def test_what_f_scores_and_chamfer_keep(both, seed, size):
    rng = np.random.default_rng(seed)
    p, t = rng.normal(scale=size, size=(2, 30, 3))
    scores = f_scores(p, t)
    assert (scores >= 0.0).all() and (scores <= 1.0).all() and scores[0] <= scores[1]
    np.testing.assert_allclose(f_scores(t, p), scores)
    np.testing.assert_allclose(f_scores(rng.permutation(p), t), scores)
    chamfer = objects.chamfer_cm2(p, t)
    assert objects.chamfer_cm2(placed(both, p), placed(both, t)) == pytest.approx(chamfer, rel=1e-6)
    assert objects.chamfer_cm2(100.0 * p, 100.0 * t) == pytest.approx(1e4 * chamfer)


@pytest.mark.parametrize(
    "wrong",
    [np.diag([1.0, 1.0, -1.0, 1.0]), np.diag([1e3, 1e3, 1e3, 1.0]), np.diag([1.0, 1.0, 1.0, 0.0])],
    ids=["mirrored", "scaled", "no last row"],
)
def test_poses_that_are_not_rigid_are_refused(wrong):
    for figure in (
        lambda: objects.oce(wrong, np.eye(4)),
        lambda: objects.mce(np.eye(4), wrong, CORNERS),
        lambda: objects.add(wrong, np.eye(4), CORNERS),
        lambda: objects.add_s(np.eye(4), wrong, CORNERS),
    ):
        with pytest.raises(Refused, match="not rigid") as refusal:
            figure()
        assert refusal.value.reason is Reason.PARAMETER


def test_what_is_not_finite_is_refused_by_name():
    broken = pose()
    broken[1, 3] = np.nan
    with pytest.raises(Refused, match=r"1 of 16 values of true are not finite, first \[1, 3\]") as refusal:
        objects.add_s(np.eye(4), broken, CORNERS)
    assert refusal.value.reason is Reason.NOT_FINITE
    with pytest.raises(Refused, match="vertices are not finite"):
        objects.add(np.eye(4), np.eye(4), np.full((4, 3), np.inf))
    with pytest.raises(Refused, match="0 predicted points"):
        objects.chamfer_cm2(np.zeros((0, 3)), CLOUD)
    with pytest.raises(Refused, match="values of true are not finite"):
        objects.chamfer_cm2(CLOUD, np.full((2, 3), np.nan))
