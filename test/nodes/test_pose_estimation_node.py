"""``pose_estimation`` in its own process: what configure refuses, what the active node says of its camera."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graph import Graph, NodeProcess, camera_info, depth, picture
from PIL import Image as Picture
from rcl_interfaces.srv import DescribeParameters
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hoi_ros.nodes import conversions
from hoi_ros.refusals import Reason

NAME = "pose_estimation"


@pytest.fixture(scope="module")
def node(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """``pose_estimation`` on a camera of other topics, waiting to be configured."""
    log = tmp_path_factory.mktemp("estimation") / "log.txt"
    remaps = ("image:=/cam/color/image_raw", "camera_info:=/cam/color/camera_info")
    with NodeProcess("pose_estimation", log, {"autostart": False, "max_age": 5.0}, *remaps) as node:
        graph.until(lambda: graph.heard["/diagnostics"], 60.0)
        yield node


@pytest.fixture
def active(graph: Graph, node: NodeProcess, camera: dict[str, Any]) -> None:
    """The node, active, without a picture or camera_info yet, and found by the camera."""
    graph.activate(NAME, hand_model_path="", image_transport="raw")
    graph.until(lambda: camera["image_raw"].get_subscription_count() and camera["camera_info"].get_subscription_count())


@pytest.fixture(scope="module")
def camera(graph: Graph) -> dict[str, Any]:
    """Publishers on the topics of that camera."""
    topics = {"image_raw": Image, "image_raw/compressed": CompressedImage, "camera_info": CameraInfo}
    return {t: graph.node.create_publisher(k, f"/cam/color/{t}", qos_profile_sensor_data) for t, k in topics.items()}


def test_a_hand_model_that_is_none_keeps_the_node_unconfigured(graph: Graph, node: NodeProcess, tmp_path: Path) -> None:
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_text("this is no hand")
    assert not graph.configure(NAME, hand_model_path=str(path))
    assert graph.state(NAME) == "unconfigured"
    told = graph.until(lambda: [s for s in graph.heard["status"] if "MANO_RIGHT.pkl" in s.message])
    assert told[-1].reason == Reason.HAND_MODEL
    report = graph.diagnostic(NAME, "HAND_MODEL")
    assert report.level == report.ERROR
    assert graph.configure(NAME, hand_model_path="")
    assert "clean up" in graph.set_parameter(NAME, "max_hands", 1)


def test_silence_names_the_resolved_topics(graph: Graph, active: None, camera: dict[str, Any]) -> None:
    def refusals() -> list[Any]:
        camera["image_raw"].publish(picture(graph.now()))
        return [s for s in graph.heard["status"] if s.reason == Reason.NO_CAMERA_INFO]

    (status, *_) = graph.until(refusals)
    assert "no camera_info after 2 s on /cam/color/camera_info" in status.message
    assert graph.diagnostic(NAME, "no camera_info after 2 s on /cam/color/camera_info").level != b"\0"


def test_pictures_lost_between_processes_are_named(graph: Graph, active: None, camera: dict[str, Any]) -> None:
    timer = graph.node.create_timer(0.2, lambda: camera["camera_info"].publish(camera_info(graph.now())))
    report = graph.diagnostic(NAME, "FASTDDS_DEFAULT_PROFILES_FILE")
    graph.node.destroy_timer(timer)
    assert report.level == report.ERROR and "rmem_max" in report.message
    assert "no picture on /cam/color/image_raw" in report.message


def test_a_distorted_camera_is_warned_of(graph: Graph, active: None, camera: dict[str, Any]) -> None:
    bent = camera_info(graph.now())
    bent.d = [0.2, -0.1, 0.0, 0.0, 0.0]
    camera["camera_info"].publish(bent)
    assert "rectified" in graph.diagnostic(NAME, "distorted").message


def test_depth_is_waited_for_as_soon_as_somebody_publishes_it(
    graph: Graph, active: None, camera: dict[str, Any]
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


def test_lives_leave_nothing_behind(graph: Graph, node: NodeProcess) -> None:
    def live() -> tuple[float, int, int]:
        graph.activate(NAME, hand_model_path="", image_transport="raw")
        return node.resources()

    lives = [live() for _ in range(10)]
    settled, memory = lives[2:], [life[0] for life in lives[2:]]
    # Fragmentation swings by 30 MB from life to life; models left behind would add tens with every one.
    assert sum(memory[-3:]) / 3 < sum(memory[:3]) / 3 + 80.0, lives
    assert len({life[1:] for life in settled}) == 1, lives


def test_compressed_pictures_lie_beside_the_raw_ones(graph: Graph, node: NodeProcess, camera: dict[str, Any]) -> None:
    graph.activate(NAME, image_transport="compressed")
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


def test_parameters_describe_themselves(graph: Graph, node: NodeProcess) -> None:
    request = DescribeParameters.Request(names=["max_age", "use_depth", "max_hands"])
    age, use, hands = graph.call(DescribeParameters, f"{NAME}/describe_parameters", request).descriptors
    assert "ROS clock" in age.description and age.floating_point_range[0].to_value == 60.0
    assert use.additional_constraints == "one of: auto, always, never" and hands.integer_range[0].to_value == 8
