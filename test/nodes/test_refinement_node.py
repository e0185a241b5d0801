"""``refinement`` over real DDS: hands with and without an object, bad clouds, bad hands, and whom the robot follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph import CLEANUP, DEACTIVATE, Graph, NodeProcess, bottle, cloud
from hoi_ros.msg import HandPoseArray, Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from hoi_ros.hand import load_hand_model
from hoi_ros.nodes import conversions
from hoi_ros.nodes.last_cloud import LATCHED
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason
from hoi_ros.types import Side

NAME = "refinement"
CHOSEN = {"refiner": "choir", "refiner_reach": 0.15, "max_age": 5.0, "cloud_max_age": 3.0}
FRAME = "camera_color_optical_frame"
PLACE = (0.0, 0.08, 0.5)  # of the bottle: beside the flat hand
MODEL = load_hand_model()
MODEL_ID = f"{MODEL.name} {MODEL.digest[:12]}"


@dataclass
class User:
    """Whoever sees hands, and what sees the object."""

    graph: Graph

    def __post_init__(self) -> None:
        node = self.graph.node
        self.hands = node.create_publisher(HandPoseArray, "hands", 10)
        self.camera = node.create_publisher(PointCloud2, "object_cloud", qos_profile_sensor_data)
        self.graph.until(lambda: self.hands.get_subscription_count() and self.camera.get_subscription_count())

    def see(self, points: np.ndarray, frame: str = FRAME, late: float = 0.0, **changes: Any) -> None:
        """Publish a cloud and give it time to arrive before hands, which come on another topic."""
        self.camera.publish(cloud(points, self.graph.now() - round(late * 1e9), frame, **changes))
        self.graph.spin(0.3)

    def send(self, message: HandPoseArray) -> tuple[Status, list[HandPoseArray]]:
        """The one answer to hands, and what came of them."""
        stamp = conversions.stamp_ns(message.header)
        self.hands.publish(message)
        status = self.graph.status(stamp, NAME)
        if status.outcome == Status.ANSWERED:
            self.graph.until(lambda: self.graph.with_stamp("hands_refined", stamp))
        self.graph.spin(0.05)
        return status, self.graph.with_stamp("hands_refined", stamp)

    def refused(self, message: HandPoseArray) -> Status:
        status, came = self.send(message)
        assert status.outcome == Status.REFUSED and not came
        return status


@pytest.fixture(scope="module")
def user(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user of the running node."""
    folder = tmp_path_factory.mktemp("refinement")
    with NodeProcess(NAME, folder / "log.txt", CHOSEN):
        graph.diagnostic(NAME, "no hands", 60.0)
        yield User(graph)


def hands_of(graph: Graph, *sides: Side, frame: str = FRAME) -> HandPoseArray:
    """Flat hands half a metre before the camera, tracks 4, 5, ..."""
    found = [replace(flat_hand(side), track_id=4 + n, score=0.5) for n, side in enumerate(sides)]
    return conversions.hand_pose_array(found, conversions.header(graph.now(), frame), MODEL_ID)


def test_hands_pass_marked_before_there_is_a_cloud(user: User) -> None:
    given = hands_of(user.graph, "right", "left")
    status, (came,) = user.send(given)
    assert status.message == "; ".join(["unchanged: no object is known"] * 2)
    assert came.header == given.header and [hand.track_id for hand in came.hands] == [4, 5]
    for hand, old in zip(came.hands, given.hands, strict=True):
        assert hand.refinement == "unchanged: no object is known" and hand.change == 0.0
        hand.refinement = old.refinement
        assert hand == old
    said = "no object is known: no cloud on /object_cloud (1 publishers)"
    assert said in user.graph.diagnostic(NAME, said).message


def test_an_empty_array_passes_whatever_the_cloud(user: User) -> None:
    user.see(bottle(PLACE)[:5])
    status, (came,) = user.send(hands_of(user.graph))
    assert status.message == "" and came.hands == []


