"""A user's side of the graph: a camera, ears for every result, and a node running in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import hoi_ros.msg
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from hoi_ros.msg import GraspArray, HandPoseArray, Status
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from hoi_ros.nodes import conversions

T = TypeVar("T")

EXECUTABLES = Path(hoi_ros.msg.__file__).parents[4] / "hoi_ros"
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
RESULTS = {
    "hands": HandPoseArray,
    "hands_refined": HandPoseArray,
    "grasps": GraspArray,
    "joint_goal": JointTrajectory,
    "wrist_goal": PoseStamped,
    "markers": MarkerArray,
    "status": Status,
    "/diagnostics": DiagnosticArray,
}


class Graph:
    """The test's node, with all it has heard so far in ``heard`` (topic -> messages)."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = Node("user")
        self.heard: dict[str, list[Any]] = defaultdict(list)
        for topic, kind in RESULTS.items():
            self.node.create_subscription(kind, topic, self.heard[topic].append, 50)
        self.image = self.node.create_publisher(Image, "image", qos_profile_sensor_data)
        self.camera_info = self.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        self.node.destroy_node()
        rclpy.shutdown()

    def until(self, condition: Callable[[], T], timeout: float = 20.0) -> T:
        """Spin until ``condition`` gives something true."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"timed out; heard { ({k: len(v) for k, v in self.heard.items()}) }"
            rclpy.spin_once(self.node, timeout_sec=0.02)
        return found

    def spin(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def now(self) -> int:
        """Now on the ROS clock, ns."""
        return self.node.get_clock().now().nanoseconds

    def status(self, stamp: int, node: str = "pose_estimation", timeout: float = 20.0) -> Status:
        """The one answer of ``node`` to the input of ``stamp``."""

        def answers() -> list[Status]:
            return [s for s in self.heard["status"] if s.node == node and conversions.stamp_ns(s.header) == stamp]

        self.until(answers, timeout)
        (answer,) = answers()
        return answer

    def with_stamp(self, topic: str, stamp: int) -> list[Any]:
        """What came on ``topic`` with ``stamp``; a MarkerArray has that of its first marker."""
        heads = [(m.markers[0].header if topic == "markers" else m.header, m) for m in self.heard[topic]]
        return [m for head, m in heads if conversions.stamp_ns(head) == stamp]

    def diagnostic(self, node: str, says: str, timeout: float = 20.0) -> Any:
        """A diagnostic of ``node`` from now on whose message holds ``says``."""
        seen = len(self.heard["/diagnostics"])

        def found() -> list[Any]:
            reports = [s for array in self.heard["/diagnostics"][seen:] for s in array.status]
            return [r for r in reports if r.name.startswith(f"/{node}:") and says in r.message]

        return self.until(found, timeout)[-1]

    def change_state(self, node: str, transition: int) -> bool:
        """Ask ``node`` for a lifecycle transition; whether it succeeded."""
        return self.call(
            ChangeState, f"{node}/change_state", ChangeState.Request(transition=Transition(id=transition))
        ).success

    def state(self, node: str) -> str:
        """Lifecycle state of ``node``."""
        return self.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label

    def set_parameter(self, node: str, name: str, value: Any) -> str:
        """Set a parameter; why not, if it was not set."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        (result,) = self.call(SetParameters, f"{node}/set_parameters", request).results
        assert result.successful is not bool(result.reason)
        return str(result.reason)

    def configure(self, node: str, **parameters: Any) -> bool:
        """Bring ``node`` from wherever it is to inactive with ``parameters``; whether it got there."""
        if self.state(node) == "active":
            assert self.change_state(node, DEACTIVATE)
        if self.state(node) == "inactive":
            assert self.change_state(node, CLEANUP)
        for name, value in parameters.items():
            assert self.set_parameter(node, name, value) == ""
        return self.change_state(node, CONFIGURE)

    def activate(self, node: str, **parameters: Any) -> None:
        """Configure and activate ``node``."""
        assert self.configure(node, **parameters) and self.change_state(node, ACTIVATE)

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Response of a service."""
        client = self._clients.setdefault(name, self.node.create_client(kind, name))
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()


def picture(stamp: int, pixels: np.ndarray | None = None, **changes: Any) -> Image:
    """A camera picture of ``stamp``, ns; black and small unless told otherwise."""
    pixels = np.zeros((48, 64, 3), np.uint8) if pixels is None else pixels
    height, width = pixels.shape[:2]
    fields = {"height": height, "width": width, "encoding": "rgb8", "step": 3 * width, "data": pixels.tobytes()}
    return Image(header=conversions.header(stamp, "camera"), **(fields | changes))


def depth(stamp: int, metres: np.ndarray | None = None) -> Image:
    """A depth picture of ``stamp``, ns; a wall at half a metre unless told otherwise."""
    metres = np.full((48, 64), 0.5, np.float32) if metres is None else metres.astype(np.float32)
    height, width = metres.shape
    head = conversions.header(stamp, "camera")
    return Image(header=head, height=height, width=width, encoding="32FC1", step=4 * width, data=metres.tobytes())


def camera_info(stamp: int, shape: tuple[int, int] = (48, 64), focal: float | None = None) -> CameraInfo:
    """The camera of a picture of ``shape`` (H, W)."""
    height, width = shape
    focal = float(width) if focal is None else focal
    k = [focal, 0.0, focal and width / 2, 0.0, focal, focal and height / 2, 0.0, 0.0, focal and 1.0]
    return CameraInfo(header=conversions.header(stamp, "camera"), height=height, width=width, k=k)


def cloud(points: np.ndarray, stamp: int, frame: str = "base_link", **changes: Any) -> PointCloud2:
    """A cloud of points (N, 3), m, in single precision."""
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    data = np.ascontiguousarray(points, np.float32).tobytes()
    own = {"fields": fields, "height": 1, "width": len(points), "point_step": 12, "row_step": 12 * len(points)}
    return PointCloud2(header=conversions.header(stamp, frame), **(own | {"data": data} | changes))


def bottle(centre: tuple[float, float, float] = (0.4, 0.1, 0.2), height: float = 0.16) -> np.ndarray:
    """Points (N, 3), m, on an upright cylinder 6 cm thick."""
    turn, z = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False), np.linspace(0.0, height, 30))
    points = np.stack([0.03 * np.cos(turn), 0.03 * np.sin(turn), z - 0.5 * height], -1).reshape(-1, 3)
    return points + centre


class NodeProcess:
    """One of the package's executables in its own process."""

    def __init__(
        self, executable: str, log: Path, parameters: dict[str, Any], *remaps: str, **environment: str
    ) -> None:
        arguments = [f"{name}:={value}" for name, value in parameters.items()]
        options = [o for a in arguments for o in ("-p", a)] + [o for r in remaps for o in ("-r", r)]
        self.log = log
        with log.open("w") as out:
            command = [str(EXECUTABLES / executable), "--ros-args", *options]
            # How many heaps glibc opens, and so keeps, is luck on a busy machine; a leak shows with few as well.
            own = os.environ | {"MALLOC_ARENA_MAX": "2"} | environment
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, env=own
            )

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(self, *_: Any) -> None:
        assert self.alive(), self.log.read_text()
        assert self.stop(signal.SIGINT) == 0, self.log.read_text()

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self, number: int) -> int:
        """Exit status after a signal."""
        self.process.send_signal(number)
        try:
            return self.process.wait(15.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def resources(self) -> tuple[float, int, int]:
        """Resident memory in MB, threads and open files."""
        process = Path(f"/proc/{self.process.pid}")
        pages = int((process / "statm").read_text().split()[1])
        return (
            pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            len(list((process / "task").iterdir())),
            len(list((process / "fd").iterdir())),
        )
