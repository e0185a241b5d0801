"""Keypoints come back as the hand that made them, whatever of them is seen, and never outside the limits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_hands import CAMERA, MODEL, SOLVER, errors, hands
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hoi_ros.hand import (
    HandFit,
    HandSolver,
    Limits,
    Pixels,
    Priors,
    Relative,
    make_hand_pose,
    rotations,
)
from hoi_ros.hand.least_squares import bounded_step
from hoi_ros.hand.mano_file import EMBEDDED, read_hand_file
from hoi_ros.hand.mirror import mirror_points
from hoi_ros.hand.model import HandModel
from hoi_ros.refusals import Refused
from hoi_ros.types import Array


def test_random_poses_come_back() -> None:
    keypoints = hands(1000)["keypoints"]
    fit = SOLVER.solve(keypoints)
    assert errors(fit, keypoints).mean() < 0.5e-3
    assert errors(fit, keypoints).max() < 2e-3
    assert SOLVER.limits.violation(fit.hand_pose).max() < 1e-9


def test_noise_is_not_made_worse() -> None:
    keypoints = hands(1000)["keypoints"]
    noise = np.random.default_rng(1).normal(0.0, 5e-3 / np.sqrt(3.0), keypoints.shape)
    fit = SOLVER.solve(keypoints + noise)
    assert errors(fit, keypoints).mean() < 0.85 * np.linalg.norm(noise, axis=2).mean()
    assert SOLVER.limits.violation(fit.hand_pose).max() < 1e-9


def test_fit_is_the_hand_it_says() -> None:
    made = hands(5, 2)
    fit = SOLVER.solve(made["keypoints"])
    again = MODEL.joints(fit.global_orient, fit.hand_pose, fit.betas, fit.transl)
    np.testing.assert_allclose(again, fit.keypoints, atol=1e-9)
    alone = SOLVER.solve(made["keypoints"][3])
    for field in fields(HandFit):
        np.testing.assert_allclose(getattr(fit[3], field.name), getattr(alone, field.name), atol=1e-6)


def test_shape_that_is_known_is_kept() -> None:
    made = hands(20)
    fit = SOLVER.solve(made["keypoints"], betas=made["betas"], fit_shape=False)
    np.testing.assert_array_equal(fit.betas, made["betas"])
    assert errors(fit, made["keypoints"]).mean() < 0.1e-3
    warm = SOLVER.solve(made["keypoints"][0], initial=fit[0], fit_shape=False)
    np.testing.assert_array_equal(warm.betas, made["betas"][0])


def test_warm_start_needs_fewer_iterations_and_ends_at_the_same_place() -> None:
    keypoints = hands(20)["keypoints"]
    near = SOLVER.solve(keypoints + 0.001)
    warm, cold = SOLVER.solve(keypoints, initial=near), SOLVER.solve(keypoints)
    assert warm.iterations.mean() < cold.iterations.mean()
    np.testing.assert_allclose(warm.keypoints, cold.keypoints, atol=2e-4)


def test_change_prior_holds_what_is_not_seen() -> None:
    keypoints = hands(1)["keypoints"][0]
    before = SOLVER.solve(keypoints)
    seen = np.ones(21)
    seen[5:9] = 0.0
    careful = HandSolver(MODEL, priors=Priors(pose_change=0.02, betas_change=0.05))
    after = careful.solve(keypoints, confidence=seen, initial=before)
    np.testing.assert_allclose(after.keypoints[5:9], before.keypoints[5:9], atol=1e-3)


def test_without_any_prior_the_keypoints_alone_decide() -> None:
    keypoints = hands(20)["keypoints"]
    blank = HandSolver(MODEL, priors=Priors(pose=np.inf, betas=np.inf))
    assert errors(blank.solve(keypoints), keypoints).mean() < 0.05e-3
    assert errors(blank.solve(keypoints, initial=SOLVER.solve(keypoints)), keypoints).mean() < 0.05e-3


def test_unseen_keypoints_may_hold_anything() -> None:
    keypoints = hands(50)["keypoints"]
    hidden = keypoints.copy()
    hidden[:, [3, 8, 15]] = np.nan
    confidence = np.where(np.isnan(hidden[0, :, 0]), 0.0, 1.0)
    fit = SOLVER.solve(hidden, confidence=confidence)
    seen = confidence > 0.0
    assert np.linalg.norm(fit.keypoints - keypoints, axis=2)[:, seen].mean() < 0.5e-3


def test_left_hands() -> None:
    made = hands(10)
    right = SOLVER.solve(made["keypoints"])
    left = SOLVER.solve(mirror_points(made["keypoints"]), side="left")
    np.testing.assert_allclose(mirror_points(left.keypoints), right.keypoints, atol=1e-12)
    posed = MODEL.joints(left.global_orient, left.hand_pose, left.betas, left.transl, "left")
    np.testing.assert_allclose(posed, left.keypoints, atol=1e-9)
    again = SOLVER.solve(mirror_points(made["keypoints"]), side="left", initial=left)
    assert again.iterations.max() <= 2
    pixels = CAMERA.project(mirror_points(made["keypoints"]))
    placed = SOLVER.solve(
        observations=[Relative(mirror_points(made["keypoints"])), Pixels(pixels, sigma=0.5, intrinsics=CAMERA)],
        side="left",
        betas=made["betas"],
        fit_shape=False,
    )
    assert errors(placed, mirror_points(made["keypoints"])).mean() < 1e-3


def test_hand_pose_follows_from_the_fit() -> None:
    made = hands(1)
    for side, sign in (("right", 1.0), ("left", -1.0)):
        seen = made["keypoints"][0] * [sign, 1.0, 1.0]
        fit = SOLVER.solve(seen, side=side)  # type: ignore[arg-type]
        hand = make_hand_pose(MODEL, fit, side=side, score=0.8, intrinsics=CAMERA, track_id=3, stamp_ns=5)  # type: ignore[arg-type]
        np.testing.assert_allclose(hand.keypoints, fit.keypoints, atol=1e-9)
        np.testing.assert_allclose(hand.keypoints_2d, CAMERA.project(hand.keypoints))
        np.testing.assert_allclose(hand.wrist_pose[:3], hand.keypoints[0], atol=1e-9)
        np.testing.assert_allclose(
            Rotation.from_quat(hand.wrist_pose[3:]).as_matrix(), Rotation.from_rotvec(fit.global_orient).as_matrix()
        )
        assert (hand.side, hand.track_id, hand.stamp_ns, hand.confidence.shape) == (side, 3, 5, (21,))


def correctives() -> HandModel:
    """A hand whose fingertips hang on several joints and on every pose corrective."""
    content = read_hand_file(EMBEDDED)
    rng = np.random.default_rng(0)
    content["posedirs"] = rng.normal(0.0, 1e-3, (778, 3, 135))
    content["weights"] = 0.7 * content["weights"] + 0.3 * rng.dirichlet(np.ones(16), 778)
    return HandModel("random", content)


@pytest.mark.parametrize("model", [MODEL, correctives()], ids=["embedded", "correctives"])
def test_keypoint_jacobian_is_the_derivative(model: HandModel) -> None:
    rng = np.random.default_rng(4)
    limits = Limits(model.kinematics)
    count, size = 2, limits.size

    def posed(step: Array) -> tuple[Array, Array]:
        values = angles + step[:, 6:-10]
        turns, right = rotations.exp_and_jacobian(limits.to_pose(values).reshape(-1, 15, 3))
        local = np.concatenate([rotations.exp(step[:, None, :3]) @ root[:, None], turns], axis=1)
        at = model.kinematics.forward(local, betas + step[:, -10:], wrist + step[:, 3:6])
        axes = (right[:, limits.joint - 1] @ limits.columns[..., None])[..., 0]
        return at.keypoints, model.kinematics.jacobian(at, axes, limits.joint, shape=True)

    root, wrist, betas = (
        rotations.exp(rng.normal(size=(count, 3))),
        rng.normal(size=(count, 3)),
        rng.normal(size=(count, 10)),
    )
    angles = rng.uniform(limits.lower, limits.upper, (count, size))
    _, jacobian = posed(np.zeros((count, size + 16)))
    for unknown in range(size + 16):
        step = np.zeros((count, size + 16))
        step[:, unknown] = 1e-6
        numeric = (posed(step)[0] - posed(-step)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[..., unknown], numeric, atol=2e-9)


def test_bounded_step_solves_the_boxed_problem() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(30, 12, 12))
    normal, gradient = root @ root.swapaxes(1, 2) + 0.5 * np.eye(12), rng.normal(size=(30, 12))
    lower, upper = -rng.uniform(0.0, 0.3, (30, 12)), rng.uniform(0.0, 0.3, (30, 12))
    step = bounded_step(normal, gradient, lower, upper)
    assert (step >= lower).all()
    assert (step <= upper).all()
    cost = 0.5 * np.einsum("bi,bij,bj->b", step, normal, step) + (gradient * step).sum(axis=1)
    assert (cost < 0.0).all()
    free = bounded_step(normal, gradient, np.full_like(lower, -np.inf), np.full_like(upper, np.inf))
    np.testing.assert_allclose(free, -np.linalg.solve(normal, gradient[..., None])[..., 0])


def test_no_worse_than_scipy() -> None:
    """Where limits bind, the cost is as low as that of SciPy's bounded least squares from the same start."""
    rng = np.random.default_rng(6)
    limits = SOLVER.limits
    wild = 1.3 * rng.uniform(limits.lower, limits.upper, (5, limits.size))
    keypoints = MODEL.joints(np.zeros((5, 3)), limits.to_pose(wild))
    fit = HandSolver(MODEL, priors=Priors(pose=np.inf)).solve(keypoints, fit_shape=False)
    ours = np.square(fit.keypoints - keypoints).sum(axis=(1, 2))
    wide = np.full(6, np.inf)
    for row in range(5):

        def residual(x: Array, row: int = row) -> Array:
            return (MODEL.joints(x[:3], limits.to_pose(x[6:]), None, x[3:6])[0] - keypoints[row]).ravel() * 1e3

        start = np.concatenate([fit.global_orient[row], fit.transl[row], limits.to_angles(fit.hand_pose[row])])
        bounds = np.concatenate([-wide, limits.lower - 1e-9]), np.concatenate([wide, limits.upper + 1e-9])
        best = least_squares(residual, start, bounds=bounds)
        assert ours[row] * 1e6 <= 2.0 * best.cost * 1.05 + 0.1


