"""The rendered evaluation bag: what it says is true is what its pictures show."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from rosbags.highlevel import AnyReader
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from evaluation_bag import motion
from evaluation_bag.recording import SENTENCES, Recording
from evaluation_bag.scene import UP
from render_evaluation_bag import write_bag

from hoi_ros.dataset.pictures import HAND, OBJECT, WHOLE_HAND
from hoi_ros.hand import load_hand_model
from hoi_ros.replay.results import typestore
from hoi_ros.retargeting import ShadowHand
from hoi_ros.scene.distances import SignedDistance

SECONDS, RATE, SIZE, SEED = 3.0, 7.0 / 3.0, (160, 120), 5  # seven pictures
EACH = {
    "/camera/color/camera_info": "sensor_msgs/msg/CameraInfo",
    "/camera/color/image_raw/compressed": "sensor_msgs/msg/CompressedImage",
    "/camera/aligned_depth_to_color/camera_info": "sensor_msgs/msg/CameraInfo",
    "/camera/aligned_depth_to_color/image_raw": "sensor_msgs/msg/Image",
    "/ground_truth/hand_joints": "geometry_msgs/msg/PoseArray",
    "/ground_truth/hands": "hoi_ros/msg/HandPoseArray",
    "/ground_truth/object": "hoi_ros/msg/ObjectState",
    "/ground_truth/joint_goal": "trajectory_msgs/msg/JointTrajectory",
    "/ground_truth/wrist_goal": "geometry_msgs/msg/PoseStamped",
}
SOMETIMES = {
    "/object_cloud": "sensor_msgs/msg/PointCloud2",
    "/instruction": "std_msgs/msg/String",
    "/ground_truth/grasps": "hoi_ros/msg/GraspArray",
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """The bag as a reader gives it, topic -> [(time, message)], its types, its mesh, and what was rendered."""
    path = tmp_path_factory.mktemp("bag") / "short.mcap"
    recording = Recording(SECONDS, RATE, SIZE, SEED)
    write_bag(recording, path)
    frames = list(recording.frames(typestore()))
    read = defaultdict(list)
    with AnyReader([path]) as reader:
        kinds = {c.topic: c.msgtype for c in reader.connections}
        for connection, time, raw in reader.messages():
            read[connection.topic].append((time, reader.deserialize(raw, connection.msgtype)))
    return read, kinds, trimesh.load(path.with_suffix(".obj"), process=False), frames


def _points(poses):
    return np.array([(p.position.x, p.position.y, p.position.z) for p in poses])


def _keypoints(bag):
    return np.array([_points(message.poses) for _, message in bag[0]["/ground_truth/hand_joints"]])


def _object_frames(bag):
    """Rotations and positions of the mug's frame in the camera's, picture by picture."""
    poses = [message.pose for _, message in bag[0]["/ground_truth/object"]]
    q = [(p.orientation.x, p.orientation.y, p.orientation.z, p.orientation.w) for p in poses]
    return Rotation.from_quat(q), _points(poses)


def _stamp(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_every_picture_has_every_topic_with_one_stamp(bag):
    read, kinds, _, _ = bag
    assert kinds == EACH | SOMETIMES
    for topic in EACH:
        assert [time for time, _ in read[topic]] == [_stamp(message) for _, message in read[topic]]
        assert [time for time, _ in read[topic]] == [time for time, _ in read["/ground_truth/hands"]]
    assert len(read["/ground_truth/hands"]) == 7


def test_two_sentences_each_with_a_grasp_made_for_the_last_cloud(bag):
    read = bag[0]
    assert [message.data for _, message in read["/instruction"]] == [words for *_, words in SENTENCES]
    clouds = [_stamp(cloud) for _, cloud in read["/object_cloud"]]
    for (said, sentence), (_, grasps) in zip(read["/instruction"], read["/ground_truth/grasps"], strict=True):
        assert grasps.instruction == sentence.data
        assert _stamp(grasps) == max(stamp for stamp in clouds if stamp <= said)
    assert [message.grasps[0].part for _, message in read["/ground_truth/grasps"]] == ["handle", "body"]


def test_keypoints_lie_in_the_hand_that_is_drawn(bag):
    read, _, _, frames = bag
    seen = 0
    for keypoints, (_, info), (_, depth), frame in zip(
        _keypoints(bag), read["/camera/color/camera_info"], read["/camera/aligned_depth_to_color/image_raw"], frames,
        strict=True,
    ):  # fmt: skip
        pixels, _ = cv2.projectPoints(keypoints, np.zeros(3), np.zeros(3), info.k.reshape(3, 3), None)
        u, v = np.round(pixels[:, 0]).astype(int).T
        inside = (u >= 0) & (u < info.width) & (v >= 0) & (v < info.height)
        near_hand = cv2.dilate(frame.shot.picture.mask(WHOLE_HAND).astype(np.uint8), np.ones((3, 3)))
        inside[0] = False  # the wrist lies in the sleeve
        assert near_hand[v[inside], u[inside]].all()
        metres = depth.data.view("<u2").reshape(depth.height, depth.width) / 1e3
        on_skin = inside & frame.shot.picture.visible
        on_skin[on_skin] = frame.shot.picture.mask(HAND)[v[on_skin], u[on_skin]]
        known = np.flatnonzero(on_skin)[metres[v[on_skin], u[on_skin]] > 0]
        under = keypoints[known, 2] - metres[v[known], u[known]]
        assert (under > -0.006).all() and (under < 0.035).all()
        seen += len(known)
    assert seen > 60


def test_the_hand_that_is_drawn_is_the_mano_hand(bag):
    model = load_hand_model()
    for keypoints, (_, hands) in zip(_keypoints(bag), bag[0]["/ground_truth/hands"], strict=True):
        (hand,) = hands.hands
        assert hand.side == hand.RIGHT
        again = model.joints(hand.global_orient, hand.hand_pose, hand.betas, hand.transl)[0]
        np.testing.assert_allclose(again, keypoints, atol=1e-9)
        np.testing.assert_allclose([(p.x, p.y, p.z) for p in hand.keypoints], keypoints, atol=1e-9)


def test_the_cloud_lies_on_the_mesh_at_the_objects_pose(bag):
    read, _, mesh, _ = bag
    surface = SignedDistance(mesh.vertices, mesh.faces)
    times = [time for time, _ in read["/ground_truth/object"]]
    rotations, positions = _object_frames(bag)
    for time, cloud in read["/object_cloud"]:
        number = times.index(time)
        points = cloud.data.view("<f4").reshape(-1, 3).astype(float)
        assert len(points) == cloud.width > 50
        away = np.abs(surface.distance(rotations[number].inv().apply(points - positions[number])))
        assert np.median(away) < 0.002
        assert np.quantile(away, 0.95) < 0.008


def test_up_is_up(bag):
    """The mug stands upright in the first picture, and is higher when it is lifted."""
    rotations, positions = _object_frames(bag)
    np.testing.assert_allclose(rotations[0].apply([0.0, 0.0, 1.0]), UP, atol=1e-9)
    heights = (positions - positions[0]) @ UP
    np.testing.assert_allclose(heights[[0, -1]], 0.0, atol=1e-9)
    assert 0.03 < heights.max() < 0.1


def test_the_hand_touches_the_mug_while_it_holds_it_and_is_never_deep_in_it(bag):
    read, _, mesh, frames = bag
    model, surface = load_hand_model(), SignedDistance(mesh.vertices, mesh.faces)
    rotations, positions = _object_frames(bag)
    held = 0
    for number, (_, hands) in enumerate(read["/ground_truth/hands"]):
        hand = hands.hands[0]
        skin = model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl).vertices[0]
        away = surface.distance(rotations[number].inv().apply(skin - positions[number]))
        assert away.min() > -0.004
        if motion.HOLD[0] <= frames[number].share <= motion.HOLD[1]:
            held += 1
            assert (away < 0.002).sum() > 30
    assert held == 2


def test_the_hand_does_the_second_grasp(bag):
    """In the mug's frame the hand that holds it is the hand of the grasp."""
    rotations, positions = _object_frames(bag)
    number = next(i for i, frame in enumerate(bag[3]) if motion.HOLD[0] <= frame.share <= motion.HOLD[1])
    holding = rotations[number].inv().apply(_keypoints(bag)[number] - positions[number])
    grasp = bag[0]["/ground_truth/grasps"][1][1].grasps[0]
    wanted = np.array([(p.x, p.y, p.z) for p in grasp.hand.keypoints])
    np.testing.assert_allclose(holding, rotations[0].inv().apply(wanted - positions[0]), atol=1e-6)
    palm = np.array([grasp.wrist.position.x, grasp.wrist.position.y, grasp.wrist.position.z])
    assert np.linalg.norm(palm - wanted[[0, 5, 17]].mean(axis=0)) < 0.12


