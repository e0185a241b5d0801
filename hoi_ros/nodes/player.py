"""A bag through the nodes over DDS: pictures out, hands, goals and statuses back, on simulated time.

In lockstep each picture waits for the answers to the one before, so that every run gives the same. In real time
pictures come as they were recorded, once or in a loop, and what the nodes cannot keep up with is dropped and counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from hoi_ros.msg import GraspArray, HandPoseArray, Status
from hoi_ros.nodes import conversions, transport
from hoi_ros.nodes.listener import Listener
from hoi_ros.nodes.serialized import msgtype
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Asked, Bag, Frame
from hoi_ros.replay.clouds import ObjectClouds
from hoi_ros.replay.graph import NAMESPACE, Nodes
from hoi_ros.replay.results import Answer, MessageWriter, Results

PUBLISHED = {
    "hands": HandPoseArray,
    "joint_goal": JointTrajectory,
    "wrist_goal": PoseStamped,
    "status": Status,
    "/diagnostics": DiagnosticArray,
}
READY_TIMEOUT = 120.0  # s for the nodes to load their models
SETTLE = 0.5  # s between finding each other here and there
DRAIN = 1.0  # s for the answers to the last pictures
REPLY = 60.0  # s a sentence may wait for its grasps
CLOCK_PERIOD = 0.02  # s
CLOCK_LEAD = 0.05  # s for a jump of the clock to arrive before its picture
WITHOUT_GOAL = (Reason.NO_HAND, Reason.HAND_LEFT_PICTURE)  # refusals on which the nodes publish empty hands


class Player:
    """Plays a bag to `Nodes`. Use as a context manager."""

    def __init__(
        self,
        bag: Bag,
        nodes: Nodes,
        domain: int,
        writer: MessageWriter,
        wants_depth: bool,
        results: Results,
        said: Sequence[Asked] = (),
        refined: bool = False,
    ) -> None:
        self.results, self._said, self._refined = results, deque(said), refined
        self._clouds = ObjectClouds(bag)
        self._published = PUBLISHED | ({"hands_refined": HandPoseArray} if refined else {})
        self._bag, self._nodes, self._domain, self._writer = bag, nodes, domain, writer
        self._wants_depth = wants_depth and bool(bag.topics.depth)
        self._listener = Listener(results)
        self._now = 0  # simulated, ns
        self._sampled_at = 0.0

    def __enter__(self) -> Player:
        transport.choose()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=self._domain, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("player", namespace=NAMESPACE, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        for topic, kind in self._published.items():
            handler = getattr(self._listener, f"on_{topic.strip('/')}")
            self._node.create_subscription(
                kind, topic, self._recorder(topic, kind, handler), QoSProfile(depth=100), raw=True
            )
        image = (CompressedImage, "image/compressed") if self._bag.compressed else (Image, "image")
        self._image = self._node.create_publisher(*image, QoSProfile(depth=5))
        self._depth = self._node.create_publisher(Image, "depth", QoSProfile(depth=5)) if self._wants_depth else None
        self._camera_info = self._node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=5))
        self._clock = self._node.create_publisher(Clock, "clock", QoSProfile(depth=1))
        if self._said or self._refined:
            self._cloud = self._node.create_publisher(PointCloud2, "object_cloud", QoSProfile(depth=5))
        if self._said:
            self._instruction = self._node.create_publisher(String, "instruction", QoSProfile(depth=5))
            handler = self._recorder("grasps", GraspArray, self._listener.on_grasps)
            self._node.create_subscription(GraspArray, "grasps", handler, QoSProfile(depth=100), raw=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def await_nodes(self) -> None:
        """Wait until the nodes listen. Raises Refused as they do when they cannot start, and TIMEOUT."""
        deadline = time.monotonic() + READY_TIMEOUT
        while not self._connected():
            self._nodes.ensure_alive()
            for node, fault in self._listener.faults.items():
                reason, _, sentence = fault.partition(": ")  # as the nodes word why they could not configure
                raise Refused(Reason[reason], f"{node.rpartition('/')[2]}: {sentence}")
            if time.monotonic() > deadline:
                raise Refused(
                    Reason.TIMEOUT, f"the nodes do not listen after {READY_TIMEOUT:g} s; see {self._nodes.log}"
                )
            self._spin(0.05)
        self._now = next(self._bag.frames()).image.stamp_ns
        self._run_clock(SETTLE, self._now, standing=True)
        self.results.memory.clear()  # of loading the models

    def play_lockstep(self, timeout: float, on_frame: Callable[[], None]) -> None:
        """Send one picture after the other; one without an answer after ``timeout`` s is refused as TIMEOUT."""
        for frame in self._bag.frames():
            self._say_until(frame.time_ns, timeout)
            if self._show(frame.time_ns):
                self._run_clock(CLOCK_LEAD, self._now, standing=True)  # the cloud must be there before the hands
            stamp = frame.image.stamp_ns
            if stamp - self._now > CLOCK_LEAD * conversions.NS:
                self._run_clock(CLOCK_LEAD, stamp, standing=True)
            self._send(frame)
            if not self._await_answer(stamp, timeout):
                self.results.answers.append(
                    Answer("player", stamp, Reason.TIMEOUT, f"no answer within {timeout:g} s", timeout, 0.0)
                )
            on_frame()
        self._say_until(None, timeout)

    def play_realtime(self, loops: int, duration: float, rate: float, on_frame: Callable[[], None]) -> None:
        """Send pictures as recorded, or ``rate`` a second where that is not 0, in the time that they are stamped with.

        The recording is repeated ``loops`` times (0: for ever), for at most ``duration`` s (0: no limit).
        """
        first, period = self._span()
        begin = time.monotonic()
        frames = ((loop, frame) for loop in (range(loops) if loops else count()) for frame in self._bag.frames())
        for i, (loop, recorded) in enumerate(frames):
            stamp = first + round(i * conversions.NS / rate) if rate else recorded.image.stamp_ns + loop * period
            frame = recorded.shifted(stamp - recorded.image.stamp_ns)
            after = (stamp - first) / conversions.NS
            if duration and after > duration:
                break
            passed = time.monotonic() - begin
            self._run_clock(after - passed, first + round(passed * conversions.NS))
            if loop == 0:
                self._say_until(frame.time_ns, 0.0)
            self._show(recorded.time_ns, stamp - recorded.image.stamp_ns)
            self._send(frame)
            on_frame()
        begin = time.monotonic()
        while len(self.results.replies) < len(self.results.asked) and time.monotonic() < begin + REPLY:
            self._run_clock(DRAIN, self._now)
        self._run_clock(DRAIN, self._now)

    # --- out ----------------------------------------------------------------------------------------------------

    def _send(self, frame: Frame) -> None:
        self._nodes.ensure_alive()
        self.results.add_picture(frame)
        self._tell_time(max(self._now, frame.image.stamp_ns))
        if frame.camera_info is not None:
            self._camera_info.publish(frame.camera_info.cdr)
        if self._depth is not None and frame.depth is not None:
            self._depth.publish(frame.depth.cdr)
        self._listener.sent(frame.image.stamp_ns)
        self._image.publish(frame.image.cdr)

    def _show(self, time_ns: int, later: int = 0) -> bool:
        """Publish for a refiner the cloud recorded last up to a time, stamped ``later``, ns; whether one is new."""
        cloud = self._clouds.until(time_ns) if self._refined else None
        if cloud is None:
            return False
        self._cloud.publish(cloud.shifted(later).cdr)
        return True

    def _say_until(self, time_ns: int | None, timeout: float) -> None:
        """Say what was said up to a time (None: all that is left), and wait for each reply unless ``timeout`` is 0."""
        while self._said and (time_ns is None or self._said[0].time_ns <= time_ns):
            asked = self._said.popleft()
            self._tell_time(max(self._now, asked.cloud.stamp_ns))
            self._cloud.publish(asked.cloud.cdr)
            self._run_clock(CLOCK_LEAD, self._now, standing=True)  # the cloud must be there before its sentence
            self.results.asked.append(asked)
            self._instruction.publish(String(data=asked.sentence))
            deadline = time.monotonic() + (REPLY if timeout else 0.0)
            while len(self.results.replies) < len(self.results.asked) and time.monotonic() < deadline:
                self._nodes.ensure_alive()
                self._spin(0.1)

    def _run_clock(self, seconds: float, start: int, standing: bool = False) -> None:
        """Let simulated time go on from ``start`` (or stand there) for a while, and take in what comes."""
        begin = time.monotonic()
        while (left := begin + seconds - time.monotonic()) > 0:
            self._tell_time(start if standing else start + round((time.monotonic() - begin) * conversions.NS))
            self._spin_for(min(left, CLOCK_PERIOD))

    def _tell_time(self, now: int) -> None:
        self._now = now
        self._clock.publish(Clock(clock=Time(sec=now // conversions.NS, nanosec=now % conversions.NS)))

    # --- in -----------------------------------------------------------------------------------------------------

    def _recorder(self, topic: str, kind: type, handler: Callable[[Any], None]) -> Callable[[bytes], None]:
        name = topic if topic.startswith("/") else f"/{topic}"

        def receive(cdr: bytes) -> None:
            self._writer.write(name, msgtype(kind), self._now, cdr)
            handler(deserialize_message(cdr, kind))

        return receive

    # --- waiting ------------------------------------------------------------------------------------------------

    def _connected(self) -> bool:
        publishers = [p for p in (self._image, self._depth, self._camera_info) if p is not None]
        heard = all(p.get_subscription_count() > 0 for p in publishers)
        heard = heard and self._clock.get_subscription_count() > 1 and self._node.count_subscribers("hands") > 1
        if self._said:
            heard = heard and self._instruction.get_subscription_count() > self._refined
        if self._said or self._refined:
            heard = heard and self._cloud.get_subscription_count() >= bool(self._said) + self._refined
        if self._refined:
            heard = heard and self._node.count_subscribers("hands_refined") > 1
        return heard and all(self._node.count_publishers(topic) > 0 for topic in self._published)

    def _complete(self, stamp: int) -> bool:
        estimation = self._listener.answer("pose_estimation", stamp)
        if estimation is None:
            return False
        if estimation.reason not in (Reason.NONE, *WITHOUT_GOAL):
            return True
        if self._refined:
            refinement = self._listener.answer("refinement", stamp)
            if refinement is None or not self._listener.has_hands(stamp):
                return False
            if refinement.reason is not Reason.NONE:
                return True
            if not self._listener.has_refined(stamp):
                return False
        retargeting = self._listener.answer("retargeting", stamp)
        if retargeting is None or not self._listener.has_hands(stamp):
            return False
        goal_came = bool(self.results.goals) and self.results.goals[-1].stamp_ns == stamp
        return retargeting.reason is not Reason.NONE or goal_came

    def _await_answer(self, stamp: int, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self._complete(stamp):
            if time.monotonic() > deadline:
                return False
            self._nodes.ensure_alive()
            self._spin(0.1)
        return True

    def _spin(self, seconds: float) -> None:
        self._executor.spin_once(timeout_sec=seconds)
        if time.monotonic() - self._sampled_at > 1.0:
            self._sampled_at = time.monotonic()
            self.results.memory.append(self._nodes.memory())

    def _spin_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._spin(left)

    def _span(self) -> tuple[int, int]:
        """First stamp, and the time after which the recording can start anew, ns."""
        stamps = [frame.image.stamp_ns for frame in self._bag.frames()]
        return stamps[0], stamps[-1] - stamps[0] + (stamps[-1] - stamps[0]) // max(len(stamps) - 1, 1)
