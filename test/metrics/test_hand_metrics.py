"""Hand metrics against hand-computed values and SciPy."""

import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from hoi_ros.metrics import hands
from hoi_ros.types import HandPose, Intrinsics

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
