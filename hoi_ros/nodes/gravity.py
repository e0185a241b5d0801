"""Where up is in the frame of a cloud, by tf2."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

PATIENCE = 0.5  # s for the transform to come


class GravityFrame:
    """A frame of the tf tree whose z points up. Raises Refused(PARAMETER) where there is no tf2."""

    def __init__(self, node: Node, frame: str) -> None:
        try:
            import tf2_ros
        except ImportError:
            raise Refused(
                Reason.PARAMETER,
                f"gravity_frame is '{frame}', but tf2_ros is not here; give up, or install ROS with tf2_ros",
            ) from None
        self._frame = frame
        self._problem: type[Exception] = tf2_ros.TransformException
        self._buffer: Any = tf2_ros.Buffer()
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node)

    def up(self, head: Header) -> Array:
        """Up (3,) in the frame of ``head`` at its stamp. Raises Refused(FRAME) when no transform leads there."""
        try:
            transform = self._buffer.lookup_transform(
                head.frame_id, self._frame, Time.from_msg(head.stamp), Duration(seconds=PATIENCE)
            )
        except self._problem as error:
            raise Refused(Reason.FRAME, f"no transform from '{self._frame}' to '{head.frame_id}': {error}") from None
        q = transform.transform.rotation
        up: Array = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(np.array([0.0, 0.0, 1.0]))
        return up

    def close(self) -> None:
        """Stop listening to tf."""
        self._listener.unregister()
