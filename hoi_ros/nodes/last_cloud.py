"""The last cloud on a topic, whether it comes as a stream or was latched before anybody listened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import PointCloud2

from hoi_ros.nodes.stage_node import SENSOR, StageNode

LATCHED = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


@dataclass(frozen=True)
class Held:
    """The last cloud."""

    message: PointCloud2
    latched: bool  # holds until another comes
    sent: int  # ns, when it was published: the same cloud may be heard twice


class LastCloud:
    """Keeps the last cloud while its node is active; ``on_cloud`` is called for each."""

    def __init__(self, node: StageNode, topic: str, on_cloud: Callable[[], None] = lambda: None) -> None:
        self.held: Held | None = None
        self._on_cloud = on_cloud
        # Twice: only so is a latched one heard that was published before.
        self.topic = node.subscribe(PointCloud2, topic, self._stream, SENSOR)
        node.subscribe(PointCloud2, topic, self._latched, LATCHED, choosy=True)

    def __str__(self) -> str:
        held = self.held
        if held is None:
            return "none yet"
        size = held.message.width * held.message.height
        return f"{size} points in '{held.message.header.frame_id}', {'latched' if held.latched else 'streamed'}"

    def _stream(self, message: PointCloud2, info: Any) -> None:
        held = self.held
        if held is None or held.sent != info["source_timestamp"]:
            self._keep(Held(message, False, info["source_timestamp"]))

    def _latched(self, message: PointCloud2, info: Any) -> None:
        self._keep(Held(message, True, info["source_timestamp"]))

    def _keep(self, held: Held) -> None:
        self.held = held
        self._on_cloud()
