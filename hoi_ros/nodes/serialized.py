"""Messages as bytes: what the nodes would publish for a picture that went through the pipeline alone."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from rosbags.typesys.store import Typestore
from std_msgs.msg import Header

from hoi_ros.nodes import conversions
from hoi_ros.pipeline import Result


def msgtype(kind: type) -> str:
    """Name of a message class, as a bag has it."""
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def serialized(
    result: Result, header: Header, hand_model: str, goal_duration: float, types: Typestore
) -> list[tuple[str, str, bytes]]:
    """Topic, type and CDR of every message for one picture."""
    messages: dict[str, Any] = {"/hands": conversions.hand_pose_array(result.hands, header, hand_model)}
    if result.refined is not None:
        messages["/hands_refined"] = conversions.hand_pose_array(result.refined, header, hand_model)
    if result.goal is not None:
        stamp = conversions.stamp_ns(header)
        messages["/joint_goal"] = conversions.joint_trajectory(result.goal, stamp, goal_duration)
        messages["/wrist_goal"] = conversions.wrist_goal(result.goal)
    return [(topic, *as_bytes(message, types)) for topic, message in messages.items()]


def as_bytes(message: Any, types: Typestore) -> tuple[str, bytes]:
    """Type and CDR of a message of ROS."""
    kind = msgtype(type(message))
    return kind, bytes(types.serialize_cdr(_plain(message, types), kind))


def _plain(value: Any, types: Typestore) -> Any:
    """A message of ROS as one of ``types``; rclpy's own bytes may end in garbage, which readers refuse."""
    if hasattr(value, "get_fields_and_field_types"):
        fields = {name: _plain(getattr(value, name), types) for name in value.get_fields_and_field_types()}
        return types.types[msgtype(type(value))](**fields)
    if isinstance(value, array.array):
        return np.array(value)
    return [_plain(item, types) for item in value] if isinstance(value, list) else value
