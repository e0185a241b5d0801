"""``refinement`` with the affordance-guided prior over real DDS: hidden fingers with and without an object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import made_prior
import numpy as np
import pytest
from graph import Graph, NodeProcess
from hoi_ros.msg import HandPoseArray
from std_msgs.msg import String
from test_refinement_node import FRAME, MODEL, MODEL_ID, NAME, User, hands_of

from hoi_ros.nodes import conversions
from hoi_ros.pipeline import DUMMY_CAMERA, flat_hand
from hoi_ros.types import Array, HandPose

CHOSEN = {"refiner": made_prior.NAME, "max_age": 5.0, "cloud_max_age": 3.0}
WITHOUT = "no object is known: no cloud on /object_cloud (1 publishers)"


@pytest.fixture(scope="module")
def user(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user of the running node."""
    folder = tmp_path_factory.mktemp("prior")
    with NodeProcess(made_prior.program(folder), folder / "log.txt", CHOSEN):
        graph.diagnostic(NAME, "no hands", 60.0)
        yield User(graph)


def facing() -> HandPose:
    """A flat right hand half a metre off that shows the camera its palm: nothing of it is hidden."""
    hand, orient = flat_hand("right"), np.array([-np.pi / 2, 0.0, 0.0])
    points = MODEL.joints(orient, hand.hand_pose, hand.betas, hand.transl)[0]
    wrist = np.concatenate([points[0], [np.sin(-np.pi / 4), 0.0, 0.0, np.cos(np.pi / 4)]])
    pixels = DUMMY_CAMERA.project(points)
    return replace(hand, global_orient=orient, keypoints=points, wrist_pose=wrist, keypoints_2d=pixels, track_id=9)


def message_of(graph: Graph, hand: HandPose) -> HandPoseArray:
    return conversions.hand_pose_array([hand], conversions.header(graph.now(), FRAME), MODEL_ID)


def say(user: User, said: str) -> None:
    """A sentence that the node has heard when this returns."""
    words = user.graph.node.create_publisher(String, "instruction", 10)
    user.graph.until(words.get_subscription_count)
    words.publish(String(data=said))
    user.graph.spin(0.3)
    user.graph.node.destroy_publisher(words)


def before(hand: HandPose, *keypoints: int) -> Array:
    """Points (2500, 3), m, of a plate that hides keypoints from the camera."""
    side = np.linspace(-0.025, 0.025, 50)
    plate = np.stack([*np.meshgrid(side, side), np.zeros((50, 50))], axis=-1).reshape(-1, 3)
    return plate + 0.8 * hand.keypoints[list(keypoints)].mean(axis=0)


def test_hidden_fingers_move_without_a_cloud_and_nobody_is_alarmed(user: User) -> None:
    given = hands_of(user.graph, "right", "left")
    say(user, "Grasp the mug")
    status, (came,) = user.send(given)
    assert came.header == given.header and [hand.track_id for hand in came.hands] == [4, 5]
    for message, old in zip(came.hands, given.hands, strict=True):
        hand, first = conversions.hand_pose(message), conversions.hand_pose(old)
        assert (hand.side, hand.refinement, message.hand_model) == (first.side, made_prior.NAME, MODEL_ID)
        joints = MODEL.joints(hand.global_orient, hand.hand_pose, hand.betas[None], hand.transl, hand.side)[0]
        np.testing.assert_allclose(hand.keypoints, joints, atol=1e-9)
        np.testing.assert_allclose(hand.keypoints_2d, DUMMY_CAMERA.project(joints), atol=1e-4)
        moved = np.linalg.norm(hand.keypoints - first.keypoints, axis=1)
        assert hand.change == pytest.approx(moved.mean(), abs=1e-6) and moved.max() > 0.002
        assert np.isfinite(hand.deviation).all() and hand.deviation.max() > 0.001 and hand.deviation[0] < 0.002
    by = [f"{made_prior.NAME} {hand.side} hand by" for hand in map(conversions.hand_pose, came.hands)]
    assert [part[: len(start)] for part, start in zip(status.message.split("; "), by, strict=False)] == by
    assert status.message.endswith(f" mm; {WITHOUT}")
    report = user.graph.diagnostic(NAME, "active")
    values = {value.key: value.value for value in report.values}
    assert report.level == report.OK and values["last"] == status.message and values["refiner"] == made_prior.NAME


