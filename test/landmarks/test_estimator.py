"""The estimator on made pictures: unusable frames, hands that leave, nothing at all, anything at all."""

import gc
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import CAMERA

from hoi_ros.methods.landmarks import build
from hoi_ros.methods.landmarks.portrait import portrait
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import CameraFrame, Intrinsics

BLACK = np.zeros((480, 640, 3), np.uint8)
GOOD = CameraFrame(BLACK, CAMERA, np.ones((480, 640), np.float32))


@pytest.fixture(scope="module")
def palm(model):
    return portrait(model)


def placed(palm, column, stamp=0):
    """A grey picture with the 256 pixels of ``palm`` from ``column`` on, as far as they fit."""
    wide = np.full((480, 640 + 768, 3), palm[0, 0, 0], np.uint8)
    wide[100:356, 256 + column : 512 + column] = palm
    return CameraFrame(wide[:, 256:896], CAMERA, stamp_ns=stamp)


@pytest.mark.parametrize(
    ("frame", "reason", "words"),
    [
        (replace(GOOD, rgb=np.zeros((0, 640, 3), np.uint8)), Reason.PICTURE_SIZE, "0 x 640"),
        (replace(GOOD, rgb=np.zeros((480, 640), np.uint8)), Reason.PICTURE_DATA, "(480, 640)"),
        (replace(GOOD, rgb=np.zeros((480, 640, 3), np.float32)), Reason.PICTURE_DATA, "float32"),
        (replace(GOOD, intrinsics=Intrinsics(0.0, 0.0, 0.0, 0.0)), Reason.INTRINSICS, "fx=0"),
        (replace(GOOD, intrinsics=Intrinsics(np.nan, 500.0, 320.0, 240.0)), Reason.INTRINSICS, "fx=nan"),
        (replace(GOOD, intrinsics=Intrinsics(500.0, -500.0, 320.0, 240.0)), Reason.INTRINSICS, "fy=-500"),
        (replace(GOOD, intrinsics=Intrinsics(500.0, 500.0, np.inf, 240.0)), Reason.INTRINSICS, "cx=inf"),
        (replace(GOOD, intrinsics=Intrinsics(1e-300, 500.0, 320.0, 240.0)), Reason.INTRINSICS, "fx=1e-300"),
        (replace(GOOD, depth=np.ones((240, 320), np.float32)), Reason.DEPTH_SIZE, "(240, 320)"),
        (replace(GOOD, depth=np.zeros((480, 640), np.float32)), Reason.DEPTH_VALUES, "none of 307200"),
        (replace(GOOD, depth=np.full((480, 640), np.nan, np.float32)), Reason.DEPTH_VALUES, "none"),
        (replace(GOOD, depth=np.full((480, 640), -1.0, np.float32)), Reason.DEPTH_VALUES, "none"),
        (replace(GOOD, depth=np.full((480, 640), np.inf, np.float32)), Reason.DEPTH_VALUES, "none"),
    ],
)
def test_an_unusable_frame_is_refused(estimator, frame, reason, words):
    with pytest.raises(Refused) as refused:
        estimator.estimate(frame)
    assert refused.value.reason is reason
    assert words in refused.value.message


def test_an_empty_picture_has_no_hands(estimator):
    assert estimator.estimate(GOOD) == []


@pytest.mark.parametrize("mirror", [False, True])
def test_a_picture_of_the_model_is_a_hand_of_its_side(estimator, palm, mirror):
    frame = placed(palm[:, ::-1] if mirror else palm, 192)
    (hand,) = estimator.estimate(frame)
    assert hand.side == ("left" if mirror else "right")
    assert hand.track_id == 1
    np.testing.assert_allclose(hand.keypoints_2d, CAMERA.project(hand.keypoints))
    np.testing.assert_allclose(hand.wrist_pose[:3], hand.keypoints[0])
    expected = 500.0 * 0.24 / 256  # m, of something 0.24 m wide that is 256 pixels wide
    assert hand.keypoints[:, 2].mean() == pytest.approx(expected, rel=0.15)


def test_parameters_give_the_keypoints(estimator, model, palm):
    for picture in (palm, palm[:, ::-1]):
        estimator.reset()
        (hand,) = estimator.estimate(placed(picture, 192))
        again = model.joints(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, hand.side)[0]
        np.testing.assert_allclose(hand.keypoints, again, atol=1e-9)


def test_a_hand_that_leaves_is_told_from_no_hand(estimator, palm):
    answers = []
    for i, column in enumerate(range(192, 700, 24)):
        try:
            answers.append(len(estimator.estimate(placed(palm, column, stamp=i * 33_000_000))))
        except Refused as refused:
            answers.append(refused.reason)
    assert answers[0] == 1
    first = answers.index(Reason.HAND_LEFT_PICTURE)
    assert all(a == 1 for a in answers[:first])
    assert answers[-1] == 0  # long gone
    assert set(answers[first:]) == {Reason.HAND_LEFT_PICTURE, 0}


def test_a_hand_that_vanishes_inside_the_picture_is_no_hand(estimator, palm):
    estimator.estimate(placed(palm, 192))
    assert estimator.estimate(replace(GOOD, stamp_ns=33_000_000)) == []


def test_a_kept_number_after_a_short_loss_and_a_new_one_after_a_long(estimator, palm):
    def number(stamp):
        return estimator.estimate(placed(palm, 192, stamp))[0].track_id

    assert number(0) == 1
    estimator.estimate(replace(GOOD, stamp_ns=1))
    assert number(2) == 1
    for stamp in range(3, 12):
        estimator.estimate(replace(GOOD, stamp_ns=stamp))
    assert number(12) == 2


def test_stamp_and_frame_travel(estimator, palm):
    (hand,) = estimator.estimate(replace(placed(palm, 192, 1234), frame_id="optical"))
    assert (hand.stamp_ns, hand.frame_id) == (1234, "optical")


def test_models_are_freed_with_the_estimator():
    made = build(Parameters(max_hands=1))
    hands = made._detector._hands
    del made
    gc.collect()
    assert hands._graph is None


def test_loading_leaves_stderr_as_it_was(capfd):
    build(Parameters(max_hands=1)).reset()
    assert capfd.readouterr().err == ""
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    seed=st.integers(0, 2**32 - 1),
    depth=st.sampled_from(["none", "noise", "holes"]),
    stamp=st.integers(-(2**62), 2**62),
)
def test_any_picture_gives_finite_hands_or_a_refusal(shared_estimator, palm, height, width, seed, depth, stamp):
    rng = np.random.default_rng(seed)
    rgb = palm[:height, :width].copy() if seed % 2 else rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    metres = None if depth == "none" else rng.normal(0.5, 0.5, (height, width)).astype(np.float32)
    if depth == "holes":
        metres[rng.random((height, width)) < 0.5] = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1e38])
    try:
        hands = shared_estimator.estimate(CameraFrame(rgb, Intrinsics(60.0, 60.0, 40.0, 40.0), metres, stamp))
    except Refused:
        return
    for hand in hands:
        for value in vars(hand).values():
            if isinstance(value, np.ndarray | float):
                assert np.isfinite(value).all()
