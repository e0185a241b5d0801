"""Nodes in their own processes, led through their lifecycle: what configure refuses, what an active node reports."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph import Graph, NodeProcess, camera_info, depth, picture
from hoi_ros.msg import HandPoseArray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifecycle_msgs.msg import Transition
from PIL import Image as Picture
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hoi_ros.nodes import conversions
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason

CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
EMPTY_URDF = "<robot name='nobody'><link name='base'/></robot>"


def set_parameter(graph: Graph, node: str, name: str, value: Any) -> str:
    """Set a parameter; why not, if it was not set."""
    message: ParameterMessage = Parameter(name, value=value).to_parameter_msg()
    (result,) = graph.call(SetParameters, f"{node}/set_parameters", SetParameters.Request(parameters=[message])).results
    assert result.successful is not bool(result.reason)
    return result.reason


@pytest.fixture(scope="module")
def estimation(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """``pose_estimation`` on a camera of other topics, with a hand model that is none, waiting to be configured."""
    folder = tmp_path_factory.mktemp("estimation")
    path = folder / "MANO_RIGHT.pkl"
    path.write_text("this is no hand")
    remaps = ("image:=/cam/color/image_raw", "camera_info:=/cam/color/camera_info")
    with NodeProcess(
        "pose_estimation", folder / "log.txt", {"autostart": False, "hand_model_path": path}, *remaps
    ) as node:
        graph.until(lambda: graph.heard["/diagnostics"], 60.0)
        yield node


@pytest.fixture(scope="module")
def camera(graph: Graph) -> dict[str, Any]:
    """Publishers on the topics of that camera."""
    topics = {"image_raw": Image, "image_raw/compressed": CompressedImage, "camera_info": CameraInfo}
    return {t: graph.node.create_publisher(k, f"/cam/color/{t}", qos_profile_sensor_data) for t, k in topics.items()}


def test_a_hand_model_that_is_none_keeps_the_node_unconfigured(graph: Graph, estimation: NodeProcess) -> None:
    assert graph.state("pose_estimation") == "unconfigured"
    assert not graph.change_state("pose_estimation", CONFIGURE)
    assert graph.state("pose_estimation") == "unconfigured"
    status = graph.until(lambda: graph.heard["status"])[-1]
    assert status.reason == Reason.HAND_MODEL and "MANO_RIGHT.pkl" in status.message
    report = graph.diagnostic("pose_estimation", "HAND_MODEL")
    assert report.level == report.ERROR
    assert set_parameter(graph, "pose_estimation", "hand_model_path", "") == ""
    assert graph.change_state("pose_estimation", CONFIGURE)
    assert "clean up" in set_parameter(graph, "pose_estimation", "max_hands", 1)


def test_silence_names_the_resolved_topics(graph: Graph, estimation: NodeProcess, camera: dict[str, Any]) -> None:
    assert graph.change_state("pose_estimation", ACTIVATE)
    image = camera["image_raw"]
    graph.until(image.get_subscription_count)
    graph.until(lambda: image.publish(picture(graph.now())) or [s for s in graph.heard["status"] if s.header.frame_id])
    status = graph.heard["status"][-1]
    assert status.reason == Reason.NO_CAMERA_INFO
    assert "no camera_info after 2 s on /cam/color/camera_info" in status.message
    assert graph.diagnostic("pose_estimation", "/cam/color/camera_info").level != b"\0"


def test_pictures_lost_between_processes_are_named(
    graph: Graph, estimation: NodeProcess, camera: dict[str, Any]
) -> None:
    timer = graph.node.create_timer(0.2, lambda: camera["camera_info"].publish(camera_info(graph.now())))
    report = graph.diagnostic("pose_estimation", "FASTDDS_DEFAULT_PROFILES_FILE")
    graph.node.destroy_timer(timer)
    assert (
        report.level == report.ERROR
        and "no picture on /cam/color/image_raw" in report.message
        and "rmem_max" in report.message
    )


def test_a_distorted_camera_is_warned_of(graph: Graph, estimation: NodeProcess, camera: dict[str, Any]) -> None:
    bent = camera_info(graph.now())
    bent.d = [0.2, -0.1, 0.0, 0.0, 0.0]
    camera["camera_info"].publish(bent)
    assert "rectified" in graph.diagnostic("pose_estimation", "distorted").message


def test_depth_is_waited_for_as_soon_as_somebody_publishes_it(
    graph: Graph, estimation: NodeProcess, camera: dict[str, Any]
) -> None:
    def answer() -> int:
        stamp = graph.now()
        camera["image_raw"].publish(picture(stamp))
        return graph.status(stamp).reason

    camera["camera_info"].publish(camera_info(graph.now()))
    graph.spin(0.2)
    assert answer() == Reason.NO_HAND
    publisher = graph.node.create_publisher(Image, "depth", qos_profile_sensor_data)
    graph.until(publisher.get_subscription_count)
    graph.until(lambda: answer() == Reason.DEPTH_MISSING)
    stamp = graph.now()
    publisher.publish(depth(stamp))
    camera["image_raw"].publish(picture(stamp))
    assert graph.status(stamp).reason == Reason.NO_HAND
    graph.node.destroy_publisher(publisher)
    graph.until(lambda: answer() == Reason.NO_HAND)


def test_lives_leave_nothing_behind(graph: Graph, estimation: NodeProcess) -> None:
    def live() -> tuple[float, int, int]:
        for transition in (DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE):
            assert graph.change_state("pose_estimation", transition)
        return estimation.resources()

    lives = [live() for _ in range(6)]  # the allocator settles within three
    assert lives[-1][0] < lives[2][0] + 20.0, lives
    assert lives[-1][1:] == lives[0][1:], lives


def test_compressed_pictures_lie_beside_the_raw_ones(
    graph: Graph, estimation: NodeProcess, camera: dict[str, Any]
) -> None:
    assert graph.change_state("pose_estimation", DEACTIVATE) and graph.change_state("pose_estimation", CLEANUP)
    assert set_parameter(graph, "pose_estimation", "image_transport", "compressed") == ""
    assert graph.change_state("pose_estimation", CONFIGURE) and graph.change_state("pose_estimation", ACTIVATE)
    publisher = camera["image_raw/compressed"]
    graph.until(publisher.get_subscription_count)
    buffer = io.BytesIO()
    Picture.new("RGB", (64, 48)).save(buffer, "JPEG")
    camera["camera_info"].publish(camera_info(graph.now()))
    graph.spin(0.2)
    for data, reason in ((buffer.getvalue(), Reason.NO_HAND), (buffer.getvalue()[:300], Reason.PICTURE_DATA)):
        stamp = graph.now()
        publisher.publish(CompressedImage(header=conversions.header(stamp, "camera"), format="jpeg", data=data))
        assert graph.status(stamp).reason == reason


def test_parameters_describe_themselves(graph: Graph, estimation: NodeProcess) -> None:
    request = DescribeParameters.Request(names=["max_age", "use_depth", "max_hands"])
    age, use, hands = graph.call(DescribeParameters, "pose_estimation/describe_parameters", request).descriptors
    assert "ROS clock" in age.description and age.floating_point_range[0].to_value == 60.0
    assert use.additional_constraints == "one of: auto, always, never" and hands.integer_range[0].to_value == 8


# --- retargeting --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retargeting(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """``retargeting`` started by itself, with a robot that is none and an age out of range."""
    log = tmp_path_factory.mktemp("retargeting") / "log.txt"
    with NodeProcess("retargeting", log, {"robot_description": EMPTY_URDF, "max_age": 1000}) as node:
        yield node


@pytest.fixture(scope="module")
def hands(graph: Graph) -> Any:
    """A publisher of hands."""
    return graph.node.create_publisher(HandPoseArray, "hands", 10)


def flat_hands(stamp: int) -> HandPoseArray:
    return conversions.hand_pose_array([flat_hand("right")], conversions.header(stamp, "camera"), "embedded")


def test_wrong_parameters_keep_the_node_unconfigured_until_they_are_right(
    graph: Graph, retargeting: NodeProcess
) -> None:
    report = graph.diagnostic("retargeting", "max_age is 1000", 60.0)
    assert "it must be between 0.01 and 60" in report.message and report.level == report.ERROR
    assert "out of range" in set_parameter(graph, "retargeting", "max_age", 999.0)
    assert set_parameter(graph, "retargeting", "max_age", 5) == ""
    assert not graph.change_state("retargeting", CONFIGURE)
    assert "joint" in graph.diagnostic("retargeting", "ROBOT_DESCRIPTION").message
    assert graph.state("retargeting") == "unconfigured"
    assert set_parameter(graph, "retargeting", "robot_description", "") == ""
    assert graph.change_state("retargeting", CONFIGURE) and graph.change_state("retargeting", ACTIVATE)
    assert graph.diagnostic("retargeting", "no hands on /hands").level == b"\1"


def test_a_publisher_of_other_qos_is_named(graph: Graph, retargeting: NodeProcess) -> None:
    unreliable = graph.node.create_publisher(HandPoseArray, "hands", qos_profile_sensor_data)
    report = graph.diagnostic("retargeting", "incompatible QoS")
    assert "/hands" in report.message and "RELIABILITY" in report.message
    graph.node.destroy_publisher(unreliable)


def test_a_hand_becomes_a_goal_and_a_broken_one_does_not(graph: Graph, retargeting: NodeProcess, hands: Any) -> None:
    graph.until(hands.get_subscription_count)
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
