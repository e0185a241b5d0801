"""Node ``grasp_synthesis``: an object's cloud and a sentence in, grasps and the best one's joint goal out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import RCLError, ServerGoalHandle
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from hoi_ros.action import SynthesizeGrasp
from hoi_ros.hand import load_hand_model
from hoi_ros.msg import GraspArray
from hoi_ros.nodes import conversions
from hoi_ros.nodes.gravity import GravityFrame
from hoi_ros.nodes.last_cloud import LastCloud
from hoi_ros.nodes.mailbox import MOST_GOALS, GoalMailbox
from hoi_ros.nodes.process import spin
from hoi_ros.nodes.stage_node import LATEST, Input, StageNode
from hoi_ros.nodes.timeline import check_age
from hoi_ros.pipeline import Pipeline, stated_up
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, Grasp

GLANCE = 0.05  # s between looks at whether a request that waits for its cloud is still wanted


@dataclass
class Request:
    """A sentence of the topic, or a goal of the action, with its answer once there is one."""

    header: Header  # stamp of receipt
    instruction: str
    count: int
    seed: int = 0
    cloud: PointCloud2 | None = None
    goal: ServerGoalHandle[Any, Any, Any] | None = None
    grasps: GraspArray | None = None


class GraspSynthesis(StageNode):
    """Grasps for a sentence, on ``grasps``; the best one's goal on ``joint_goal`` and ``wrist_goal``.

    A sentence is the input that is answered; clouds are only kept. Goals of the action ``synthesize_grasp`` are
    answered to their client alone: they move nothing.
    """

    stage = "synthesizer"
    mailbox = GoalMailbox
    parameter_names = (
        "synthesizer", "device", "hand_model_path", "robot_hand", "robot_description", "coupling", "goal_duration",
        "grasp_count", "segment_scene", "up", "gravity_frame", "cloud_timeout", "cloud_max_age",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__("grasp_synthesis")
        self._cloud: LastCloud | None = None
        self._cloud_came, self._closing = threading.Event(), threading.Event()
        self._instruction_topic = ""
        self._gravity: GravityFrame | None = None
        self._server: ActionServer[Any, Any, Any] | None = None
        self._results: dict[bytes, SynthesizeGrasp.Result] = {}

    # --- lifecycle ----------------------------------------------------------------------------------------------

    def open_outputs(self) -> None:
        """Publishers, the action, and the hand model that meshes are made of."""
        self._model = load_hand_model(self.parameters.hand_model_path)
        self._model_id = f"{self._model.name} {self._model.digest[:12]}"
        self._grasps = self.publisher(GraspArray, "grasps")
        self._joint_goal = self.publisher(JointTrajectory, "joint_goal")
        self._wrist_goal = self.publisher(PoseStamped, "wrist_goal")
        self._markers = self.publisher(MarkerArray, "grasp_markers")
        if self.parameters.gravity_frame:
            self._gravity = GravityFrame(self, self.parameters.gravity_frame)
        self._server = ActionServer(
            self,
            SynthesizeGrasp,
            "synthesize_grasp",
            self._finish,
            handle_accepted_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def close_outputs(self) -> None:
        """End the action and the listening to tf."""
        if self._server is not None:
            self._server.destroy()
            self._server = None
        if self._gravity is not None:
            self._gravity.close()
            self._gravity = None

    def open_inputs(self) -> None:
        """Subscribe to clouds and sentences."""
        self._cloud_came, self._closing = threading.Event(), threading.Event()
        self._cloud = LastCloud(self, "object_cloud", self._cloud_came.set)
        self._instruction_topic = self.subscribe(String, "instruction", self._on_instruction, LATEST)

    def close_inputs(self) -> None:
        """Let go of a worker that waits for a cloud, and answer whose turn will not come."""
        self._closing.set()
        assert isinstance(self._mailbox, GoalMailbox)
        for item in self._mailbox.left():
            self._refuse(item, Refused(Reason.CANCELLED, "the node was deactivated before this request's turn came"))

    # --- callbacks ----------------------------------------------------------------------------------------------

    def _on_instruction(self, message: String) -> None:
        self.receive(Request(self._receipt(), message.data, self.parameters.grasp_count))

    def _on_goal(self, handle: ServerGoalHandle[Any, Any, Any]) -> None:
        goal = handle.request
        given = goal.cloud.fields or goal.cloud.data or goal.cloud.width
        count = goal.count or self.parameters.grasp_count
        cloud = goal.cloud if given else None
        request = Request(self._receipt(), goal.instruction, count, goal.seed, cloud, handle)
        item = Input(request, time.monotonic())
        self.statistics.on_received(replaced=False)
        assert isinstance(self._mailbox, GoalMailbox)
        if not self.active:
            self._refuse(item, Refused(Reason.CANCELLED, "the node is not active"))
        elif not self._mailbox.put_goal(item):
            self._refuse(item, Refused(Reason.BUSY, f"{MOST_GOALS} goals are waiting already; try again"))

    def _receipt(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg())

    def _refuse(self, item: Input, refused: Refused) -> None:
        """Answer an input that the worker never takes."""
        self.statistics.on_taken()
        self.conclude(item, refused, self.get_clock().now().nanoseconds)

    # --- the worker ---------------------------------------------------------------------------------------------

    def admit(self, pipeline: Pipeline, stamp: int, now: int) -> None:
        """Sentences carry no stamp; the cloud's is checked once it is known which one it is."""

    def process(self, pipeline: Pipeline, item: Input) -> None:
        """Publish the grasps for one sentence, or keep them for the goal's result."""
        request: Request = item.message
        message = self._cloud_of(item)
        request.header.frame_id = message.header.frame_id
        cloud = conversions.object_cloud(message)
        up = self._gravity.up(message.header) if self._gravity else stated_up(self.parameters, cloud.frame_id)

        def tell(step: str, progress: float, found: int) -> None:
            self._ensure_wanted(request)
            self._feed_back(request, step, progress, found)

        synthesis = pipeline.synthesize(cloud, request.instruction, request.count, request.seed, up, tell)
        grasps, goals = synthesis.grasps, pipeline.plan(synthesis, tell)
        self._ensure_wanted(request)
        head = message.header
        request.grasps = conversions.grasp_array(grasps, goals, head, request.instruction, self._model_id)
        if request.goal is None:
            best, now = goals[0].grasp, self.get_clock().now().nanoseconds
            for joint, times in best.clamped.items():
                self.statistics.count(f"clamped: {joint}", times)
            self._grasps.publish(request.grasps)
            self._joint_goal.publish(conversions.joint_trajectory(best, now, self.parameters.goal_duration))
            self._wrist_goal.publish(conversions.wrist_goal(best))
        if self._markers.get_subscription_count() > 0:
            self._markers.publish(
                conversions.grasp_markers(grasps, [self._vertices(g) for g in grasps], self._model.faces, head)
            )

    def answered(self, item: Input, refused: Refused | None) -> None:
        """Hand a goal's result to the executor, which owns the action."""
        request: Request = item.message
        if request.goal is None:
            return
        result = SynthesizeGrasp.Result()
        if refused is not None:
            result.error_code, result.error_msg = int(refused.reason), refused.message
        elif request.grasps is not None:
            result.grasps = request.grasps
        self._results[bytes(request.goal.goal_id.uuid)] = result
        # A goal counts as accepted until it is answered: to await the worker in an executing one, rclpy would spin.
        try:
            request.goal.execute()
        except RCLError:  # cancelled while it looked whether it is
            request.goal.execute()

    def _finish(self, handle: ServerGoalHandle[Any, Any, Any]) -> SynthesizeGrasp.Result:
        result = self._results.pop(bytes(handle.goal_id.uuid))
        if result.error_code == Reason.NONE:
            handle.succeed()
        elif result.error_code == Reason.CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    def _cloud_of(self, item: Input) -> PointCloud2:
        request: Request = item.message
        assert self._cloud is not None
        self._ensure_wanted(request)
        if request.cloud is not None:
            return request.cloud
        self._feed_back(request, "waiting for a cloud", 0.0, 0)
        deadline = item.received + self.parameters.cloud_timeout
        while not self._cloud_came.wait(min(GLANCE, max(0.0, deadline - time.monotonic()))):
            self._ensure_wanted(request)
            if time.monotonic() >= deadline:
                waited = f"after {self.parameters.cloud_timeout:g} s"
                who = f"{self.count_publishers(self._cloud.topic)} publishers"
                raise Refused(Reason.NO_CLOUD, f"no cloud {waited} on {self._cloud.topic} ({who})")
        held = self._cloud.held
        assert held is not None
        if not held.latched:
            stamp, now = conversions.stamp_ns(held.message.header), self.get_clock().now().nanoseconds
            check_age(stamp, now, self.parameters.cloud_max_age, "cloud_max_age")
        return held.message

    def _ensure_wanted(self, request: Request) -> None:
        if self._closing.is_set():
            raise Refused(Reason.CANCELLED, "the node was deactivated")
        if request.goal is not None and request.goal.is_cancel_requested:
            raise Refused(Reason.CANCELLED, "cancelled by the client")

    def _feed_back(self, request: Request, step: str, progress: float, found: int) -> None:
        if request.goal is not None:
            request.goal.publish_feedback(SynthesizeGrasp.Feedback(stage=step, progress=progress, found=found))

    def _vertices(self, grasp: Grasp) -> Array:
        hand = grasp.hand
        mesh = self._model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, side=hand.side)
        vertices: Array = mesh.vertices.reshape(-1, 3)
        return vertices

    def facts(self) -> dict[str, str]:
        """What is used, and the cloud that the next sentence would be about."""
        if self.pipeline is None:
            return {}
        topic = self._cloud.topic if self._cloud else ""
        cloud = str(self._cloud or "none yet")
        topics = {"object_cloud": topic, "instruction": self._instruction_topic, "cloud": cloud}
        return {"synthesizer": self.parameters.synthesizer, "robot hand": self.parameters.robot_hand, **topics}


def main() -> None:
    """Run the node until it is told to stop."""
    spin(GraspSynthesis)