def test_goals_are_inside_the_limits_and_at_the_hand(bag):
    limits = ShadowHand.embedded().limits
    wrists = _points([message.pose for _, message in bag[0]["/ground_truth/wrist_goal"]])
    assert (np.linalg.norm(wrists - _keypoints(bag)[:, 0], axis=1) < 0.08).all()
    for _, goal in bag[0]["/ground_truth/joint_goal"]:
        positions = goal.points[0].positions
        low, high = np.array([limits[name] for name in goal.joint_names]).T
        assert len(positions) == 24 and (positions >= low - 1e-6).all() and (positions <= high + 1e-6).all()


def test_the_same_seed_gives_the_same_messages(bag):
    types = typestore()
    again = Recording(SECONDS, RATE, SIZE, SEED).frames(types)
    for one, two in zip(bag[3], again, strict=True):
        assert one.stamp == two.stamp and one.messages.keys() == two.messages.keys()
        for topic, kind in (EACH | SOMETIMES).items():
            raw = [
                message if isinstance(message, bytes) else bytes(types.serialize_cdr(message, kind))
                for message in (frame.messages.get(topic, b"") for frame in (one, two))
            ]
            assert raw[0] == raw[1], topic


def test_the_mug_is_seen(bag):
    assert all(frame.shot.picture.mask(OBJECT).sum() > 100 for frame in bag[3])
