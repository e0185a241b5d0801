"""Node ``refinement``: MANO hands, an object's cloud and a sentence in, hands that fit both out."""

from __future__ import annotations

import time
from collections import Counter

from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from hoi_ros.hand import load_hand_model
from hoi_ros.msg import HandPoseArray
from hoi_ros.nodes import conversions
from hoi_ros.nodes.gravity import GravityFrame
from hoi_ros.nodes.last_cloud import LastCloud
from hoi_ros.nodes.process import spin
from hoi_ros.nodes.stage_node import LATEST, WARN, Input, StageNode
from hoi_ros.pipeline import NONE, Pipeline, stated_up, wants_object
from hoi_ros.types import Array, HandPose, ObjectCloud

QUIET = 2.0  # s without hands before the silence is a finding


class Refinement(StageNode):
    """Hands corrected beside the object near them, on ``hands_refined``.

    Hands are the input that is answered; of clouds and sentences the last one is kept. Hands without an object pass,
    corrected where the refiner can do without, so that a missing cloud stops nobody who follows ``hands_refined``; a
    cloud of no use is a refusal, and nothing passes. Without a refiner nothing is listened to.
    """

    stage = "refiner"
    parameter_names = (
        "refiner", "refiner_reach", "device", "hand_model_path", "segment_scene", "up", "gravity_frame",
        "cloud_max_age", "max_age",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__("refinement")
        self._cloud: LastCloud | None = None
        self._seen: tuple[PointCloud2, ObjectCloud, Array | None] | None = None  # the last one that was read, and up
        self._gravity: GravityFrame | None = None
        self._hands_topic = self._instruction = self._remark = self._lacking = ""
        self._hands_at = 0.0  # steady time of the last hands

    def open_outputs(self) -> None:
        """The publisher, and the name of the hand model."""
        model = load_hand_model(self.parameters.hand_model_path)
        self._model_id = f"{model.name} {model.digest[:12]}"
        self._refined = self.publisher(HandPoseArray, "hands_refined")
        if self.parameters.gravity_frame:
            self._gravity = GravityFrame(self, self.parameters.gravity_frame)

    def close_outputs(self) -> None:
        """End the listening to tf."""
        if self._gravity is not None:
            self._gravity.close()
            self._gravity = None

    def open_inputs(self) -> None:
        """Subscribe to hands, clouds and sentences."""
        self._cloud, self._seen, self._hands_at = None, None, 0.0
        self._hands_topic = self._instruction = self._remark = self._lacking = ""
        if self.parameters.refiner == NONE:
            return
        self._cloud = LastCloud(self, "object_cloud")
        self.subscribe(String, "instruction", self._on_instruction, LATEST)
        self._hands_topic = self.subscribe(HandPoseArray, "hands", self._on_hands, LATEST)

    def process(self, pipeline: Pipeline, item: Input) -> None:
        """Publish one picture's hands."""
        given: HandPoseArray = item.message
        self._remark = self._lacking = ""
        hands = [conversions.hand_pose(hand) for hand in given.hands]
        cloud, up = self._object(conversions.stamp_ns(given.header)) if hands else (None, None)
        refined = pipeline.refine(hands, cloud, self._instruction, up)
        messages = [
            conversions.hand_pose_message(hand, old.header, self._model_id if hand.change else old.hand_model)
            for hand, old in zip(refined, given.hands, strict=True)
        ]
        self._refined.publish(HandPoseArray(header=given.header, hands=messages))
        without = [self._lacking] if self._lacking and not self._wanting else []
        self._remark = "; ".join([*map(_told, refined), *without])
        for name, times in Counter(_kind(hand) for hand in refined).items():
            self.statistics.count(f"hands: {name}", times)

    def remark(self) -> str:
        """What was done to the hands."""
        return self._remark

    def problems(self) -> list[tuple[bytes, str]]:
        """Hands that do not come, or that nothing can be done for."""
        if self.parameters.refiner == NONE:
            return []
        found = [(WARN, self._lacking)] if self._lacking and self._wanting else []
        if time.monotonic() - max(self.activated, self._hands_at) >= QUIET:
            there = self.count_publishers(self._hands_topic)
            found.append((WARN, f"no hands on {self._hands_topic} ({there} publishers)"))
        return found

    def facts(self) -> dict[str, str]:
        """What refines, and by what."""
        cloud = {"object_cloud": self._cloud.topic, "cloud": str(self._cloud)} if self._cloud else {}
        return {"refiner": self.parameters.refiner, "hands": self._hands_topic, **cloud, "last": self._remark}

    @property
    def _wanting(self) -> bool:
        """Whether a missing object is a fault."""
        return wants_object(self.parameters.refiner)

    def _object(self, stamp: int) -> tuple[ObjectCloud | None, Array | None]:
        """The cloud of the object at a stamp, ns, and up in its frame. Raises Refused: CLOUD, FRAME."""
        from hoi_ros.scene.nearby import UNKNOWN, holds  # open3d, which the other nodes of a process may do without

        assert self._cloud is not None
        held = self._cloud.held
        if held is None:
            there = self.count_publishers(self._cloud.topic)
            self._lacking = f"{UNKNOWN}: no cloud on {self._cloud.topic} ({there} publishers)"
            return None, None
        sent, most = conversions.stamp_ns(held.message.header), self.parameters.cloud_max_age
        if not held.latched and not holds(sent, stamp, most):
            age = f"{(stamp - sent) / conversions.NS:.1f} s older than they are, cloud_max_age is {most:g} s"
            self._lacking = f"{UNKNOWN}: the cloud on {self._cloud.topic} is {age}"
            return None, None
        if self._seen is None or self._seen[0] is not held.message:
            cloud = conversions.object_cloud(held.message)
            head = held.message.header
            up = self._gravity.up(head) if self._gravity else stated_up(self.parameters, cloud.frame_id)
            self._seen = (held.message, cloud, up)
        return self._seen[1:]

    def _on_hands(self, message: HandPoseArray) -> None:
        self._hands_at = time.monotonic()
        self.receive(message)

    def _on_instruction(self, message: String) -> None:
        self._instruction = message.data


def _kind(hand: HandPose) -> str:
    return hand.refinement.partition(":")[0]


def _told(hand: HandPose) -> str:
    """What was done to a hand, in words."""
    return f"{hand.refinement} {hand.side} hand by {1e3 * hand.change:.0f} mm" if hand.change else hand.refinement


def main() -> None:
    """Run the node until it is told to stop."""
    spin(Refinement)
