"""The vector objective: hands come back, limits hold whatever comes, nothing better lies near, streams are smooth."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_robot_hands import HANDS, J1, J2, assert_safe, hand_pose, keypoints_of, moved, points, random_positions
from scipy.optimize import LinearConstraint, minimize
from scipy.spatial.transform import Rotation

from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting import VectorRetargeter, build
from hoi_ros.retargeting.palm import palm_frames
from hoi_ros.retargeting.vector import SCALE
from hoi_ros.types import Array, Side

RIGHT = HANDS["right"]
TIPS, MIDDLES = [4, 8, 12, 16, 20], [2, 6, 10, 14, 18]


@pytest.fixture(scope="module")
def video(request: pytest.FixtureRequest) -> Array:
    """Keypoints (621, 21, 3), m, of a real hand."""
    folder: Path = request.getfixturevalue("shared_data")
    with np.load(folder / "hand_video" / "joints.npz") as file:
        keypoints: Array = file["joints"].astype(float)
    return keypoints


def vector_errors(positions: Array, keypoints: Array) -> Array:
    """Distances (N, 10), m, computed link by link, in the frame that the wrist joints leave at zero."""
    palm = RIGHT.link_poses(positions)["palm"][:, :3, :3]
    made = points(RIGHT, positions)
    ends = np.concatenate([made["tip"], made["middle"]], axis=1) @ palm.swapaxes(-1, -2)
    wanted = (keypoints[:, TIPS + MIDDLES] - keypoints[:, :1]) @ palm_frames(keypoints, "right")
    errors: Array = np.linalg.norm(ends - SCALE * wanted, axis=2)
    return errors


@pytest.mark.parametrize("side", ["right", "left"])
def test_robot_poses_come_back(side: Side) -> None:
    positions = random_positions(200, margin=0.1)
    goals = VectorRetargeter(HANDS[side]).retarget_each(keypoints_of(HANDS[side], positions, SCALE))
    assert_safe(HANDS[side], goals.positions)
    assert np.median(goals.distances) < 2e-3
    assert np.percentile(goals.distances, 95) < 10e-3
    bend = [HANDS[side].names.index(f"{HANDS[side].prefix}{f}J3") for f in ("FF", "MF", "RF")]
    assert np.median(np.abs(goals.positions - positions)[:, bend]) < 0.05


def test_distances_are_what_they_say() -> None:
    keypoints = keypoints_of(RIGHT, random_positions(20), 1.0)
    goals = VectorRetargeter(RIGHT).retarget_each(keypoints)
    found = np.concatenate([goals.distances[..., 0], goals.distances[..., 1]], axis=1)
    np.testing.assert_allclose(found, vector_errors(goals.positions, keypoints), atol=1e-9)


def test_goal_does_not_depend_on_where_the_hand_is() -> None:
    keypoints = keypoints_of(RIGHT, random_positions(1), SCALE)
    there, rotation, shift = moved(keypoints)
    goal, other = (VectorRetargeter(RIGHT).retarget(hand_pose(points[0])) for points in (keypoints, there))
    np.testing.assert_allclose(goal.positions, other.positions, atol=1e-6)
    np.testing.assert_allclose(other.wrist_pose[:3], rotation.apply(goal.wrist_pose[:3]) + shift, atol=1e-9)
    turned = rotation * Rotation.from_quat(goal.wrist_pose[3:])
    assert (turned.inv() * Rotation.from_quat(other.wrist_pose[3:])).magnitude() < 1e-6


def test_palm_lies_on_the_palm() -> None:
    """The robot's own vectors, placed by the wrist pose, point where the human's do."""
    keypoints, _, _ = moved(keypoints_of(RIGHT, random_positions(1, seed=3, margin=0.2), SCALE))
    goal = VectorRetargeter(RIGHT).retarget(hand_pose(keypoints[0]))
    made = points(RIGHT, goal.positions[None])["tip"][0]
    placed = Rotation.from_quat(goal.wrist_pose[3:]).apply(made)
    np.testing.assert_allclose(goal.wrist_pose[:3], keypoints[0, 0], atol=1e-12)
    np.testing.assert_allclose(placed, SCALE * (keypoints[0, TIPS] - keypoints[0, 0]), atol=0.01)


def test_left_is_right_mirrored() -> None:
    keypoints = keypoints_of(RIGHT, random_positions(10), 1.1)
    right = VectorRetargeter(RIGHT).retarget_each(keypoints)
    left = VectorRetargeter(HANDS["left"]).retarget_each(keypoints * (-1.0, 1.0, 1.0))
    np.testing.assert_allclose(left.positions, right.positions, atol=1e-9)
    np.testing.assert_allclose(left.wrist_pose[:, :3], right.wrist_pose[:, :3] * (-1.0, 1.0, 1.0), atol=1e-12)


@pytest.mark.parametrize("coupling", [True, False])
def test_scipy_finds_nothing_better_near(coupling: bool) -> None:
    """The documented cost, written down again, minimised by SLSQP from our goal."""
    positions = random_positions(4, seed=5)
    positions[:, J1] = random_positions(4, seed=6)[:, J2]  # bent fingertips that only an uncoupled hand can make
    keypoints = keypoints_of(RIGHT, positions, 1.0)
    found = VectorRetargeter(RIGHT, coupling).retarget_each(keypoints)
    middle = 0.5 * (RIGHT.lower + RIGHT.upper)
    relax = np.array([0.0 if "WR" in name else 3e-3 if name.endswith("J5") else 2e-4 for name in RIGHT.names])
    start = np.where(["WR" in name for name in RIGHT.names], 0.0, middle)

    def huber(values: Array, bend: float) -> Array:
        return np.where(values < bend, values**2 / (2 * bend), values - bend / 2)

    ordered = np.zeros((4, 24))
    ordered[range(4), J2], ordered[range(4), J1] = 1.0, -1.0
    constraints = [LinearConstraint(ordered, 0.0, np.inf)] if coupling else []
    for goal, human in zip(found.positions, keypoints, strict=True):

        def cost(angles: Array, human: Array = human) -> float:
            distance = vector_errors(angles[None], human[None])
            ease = 0.5 * relax @ (angles - middle) ** 2
            return float(huber(distance, 0.02).mean() + ease + 1e-4 * huber(np.abs(angles - start), 0.01).sum())

        bounds = list(zip(RIGHT.lower, RIGHT.upper, strict=True))
        near = 0.9 * goal + 0.1 * start
        best = minimize(cost, near, method="SLSQP", bounds=bounds, constraints=constraints, options={"maxiter": 200})
        assert cost(near) > best.fun + 1e-4  # m; SLSQP did its work
        assert cost(goal) < best.fun + 1e-5


anything = st.one_of(
    st.floats(-0.3, 0.3), st.floats(-1e3, 1e3), st.just(0.0), st.floats(allow_nan=True, allow_infinity=True, width=32)
)


@settings(max_examples=150, deadline=None)
@given(arrays(np.float64, (21, 3), elements=anything), st.booleans())
def test_garbage_is_refused_or_safe(keypoints: Array, coupling: bool) -> None:
    retargeter = VectorRetargeter(RIGHT, coupling)
    goal = None
    with suppress(Refused):
        goal = retargeter.retarget(hand_pose(keypoints))
    if goal is not None:
        assert_safe(RIGHT, goal.positions, coupling)
        assert np.isfinite(goal.wrist_pose).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 0.08), st.sampled_from(["right", "left"]), st.booleans())
def test_noisy_streams_are_safe(seed: int, noise: float, side: Side, coupling: bool) -> None:
    hand, rng = HANDS[side], np.random.default_rng(seed)
    keypoints = keypoints_of(hand, random_positions(4, seed), rng.uniform(0.7, 2.0))
    keypoints[:, TIPS + MIDDLES] += rng.normal(0.0, noise, (4, 10, 3))
    retargeter = VectorRetargeter(hand, coupling)
    for points_ in keypoints:
        goal = retargeter.retarget(hand_pose(points_, side))
        assert_safe(hand, goal.positions, coupling)
        assert Rotation.from_quat(goal.wrist_pose[3:]).magnitude() <= np.pi
        assert set(goal.clamped) <= set(hand.names)
    assert_safe(hand, retargeter.retarget_batch(keypoints).positions, coupling)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda k: k * np.nan, "keypoint 0"),
        (lambda k: k * 10.0, "palm is"),
        (lambda k: k * 0.01, "palm is"),
        (lambda k: k + np.eye(21, 3, -12) * 9.0, "from the wrist"),
        (lambda k: np.where(np.arange(21)[:, None] == 5, 0.5 * k[9], k), "one line"),
        (lambda k: k[:20], "shape"),
    ],
)
def test_what_is_no_hand_is_refused(spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    keypoints = keypoints_of(RIGHT, random_positions(1))[0]
    with pytest.raises(Refused, match=words) as refused:
        VectorRetargeter(RIGHT).retarget(hand_pose(spoil(keypoints)))
    assert refused.value.reason is Reason.KEYPOINTS


def test_batch_and_stream_agree() -> None:
    """A hand that holds still gets one goal, however it is asked for; the first goal of a stream is the one alone."""
    keypoints = keypoints_of(RIGHT, random_positions(3, seed=2, margin=0.15), SCALE)
    retargeter = VectorRetargeter(RIGHT)
    each = retargeter.retarget_each(keypoints)
    for row, human in enumerate(keypoints):
        retargeter.reset()
        first = retargeter.retarget(hand_pose(human))
        np.testing.assert_allclose(first.positions, each.positions[row], atol=1e-6)
        still = retargeter.retarget_batch(np.repeat(human[None], 40, axis=0))
        np.testing.assert_allclose(still.distances.mean(), each.distances[row].mean(), atol=1e-3)


def test_other_side_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        VectorRetargeter(RIGHT).retarget(hand_pose(keypoints_of(RIGHT, random_positions(1))[0], "left"))
    assert refused.value.reason is Reason.SIDE


@pytest.mark.parametrize("count", [1, 2, 17, 19, 37])
def test_recordings_of_any_length(count: int) -> None:
    keypoints = keypoints_of(RIGHT, random_positions(count))
    goals = VectorRetargeter(RIGHT).retarget_batch(keypoints.astype(np.float32))
    assert goals.positions.shape == (count, 24)
    assert goals.wrist_pose.shape == (count, 7)
    assert_safe(RIGHT, goals.positions)


def test_empty_recording_is_refused() -> None:
    with pytest.raises(Refused, match="N at least 1"):
        VectorRetargeter(RIGHT).retarget_batch(np.zeros((0, 21, 3)))


def test_reset_forgets() -> None:
    keypoints = keypoints_of(RIGHT, random_positions(2, seed=4))
    retargeter = VectorRetargeter(RIGHT)
    first = retargeter.retarget(hand_pose(keypoints[0]))
    retargeter.retarget(hand_pose(keypoints[1]))
    retargeter.reset()
    again = retargeter.retarget(hand_pose(keypoints[0]))
    np.testing.assert_array_equal(first.positions, again.positions)


def test_what_is_held_back_is_named() -> None:
    """Human fingers that bend backwards leave J3 on its lower limit, and the goal says so."""
    positions = np.zeros((1, 24))
    keypoints = keypoints_of(RIGHT, positions, SCALE)
    far = keypoints.copy()
    far[:, [6, 8]] += (0.0, 0.05, -0.01)
    assert "rh_FFJ3" not in VectorRetargeter(RIGHT).retarget(hand_pose(keypoints[0])).clamped
    goal = VectorRetargeter(RIGHT).retarget(hand_pose(far[0]))
    assert goal.clamped["rh_FFJ3"] == 1
    assert goal.positions[RIGHT.names.index("rh_FFJ3")] == RIGHT.limits["rh_FFJ3"][0]


@pytest.mark.parametrize("coupling", [True, False])
def test_recording(video: Array, coupling: bool) -> None:
    """What the issue asks of the recording, dex-retargeting's own figures as bounds."""
    retargeter = VectorRetargeter(RIGHT, coupling)
    stream = np.array([retargeter.retarget(hand_pose(human)).positions for human in video])
    for positions in (stream, retargeter.retarget_batch(video).positions):
        assert_safe(RIGHT, positions, coupling)
        assert vector_errors(positions, video).mean() < (15.5e-3 if coupling else 14.3e-3)
        assert np.abs(np.diff(positions, axis=0)).mean() < 0.01726


def test_built_from_parameters() -> None:
    left = build(Parameters(robot_hand="shadow_left", coupling=False))
    assert list(left.limits) == list(HANDS["left"].names)
    keypoints = keypoints_of(HANDS["left"], random_positions(1))[0]
    goal = left.retarget(hand_pose(keypoints, "left"))
    assert goal.names == HANDS["left"].names
    assert goal.actuator_positions.shape == (20,)
