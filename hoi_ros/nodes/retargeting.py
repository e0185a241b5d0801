"""Node ``retargeting``: MANO hands in, joint goals of the robot hand out."""

from __future__ import annotations

import time
from collections import Counter

from geometry_msgs.msg import PoseStamped
from trajectory_msgs.msg import JointTrajectory

from hoi_ros.msg import HandPoseArray
from hoi_ros.nodes import conversions
from hoi_ros.nodes.process import spin
from hoi_ros.nodes.stage_node import LATEST, WARN, Input, StageNode
from hoi_ros.pipeline import NONE, Pipeline

QUIET = 2.0  # s without hands before the silence is a finding


class Retargeting(StageNode):
    """Goals for the hand that the robot follows, on ``joint_goal`` and ``wrist_goal``.

    Without such a hand nothing is published but the Status: an old goal is never repeated.
    """

    stage = "retargeter"
    parameter_names = (
        "retargeter", "refiner", "device", "robot_hand", "robot_description", "coupling", "goal_duration", "max_age",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__("retargeting")
        self._hands_topic = ""
        self._hands_at = 0.0  # steady time of the last hands
        self._clamps: Counter[str] = Counter()

    def open_outputs(self) -> None:
        """Publishers."""
        self._joint_goal = self.publisher(JointTrajectory, "joint_goal")
        self._wrist_goal = self.publisher(PoseStamped, "wrist_goal")

    def open_inputs(self) -> None:
        """Subscribe to the hands, as a refiner leaves them where there is one."""
        self._hands_at = 0.0
        self._clamps = Counter()
        topic = "hands" if self.parameters.refiner == NONE else "hands_refined"
        self._hands_topic = self.subscribe(HandPoseArray, topic, self._on_hands, LATEST)

    def process(self, pipeline: Pipeline, item: Input) -> None:
        """Publish the goal for one picture's hands."""
        hands = [conversions.hand_pose(hand) for hand in item.message.hands]
        goal = pipeline.retarget(hands)
        for joint, times in goal.clamped.items():
            self.statistics.count(f"clamped: {joint}", times)
        now = self.get_clock().now().nanoseconds
        self._joint_goal.publish(conversions.joint_trajectory(goal, now, self.parameters.goal_duration))
        self._wrist_goal.publish(conversions.wrist_goal(goal))

    def problems(self) -> list[tuple[bytes, str]]:
        """Hands that do not come."""
        if time.monotonic() - max(self.activated, self._hands_at) < QUIET:
            return []
        there = self.count_publishers(self._hands_topic)
        return [(WARN, f"no hands on {self._hands_topic} ({there} publishers)")]

    def facts(self) -> dict[str, str]:
        """What is retargeted to what."""
        return {
            "retargeter": self.parameters.retargeter,
            "robot hand": self.parameters.robot_hand,
            "hands": self._hands_topic,
        }

    def _on_hands(self, message: HandPoseArray) -> None:
        self._hands_at = time.monotonic()
        self.receive(message)


def main() -> None:
    """Run the node until it is told to stop."""
    spin(Retargeting)
