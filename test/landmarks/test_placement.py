"""Placement of the hand model on made detections: known poses come back, by depth or by size, left as right."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scene import CAMERA, PALM_TO_CAMERA
from scipy.spatial.transform import Rotation

from hoi_ros.hand import Limits
from hoi_ros.methods.landmarks.detector import Detection
from hoi_ros.methods.landmarks.placement import Past, Placement
from hoi_ros.refusals import Refused
from hoi_ros.types import CameraFrame

BLACK = np.zeros((480, 640, 3), np.uint8)


@pytest.fixture(scope="module")
def placement(model):
    return Placement(model)


@pytest.fixture(scope="module")
def hands(model):
    """Ten right hands before the camera: mesh, keypoints."""
    rng = np.random.default_rng(4)
    limits = Limits(model.kinematics)
    poses = 0.5 * limits.sample(rng, 10)
    turns = Rotation.from_rotvec(rng.normal(scale=0.3, size=(10, 3))) * Rotation.from_matrix(PALM_TO_CAMERA)
    betas = rng.normal(scale=0.5, size=(10, 10))
    shifts = rng.uniform([-0.1, -0.1, 0.4], [0.1, 0.1, 0.8], (10, 3))
    return model.mesh(turns.as_rotvec(), poses, betas, shifts)


def detection(keypoints, camera=CAMERA):
    return Detection("right", 0.9, camera.project(keypoints), keypoints - keypoints.mean(axis=0))


def frame(depth=None):
    return CameraFrame(BLACK, CAMERA, depth)


def test_depth_brings_hands_back(placement, model, hands, render):
    errors = []
    for vertices, keypoints in zip(hands.vertices, hands.keypoints, strict=True):
        depth = render(vertices, model.closed_faces)
        fit = placement.fit(detection(keypoints), frame(depth), None, False)
        errors.append(np.linalg.norm(fit.keypoints - keypoints, axis=1).mean())
    assert np.median(errors) < 0.003
    assert max(errors) < 0.006


def test_the_scale_comes_from_the_depth_not_from_mediapipe(placement, model, hands, render):
    keypoints = hands.keypoints[0]
    seen = detection(keypoints)
    seen = replace(seen, relative=1.3 * seen.relative)
    fit = placement.fit(seen, frame(render(hands.vertices[0], model.closed_faces)), None, False)
    assert np.linalg.norm(fit.keypoints - keypoints, axis=1).mean() < 0.006


def test_without_depth_the_mean_hand_gives_the_scale(placement, model):
    orient = Rotation.from_matrix(PALM_TO_CAMERA).as_rotvec()
    keypoints = model.joints(orient, np.zeros(45), None, np.array([0.0, 0.0, 0.6]))[0]
    fit = placement.fit(detection(keypoints), frame(), None, False)
    assert np.linalg.norm(fit.keypoints - keypoints, axis=1).mean() < 0.02


def test_a_left_hand_is_placed_as_its_mirror_image(placement, model, hands, render):
    mirror = np.array([-1.0, 1.0, 1.0])
    depth = render(hands.vertices[1] * mirror, model.closed_faces[:, ::-1])
    keypoints = hands.keypoints[1]  # in the mirrored scene, where the hand is a right one
    fit = placement.fit(detection(keypoints), frame(depth), None, True)
    assert np.linalg.norm(fit.keypoints - keypoints, axis=1).mean() < 0.006


def test_a_followed_hand_that_jumps_is_found_again(placement, model, hands, render):
    first = placement.fit(detection(hands.keypoints[2]), frame(), None, False)
    depth = render(hands.vertices[3], model.closed_faces)
    fit = placement.fit(detection(hands.keypoints[3]), frame(depth), Past(first, 0.03), False)
    assert np.linalg.norm(fit.keypoints - hands.keypoints[3], axis=1).mean() < 0.006


def test_what_is_in_front_of_a_finger_does_not_pull_it(placement, model, hands, render):
    keypoints = hands.keypoints[0]
    depth = render(hands.vertices[0], model.closed_faces)
    u, v = np.rint(CAMERA.project(keypoints[11])).astype(int)
    depth[v - 12 : v + 12, u - 12 : u + 12] = keypoints[11, 2] - 0.06  # a rod across the middle finger
    fit = placement.fit(detection(keypoints), frame(depth), None, False)
    assert np.linalg.norm(fit.keypoints - keypoints, axis=1).max() < 0.016
    touched = placement.touched(fit, frame(depth), False)
    assert not touched[11]
    assert touched.sum() >= 10


@settings(max_examples=60, deadline=None)
@given(
    pixels=arrays(np.float64, (21, 2), elements=st.floats(-1e4, 1e4)),
    relative=arrays(np.float64, (21, 3), elements=st.floats(-1.0, 1.0)),
    depth=st.sampled_from([None, 0.0, 1e-6, 0.4, 3.0, 1e30, np.nan, np.inf]),
    follow=st.booleans(),
    left=st.booleans(),
)
def test_any_numbers_give_a_finite_hand_or_a_refusal(placement, hands, pixels, relative, depth, follow, left):
    picture = frame(None if depth is None else np.full((480, 640), depth, np.float32))
    past = Past(placement.fit(detection(hands.keypoints[4]), frame(), None, False), 0.03) if follow else None
    try:
        fit = placement.fit(Detection("right", 1.0, pixels, relative), picture, past, left)
    except Refused:
        return
    assert np.isfinite(fit.keypoints).all()
    assert np.isfinite(fit.hand_pose).all()
    assert np.isfinite(CAMERA.project(fit.keypoints)).all()