def test_hands_beside_an_object_are_moved_and_say_by_how_much(user: User) -> None:
    user.see(bottle(PLACE))
    given = hands_of(user.graph, "right", "left")
    status, (came,) = user.send(given)
    assert came.header == given.header and [hand.track_id for hand in came.hands] == [4, 5]
    for message, old, said in zip(came.hands, given.hands, status.message.split("; "), strict=True):
        hand, before = conversions.hand_pose(message), conversions.hand_pose(old)
        assert (hand.side, hand.refinement, message.hand_model) == (before.side, "choir", MODEL_ID)
        joints = MODEL.joints(hand.global_orient, hand.hand_pose, hand.betas[None], hand.transl, hand.side)[0]
        np.testing.assert_allclose(hand.keypoints, joints, atol=1e-9)
        moved = float(np.linalg.norm(hand.keypoints - before.keypoints, axis=1).mean())
        assert hand.change == pytest.approx(moved, abs=1e-6) and moved > 0.001
        assert said == f"choir {hand.side} hand by {1e3 * moved:.0f} mm"
    values = {v.key: v.value for v in user.graph.diagnostic(NAME, "").values}
    assert values["cloud"] == f"1200 points in '{FRAME}', streamed" and int(values["hands: choir"]) >= 2
    assert values["last"] == status.message


def test_a_hand_far_from_the_object_passes_marked(user: User) -> None:
    user.see(bottle((2.0, 0.0, 0.5)))
    _, (came,) = user.send(hands_of(user.graph, "right"))
    hand = came.hands[0]
    assert hand.refinement.startswith("unchanged: the object is 1") and hand.refinement.endswith(" cm away")
    assert hand.global_orient.tolist() == [0.0] * 3 and hand.change == 0.0


def test_a_stale_cloud_is_none(user: User) -> None:
    user.see(bottle(PLACE), late=3.5)
    _, (came,) = user.send(hands_of(user.graph, "right"))
    assert came.hands[0].refinement == "unchanged: no object is known"
    said = user.graph.diagnostic(NAME, "no object is known: the cloud").message
    assert "s older than they are, cloud_max_age is 3 s" in said


def test_a_cloud_in_another_frame_is_refused_by_both_names(user: User) -> None:
    user.see(bottle(PLACE), "base_link")
    refused = user.refused(hands_of(user.graph, "right"))
    assert refused.reason == Reason.FRAME and f"'{FRAME}'" in refused.message and "'base_link'" in refused.message


@pytest.mark.parametrize(
    ("points", "changes", "said"),
    [
        (bottle(PLACE)[:20], {}, "20 points"),
        (np.full((500, 3), np.nan), {}, "none of the cloud's 500 points is finite"),
        (np.zeros((0, 3)), {}, "no points"),
        (1000.0 * bottle(), {}, "millimetres"),
        (bottle(PLACE), {"data": b"short"}, "the cloud has 5"),
        (bottle(PLACE), {"fields": []}, "no field x, y, z"),
    ],
)
def test_a_cloud_of_no_use_is_refused_and_the_next_one_used(
    user: User, points: np.ndarray, changes: dict[str, Any], said: str
) -> None:
    user.see(points, **changes)
    refused = user.refused(hands_of(user.graph, "right"))
    assert refused.reason == Reason.CLOUD and said in refused.message
    user.see(bottle(PLACE))
    assert user.send(hands_of(user.graph, "right"))[1][0].hands[0].refinement == "choir"


def test_a_cloud_without_a_frame_is_refused(user: User) -> None:
    user.see(bottle(PLACE), "")
    assert user.refused(hands_of(user.graph, "right")).reason == Reason.FRAME


def test_of_clouds_with_holes_the_rest_is_used(user: User) -> None:
    points = bottle(PLACE)
    points[::3] = np.nan
    user.see(points)
    assert user.send(hands_of(user.graph, "right"))[1][0].hands[0].refinement == "choir"


