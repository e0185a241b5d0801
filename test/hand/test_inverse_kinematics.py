"""Keypoints come back as the hand that made them, whatever of them is seen, and never outside the limits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hoi_ros.hand import (
    Depths,
    HandFit,
    HandSolver,
    Limits,
    Pixels,
    Points,
    Priors,
    Relative,
    load_hand_model,
    make_hand_pose,
    rotations,
)
from hoi_ros.hand.least_squares import Problem, State, bounded_step
from hoi_ros.hand.mano_file import EMBEDDED, read_hand_file
from hoi_ros.hand.mirror import mirror_points
from hoi_ros.hand.model import HandModel
from hoi_ros.hand.observations import Observation, Term
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, Intrinsics

CAMERA = Intrinsics(600.0, 610.0, 320.0, 240.0)
MODEL = load_hand_model()
SOLVER = HandSolver(MODEL)


def hands(count: int, seed: int = 0) -> dict[str, Array]:
    """Random hands in front of a camera, with their keypoints."""
    rng = np.random.default_rng(seed)
    made = {
        "global_orient": rng.normal(0.0, 1.2, (count, 3)),
        "hand_pose": SOLVER.limits.sample(rng, count),
        "betas": rng.normal(0.0, 1.0, (count, 10)),
        "transl": rng.uniform([-0.1, -0.1, 0.5], [0.1, 0.1, 0.7], (count, 3)),
    }
    return {**made, "keypoints": MODEL.joints(**made)}


def errors(fit: HandFit, keypoints: Array) -> Array:
    return np.linalg.norm(fit.keypoints - keypoints, axis=-1).mean(axis=-1)


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


def test_unseen_keypoints_may_hold_anything() -> None:
    keypoints = hands(50)["keypoints"]
    hidden = keypoints.copy()
    hidden[:, [3, 8, 15]] = np.nan
    confidence = np.where(np.isnan(hidden[0, :, 0]), 0.0, 1.0)
    fit = SOLVER.solve(hidden, confidence=confidence)
    seen = confidence > 0.0
    assert np.linalg.norm(fit.keypoints - keypoints, axis=2)[:, seen].mean() < 0.5e-3


def relative_depth(keypoints: Array) -> Array:
    return keypoints[..., 2] - keypoints[:, :1, 2]


SEEN = {
    "relative and pixels": lambda k, p: [Relative(k - k[:, :1], sigma=0.002), Pixels(p, sigma=1.0, intrinsics=CAMERA)],
    "scale-free and pixels": lambda k, p: [
        Relative(1.4 * k + 3.0, sigma=0.002, scale_free=True),
        Pixels(p, sigma=1.0, intrinsics=CAMERA),
    ],
    "relative depths and pixels": lambda k, p: [
        Pixels(p, sigma=1.0, intrinsics=CAMERA),
        Depths(relative_depth(k), sigma=0.005, relative=True),
    ],
    "depths and pixels": lambda k, p: [Pixels(p, sigma=0.5, intrinsics=CAMERA), Depths(k[..., 2], sigma=0.002)],
    "relative and few depths": lambda k, p: [
        Relative(k, sigma=0.002),
        Depths(k[..., 2], confidence=np.eye(21)[0], sigma=0.002),
        Pixels(p, sigma=1.0, intrinsics=CAMERA),
    ],
}


@pytest.mark.parametrize("name", SEEN)
def test_other_observations_find_the_hand_too(name: str) -> None:
    made = hands(50)
    keypoints = made["keypoints"]
    fit = SOLVER.solve(
        observations=SEEN[name](keypoints, CAMERA.project(keypoints)), betas=made["betas"], fit_shape=False
    )
    assert errors(fit, keypoints).mean() < 0.5e-3


def test_covariance_says_which_directions_to_trust() -> None:
    made = hands(50)
    keypoints, rng = made["keypoints"], np.random.default_rng(0)
    sigma = np.array([0.001, 0.001, 0.02])
    seen = keypoints + rng.normal(0.0, 1.0, keypoints.shape) * sigma
    covariance = np.broadcast_to(np.diag(sigma**2), (21, 3, 3))
    known = {"betas": made["betas"], "fit_shape": False}
    told = SOLVER.solve(observations=[Points(seen, covariance=covariance)], **known)
    same = SOLVER.solve(observations=[Points(seen, sigma=np.broadcast_to(sigma, (21, 3)))], **known)
    untold = SOLVER.solve(seen, **known)
    np.testing.assert_allclose(told.keypoints, same.keypoints, atol=1e-9)
    assert errors(told, keypoints).mean() < 0.7 * errors(untold, keypoints).mean()


@pytest.mark.parametrize("kernel", ["huber", "geman"])
def test_outliers_lose_their_pull(kernel: str) -> None:
    keypoints = hands(50)["keypoints"]
    wrong = keypoints.copy()
    wrong[:, 8] += [0.0, 0.0, 0.1]
    wrong[:, 15] += 0.08
    robust = SOLVER.solve(observations=[Points(wrong, sigma=0.003, outlier=2.0, kernel=kernel)])  # type: ignore[arg-type]
    plain = SOLVER.solve(wrong)
    assert errors(robust, keypoints).mean() < (0.4 if kernel == "huber" else 0.2) * errors(plain, keypoints).mean()


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


@pytest.mark.parametrize(
    "observation",
    [
        Points(np.zeros((21, 3)), covariance=np.broadcast_to(np.diag([1.0, 2.0, 3.0]) + 0.5, (21, 3, 3))),
        Points(np.zeros((21, 3)), outlier=0.4),
        Points(np.zeros((21, 3)), outlier=0.4, kernel="geman"),
        Relative(np.random.default_rng(0).normal(size=(21, 3))),
        Relative(np.random.default_rng(0).normal(size=(21, 3)), scale_free=True),
        Pixels(np.full((21, 2), 300.0), intrinsics=CAMERA),
        Depths(np.ones(21)),
        Depths(np.ones(21), relative=True),
    ],
    ids=lambda o: f"{type(o).__name__} {o.kernel}",
)
def test_gradients_are_those_of_the_cost(observation: Observation) -> None:
    rng = np.random.default_rng(5)
    made = hands(1)
    term = Term(replace(observation, confidence=rng.uniform(0.2, 1.0, 21)))
    size = SOLVER.limits.size
    prior = rng.normal(size=(1, size + 10)), rng.uniform(0.5, 2.0, (1, size + 10))
    problem = Problem(MODEL.kinematics, SOLVER.limits, [term], *prior, shape=True)
    angles = 0.9 * SOLVER.limits.to_angles(made["hand_pose"])
    state = State(rotations.exp(made["global_orient"]), made["transl"], np.concatenate([angles, made["betas"]], axis=1))
    at = problem.evaluate(state)
    _, gradient, _ = problem.normal_equations(state, at)
    for unknown in range(size + 16):
        step = np.zeros((1, size + 16))
        step[:, unknown] = 1e-7
        costs = [problem.evaluate(state.moved(sign * step, problem.lower, problem.upper)).cost[0] for sign in (1, -1)]
        numeric = (costs[0] - costs[1]) / 2e-7
        assert 2.0 * gradient[0, unknown] == pytest.approx(numeric, rel=1e-3, abs=2e-6 * at.cost[0])


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


HAND = hands(1)["keypoints"][0]


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        ([], "nothing was observed"),
        ([Points(HAND[:20])], "shape"),
        ([Points(np.where(np.eye(21, 3) > 0, np.nan, HAND))], "3 keypoints are not finite"),
        ([Points(HAND, confidence=np.eye(21)[0])], "only 1 of 21"),
        ([Points(HAND, confidence=np.full(21, 1.5))], "0..1"),
        ([Points(HAND, confidence=np.ones(20))], "one for each of 21"),
        ([Points(HAND, sigma=0.0)], "sigma"),
        ([Points(HAND, covariance=np.zeros((21, 3, 3)))], "positive definite"),
        ([Points(np.tile(HAND[:1], (21, 1)))], "about their mean"),
        ([Points(1000.0 * HAND)], "about their mean"),
        ([Pixels(CAMERA.project(HAND), intrinsics=CAMERA)], "leave the hand open"),
    ],
)
def test_refusals_name_what_is_wrong(observations: list[Observation], message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        SOLVER.solve(observations=observations)
    assert refused.value.reason is Reason.KEYPOINTS


def test_recorded_grasps_fit_inside_the_limits(shared_data: Path) -> None:
    with np.load(shared_data / "dexycb_grasps" / "grasps.npz", allow_pickle=False) as file:
        keypoints = file["joints_obj"]
    fit = SOLVER.solve(keypoints, fit_shape=False)
    assert errors(fit, keypoints).mean() < 1e-3
    assert errors(fit, keypoints).max() < 4e-3
