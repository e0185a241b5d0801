"""Contact, diversity and naturalness against cases counted by hand and against recorded grasps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from solid_shapes import as_object, ball, box

from hoi_ros.hand import HandSolver, Limits, load_hand_model
from hoi_ros.metrics.contact import contact_parts, contact_scores, intersects, touches
from hoi_ros.metrics.diversity import entropy_and_cluster_size
from hoi_ros.metrics.naturalness import AngleRanges, mutual_distance, nearest_distance
from hoi_ros.refusals import Refused

MODEL = load_hand_model()
LIMITS = Limits(MODEL.kinematics)
RNG = np.random.default_rng(0)


def test_contacts_on_a_box_of_two_parts():
    """Seven points over, on and in a box whose right half is another part, counted by hand."""
    mesh = trimesh.util.concatenate(
        box((-0.02, -0.01, -0.01), (0, 0.01, 0.01)), box((0, -0.01, -0.01), (0.02, 0.01, 0.01))
    )
    halves = as_object(mesh, mesh.triangles_center[:, 0] > 0.0, ("left", "right"))
    heights = np.array([0.0115, 0.01, 0.009, 0.0145, 0.02, 0.0105, 0.0119])
    sides = np.array([-1, -1, -1, -1, -1, 1, 1])
    points = np.column_stack([0.015 * sides, np.zeros(7), heights])
    contacts = contact_parts(points[None], halves)
    np.testing.assert_allclose(contacts.distance[0], heights - 0.01, atol=1e-6)
    np.testing.assert_array_equal(contacts.part[0], sides > 0)
    assert contacts.touching().sum() == 5 and contacts.touching(0.005).sum() == 6
    assert contacts.share_on((0,))[0] == pytest.approx(3 / 5)
    assert contacts.share_on((1,))[0] == pytest.approx(2 / 5)
    assert contacts.share_on((0, 1))[0] == 1.0


def test_a_hand_that_touches_nothing():
    contacts = contact_parts(np.ones((2, 5, 3)), as_object(ball(0.01, (0, 0, 0))))
    assert not touches(contacts).any()
    np.testing.assert_array_equal(contacts.share_on((0,)), 0.0)


def test_both_contact_ratios():
    """4 mm away touches for GraspTTA and not for FastGrasp, which wants a shared volume."""
    cube = as_object(box((0, 0, 0), (0.05, 0.05, 0.05)))
    near, far = np.array([[[0.054, 0.02, 0.02]], [[0.056, 0.02, 0.02]]])
    np.testing.assert_array_equal(touches(contact_parts(np.stack([near, far]), cube)), [True, False])
    np.testing.assert_array_equal(intersects(np.array([0.0, 1e-9])), [False, True])


def test_contact_scores_of_flat_patches():
    """Two patches of 4 x 1 cells over a table; the true one touches with half of what the predicted one does."""
    grid = np.array([[x, y, 0.0] for y in (0.0, 0.01) for x in 0.01 * np.arange(5)])
    faces = np.array([[i, i + 1, i + 5] for i in range(4)] + [[i + 1, i + 6, i + 5] for i in range(4)], np.int32)
    table = as_object(box((-0.1, -0.1, -0.01), (0.1, 0.1, -0.001)))
    bent = grid + np.where(grid[:, :1] > 0.02, [0.0, 0.0, 0.05], 0.0)
    same = contact_scores(grid[None], grid[None], faces, table)
    assert (same.precision[0], same.recall[0], same.f1[0]) == pytest.approx((1.0, 1.0, 1.0))
    more = contact_scores(grid[None], bent[None], faces, table)
    assert more.recall[0] == 1.0 and 0.5 <= more.precision[0] <= 0.6  # columns 0..8 of 17, and the rows between
    less = contact_scores(bent[None], grid[None], faces, table)
    assert (less.precision[0], less.recall[0]) == pytest.approx((1.0, more.precision[0]))
    assert less.f1[0] == pytest.approx(2 * more.precision[0] / (1 + more.precision[0]))
    away = grid[None] + 1.0
    assert contact_scores(away, grid[None], faces, table).f1[0] == 0.0
    assert contact_scores(away, away, faces, table).f1[0] == 1.0


def test_entropy_of_known_clusters():
    """Twenty hands are a cluster each; of two places the one three times as often; nothing varies."""
    places = RNG.normal(size=(20, 21, 3))
    assert entropy_and_cluster_size(places) == pytest.approx((np.log(20), 0.0), abs=1e-6)
    uneven = np.repeat(places[:2], [30, 10], axis=0)
    assert entropy_and_cluster_size(uneven) == pytest.approx(
        (-0.75 * np.log(0.75) - 0.25 * np.log(0.25), 0.0), abs=1e-6
    )
    assert entropy_and_cluster_size(np.zeros((30, 21, 3))) == (0.0, 0.0)


def test_cluster_size_is_the_mean_distance_in_standard_deviations():
    """Of 21 hands two are 2 mm from each other and share a cluster: each is 1 mm from its middle, the others 0."""
    places = 0.1 * np.arange(20.0)[:, None, None] * np.eye(1, 3)
    hands = np.concatenate([places, places[7:8] + 0.002 * np.eye(1, 3)])
    _, size = entropy_and_cluster_size(hands, seed=1)
    assert size == pytest.approx(2 / 21 * 0.001 / hands[:, 0, 0].std(), rel=1e-4)


def test_entropy_is_the_same_for_a_seed_and_for_any_scale():
    joints = RNG.normal(size=(150, 21, 3))
    assert entropy_and_cluster_size(joints, seed=1) == entropy_and_cluster_size(joints, seed=1)
    scaled = entropy_and_cluster_size(1e-3 * joints, seed=1)  # whitened
    assert scaled == pytest.approx(entropy_and_cluster_size(joints, seed=1))
    with pytest.raises(Refused, match="19 grasps"):
        entropy_and_cluster_size(joints[:19])


def test_share_of_angles_within_ranges():
    """Poses whose n-th angle is n percent along its range: 5 to 95 percent is what the range keeps."""
    angles = LIMITS.lower + np.linspace(0.0, 1.0, 101)[:, None] * (LIMITS.upper - LIMITS.lower)
    ranges = AngleRanges.of(LIMITS.to_pose(angles), LIMITS)
    assert len(ranges.free) == LIMITS.size == 26
    within = ranges.share_within(LIMITS.to_pose(angles))
    np.testing.assert_allclose(within[5:96], 1.0)
    np.testing.assert_allclose(within[[0, 4, 96, 100]], 19 / 45)
    one_off = angles[50].copy()
    one_off[7] = LIMITS.upper[7]
    assert ranges.share_within(LIMITS.to_pose(one_off)) == pytest.approx(44 / 45)


def test_distances_to_other_hands():
    hands = RNG.normal(size=(1, 21, 3)) + 0.01 * np.array([0.0, 1.0, 3.0])[:, None, None] * [0, 0, 1]
    np.testing.assert_allclose(mutual_distance(hands), [0.01, 0.01, 0.02])
    np.testing.assert_allclose(nearest_distance(hands + np.array([0, 0, 0.004]), hands), 0.004)


def test_recorded_grasps_are_natural(shared_data: Path):
    """Fitted to half a millimetre; by definition about 90 % of the recorded free angles are within."""
    with np.load(shared_data / "dexycb_grasps" / "grasps.npz") as file:
        recorded = file["joints_obj"]
    fit = HandSolver(MODEL).solve(recorded, fit_shape=False)
    assert np.linalg.norm(fit.keypoints - recorded, axis=2).mean() < 0.0007
    ranges = AngleRanges.of(fit.hand_pose, LIMITS)
    assert ranges.within(fit.hand_pose)[:, ranges.free].mean() == pytest.approx(0.9, abs=0.005)
    anything = LIMITS.sample(RNG, 500)
    assert ranges.share_within(anything).mean() < 0.7 < 0.93 < ranges.share_within(fit.hand_pose).mean()
