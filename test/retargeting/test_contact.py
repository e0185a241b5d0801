"""The contact objective: fingertips land where the human's are, wherever the object lies, with no limit broken."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_robot_hands import HANDS, assert_safe, hand_pose, keypoints_of, moved, points, random_positions
from scipy.spatial.transform import Rotation

from hoi_ros.benchmarks.retargeting import run
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting import ContactRetargeter
from hoi_ros.retargeting.contact import FreePalm
from hoi_ros.types import Side

TIPS = [4, 8, 12, 16, 20]


@pytest.mark.parametrize("side", ["right", "left"])
def test_robot_grasps_come_back(side: Side) -> None:
    """Points of a robot hand somewhere in space come back, and so does its palm."""
    hand = HANDS[side]
    keypoints, rotation, shift = moved(keypoints_of(hand, random_positions(100, margin=0.15)), 1)
    goals = ContactRetargeter(hand).retarget_batch(keypoints)
    assert_safe(hand, goals.positions)
    assert np.median(goals.distances[..., 0]) < 1.5e-3
    palms = Rotation.from_quat(goals.wrist_pose[:, 3:])
    assert np.median((rotation.inv() * palms).magnitude()) < np.radians(8)
    assert np.median(np.linalg.norm(goals.wrist_pose[:, :3] - shift, axis=1)) < 0.01


def test_fingertips_are_where_the_goal_says() -> None:
    hand = HANDS["right"]
    keypoints, _, _ = moved(keypoints_of(hand, random_positions(20), 1.1), 2)
    goals = ContactRetargeter(hand).retarget_batch(keypoints)
    tips = points(hand, goals.positions)["tip"]
    palms = Rotation.from_quat(goals.wrist_pose[:, 3:]).as_matrix()
    placed = tips @ palms.swapaxes(-1, -2) + goals.wrist_pose[:, None, :3]
    distances = np.linalg.norm(placed - keypoints[:, TIPS], axis=2)
    np.testing.assert_allclose(goals.distances[..., 0], distances, atol=1e-9)
    assert (goals.positions[:, :2] == 0.0).all()  # the wrist is free: its joints rest


def test_used_fingers_come_first() -> None:
    hand, used = HANDS["right"], np.zeros((30, 5), bool)
    used[:, :2] = True
    keypoints = keypoints_of(hand, random_positions(30), 1.0)
    keypoints[:, [16, 20]] += np.random.default_rng(0).normal(0.0, 0.03, (30, 2, 3))  # where no finger can be
    pinch, all_alike = (ContactRetargeter(hand).retarget_batch(keypoints, u).distances[..., 0] for u in (used, None))
    assert pinch[:, :2].mean() < 0.5 * all_alike[:, :2].mean()


def test_jacobian_of_the_free_palm() -> None:
    palm, rng = FreePalm(), np.random.default_rng(0)
    state = np.concatenate([Rotation.random(3, random_state=0).as_matrix(), rng.normal(0, 0.3, (3, 3, 1))], axis=2)
    targets = rng.normal(0.0, 0.3, (3, 3, 6))
    _, jacobian = palm.targets(state, targets)
    for variable, step in enumerate(1e-6 * np.eye(6)):
        ahead, behind = (palm.retract(state, np.repeat(s[None], 3, axis=0)) for s in (step, -step))
        slope = (palm.targets(ahead, targets)[0] - palm.targets(behind, targets)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[:, variable], -slope, atol=1e-8)
        np.testing.assert_allclose(palm.change(ahead, state), np.repeat(step[None], 3, axis=0), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 0.1), st.sampled_from(["right", "left"]))
def test_noisy_grasps_are_safe_or_refused(seed: int, noise: float, side: Side) -> None:
    hand, rng = HANDS[side], np.random.default_rng(seed)
    keypoints, _, _ = moved(keypoints_of(hand, random_positions(3, seed), rng.uniform(0.6, 1.6)), seed)
    keypoints[:, TIPS] += rng.normal(0.0, noise, (3, 5, 3))
    used = rng.random((3, 5)) < 0.5
    retargeter = ContactRetargeter(hand)
    with suppress(Refused) if noise > 0.02 else nullcontext():  # fingers may be longer than any hand's
        assert_safe(hand, retargeter.retarget_batch(keypoints, used).positions)
        for human in keypoints:
            goal = retargeter.retarget(hand_pose(human, side))
            assert_safe(hand, goal.positions)
            assert np.isfinite(goal.wrist_pose).all()
            assert np.linalg.norm(goal.wrist_pose[3:]) == pytest.approx(1.0)


def test_a_hand_that_comes_back_elsewhere_is_met() -> None:
    """From the last goal the solve would end 20 to 40 mm off and stay there."""
    hand = HANDS["right"]
    first, second = keypoints_of(hand, random_positions(2, margin=0.15))
    second = second @ Rotation.from_euler("z", 120, degrees=True).as_matrix().T + 0.3
    stream, fresh = ContactRetargeter(hand), ContactRetargeter(hand)
    stream.retarget(hand_pose(first, "right"))
    assert stream.retarget(hand_pose(second, "right")).error == fresh.retarget(hand_pose(second, "right")).error


def test_no_hand_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        ContactRetargeter(HANDS["right"]).retarget_batch(np.full((1, 21, 3), np.nan))
    assert refused.value.reason is Reason.KEYPOINTS


def test_recorded_grasps(shared_data: Path, tmp_path: Path) -> None:
    """What the issue asks of 376 human grasps."""
    (tmp_path / "dexycb_grasps").symlink_to(shared_data / "dexycb_grasps")
    contact = run(str(tmp_path))["contact"]
    assert contact["grasps"] == 376
    assert contact["median_fingertip_distance_mm"] < 5.0
    assert contact["limit_violations"] == contact["frames_j1_over_j2"] == 0
