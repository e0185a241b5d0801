"""Hand metrics against hand-computed values and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import KroghInterpolator
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from hoi_ros.metrics import hands
from hoi_ros.metrics.motion import acceleration_error
from hoi_ros.metrics.vertices import f_scores, vertex_error
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import KEYPOINT_NAMES, HandPose, Intrinsics

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(scale=0.05, size=(4, 21, 3))
CAMERA = Intrinsics(500.0, 500.0, 320.0, 240.0)


def test_mpjpe_of_a_known_shift():
    shift = np.array([0.003, 0.004, 0.0])
    assert hands.mpjpe(TRUTH + shift, TRUTH) == pytest.approx(0.005)
    assert hands.r_mpjpe(TRUTH + shift, TRUTH) == pytest.approx(0.0, abs=1e-12)


def test_one_moved_keypoint():
    moved = TRUTH.copy()
    moved[:, 7, 2] += 0.021
    assert hands.mpjpe(moved, TRUTH) == pytest.approx(0.001)
    assert hands.r_mpjpe(moved, TRUTH) == pytest.approx(0.001)
    moved = TRUTH.copy()
    moved[:, 0, 2] += 0.021  # the wrist itself: every other keypoint is now off relative to it
    assert hands.r_mpjpe(moved, TRUTH) == pytest.approx(0.020)


def test_pa_ignores_similarities_but_not_reflections():
    rotation = Rotation.from_rotvec([0.3, -1.2, 2.0]).as_matrix()
    assert hands.pa_mpjpe(1.7 * TRUTH @ rotation.T + [0.1, 0.2, 0.3], TRUTH) == pytest.approx(0.0, abs=1e-12)
    assert (hands.pa_mpjpe(TRUTH * [-1.0, 1.0, 1.0], TRUTH) > 0.01).all()


def test_procrustes_is_scipys_where_scipys_does_not_reflect():
    noisy = 0.8 * TRUTH[0] @ Rotation.random(random_state=1).as_matrix() + RNG.normal(scale=0.004, size=(21, 3))
    _, unit_aligned, _ = scipy_procrustes(TRUTH[0], noisy)
    centred = TRUTH[0] - TRUTH[0].mean(0)
    expected = unit_aligned * np.linalg.norm(centred) + TRUTH[0].mean(0)
    np.testing.assert_allclose(hands.procrustes(noisy, TRUTH[0]), expected, atol=1e-12)


def test_procrustes_of_a_point_stays_finite():
    assert np.isfinite(hands.procrustes(np.zeros((21, 3)), TRUTH[0])).all()


def test_st_scales_by_the_palm_worked_out_by_hand():
    """A palm of 20 cm for one of 10: all is halved, and the 19 other joints at 8 cm are at 4 cm, 4 cm off."""
    assert KEYPOINT_NAMES[9] == "middle_mcp"
    true = np.zeros((21, 3))
    true[1:, 1] = 0.08
    true[9] = [0.1, 0.0, 0.0]
    predicted = true.copy()
    predicted[9] = [0.2, 0.0, 0.0]
    assert hands.st_mjpe(predicted + np.array([0.3, -0.2, 0.9]), true) == pytest.approx(0.04 * 19 / 21)


def test_st_in_the_order_of_ho3d():
    """Joints put in MANO's order with tips last, where the scale is that of joint 4 from joint 0."""
    order = np.argsort([0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20])
    noisy = 1.2 * TRUTH + RNG.normal(scale=0.005, size=TRUTH.shape)
    for p, t, found in zip(noisy[:, order], TRUTH[:, order], hands.st_mjpe(noisy, TRUTH), strict=True):
        aligned = (p - p[0]) * np.linalg.norm(t[4] - t[0]) / np.linalg.norm(p[4] - p[0]) + t[0]
        assert found == pytest.approx(np.linalg.norm(aligned - t, axis=1).mean())


@given(scale=st.floats(0.2, 5.0), shift=st.tuples(*[st.floats(-1.0, 1.0)] * 3), turn=st.floats(0.1, 3.0))
def test_st_ignores_size_and_place_but_not_turns(scale, shift, turn):
    assert hands.st_mjpe(scale * TRUTH + shift, TRUTH) == pytest.approx(0.0, abs=1e-12)
    rotation = Rotation.from_rotvec([0.0, turn, 0.0]).as_matrix()
    assert (hands.st_mjpe(TRUTH @ rotation.T, TRUTH) > 1e-4).all()
    both = hands.st_mjpe(1.1 * TRUTH[:2] @ rotation.T + shift, TRUTH[2:] @ rotation.T)
    assert both == pytest.approx(hands.st_mjpe(TRUTH[:2], TRUTH[2:]), abs=1e-12)


def test_st_without_a_palm_or_with_nan():
    flat = TRUTH[0].copy()
    flat[9] = flat[0]
    assert hands.st_mjpe(flat, TRUTH[0]) == pytest.approx(np.linalg.norm(TRUTH[0, 9] - TRUTH[0, 0]) / 21)
    with pytest.raises(Refused, match="true are not finite") as refusal:
        hands.st_mjpe(TRUTH, np.full((21, 3), np.nan))
    assert refusal.value.reason is Reason.NOT_FINITE


def test_vertex_error_and_f_of_a_shift():
    """Vertices 4 cm apart, moved 6 mm: none within 5 mm, all within 15, at any batch shape."""
    vertices = np.stack(np.meshgrid(*[0.04 * np.arange(4)] * 3), axis=-1).reshape(1, -1, 3) + np.zeros((2, 1, 1))
    moved = vertices + np.array([0.0, 0.006, 0.0])
    np.testing.assert_allclose(vertex_error(moved, vertices), 0.006)
    np.testing.assert_array_equal(f_scores(moved, vertices), [[0.0, 1.0]] * 2)
    np.testing.assert_array_equal(f_scores(moved[0], vertices[0]), [0.0, 1.0])
    assert f_scores(moved[:0], vertices[:0]).shape == (0, 2)