@given(
    turn=arrays(np.float64, 3, elements=st.floats(-3.0, 3.0)),
    shift=arrays(np.float64, 3, elements=st.floats(-2.0, 2.0)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_rigid_motion_of_the_keypoints_moves_the_fit(turn: Array, shift: Array, seed: int) -> None:
    keypoints = hands(1, seed)["keypoints"][0]
    rotation = Rotation.from_rotvec(turn).as_matrix()
    here, there = SOLVER.solve(keypoints), SOLVER.solve(keypoints @ rotation.T + shift)
    np.testing.assert_allclose(there.keypoints, here.keypoints @ rotation.T + shift, atol=2e-4)
    np.testing.assert_allclose(there.betas, here.betas, atol=2e-2)


def solved_or_none(keypoints: Array, confidence: Array) -> HandFit | None:
    """A fit, or nothing where the keypoints are refused."""
    with suppress(Refused):
        return SOLVER.solve(keypoints, confidence=confidence)
    return None


@given(arrays(np.float64, (21, 3), elements=st.floats(-0.3, 0.3)))
@settings(max_examples=60, deadline=None)
def test_finite_garbage_gives_a_finite_hand_inside_the_limits(garbage: Array) -> None:
    fit = solved_or_none(garbage, np.ones(21))
    if fit is None:
        return
    assert SOLVER.limits.violation(fit.hand_pose) < 1e-9
    for field in fields(HandFit):
        assert np.isfinite(getattr(fit, field.name)).all()


@given(
    arrays(np.float64, (21, 3), elements=st.floats(width=64)),
    arrays(np.float64, 21, elements=st.sampled_from([0.0, 1e-12, 0.5, 1.0])),
)
@settings(max_examples=60, deadline=None)
def test_any_numbers_give_a_finite_hand_or_a_refusal(garbage: Array, confidence: Array) -> None:
    fit = solved_or_none(garbage, confidence)
    assert fit is None or np.isfinite(fit.keypoints).all()


def test_recorded_grasps_fit_inside_the_limits(shared_data: Path) -> None:
    with np.load(shared_data / "dexycb_grasps" / "grasps.npz", allow_pickle=False) as file:
        keypoints = file["joints_obj"]
    fit = SOLVER.solve(keypoints, fit_shape=False)
    assert errors(fit, keypoints).mean() < 1e-3
    assert errors(fit, keypoints).max() < 4e-3
