"""One end of a DDS round trip, a process of its own: Fast DDS reads its transports once.

``python -m hoi_ros.nodes.dds_end echo|ping package|default``, in a ROS_DOMAIN_ID that both share. ``echo`` sends
back every message. ``ping`` writes the middleware and the file of its transports when both have found each other; then,
for each name of a load on stdin, it sends that load and writes the milliseconds until all of it was back, or ``lost``.
Both end with their stdin.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from hoi_ros import msg as hoi
from hoi_ros.nodes import conversions, transport
from hoi_ros.nodes.stage_node import RESULT, SENSOR
from hoi_ros.pipeline import flat_hand
from hoi_ros.replay.bag import Recorded
from hoi_ros.retargeting.shadow_hand import NAMES
from hoi_ros.types import Grasp, GraspGoals, JointGoal

CAMERA = {"camera_info": CameraInfo, "depth": Image, "image": Image}
LOADS: dict[str, tuple[dict[str, type], QoSProfile, QoSProfile]] = {  # topics, QoS of the publisher, of the subscriber
    "rgbd_best_effort": (CAMERA, qos_profile_sensor_data, SENSOR),  # cameras and our nodes
    "rgbd_reliable": (CAMERA, QoSProfile(depth=5), RESULT),
    "grasps": ({"grasps": hoi.GraspArray}, RESULT, RESULT),
}
SIZE = (480, 640)
GRASPS = 16
PATIENCE = 0.5  # s after which a message is lost
MEETING = 60.0  # s the two ends get to find each other
SETTLE = 0.5  # s between finding each other here and there


def main(role: str, setting: str) -> None:
    """Be one end until stdin ends."""
    if setting == "package":
        transport.choose()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node(role)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        (echo if role == "echo" else ping)(node, executor)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()


def echo(node: Node, executor: SingleThreadedExecutor) -> None:
    """Send every message back as it came."""
    for load, (topics, out, into) in LOADS.items():
        for topic, kind in topics.items():
            back = node.create_publisher(kind, f"{load}/{topic}/back", out)
            node.create_subscription(kind, f"{load}/{topic}", back.publish, into, raw=True)
    until_end = threading.Thread(target=sys.stdin.read, daemon=True)
    until_end.start()
    while until_end.is_alive():
        executor.spin_once(timeout_sec=0.2)


def ping(node: Node, executor: SingleThreadedExecutor) -> None:
    """Send what stdin names and say how long it took."""
    trips = {load: Trip(node, executor, load) for load in LOADS}
    deadline = time.monotonic() + MEETING
    while not all(trip.connected() for trip in trips.values()):
        if time.monotonic() > deadline:
            sys.exit(f"the other end was not found in {MEETING:g} s")
        executor.spin_once(timeout_sec=0.05)
    time.sleep(SETTLE)
    _say(rclpy.get_rmw_implementation_identifier(), Path(os.environ.get(transport.VARIABLE, "none")).name)
    for load in sys.stdin:
        seconds = trips[load.strip()].run()
        _say("lost" if seconds is None else f"{1e3 * seconds:.6f}")


class Trip:
    """One load with its way there and back."""

    def __init__(self, node: Node, executor: SingleThreadedExecutor, load: str) -> None:
        topics, out, into = LOADS[load]
        self._node, self._executor, self._count = node, executor, 0
        self._messages = {topic: Recorded(None, cdr, 0) for topic, cdr in messages(topics).items()}
        self._publishers = {
            topic: node.create_publisher(kind, f"{load}/{topic}", out) for topic, kind in topics.items()
        }
        self._backs = [f"{load}/{topic}/back" for topic in topics]
        self._missing: dict[str, bytes] = {}  # topic -> stamp of what is not back
        for topic, kind in topics.items():
            node.create_subscription(kind, f"{load}/{topic}/back", self._receiver(topic), into, raw=True)

    def connected(self) -> bool:
        """Whether every topic has its other end."""
        heard = all(publisher.get_subscription_count() for publisher in self._publishers.values())
        return heard and all(self._node.count_publishers(back) for back in self._backs)

    def run(self) -> float | None:
        """Seconds until everything was back; None when something is not back in time."""
        self._count += 1  # its stamp, ns: what comes too late counts for nothing
        sent = {topic: message.shifted(self._count).cdr for topic, message in self._messages.items()}
        self._missing = {topic: cdr[4:12] for topic, cdr in sent.items()}
        started = time.perf_counter()
        for topic, cdr in sent.items():
            self._publishers[topic].publish(cdr)
        while self._missing and (left := started + PATIENCE - time.perf_counter()) > 0:
            self._executor.spin_once(timeout_sec=left)
        return None if self._missing else time.perf_counter() - started

    def _receiver(self, topic: str) -> Callable[[bytes], None]:
        def receive(cdr: bytes) -> None:
            if self._missing.get(topic) == cdr[4:12]:
                del self._missing[topic]

        return receive


def messages(topics: dict[str, Any]) -> dict[str, bytes]:
    """A message for each topic as bytes, stamped 0. Their content does not matter, their size does."""
    rng = np.random.default_rng(0)
    head = conversions.header(0, "camera")
    height, width = SIZE
    shape = {"header": head, "height": height, "width": width}
    made: dict[str, Any] = {
        "camera_info": CameraInfo(**shape, distortion_model="plumb_bob", d=[0.0] * 5),
        "depth": Image(**shape, encoding="16UC1", step=2 * width, data=rng.bytes(2 * height * width)),
        "image": Image(**shape, encoding="rgb8", step=3 * width, data=rng.bytes(3 * height * width)),
        "grasps": conversions.grasp_array(
            [_grasp()] * GRASPS, [_goals()] * GRASPS, head, "Grip the handle.", "embedded"
        ),
    }
    return {topic: serialize_message(made[topic]) for topic in topics}


def _grasp() -> Grasp:
    quality = dict.fromkeys(("penetration", "contact", "holding"), 0.5)
    return Grasp(flat_hand("right"), "Handle-grasp", "handle", 0.5, quality)


def _goals() -> GraspGoals:
    wrist = np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0])
    goal = JointGoal(tuple(f"rh_{name}" for name in NAMES), np.zeros(len(NAMES)), (), np.zeros(0), wrist)
    return GraspGoals(goal, goal, goal)


def _say(*words: str) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
