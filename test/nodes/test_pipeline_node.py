"""The executable ``pipeline`` over real DDS: what a camera sends, good and bad, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph import Graph, NodeProcess, camera_info, depth, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Image

from hoi_ros.hand import load_hand_model
from hoi_ros.nodes import conversions
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason
from hoi_ros.stages import build as build_stage
from hoi_ros.types import Intrinsics

RECORDING = Path(__file__).parents[3] / "shared" / "data" / "hand_rgbd" / "hand_rgbd.mcap"
SHAPE = (48, 64)
MAX_AGE = 5.0


@pytest.fixture(scope="module")
def camera(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A camera that the running pipeline has begun to hear."""
    log = tmp_path_factory.mktemp("pipeline") / "log.txt"
    parameters = {"max_age": MAX_AGE, "use_depth": "always", "depth_timeout": 0.3}
    with NodeProcess("pipeline", log, parameters):
        camera = Camera(graph)
        graph.until(lambda: camera.heard() or camera.send(picture(graph.now())), 60.0)
        yield camera


class Camera:
    """Publishes pictures with their depth and camera_info."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.depth = graph.node.create_publisher(Image, "depth", qos_profile_sensor_data)

    def heard(self) -> bool:
        return any(s.reason == Reason.NO_HAND for s in self.graph.heard["status"])

    def send(self, image: Image, metres: Image | None = None, info: Any = None) -> None:
        stamp = conversions.stamp_ns(image.header)
        self.graph.camera_info.publish(info or camera_info(stamp, SHAPE))
        self.depth.publish(metres or depth(stamp))
        self.graph.image.publish(image)
        self.graph.spin(0.1)

    def answer(self, image: Image, metres: Image | None = None, info: Any = None) -> Any:
        """Status of pose_estimation to ``image``."""
        self.send(image, metres, info)
        return self.graph.status(conversions.stamp_ns(image.header))


def test_a_picture_without_a_hand_gives_an_empty_answer_and_no_goal(camera: Camera) -> None:
    graph = camera.graph
    goals = len(graph.heard["joint_goal"])
    image = picture(graph.now())
    stamp = conversions.stamp_ns(image.header)
    status = camera.answer(image)
    assert (status.outcome, status.reason) == (status.REFUSED, Reason.NO_HAND)
    (hands,) = graph.until(lambda: graph.with_stamp("hands", stamp))
    assert len(hands.hands) == 0 and hands.header.frame_id == "camera"
    assert graph.status(stamp, "retargeting").reason == Reason.NO_HAND
    assert len(graph.heard["joint_goal"]) == goals and not graph.with_stamp("wrist_goal", stamp)


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"encoding": "yuv422_yuy2"}, Reason.ENCODING, "yuv422_yuy2"),
        ({"encoding": "16UC1"}, Reason.ENCODING, "one of: rgb8"),
        ({"encoding": ""}, Reason.ENCODING, "encoding is ''"),
        ({"width": 0, "height": 0, "step": 0, "data": b""}, Reason.PICTURE_SIZE, "0x0"),
        ({"step": 191}, Reason.PICTURE_DATA, "step is 191"),
        ({"step": 200}, Reason.PICTURE_DATA, "48 rows of 200"),
        ({"data": b"\0" * 100}, Reason.PICTURE_DATA, "100 bytes"),
    ],
)
def test_a_bad_picture_is_refused(camera: Camera, changes: dict[str, Any], reason: Reason, said: str) -> None:
    status = camera.answer(picture(camera.graph.now(), **changes))
    assert (status.outcome, status.reason) == (status.REFUSED, reason) and said in status.message


@pytest.mark.parametrize(
    ("metres", "late", "reason", "said"),
    [
        (np.full(SHAPE, np.nan), 0.0, Reason.DEPTH_VALUES, "3072 NaN"),
        (np.full(SHAPE, -1.0), 0.0, Reason.DEPTH_VALUES, "3072 negative"),
        (np.ones((24, 32)), 0.0, Reason.DEPTH_SIZE, "depth is 32x24, the picture is 64x48"),
        (np.ones(SHAPE), 0.05, Reason.DEPTH_MISSING, "no depth on /depth for this picture: the nearest is 0.05"),
    ],
)
def test_a_bad_depth_is_refused(camera: Camera, metres: np.ndarray, late: float, reason: Reason, said: str) -> None:
    stamp = camera.graph.now()
    status = camera.answer(picture(stamp), depth(stamp - round(late * 1e9), metres))
    assert status.reason == reason and said in status.message


@pytest.mark.parametrize("info", [camera_info(0, SHAPE, focal=0.0), camera_info(0, (480, 640))])
def test_a_camera_that_cannot_be_is_refused(camera: Camera, info: Any) -> None:
    graph = camera.graph
    graph.camera_info.publish(info)
    graph.spin(0.2)
    status = camera.answer(picture(graph.now()), info=info)
    assert status.reason == Reason.INTRINSICS and "camera_info" in status.message
    graph.camera_info.publish(camera_info(0, SHAPE))
    graph.spin(0.2)
    assert camera.answer(picture(graph.now())).reason == Reason.NO_HAND


def test_a_stamp_that_falls_back_is_refused_and_a_restart_costs_one_picture(camera: Camera) -> None:
    now = camera.graph.now()
    assert camera.answer(picture(now)).reason == Reason.NO_HAND
    late = camera.answer(picture(now - 10_000_000))
    assert late.reason == Reason.STAMP_BACKWARDS and "0.010000 s before" in late.message
    restart = camera.answer(picture(now - 2_000_000_000))
    assert restart.reason == Reason.STAMP_BACKWARDS and "restart" in restart.message
    assert camera.answer(picture(now - 1_900_000_000)).reason == Reason.NO_HAND


def test_a_stale_picture_is_refused(camera: Camera) -> None:
    status = camera.answer(picture(camera.graph.now() - round((MAX_AGE + 1) * 1e9)))
    assert status.reason == Reason.STALE and "max_age is 5 s" in status.message and status.age > MAX_AGE


def test_bytes_that_are_no_message_do_no_harm(camera: Camera) -> None:
    graph = camera.graph
    data = serialize_message(picture(graph.now()))
    for broken in (data[:30], data[:4] + b"\xff" * 60 + data[64:], b"\0\1\0\0"):
        graph.image.publish(broken)
        graph.spin(0.05)
    assert camera.answer(picture(graph.now())).reason == Reason.NO_HAND


fields = {
    "height": st.integers(0, 60),
    "width": st.integers(0, 2**32 - 1),
    "step": st.integers(0, 300),
    "encoding": st.one_of(st.sampled_from([*conversions.CHANNELS, *conversions.DEPTH]), st.text("abc8é\n", max_size=6)),
    "data": st.binary(max_size=300),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({}, optional=fields), st.binary(max_size=64))
def test_whatever_a_camera_sends_is_answered(camera: Camera, changes: dict[str, Any], junk: bytes) -> None:
    graph = camera.graph
    stamp = graph.now()
    metres = np.full(48 * 64 * 4, 0x3F, np.uint8)
    metres[: len(junk)] = np.frombuffer(junk, np.uint8)
    status = camera.answer(picture(stamp, **changes), depth(stamp, metres.view(np.float32).reshape(SHAPE)))
    assert status.outcome == status.REFUSED and status.reason not in (Reason.NONE, Reason.INTERNAL)


# --- a real hand --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> tuple[np.ndarray, np.ndarray, Intrinsics]:
    """A recorded picture, depth in m and camera."""
    if not RECORDING.exists():
        pytest.skip("the recording is not here")
    found: dict[str, Any] = {}
    with AnyReader([RECORDING]) as reader:
        for connection, _, raw in reader.messages():
            found.setdefault(connection.topic, reader.deserialize(raw, connection.msgtype))
            if len(found) == len(reader.topics):
                break
    rgb = conversions.rgb(found["/camera/color/image_raw/compressed"])
    metres = conversions.depth(found["/camera/aligned_depth_to_color/image_raw"], rgb.shape[:2])
    return rgb, metres, conversions.intrinsics(found["/camera/color/camera_info"], rgb.shape[:2])


def send_recorded(camera: Camera, recorded: tuple[np.ndarray, np.ndarray, Intrinsics], shift: int = 0) -> int:
    """Send the recorded picture, moved to the right by ``shift`` pixels before a grey wall; its stamp."""
    rgb, metres, lens = recorded
    stamp = camera.graph.now()
    info = camera_info(stamp, rgb.shape[:2])
    info.k = lens.matrix.ravel()
    camera.graph.camera_info.publish(info)
    camera.graph.spin(0.05)
    moved = [np.roll(array, shift, axis=1) for array in (rgb, metres)]
    for array, wall in zip(moved, (128, 1.5), strict=True):
        array[:, :shift] = wall
    camera.send(picture(stamp, moved[0]), depth(stamp, moved[1]), info)
    return stamp


def test_a_hand_becomes_a_joint_goal(camera: Camera, recorded: tuple[np.ndarray, np.ndarray, Intrinsics]) -> None:
    graph = camera.graph
    stamp = send_recorded(camera, recorded)
    status = graph.status(stamp)
    assert (status.outcome, status.reason, status.message) == (status.ANSWERED, Reason.NONE, "")
    retargeted = graph.status(stamp, "retargeting")
    assert retargeted.outcome == retargeted.ANSWERED

    (hands,) = graph.with_stamp("hands", stamp)
    hand = conversions.hand_pose(hands.hands[0])
    assert hand.side == "right" and 0.3 < hand.keypoints[0, 2] < 1.5
    model = load_hand_model()
    assert hands.hands[0].hand_model == f"{model.name} {model.digest[:12]}"
    lens = recorded[2]
    np.testing.assert_allclose(lens.project(hand.keypoints), hand.keypoints_2d, atol=1e-2)

    goal = graph.until(lambda: graph.heard["joint_goal"])[-1]
    limits = build_stage("retargeter", "vector", Parameters()).limits
    (point,) = goal.points
    assert len(goal.joint_names) == 24 and set(goal.joint_names) == set(limits)
    for name, position in zip(goal.joint_names, point.positions, strict=True):
        low, high = limits[name]
        assert low - 1e-6 <= position <= high + 1e-6, name
    assert stamp < conversions.stamp_ns(goal.header) <= graph.now() and point.time_from_start.nanosec == 100_000_000
    (wrist,) = graph.with_stamp("wrist_goal", stamp)
    q = wrist.pose.orientation
    assert wrist.header.frame_id == "camera" and abs(np.linalg.norm([q.x, q.y, q.z, q.w]) - 1) < 1e-6
    (markers,) = graph.until(lambda: graph.with_stamp("markers", stamp))
    assert [m.ns for m in markers.markers] == ["hand_mesh_right", "hand_skeleton_right"]
    corners = np.array([(p.x, p.y, p.z) for p in markers.markers[0].points])
    assert len(corners) % 3 == 0 and np.abs(corners - hand.keypoints[9]).max() < 0.25


def test_a_hand_that_leaves_the_picture_is_refused_and_moves_nothing(
    camera: Camera, recorded: tuple[np.ndarray, np.ndarray, Intrinsics]
) -> None:
    graph = camera.graph
    assert graph.status(send_recorded(camera, recorded)).outcome == 0
    reasons = []
    for shift in range(40, 640, 40):
        stamp = send_recorded(camera, recorded, shift)
        reasons.append(Reason(graph.status(stamp).reason))
        if reasons[-1] is not Reason.NONE:
            assert graph.status(stamp, "retargeting").reason == Reason.NO_HAND
            assert not graph.with_stamp("wrist_goal", stamp)
    assert Reason.HAND_LEFT_PICTURE in reasons and set(reasons) <= {
        Reason.NONE, Reason.HAND_LEFT_PICTURE, Reason.NO_HAND,
    }  # fmt: skip


def test_health_is_told_once_a_second(camera: Camera) -> None:
    graph = camera.graph
    for node, facts in (("pose_estimation", {"hand model", "image"}), ("retargeting", {"robot hand", "hands"})):
        values = {v.key: v.value for v in graph.diagnostic(node, "").values}
        wanted = {"state", "device", "input rate (Hz)", "latency p50 (ms)", "latency p95 (ms)", "age p95 (ms)"}
        assert wanted | facts <= set(values) and values["state"] == "active"
        assert values["queue high-water mark"] == "1" and int(values["refused: no_hand"]) > 0