def test_a_hand_all_of_which_is_seen_stays(user: User) -> None:
    status, (came,) = user.send(message_of(user.graph, facing()))
    assert status.message == f"unchanged: all joints are seen; {WITHOUT}"
    (hand,) = came.hands
    assert hand.change == 0.0 and not np.any(hand.deviation)
    assert np.array_equal(hand.hand_pose, np.zeros(45))


def test_a_hand_in_no_picture_stays(user: User) -> None:
    hand = replace(flat_hand("right"), keypoints_2d=np.zeros((21, 2)))
    _, (came,) = user.send(message_of(user.graph, hand))
    assert came.hands[0].refinement.startswith("unchanged: no camera sees it") and came.hands[0].change == 0.0


def test_the_last_sentence_is_heeded_whatever_it_is(user: User) -> None:
    found = []
    for said in ("Press the keyboard", "", "Grasp the mug by its handle", "Den Krug am Henkel greifen", "mug " * 2500):
        say(user, said)
        _, (came,) = user.send(hands_of(user.graph, "right"))
        found.append(conversions.hand_pose(came.hands[0]))
    untold = "unchanged: nothing tells what it holds"  # a sentence that says nothing is none
    assert [hand.refinement for hand in found] == [made_prior.NAME, untold, made_prior.NAME, untold, untold]
    assert np.abs(found[0].keypoints - found[2].keypoints).max() > 1e-5
    say(user, "Grasp the mug")


def test_what_an_object_hides_moves_until_its_cloud_is_stale(user: User) -> None:
    hand = facing()
    points = before(hand, 7, 8, 12)
    user.see(points)
    status, (came,) = user.send(message_of(user.graph, hand))
    assert "no object" not in status.message and status.message.startswith(f"{made_prior.NAME} right hand by")
    found = conversions.hand_pose(came.hands[0])
    moved = np.linalg.norm(found.keypoints - hand.keypoints, axis=1)
    assert moved[[8, 12]].max() > 0.002 and moved[[0, 1, 2, 17, 18, 19, 20]].max() < 0.001
    assert found.deviation[[8, 12]].max() > 3.0 * found.deviation[17:].max()
    user.see(points, late=3.5)
    status, (came,) = user.send(message_of(user.graph, hand))
    assert came.hands[0].refinement == "unchanged: all joints are seen"
    assert "no object is known: the cloud on /object_cloud is 3." in status.message


def test_in_turn_with_choir_a_missing_object_is_a_warning(user: User) -> None:
    user.graph.activate(NAME, refiner=f"{made_prior.NAME}+choir", refiner_reach=0.3)
    say(user, "Grasp the mug")
    status, (came,) = user.send(hands_of(user.graph, "right"))
    assert came.hands[0].refinement == made_prior.NAME and status.message.startswith(f"{made_prior.NAME} right hand by")
    report = user.graph.diagnostic(NAME, WITHOUT)
    assert report.level == report.WARN
    hand = conversions.hand_pose(hands_of(user.graph, "right").hands[0])
    user.see(before(hand, 8) + np.array([0.0, 0.0, 0.1]))
    _, (came,) = user.send(hands_of(user.graph, "right"))
    found = conversions.hand_pose(came.hands[0])
    assert found.refinement == f"{made_prior.NAME}; choir" and found.deviation.any()
    moved = np.linalg.norm(found.keypoints - hand.keypoints, axis=1)
    assert found.change == pytest.approx(moved.mean(), abs=1e-6)
