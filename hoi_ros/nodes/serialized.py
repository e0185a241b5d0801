"""Messages as bytes: what the nodes would publish for a picture that went through the pipeline alone."""

from __future__ import annotations

from typing import Any

from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from hoi_ros.nodes import conversions
from hoi_ros.pipeline import Result


def msgtype(kind: type) -> str:
    """Name of a message class, as a bag has it."""
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def serialized(
    result: Result, stamp_ns: int, frame_id: str, hand_model: str, goal_duration: float
) -> list[tuple[str, str, bytes]]:
    """Topic, type and CDR of every message for one picture."""
    header: Header = conversions.header(stamp_ns, frame_id)
    messages: dict[str, Any] = {"/hands": conversions.hand_pose_array(result.hands, header, hand_model)}
    if result.goal is not None:
        messages["/joint_goal"] = conversions.joint_trajectory(result.goal, stamp_ns, goal_duration)
        messages["/wrist_goal"] = conversions.wrist_goal(result.goal)
    return [(topic, msgtype(type(message)), serialize_message(message)) for topic, message in messages.items()]
