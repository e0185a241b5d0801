"""What is hidden: by hand-made walls and plates, by the hand's own motion, and by the dataset's pictures."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.benchmarks.pictures import held_to
from hoi_ros.dataset.pictures import HAND, OBJECT, Picture, render_views
from hoi_ros.hand import load_hand_model
from hoi_ros.hand.inverse_kinematics import HandFit
from hoi_ros.hand.mirror import mirror_hand
from hoi_ros.hand.pose import make_hand_pose
from hoi_ros.methods.affordance_prior.occlusion import (
    Mask,
    hidden_by_cloud,
    hidden_by_depth,
    hidden_by_mask,
    hidden_by_self,
    joints_hidden,
)
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandPose, Intrinsics

MODEL = load_hand_model()
CAMERA = Intrinsics(600.0, 600.0, 319.5, 239.5)
SHAPE = (480, 640)
FACING = Rotation.from_matrix([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # fingers up, palm to the camera
SIDEWAYS = Rotation.from_euler("y", 90, degrees=True) * FACING  # the thumb's or the little finger's side to the camera


def hand_of(orient: Array, pose: Array, betas: Array, transl: Array, camera: Intrinsics = CAMERA) -> HandPose:
    keypoints = MODEL.joints(orient, pose, betas, transl)[0]
    fit = HandFit(orient, pose, betas, transl, keypoints, np.array(0.0), np.array(0))
    return make_hand_pose(MODEL, fit, side="right", score=1.0, intrinsics=camera)


def flat(turn: Rotation = FACING, depth: float = 0.4) -> HandPose:
    """The flat hand, straight before the camera."""
    shift = np.array([0.0, 0.0, depth]) - MODEL.joints(turn.as_rotvec(), np.zeros(45))[0].mean(axis=0)
    return hand_of(turn.as_rotvec(), np.zeros(45), np.zeros(10), shift)


def plate(middle: Array, half: Array, step: float = 0.002) -> Array:
    """Points of a rectangle across the view, ``half`` (2,) m to each side."""
    x, y = (np.arange(-side, side + 1e-9, step) for side in half)
    return middle + np.stack([*map(np.ravel, np.meshgrid(x, y)), np.zeros(len(x) * len(y))], axis=1)


def numbers(hidden: Mask) -> list[int]:
    return [int(number) for number in np.flatnonzero(hidden)]


def test_a_flat_hand_hides_nothing_from_either_side() -> None:
    assert numbers(hidden_by_self(MODEL, flat())) == []
    assert numbers(hidden_by_self(MODEL, flat(Rotation.from_euler("y", 180, degrees=True) * FACING))) == []


def test_from_the_side_the_near_fingers_hide_the_far_ones() -> None:
    hand = flat(SIDEWAYS)
    hidden = hidden_by_self(MODEL, hand)
    nearest, farthest = (5, 17) if hand.keypoints[5, 2] < hand.keypoints[17, 2] else (17, 5)
    assert not hidden[nearest + 1 : nearest + 4].any()
    assert hidden[farthest : farthest + 4].all()


def test_mirrored_hands_hide_the_same() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        turn = Rotation.random(random_state=int(rng.integers(1 << 30)))
        hand = hand_of(turn.as_rotvec(), MODEL.hands_mean, rng.normal(size=10), np.array([0.05, 0.0, 0.5]))
        hidden = hidden_by_self(MODEL, hand)
        assert 0 < hidden.sum() < 21
        assert np.array_equal(hidden_by_self(MODEL, mirror_hand(hand)), hidden)


def test_what_lies_behind_the_camera_is_hidden() -> None:
    hand = flat(depth=-0.4)
    assert hidden_by_self(MODEL, hand).all()
    assert hidden_by_depth(MODEL, hand, np.ones(SHAPE)).all()


def test_a_plate_hides_the_keypoint_behind_it() -> None:
    keypoints = flat().keypoints
    small = plate(0.8 * keypoints[12], np.array([0.01, 0.01]))
    assert numbers(hidden_by_cloud(keypoints, small)) == [12]
    shifts = np.random.default_rng(1).uniform(-0.01, 0.01, (150, 3)) * [1.0, 1.0, 0.0]
    assert numbers(hidden_by_cloud(keypoints, 0.8 * keypoints[12] + shifts)) == [12]


def test_a_plate_hides_up_to_its_edge() -> None:
    keypoints = np.tile([0.0, 0.0, 0.5], (21, 1))
    keypoints[:, 0] = np.linspace(-0.05, 0.05, 21)  # 5 mm apart, half of that on the plate
    left = plate(np.array([-0.05, 0.0, 0.25]), np.array([0.05, 0.05]))  # all x < 0
    hidden = hidden_by_cloud(keypoints, left)
    assert hidden[:9].all()
    assert not hidden[12:].any()


def test_a_finger_on_the_near_side_is_seen_and_one_behind_is_not() -> None:
    keypoints = flat().keypoints  # all nearly at one depth
    wide = np.array([0.2, 0.2])
    for step in (0.003, 0.008):
        touched = plate(np.array([0.0, 0.0, keypoints[:, 2].max() + 0.008]), wide, step)
        assert not hidden_by_cloud(keypoints, touched).any()
        front = plate(np.array([0.0, 0.0, keypoints[:, 2].min() - 0.03]), wide, step)
        assert hidden_by_cloud(keypoints, front).all()
        assert hidden_by_cloud(keypoints, np.concatenate([front, touched])).all()


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.ones((6, 3)), np.full((30, 3), np.nan)])
def test_clouds_that_are_no_surface(points: Array) -> None:
    with pytest.raises(Refused) as refused:
        hidden_by_cloud(flat().keypoints, points)
    assert refused.value.reason == Reason.CLOUD


@pytest.mark.parametrize("unknown", [0.0, np.nan])
def test_measured_depth(unknown: float) -> None:
    hand = flat()
    assert hidden_by_depth(MODEL, hand, np.full(SHAPE, 0.2)).all()
    assert not hidden_by_depth(MODEL, hand, np.full(SHAPE, 1.0)).any()
    assert not hidden_by_depth(MODEL, hand, np.full(SHAPE, unknown)).any()
    finger = slice(9, 13)
    middle = hand.keypoints[finger, 2].min()
    skin = np.full(SHAPE, middle - 0.012)  # not exactly where it was believed
    assert not hidden_by_depth(MODEL, hand, skin)[finger].any()
    assert hidden_by_depth(MODEL, hand, skin - 0.03)[finger].all()


def test_depth_with_a_wall_that_shows_one_fingertip() -> None:
    hand = flat()
    column, row = np.round(hand.keypoints_2d[8]).astype(int)
    wall = np.full(SHAPE, 0.3, dtype=np.float32)
    wall[row - 3 : row + 4, column - 3 : column + 4] = 0.0
    assert numbers(~hidden_by_depth(MODEL, hand, wall)) == [8]
    assert numbers(hidden_by_depth(MODEL, hand, np.where(wall > 0.0, 0.0, 0.3))) == [8]


def test_outside_of_the_picture() -> None:
    hand = flat()
    width = int(hand.keypoints_2d[12, 0]) + 2  # of a picture that is cut behind the middle finger's tip
    beyond = np.round(hand.keypoints_2d[:, 0]) >= width
    assert 0 < beyond.sum() < 21
    assert np.array_equal(hidden_by_depth(MODEL, hand, np.ones((480, width))), beyond)
    assert np.array_equal(hidden_by_mask(hand.keypoints_2d, np.zeros((480, width), dtype=bool)), beyond)


def test_masks_of_object_and_hand() -> None:
    pixels = np.stack([np.linspace(10.0, 210.0, 21), np.full(21, 50.0)], axis=1)  # one each 10 px
    thing, hand = np.zeros((2, 100, 300), dtype=bool)
    thing[:, 58:83] = True
    hand[:, 83:] = True
    assert numbers(hidden_by_mask(pixels, thing)) == [5, 6, 7]
    assert numbers(hidden_by_mask(pixels, thing, hand)) == [1, 2, 3, 4, 5, 6, 7]  # the wrist may be seen as arm


def test_a_hidden_keypoint_hides_the_rotation_that_moves_it_first() -> None:
    rest = MODEL.joints(np.zeros(3), np.zeros(45))[0]
    for joint in range(15):
        pose = np.zeros(45)
        pose[3 * joint : 3 * joint + 3] = [0.2, 0.3, 0.4]
        moved = np.linalg.norm(MODEL.joints(np.zeros(3), pose)[0] - rest, axis=1) > 1e-4
        hidden = np.arange(21) == np.flatnonzero(moved)[0]
        assert numbers(joints_hidden(hidden)) == [joint]
    assert joints_hidden(np.zeros((4, 21), dtype=bool)).shape == (4, 15)


def mug() -> ObjectModel:
    can = trimesh.creation.cylinder(0.04, 0.1, sections=48)
    faces = can.faces.astype(np.int32)
    return ObjectModel("mug_0", "mug", can.vertices, faces, np.zeros(len(faces), np.int32), ("body",), ())


def pictures(count: int) -> list[Picture]:
    rng, obj = np.random.default_rng(0), mug()
    sizes = ((256, 256),)
    return [render_views(obj, held_to(obj, MODEL, rng), MODEL, 1, rng, sizes)[0] for _ in range(count)]


def test_the_engines_pictures_agree() -> None:
    """Precision and recall of the fingers' keypoints, by the truth that the pictures were made with."""
    surface = np.asarray(trimesh.sample.sample_surface(trimesh.creation.cylinder(0.04, 0.1), 3000, seed=0)[0])
    truth, said = [], {"cloud": [], "depth": [], "mask": []}
    for picture in pictures(24):
        one = picture.hand
        values = (one.global_orient[0], one.hand_pose[0], one.betas[0], one.transl[0])
        hand = hand_of(*values, picture.intrinsics)
        pose = picture.object_pose
        points = surface @ Rotation.from_quat(pose[3:]).as_matrix().T + pose[:3]
        own = hidden_by_self(MODEL, hand)
        truth.append(~picture.visible)
        said["cloud"].append(own | hidden_by_cloud(hand.keypoints, points))
        said["depth"].append(own | hidden_by_depth(MODEL, hand, picture.depth / 1e3))
        said["mask"].append(own | hidden_by_mask(hand.keypoints_2d, picture.mask(OBJECT), picture.mask(HAND)))
    hidden = np.array(truth)[:, 1:]
    for means, found in said.items():
        fingers = np.array(found)[:, 1:]
        assert (hidden & fingers).sum() > 0.97 * fingers.sum(), means
        assert (hidden & fingers).sum() > 0.85 * hidden.sum(), means
