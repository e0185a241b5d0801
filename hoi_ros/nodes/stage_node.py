"""What every node of a stage does: lifecycle, one-slot mailbox, one worker thread, refusals, diagnostics.

A callback only fills the mailbox; the worker runs the model and publishes. Every input gets exactly one Status: the
worker's, or REPLACED from the callback of the newer one that took its place, which is no fault and counted apart. A
fault of ours is answered INTERNAL with the traceback in the log, and the node goes on.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, QoSReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from std_msgs.msg import Header

from hoi_ros.msg import Status
from hoi_ros.nodes import conversions
from hoi_ros.nodes.mailbox import Mailbox
from hoi_ros.nodes.node_parameters import NodeParameters
from hoi_ros.nodes.process import give_back_memory
from hoi_ros.nodes.statistics import Statistics
from hoi_ros.nodes.timeline import StampBackwards, Timeline
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import Pipeline
from hoi_ros.refusals import Reason, Refused

# Room for what comes while Python is late with its callbacks: the mailbox keeps the newest, and tells of the others.
SENSOR = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
RESULT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
LATEST = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
JOIN_TIMEOUT = 10.0  # s the worker gets to finish the picture it is at
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Input:
    """One message with the steady time it came."""

    message: Any
    received: float  # s


class StageNode(LifecycleNode):
    """A lifecycle node around one stage of the pipeline.

    A subclass names its parameters and the stage, and fulfils `open_outputs`, `open_inputs` and `process`.
    """

    stage: str
    parameter_names: tuple[str, ...]
    mailbox: type[Mailbox[Any]] = Mailbox

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.declared = NodeParameters(self, self.parameter_names)
        self.declare_parameter("autostart", True)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self.parameters = Parameters()
        self.pipeline: Pipeline | None = None
        self.statistics = Statistics()
        self.activated = 0.0  # steady time
        self._timeline = Timeline(self.parameters.max_age)
        self._mailbox: Mailbox[Input] = self.mailbox()
        self._worker: threading.Thread | None = None
        self._inputs: list[Subscription[Any]] = []
        self._outputs: list[Publisher[Any]] = []
        self._incompatible: dict[str, str] = {}  # topic -> policy
        self._fault: Refused | None = None  # why the last transition failed
        self._said = ""  # the last diagnostic in the log
        self._status = self.create_publisher(Status, "status", RESULT)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULT)
        # Diagnostics go on while simulated time stands still.
        self._timer = self.create_timer(1.0, self._publish_diagnostics, clock=Clock(clock_type=ClockType.STEADY_TIME))
        backwards = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jump = self.get_clock().create_jump_callback(backwards, post_callback=self._on_clock_jump)

    # --- what a stage adds --------------------------------------------------------------------------------------

    def open_outputs(self) -> None:
        """Create publishers with `publisher`, and load what publishing needs. Raises Refused."""
        raise NotImplementedError

    def close_outputs(self) -> None:
        """End what `open_outputs` made beside publishers."""

    def open_inputs(self) -> None:
        """Create subscriptions with `subscribe`."""
        raise NotImplementedError

    def await_partners(self) -> Refused | None:
        """Block for a bounded time until an input can be worked on at all; why not, if it still cannot."""
        return None

    def close_inputs(self) -> None:
        """End what the worker may be waiting for."""

    def admit(self, pipeline: Pipeline, stamp: int, now: int) -> None:
        """Check the stamp of an input at ``now``, ns. Raises Refused(STALE, STAMP_BACKWARDS)."""
        try:
            if self._timeline.admit(stamp, now):
                pipeline.reset()
        except StampBackwards as refused:
            if refused.restarted:
                pipeline.reset()
            raise

    def process(self, pipeline: Pipeline, item: Input) -> None:
        """Work on one input and publish. Raises Refused for one that cannot be used."""
        raise NotImplementedError

    def remark(self) -> str:
        """What the Status of the input that was worked on last says besides."""
        return ""

    def answered(self, item: Input, refused: Refused | None) -> None:
        """Tell whoever waits for an input in particular; its Status is out."""

    def problems(self) -> list[tuple[bytes, str]]:
        """Levels and sentences of what is wrong with the inputs as a whole."""
        return []

    def facts(self) -> dict[str, str]:
        """Values the stage adds to the diagnostics."""
        return {}

    # --- entities -----------------------------------------------------------------------------------------------

    def publisher(self, kind: type, topic: str) -> Publisher[Any]:
        """A reliable publisher that publishes while the node is active."""
        publisher = self.create_lifecycle_publisher(kind, topic, RESULT)
        self._outputs.append(publisher)
        return publisher

    def subscribe(
        self, kind: type, topic: str, callback: Callable[..., None], qos: QoSProfile, *, choosy: bool = False
    ) -> str:
        """Subscribe until deactivation; the resolved topic. A ``choosy`` one may leave out publishers of other QoS."""
        resolved = self.resolve_topic_name(topic)

        def incompatible(event: Any) -> None:
            if not choosy:
                self._incompatible[resolved] = qos_policy_name_from_kind(event.last_policy_kind)

        events = SubscriptionEventCallbacks(incompatible_qos=incompatible)
        self._inputs.append(self.create_subscription(kind, topic, callback, qos, event_callbacks=events))
        return resolved

    @property
    def active(self) -> bool:
        """Whether the worker takes inputs."""
        return self._worker is not None

    def receive(self, message: Any) -> None:
        """Callback of the input that is answered: leave it for the worker."""
        replaced = self._mailbox.put(Input(message, time.monotonic()))
        self.statistics.on_received(replaced is not None)
        if replaced is not None:
            now = self.get_clock().now().nanoseconds
            self._tell(replaced, Refused(Reason.REPLACED, "a newer input came before its turn"), now)

    # --- lifecycle ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Configure and activate, unless somebody else is to do so (``autostart: false``)."""
        if not self.get_parameter("autostart").value:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the models, run them once."""
        return self._transition(self._configure, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the inputs and start the worker."""
        return self._transition(self._activate, super().on_activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the inputs and end the worker."""
        return self._transition(self._deactivate, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the models and the publishers."""
        return self._transition(self._cleanup, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate and clean up from whatever state."""
        return self._transition(self._shutdown, super().on_shutdown, state)

    def destroy_node(self) -> None:
        """End the worker, then the node."""
        try:
            self._shutdown()
        except Refused as refused:
            self.get_logger().error(refused.message)
        self._jump.unregister()
        super().destroy_node()

    def _transition(
        self,
        work: Callable[[], None],
        finish: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        """Rclpy swallows what a transition raises: log and report it here, and stay in the state before."""
        try:
            work()
            self._fault = None
            return finish(state)
        except Refused as refused:
            self._fault = refused
            self.get_logger().error(f"{work.__name__.strip('_')} refused, {refused.reason.name}: {refused.message}")
        except Exception as error:
            self._fault = Refused(Reason.INTERNAL, f"{type(error).__name__}: {error}")
            self.get_logger().error(traceback.format_exc())
        self._publish_status(Header(), self._fault, 0.0, 0.0)
        return TransitionCallbackReturn.FAILURE

    def _configure(self) -> None:
        try:
            self.parameters = self.declared.read()
            self.pipeline = Pipeline.build(self.parameters, (self.stage,))
            self.pipeline.warm_up()
            self.open_outputs()
        except Exception:
            self._cleanup()
            raise

    def _activate(self) -> None:
        assert self.pipeline is not None
        self.pipeline.reset()
        self.statistics = Statistics()
        self._timeline = Timeline(self.parameters.max_age)
        self._mailbox = self.mailbox()
        self._incompatible.clear()
        self.activated = time.monotonic()
        try:
            self.open_inputs()
        except Exception:
            self._deactivate()
            raise
        self._worker = threading.Thread(
            target=self._work, args=(self.pipeline, self._mailbox), name=self.stage, daemon=True
        )
        self._worker.start()

    def _deactivate(self) -> None:
        while self._inputs:
            self.destroy_subscription(self._inputs.pop())
        self._mailbox.close()
        self.close_inputs()
        if self._worker is not None:
            self._worker.join(JOIN_TIMEOUT)
            if self._worker.is_alive():
                raise Refused(Reason.TIMEOUT, f"the worker did not end within {JOIN_TIMEOUT:g} s")
            self._worker = None

    def _cleanup(self) -> None:
        self.close_outputs()
        while self._outputs:
            self.destroy_lifecycle_publisher(self._outputs.pop())
        if self.pipeline is not None:
            self.pipeline.close()
            self.pipeline = None
            give_back_memory()

    def _shutdown(self) -> None:
        self._deactivate()
        self._cleanup()

    def _on_set_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        for change in (c for c in changes if c.name in self.declared):
            if self.pipeline is not None:
                reason = f"{change.name} is read in configure: deactivate and clean up the node first"
                return SetParametersResult(successful=False, reason=reason)
            try:
                self.declared.check(change.name, change.value)
            except Refused as refused:
                return SetParametersResult(successful=False, reason=refused.message)
        return SetParametersResult(successful=True)

    # --- the worker ---------------------------------------------------------------------------------------------

    def _work(self, pipeline: Pipeline, mailbox: Mailbox[Input]) -> None:
        while mailbox.wait():
            refused = self.await_partners()
            self.statistics.on_taken()  # before it is: an input that comes in between waits alone
            item = mailbox.take()
            if item is None:
                return
            try:
                self._answer(pipeline, item, refused)
            except Exception:  # in answering a fault: the next input may fare better
                self.get_logger().error(traceback.format_exc())

    def _answer(self, pipeline: Pipeline, item: Input, refused: Refused | None) -> None:
        now = self.get_clock().now().nanoseconds
        self.conclude(item, refused or self._attempt(pipeline, item, now), now)

    def conclude(self, item: Input, refused: Refused | None, now: int) -> None:
        """Answer an input whose turn came at ``now``, ns on the ROS clock."""
        latency, age = self._tell(item, refused, now)
        reason, message = (refused.reason, refused.message) if refused else (Reason.NONE, "")
        self.statistics.on_answer(reason, message, latency, age)
        self.answered(item, refused)

    def _attempt(self, pipeline: Pipeline, item: Input, now: int) -> Refused | None:
        try:
            self.admit(pipeline, conversions.stamp_ns(item.message.header), now)
            self.process(pipeline, item)
            return None
        except Refused as refused:
            return refused
        except Exception as error:
            self.get_logger().error(traceback.format_exc())
            pipeline.reset()
            return Refused(Reason.INTERNAL, f"{type(error).__name__}: {error}")

    def _on_clock_jump(self, _jump: Any) -> None:
        self._timeline.clock_jumped()

    # --- reports ------------------------------------------------------------------------------------------------

    def _tell(self, item: Input, refused: Refused | None, now: int) -> tuple[float, float]:
        """Publish the Status of an input; how long it was here and how old it is at ``now``, s."""
        latency = time.monotonic() - item.received
        age = (now - conversions.stamp_ns(item.message.header)) / conversions.NS
        self._publish_status(item.message.header, refused, latency, age)
        return latency, age

    def _publish_status(self, header: Header, refused: Refused | None, latency: float, age: float) -> None:
        status = Status(header=header, node=self.get_name(), latency=latency, age=age, dropped=self.statistics.replaced)
        status.message = self.remark()
        if refused is not None:
            status.outcome, status.reason, status.message = Status.REFUSED, int(refused.reason), refused.message
        self._status.publish(status)

    def _publish_diagnostics(self) -> None:
        values, refusals = self.statistics.report()
        found = self._problems(refusals)
        level = max((level for level, _ in found), default=OK)
        device = self.pipeline.device if self.pipeline else ""
        state = "active" if self._worker else "inactive" if self.pipeline else "unconfigured"
        report = DiagnosticStatus(
            level=level,
            name=f"{self.get_fully_qualified_name()}: {self.stage}",
            message="; ".join(sentence for _, sentence in found) or state,
            hardware_id=device,
            values=[
                KeyValue(key=k, value=v)
                for k, v in {"state": state, "device": device, **self.facts(), **values}.items()
            ],
        )
        if report.message != self._said:
            self._said = report.message
            if level == OK:  # two calls: rclpy ties the severity to the line
                self.get_logger().info(report.message)
            else:
                self.get_logger().warning(report.message)
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=stamp), status=[report]))

    def _problems(self, refusals: dict[Reason, str]) -> list[tuple[bytes, str]]:
        found: list[tuple[bytes, str]] = []
        if self._fault is not None:
            found.append((ERROR, f"{self._fault.reason.name}: {self._fault.message}"))
        for topic, policy in list(self._incompatible.items()):
            found.append((ERROR, f"a publisher on {topic} offers incompatible QoS ({policy}); nothing comes from it"))
        if self._worker is not None:
            found += self.problems()
        for reason, sentence in refusals.items():
            if reason is not Reason.NO_HAND:  # an empty picture is no fault
                found.append((ERROR if reason is Reason.INTERNAL else WARN, f"{reason.name}: {sentence}"))
        return found