def test_stale_hands_are_refused(user: User) -> None:
    old = hands_of(user.graph, "right")
    old.header = conversions.header(user.graph.now() - 7 * conversions.NS, FRAME)
    assert user.refused(old).reason == Reason.STALE


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["global_orient", "hand_pose", "betas", "transl", "keypoints_2d", "confidence"]),
    st.lists(numbers, min_size=3, max_size=3),
    st.integers(0, 255),
)
def test_whatever_hands_come_are_answered_and_nothing_leaves_that_is_not_finite(
    user: User, name: str, values: list[float], side: int
) -> None:
    user.camera.publish(cloud(bottle(PLACE), user.graph.now(), FRAME))
    message = hands_of(user.graph, "right")
    content = getattr(message.hands[0], name)
    content[:3] = np.array(values, dtype=np.float32 if name == "confidence" else np.float64)
    message.hands[0].side = side if side > 1 else 1
    status, came = user.send(message)
    assert status.reason != Reason.INTERNAL, status.message
    for hand in (hand for array in came for hand in array.hands):
        assert np.isfinite(hand.hand_pose).all() and np.isfinite([(k.x, k.y, k.z) for k in hand.keypoints]).all()


def test_a_latched_cloud_holds(user: User) -> None:
    table = user.graph.node.create_publisher(PointCloud2, "object_cloud", LATCHED)
    table.publish(cloud(bottle(PLACE), user.graph.now() - 60 * conversions.NS, FRAME))
    user.graph.until(lambda: "latched" in str(user.graph.diagnostic(NAME, "").values))
    assert user.send(hands_of(user.graph, "right"))[1][0].hands[0].refinement == "choir"
    assert user.graph.change_state(NAME, DEACTIVATE) and user.graph.change_state(NAME, CLEANUP)
    user.graph.activate(NAME)
    user.graph.until(lambda: "latched" in str(user.graph.diagnostic(NAME, "").values))
    assert user.send(hands_of(user.graph, "right"))[1][0].hands[0].refinement == "choir"
    user.graph.node.destroy_publisher(table)


def test_sentences_do_no_harm(user: User) -> None:
    words = user.graph.node.create_publisher(String, "instruction", 10)
    user.graph.until(words.get_subscription_count)
    words.publish(String(data="Grip the bottle" * 10_000))
    user.see(bottle(PLACE))
    assert user.send(hands_of(user.graph, "right"))[1][0].hands[0].refinement == "choir"


def test_the_robot_follows_refined_hands_where_there_is_a_refiner(graph: Graph, tmp_path: Path) -> None:
    with NodeProcess("retargeting", tmp_path / "log.txt", {"refiner": "choir"}, "__ns:=/follower"):
        graph.diagnostic("follower/retargeting", "no hands on /follower/hands_refined", 60.0)
        hands = graph.node.create_publisher(HandPoseArray, "/follower/hands_refined", 10)
        answers: list[Status] = []
        graph.node.create_subscription(Status, "/follower/status", answers.append, 10)
        graph.until(hands.get_subscription_count)
        hands.publish(hands_of(graph, "right"))
        assert graph.until(lambda: answers)[0].outcome == Status.ANSWERED
        assert graph.node.count_subscribers("/follower/hands") == 0


def test_without_a_refiner_the_node_listens_to_nobody(graph: Graph, tmp_path: Path) -> None:
    with NodeProcess(NAME, tmp_path / "log.txt", {}, "__ns:=/idle"):
        report = graph.diagnostic(f"idle/{NAME}", "active", 60.0)
        assert report.level == report.OK and {v.key: v.value for v in report.values}["refiner"] == "none"
        graph.spin(2.5)
        assert graph.diagnostic(f"idle/{NAME}", "").message == "active"
        assert graph.node.count_subscribers("/idle/hands") == graph.node.count_subscribers("/idle/object_cloud") == 0


def test_an_unknown_refiner_keeps_the_node_unconfigured(graph: Graph, tmp_path: Path) -> None:
    with NodeProcess(NAME, tmp_path / "log.txt", {"refiner": "magic"}, "__ns:=/unknown"):
        assert "choose one of: none, choir" in graph.diagnostic(f"unknown/{NAME}", "PARAMETER", 60.0).message
        assert graph.state(f"unknown/{NAME}") == "unconfigured"
