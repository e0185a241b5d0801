"""Hands, goals and markers to messages and back: known answers, every refusal, and whatever hypothesis thinks of."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hoi_ros.msg import HandPose as HandPoseMessage
from hypothesis import given
from hypothesis import strategies as st
from test_conversions import numbers, reason
from visualization_msgs.msg import Marker

from hoi_ros.hand import load_hand_model
from hoi_ros.nodes import conversions
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Grasp, HandPose, JointGoal

RNG = np.random.default_rng(0)


def a_hand(side: str = "right") -> HandPose:
    return HandPose(
        side=side,  # type: ignore[arg-type]
        score=0.75,
        global_orient=RNG.normal(size=3),
        hand_pose=RNG.normal(size=45),
        betas=RNG.normal(size=10),
        transl=RNG.normal(size=3),
        keypoints=RNG.normal(size=(21, 3)),
        wrist_pose=np.array([0.1, 0.2, 0.3, 0.5, -0.5, 0.5, -0.5]),
        keypoints_2d=RNG.uniform(0, 640, (21, 2)).astype(np.float32).astype(float),
        confidence=RNG.uniform(size=21).astype(np.float32).astype(float),
        track_id=7,
        stamp_ns=12_000_000_034,
        frame_id="camera",
        refinement="choir",
        change=0.125,
        deviation=RNG.uniform(size=21).astype(np.float32).astype(float),
    )


def hand_message(hand: HandPose) -> HandPoseMessage:
    head = conversions.header(hand.stamp_ns, hand.frame_id)
    return conversions.hand_pose_message(hand, head, "embedded 0123")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_survives_the_message(side: str) -> None:
    hand = a_hand(side)
    back = conversions.hand_pose(hand_message(hand))
    for name, value in vars(hand).items():
        np.testing.assert_array_equal(getattr(back, name), value, err_msg=name)


def test_a_hand_of_an_older_recording_knows_no_refinement() -> None:
    message = hand_message(a_hand())
    later = ("refinement", "change", "deviation")
    old = SimpleNamespace(**{n: getattr(message, n) for n in message.get_fields_and_field_types() if n not in later})
    back = conversions.hand_pose(old)
    assert back.refinement == "" and back.change == 0.0
    np.testing.assert_array_equal(back.deviation, np.zeros(21))


@pytest.mark.parametrize("name", ["keypoints", "transl", "betas", "hand_pose", "wrist_pose", "confidence", "deviation"])
def test_a_hand_with_a_number_missing_is_refused(name: str) -> None:
    hand = a_hand()
    values = getattr(hand, name).copy()
    values.flat[-1] = np.nan
    got, sentence = reason(conversions.hand_pose, hand_message(replace(hand, **{name: values})))
    assert got is Reason.KEYPOINTS and name in sentence


def test_a_hand_without_a_side_or_a_rotation_is_refused() -> None:
    message = hand_message(a_hand())
    message.side = 2
    assert reason(conversions.hand_pose, message)[0] is Reason.SIDE
    message = hand_message(a_hand())
    message.wrist.orientation.w = 3.0
    assert reason(conversions.hand_pose, message)[0] is Reason.KEYPOINTS


def test_a_joint_goal_is_what_a_trajectory_controller_takes() -> None:
    names = ("rh_WRJ2", "rh_WRJ1")
    wrist = np.array([0.1, 0.2, 0.3, 0.0, 0.6, 0.0, 0.8])
    goal = JointGoal(names, np.array([0.1, -0.2]), names, np.array([0.1, -0.2]), wrist, stamp_ns=5, frame_id="camera")
    trajectory = conversions.joint_trajectory(goal, 3_000_000_001, 0.1)
    (point,) = trajectory.points
    assert trajectory.joint_names == list(names) and list(point.positions) == [0.1, -0.2] and not len(point.velocities)
    assert conversions.stamp_ns(trajectory.header) == 3_000_000_001
    assert (point.time_from_start.sec, point.time_from_start.nanosec) == (0, 100_000_000)
    pose = conversions.wrist_goal(goal)
    assert conversions.stamp_ns(pose.header) == 5 and pose.header.frame_id == "camera"
    assert (pose.pose.orientation.y, pose.pose.orientation.w, pose.pose.position.z) == (0.6, 0.8, 0.3)


def test_markers_keep_their_identity_with_the_track() -> None:
    hand = a_hand()
    vertices, faces = RNG.normal(size=(4, 3)), np.array([[0, 1, 2], [2, 1, 3]])
    head = conversions.header(hand.stamp_ns, hand.frame_id)
    mesh, skeleton = conversions.hand_markers(hand, vertices, faces, head, 0.5).markers
    assert mesh.id == skeleton.id == hand.track_id and mesh.ns != skeleton.ns and mesh.color.a < 1.0
    np.testing.assert_array_equal([(p.x, p.y, p.z) for p in mesh.points], vertices[faces.ravel()])
    bones = np.array([(p.x, p.y, p.z) for p in skeleton.points]).reshape(20, 2, 3)
    tips = hand.keypoints[[4, 8, 12, 16, 20]]
    np.testing.assert_array_equal(bones[3::4, 1], tips)
    np.testing.assert_array_equal(bones[::4, 0], np.repeat(hand.keypoints[:1], 5, axis=0))


def test_grasps_are_shown_by_score_instead_of_those_before() -> None:
    model = load_hand_model()
    grasps = [Grasp(flat_hand("right"), "Lift", "rim", score) for score in (0.9, 0.2)]
    meshes = [model.mesh(g.hand.global_orient, g.hand.hand_pose, g.hand.betas, g.hand.transl) for g in grasps]
    shown = conversions.grasp_markers(
        grasps, [mesh.vertices[0] for mesh in meshes], model.faces, conversions.header(3, "base_link")
    ).markers
    assert [m.action for m in shown] == [Marker.DELETEALL, Marker.ADD, Marker.ADD]
    assert [m.id for m in shown[1:]] == [0, 1] and {m.header.frame_id for m in shown} == {"base_link"}
    assert shown[1].color.g > shown[2].color.g and shown[1].color.a > shown[2].color.a
    corners = np.array([(p.x, p.y, p.z) for p in shown[1].points])
    np.testing.assert_array_equal(corners, meshes[0].vertices[0][model.faces.ravel()])


@given(st.integers(0, 255), numbers, st.lists(numbers, min_size=7, max_size=7), st.integers(0, 20), numbers)
def test_any_hand_message_becomes_a_hand_or_a_refusal(
    side: int, score: float, wrist: list[float], at: int, x: float
) -> None:
    message = hand_message(a_hand())
    message.side, message.wrist, message.score = side, conversions.pose(np.array(wrist)), score
    message.keypoints[at].x = x
    try:
        hand = conversions.hand_pose(message)
        assert np.isfinite(hand.keypoints).all() and np.isfinite(hand.wrist_pose).all()
    except Refused:
        pass
