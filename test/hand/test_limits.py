"""Anatomical angles mean what their names say, and limits hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoi_ros.hand import Limits, load_hand_model

MODEL = load_hand_model()
LIMITS = Limits(MODEL.kinematics)
FLEXION, ABDUCTION, TWIST = range(3)
TIPS = {"index": (1, 8), "middle": (4, 12), "little": (7, 20), "ring": (10, 16)}  # base joint, tip keypoint


def keypoints(joint: int, axis: int, angle: float) -> np.ndarray:
    angles = np.where((LIMITS.joint == joint) & (LIMITS.axis == axis), angle, 0.0)
    return MODEL.joints(np.zeros(3), LIMITS.to_pose(angles))[0]


def test_counts_and_frames() -> None:
    assert LIMITS.size == 26
    assert (LIMITS.lower < 0.0).all()
    assert (LIMITS.upper > 0.0).all()
    frames = LIMITS.frames
    np.testing.assert_allclose(frames.swapaxes(1, 2) @ frames, np.broadcast_to(np.eye(3), (15, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)


@pytest.mark.parametrize("finger", TIPS)
def test_flexion_goes_to_the_palm_and_abduction_to_the_thumb(finger: str) -> None:
    base, tip = TIPS[finger]
    flat = MODEL.joints(np.zeros(3), np.zeros(45))[0]
    for joint in range(base, base + 3):
        assert keypoints(joint, FLEXION, 0.5)[tip, 1] < flat[tip, 1] - 0.005
    assert keypoints(base, ABDUCTION, 0.3)[tip, 2] > flat[tip, 2] + 0.01
    moved = keypoints(base, TWIST, 0.3) - flat
    assert np.linalg.norm(moved[tip]) < 0.003  # a straight finger turns about itself


def test_thumb_flexes_across_the_palm() -> None:
    flat = MODEL.joints(np.zeros(3), np.zeros(45))[0]
    little = flat[17] - flat[5]
    for joint in (13, 14, 15):
        moved = keypoints(joint, FLEXION, 0.4)[4] - flat[4]
        assert moved @ little > 0.0
    assert keypoints(13, ABDUCTION, 0.3)[4, 1] < flat[4, 1] - 0.01  # out in front of the palm


@given(arrays(np.float64, (3, 45), elements=st.floats(-4.0, 4.0)))
@settings(max_examples=50, deadline=None)
def test_clamp_is_a_projection(pose: np.ndarray) -> None:
    clamped = LIMITS.clamp(pose)
    assert LIMITS.violation(clamped).max() < 1e-12
    np.testing.assert_allclose(LIMITS.clamp(clamped), clamped, atol=1e-12)
    inside = LIMITS.sample(np.random.default_rng(0), 3)
    # No point inside is nearer than the projection.
    assert (np.linalg.norm(pose - clamped, axis=1) <= np.linalg.norm(pose - inside, axis=1) + 1e-12).all()


def test_angles_and_poses_are_one_to_one_inside_the_limits() -> None:
    poses = LIMITS.sample(np.random.default_rng(1), 100)
    assert LIMITS.violation(poses).max() < 1e-12
    np.testing.assert_allclose(LIMITS.to_pose(LIMITS.to_angles(poses)), poses, atol=1e-12)


def test_violation_is_an_angle() -> None:
    angles = np.where(np.arange(26) == 0, LIMITS.upper + 0.25, 0.0)
    assert LIMITS.violation(LIMITS.to_pose(angles)) == pytest.approx(0.25)
