"""``retargeting`` in its own process: wrong parameters, hands good and bad, and an orderly end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph import Graph, NodeProcess
from hoi_ros.msg import HandPoseArray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.qos import qos_profile_sensor_data

from hoi_ros.nodes import conversions
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason

EMPTY_URDF = "<robot name='nobody'><link name='base'/></robot>"


@pytest.fixture(scope="module")
def retargeting(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """``retargeting`` as it starts by itself."""
    log = tmp_path_factory.mktemp("retargeting") / "log.txt"
    with NodeProcess("retargeting", log, {"max_age": 5.0}) as node:
        graph.diagnostic("retargeting", "no hands", 60.0)
        yield node


@pytest.fixture(scope="module")
def hands(graph: Graph, retargeting: NodeProcess) -> Any:
    """A publisher of hands that the node has found."""
    publisher = graph.node.create_publisher(HandPoseArray, "hands", 10)
    graph.until(publisher.get_subscription_count)
    return publisher


def flat_hands(stamp: int) -> HandPoseArray:
    return conversions.hand_pose_array([flat_hand("right")], conversions.header(stamp, "camera"), "embedded")


def test_wrong_parameters_keep_a_node_unconfigured_until_they_are_right(graph: Graph, tmp_path: Path) -> None:
    name = "wrong/retargeting"
    wrong = {"robot_description": EMPTY_URDF, "max_age": 1000}
    with NodeProcess("retargeting", tmp_path / "log.txt", wrong, "__ns:=/wrong"):
        report = graph.diagnostic(name, "max_age is 1000", 60.0)
        assert "it must be between 0.01 and 60" in report.message and report.level == report.ERROR
        assert "out of range" in graph.set_parameter(name, "max_age", 999.0)
        assert not graph.configure(name, max_age=5)
        assert "joint" in graph.diagnostic(name, "ROBOT_DESCRIPTION").message
        assert graph.state(name) == "unconfigured"
        graph.activate(name, robot_description="")
        assert graph.diagnostic(name, "no hands on /wrong/hands").level == b"\1"


def test_a_publisher_of_other_qos_is_named(graph: Graph, retargeting: NodeProcess) -> None:
    unreliable = graph.node.create_publisher(HandPoseArray, "hands", qos_profile_sensor_data)
    report = graph.diagnostic("retargeting", "incompatible QoS")
    assert "/hands" in report.message and "RELIABILITY" in report.message
    graph.node.destroy_publisher(unreliable)


def test_a_hand_becomes_a_goal_and_a_broken_one_does_not(graph: Graph, retargeting: NodeProcess, hands: Any) -> None:
    good = flat_hands(graph.now())
    hands.publish(good)
    stamp = conversions.stamp_ns(good.header)
    assert graph.status(stamp, "retargeting").outcome == 0 and graph.until(
        lambda: graph.with_stamp("wrist_goal", stamp)
    )
    for change, reason in ((("keypoints", np.nan), Reason.KEYPOINTS), (("side", 0), Reason.SIDE)):
        message = flat_hands(graph.now())
        if change[0] == "side":
            message.hands[0].side = change[1]
        else:
            message.hands[0].keypoints[3].y = change[1]
        hands.publish(message)
        stamp = conversions.stamp_ns(message.header)
        assert graph.status(stamp, "retargeting").reason == reason and not graph.with_stamp("wrist_goal", stamp)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(numbers, min_size=63, max_size=63), st.lists(numbers, min_size=7, max_size=7), st.booleans())
def test_no_hand_makes_a_goal_that_is_not_finite(
    graph: Graph, retargeting: NodeProcess, hands: Any, keypoints: list[float], wrist: list[float], unit: bool
) -> None:
    message = flat_hands(graph.now())
    for point, (x, y, z) in zip(message.hands[0].keypoints, np.reshape(keypoints, (21, 3)).tolist(), strict=True):
        point.x, point.y, point.z = x, y, z
    if not unit:
        message.hands[0].wrist = conversions.pose(np.array(wrist))
    hands.publish(message)
    status = graph.status(conversions.stamp_ns(message.header), "retargeting")
    assert status.reason != Reason.INTERNAL, status.message
    for goal in graph.heard["joint_goal"]:
        assert np.isfinite(goal.points[0].positions).all()


def test_terminated_nodes_leave_in_order(graph: Graph, tmp_path: Path) -> None:
    node = NodeProcess("pipeline", tmp_path / "log.txt", {}, "__ns:=/leaving")
    graph.diagnostic("leaving/pose_estimation", "", 60.0)
    assert node.stop(signal.SIGTERM) == 0, node.log.read_text()
    assert "Traceback" not in node.log.read_text()