def test_f_by_hand():
    """Of four predicted vertices one is near; of two true ones that one has a neighbour: P 1/4, R 1/2, F 1/3."""
    true = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    predicted = np.array([[0.004, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 3.0, 0.0], [0.0, 4.0, 0.0]])
    np.testing.assert_allclose(f_scores(predicted, true), 1 / 3)


def test_f_refuses_what_is_not_finite():
    with pytest.raises(Refused, match="predicted are not finite"):
        f_scores(np.full((778, 3), np.nan), np.zeros((778, 3)))
    with pytest.raises(Refused, match="predicted are not finite"):
        vertex_error(np.full((778, 3), np.nan), np.zeros((778, 3)))


UNEVEN = 1_700_000_000_000_000_000 + np.cumsum([0, 33, 33, 67, 20, 33]) * 1_000_000


def test_acceleration_of_a_throw_at_uneven_stamps():
    """The prediction falls, the truth moves evenly; only their accelerations, 9.81 m/s^2 and none, count."""
    t = ((UNEVEN - UNEVEN[0]) * 1e-9)[:, None, None]
    truth = TRUTH[0] + t * [0.5, 0.0, 0.2]
    falling = TRUTH[1] + 0.5 * t**2 * [0.0, 9.81, 0.0] - t * [0.1, 0.2, 0.3]
    errors = acceleration_error(falling, truth, UNEVEN)
    np.testing.assert_allclose(errors, np.full(4, 9.81), rtol=1e-6)
    np.testing.assert_allclose(acceleration_error(truth, truth, UNEVEN), 0.0, atol=1e-9)


def test_acceleration_of_even_frames_is_the_second_difference():
    stamps = UNEVEN[0] + 40_000_000 * np.arange(8)
    predicted, true = RNG.normal(scale=0.01, size=(2, 8, 21, 3))
    differences = [p[2:] - 2.0 * p[1:-1] + p[:-2] for p in (predicted, true)]
    expected = np.linalg.norm(differences[0] - differences[1], axis=-1).mean(axis=1) / 0.04**2
    np.testing.assert_allclose(acceleration_error(predicted, true, stamps), expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1_000_000, 300_000_000), min_size=2, max_size=8))
def test_acceleration_is_that_of_the_parabola_through_three_frames(steps):
    stamps = UNEVEN[0] + np.cumsum([0, *steps])
    predicted, true = np.random.default_rng(len(steps)).normal(size=(2, len(stamps), 21, 3))
    t = (stamps - stamps[0]) * 1e-9
    expected = [
        np.linalg.norm(
            KroghInterpolator(t[i : i + 3], predicted[i : i + 3]).derivative(0.0, 2)
            - KroghInterpolator(t[i : i + 3], true[i : i + 3]).derivative(0.0, 2),
            axis=1,
        ).mean()
        for i in range(len(t) - 2)
    ]
    np.testing.assert_allclose(acceleration_error(predicted, true, stamps), expected, rtol=1e-5)


def test_what_has_no_acceleration():
    points = np.zeros((3, 21, 3))
    for wrong, reason in ((UNEVEN[[0, 2, 1]], Reason.STAMP_BACKWARDS), (UNEVEN[[0, 1, 1]], Reason.STAMP_BACKWARDS)):
        with pytest.raises(Refused) as refusal:
            acceleration_error(points, points, wrong)
        assert refusal.value.reason is reason
    with pytest.raises(Refused, match="2 samples are too few"):
        acceleration_error(points[:2], points[:2], UNEVEN[:2])
    with pytest.raises(Refused, match="true are not finite"):
        acceleration_error(points, points + np.nan, UNEVEN[:3])


def test_pck_and_auc():
    errors = np.full((5, 21), 0.025)
    np.testing.assert_allclose(hands.pck(errors, np.array([0.0, 0.024, 0.026])), [0.0, 0.0, 1.0])
    assert hands.auc(np.zeros((5, 21))) == pytest.approx(1.0)
    assert hands.auc(np.full((5, 21), 0.06)) == 0.0
    assert hands.auc(errors) == pytest.approx(0.5, abs=1.0 / hands.AUC_STEPS)


def hand(keypoints: np.ndarray, side: str = "right") -> HandPose:
    return HandPose(
        side=side, score=0.9, global_orient=np.zeros(3), hand_pose=np.zeros(45), betas=np.zeros(10), transl=np.zeros(3),
        keypoints=keypoints, wrist_pose=np.array([0, 0, 0, 0, 0, 0, 1.0]), keypoints_2d=CAMERA.project(keypoints),
    )  # fmt: skip


def test_score_counts_missing_pictures_and_takes_the_nearest_hand():
    truth = TRUTH[0] + [0.0, 0.0, 0.5]
    near, far = hand(truth + np.array([0.0, 0.002, 0.0])), hand(truth + np.array([0.3, 0.0, 0.0]), "left")
    figures = hands.score_hands([([far, near], truth, CAMERA), ([], truth, CAMERA)])
    assert (figures["frames"], figures["found"], figures["sides"]) == (2, 1, {"right": 1})
    assert figures["mpjpe_mm"] == pytest.approx(2.0)
    assert figures["error_2d_px"] == pytest.approx((500.0 * 0.002 / truth[:, 2]).mean())
    assert hands.score_hands([([], truth, CAMERA)])["mpjpe_mm"] is None
