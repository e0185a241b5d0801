"""Whatever is seen of the keypoints finds the hand, weighs as it says, and is refused by name where it is of no use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_hands import CAMERA, MODEL, SOLVER, errors, hands

from hoi_ros.hand import (
    Depths,
    HandSolver,
    Pixels,
    Points,
    Priors,
    Relative,
    rotations,
)
from hoi_ros.hand.least_squares import Problem, State
from hoi_ros.hand.observations import Observation, Term
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array


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


def test_pixels_alone_follow_a_hand() -> None:
    made = hands(20)
    before = SOLVER.solve(made["keypoints"])
    moved = made["keypoints"] + np.array([0.004, -0.003, 0.0])
    pixels = Pixels(CAMERA.project(moved), sigma=1.0, intrinsics=CAMERA)
    after = HandSolver(MODEL, priors=Priors(pose_change=0.05)).solve(
        observations=[pixels], initial=before, fit_shape=False
    )
    assert errors(after, moved).mean() < 4e-3


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
