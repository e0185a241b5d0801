"""Node ``evaluation``: what a live graph publishes, scored against its truth as ``hoi evaluate`` scores a recording.

It hears pictures by their ``camera_info``, so that it costs the cameras nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseArray, PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from trajectory_msgs.msg import JointTrajectory

from hoi_ros.evaluation.evaluate import Session
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.msg import HandPoseArray, Status
from hoi_ros.nodes import conversions
from hoi_ros.nodes.listener import Listener
from hoi_ros.nodes.process import spin
from hoi_ros.nodes.stage_node import RESULT
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.results import Results

HEARD = {
    "hands": HandPoseArray,
    "hands_refined": HandPoseArray,
    "joint_goal": JointTrajectory,
    "wrist_goal": PoseStamped,
    "status": Status,
}
EVERY = QoSProfile(depth=100, reliability=QoSReliabilityPolicy.BEST_EFFORT)  # not the last picture alone
PERIODS = 0.01, 86400.0  # s between verdicts
LONGEST = 1.0  # s for which what was heard piles up
LIVE = {"bag": "live", "mode": "realtime", "rate": None, "outputs": ""}


class Evaluation(Node):
    """Publishes the verdict so far on ``/diagnostics``, and writes the result to a folder when it ends.

    Parameters: ``scenario``, a file whose thresholds hold (none: figures alone); ``out``, the folder; ``period``, s
    between verdicts. Truth comes on ``truth_hands``, a PoseArray of 21 keypoints with the pictures' stamps.
    Raises Refused: PARAMETER for a value of the wrong kind, FILE for a scenario that cannot be read, and on `start`
    for a folder that cannot be written.
    """

    def __init__(self) -> None:
        super().__init__("evaluation")
        path, self._out = self._text("scenario", ""), Path(self._text("out", "evaluation"))
        self._period = self._seconds("period", 1.0)
        scenario = Scenario.load(Path(path), LIVE) if path else Scenario.model_validate(LIVE | {"version": 1})
        self._results = Results()
        self._listener = Listener(self._results)
        given = {"lacking": "", "bag": {"path": "live", "sha256": "", "pictures": 0, "topics": {}}}
        self._session = Session(scenario, self._results, self._out, given)

    def start(self) -> None:
        """Listen."""
        try:
            self._session.__enter__()
        except OSError as error:
            raise Refused(Reason.FILE, f"out is '{self._out}', which cannot be written: {error.strerror}") from None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULT)
        self.create_subscription(CameraInfo, "camera_info", self._on_picture, EVERY)
        self.create_subscription(PoseArray, "truth_hands", self._on_truth, RESULT)
        for topic, kind in HEARD.items():
            self.create_subscription(kind, topic, getattr(self._listener, f"on_{topic}"), RESULT)
        self.create_timer(min(self._period, LONGEST), self._take)
        self.create_timer(self._period, self._tell)

    def _text(self, name: str, otherwise: str) -> str:
        value = self._given(name, otherwise)
        if not isinstance(value, str) or (otherwise and not value):
            raise Refused(Reason.PARAMETER, f"{name} is {value!r}; it is a path")
        return value

    def _seconds(self, name: str, otherwise: float) -> float:
        value, (low, high) = self._given(name, otherwise), PERIODS
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Refused(Reason.PARAMETER, f"{name} is {value!r}; it is {low:g} to {high:g} s")
        return float(value)

    def _given(self, name: str, otherwise: str | float) -> Any:
        """A parameter of whatever type: rclpy's own complaint about a wrong one is a traceback."""
        return self.declare_parameter(name, otherwise, ParameterDescriptor(dynamic_typing=True)).value

    def destroy_node(self) -> None:
        """Write the result, then end."""
        result = self._session.finish()
        self._session.__exit__()
        self.get_logger().info(f"{'passed' if result.passed else 'failed'}: {'; '.join(result.reasons) or 'all holds'}")
        super().destroy_node()

    def _on_picture(self, message: CameraInfo) -> None:
        stamp = conversions.stamp_ns(message.header)
        self._results.stamps.append(stamp)
        self._listener.sent(stamp)
        if self._results.intrinsics is None:
            try:
                self._results.intrinsics = conversions.intrinsics(message)
            except Refused as refused:
                self.get_logger().warning(refused.message, once=True)

    def _on_truth(self, message: PoseArray) -> None:
        true = conversions.keypoints(message)
        if true is None:
            self.get_logger().warning("truth_hands are no 21 finite keypoints", throttle_duration_sec=5.0)
        else:
            self._results.truth[conversions.stamp_ns(message.header)] = true

    def _take(self) -> None:
        self._session.take()
        self._results.replies.clear()  # no sentence is judged here

    def _tell(self) -> None:
        self._take()
        result = self._session.verdict()
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if result.passed else DiagnosticStatus.ERROR,
            name=self.get_fully_qualified_name(),
            message="; ".join(result.reasons) or "passed so far",
            values=[KeyValue(key=name, value=f"{value:.6g}") for name, value in result.figures.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def main() -> None:
    """Run the node until it is told to stop; exit 2 where its parameters are refused."""
    try:
        spin(Evaluation)
    except Refused as refused:
        print(f"evaluation: refused ({refused.reason.name.lower()}): {refused.message}", file=sys.stderr)
        sys.exit(2)
