"""What the nodes publish, collected as results: hands, goals by their picture, statuses, grasps, diagnostics."""

from __future__ import annotations

import time
from collections import deque

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from trajectory_msgs.msg import JointTrajectory

from hoi_ros.msg import GraspArray, HandPoseArray, ObjectState, Status
from hoi_ros.nodes import conversions
from hoi_ros.refusals import Reason
from hoi_ros.replay.results import Answer, Results

ALONE = 10.0  # s between the two topics of a goal: where one is silent, the other must not fill the memory
AWAITED = 1000  # pictures whose goal may still come: a graph that never answers must not fill the memory


class Listener:
    """Callbacks that fill ``results``; the owner subscribes them."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.faults: dict[str, str] = {}  # node -> what its diagnostics call an error
        self._sent_at: dict[int, float] = {}  # stamp -> steady time
        self._answers: dict[str, Answer] = {}  # to the last picture, by node
        self._hands = self._refined = 0  # stamps of the last hands
        self._trajectories: deque[tuple[JointTrajectory, float]] = deque(maxlen=AWAITED)  # with their steady times
        self._wrists: deque[tuple[PoseStamped, float]] = deque(maxlen=AWAITED)

    def sent(self, stamp: int) -> None:
        """A picture was sent now."""
        self._answers.clear()
        self._sent_at[stamp] = time.monotonic()
        if len(self._sent_at) > AWAITED:
            del self._sent_at[next(iter(self._sent_at))]

    def answer(self, node: str, stamp: int) -> Answer | None:
        """What a node said of the last picture that was sent, once it has."""
        found = self._answers.get(node)
        return found if found is not None and found.stamp_ns == stamp else None

    def has_hands(self, stamp: int) -> bool:
        """Whether the last hands are of a picture."""
        return self._hands == stamp

    def has_refined(self, stamp: int) -> bool:
        """Whether the last refined hands are of a picture."""
        return self._refined == stamp

    def on_hands(self, message: HandPoseArray) -> None:
        """Topic ``hands``."""
        self._hands = conversions.stamp_ns(message.header)
        for hand in message.hands:
            self.results.hand_model = hand.hand_model
            self.results.hands.append(conversions.hand_pose(hand))

    def on_hands_refined(self, message: HandPoseArray) -> None:
        """Topic ``hands_refined``."""
        self._refined = conversions.stamp_ns(message.header)
        self.results.refined += [conversions.hand_pose(hand) for hand in message.hands]

    def on_object(self, message: ObjectState) -> None:
        """Topic ``object``."""
        self.results.objects.append(conversions.object_state(message))

    def on_grasps(self, message: GraspArray) -> None:
        """Topic ``grasps``."""
        self.results.grasps += [conversions.grasp(each) for each in message.grasps]

    def on_joint_goal(self, message: JointTrajectory) -> None:
        """Topic ``joint_goal``."""
        self._trajectories.append((message, time.monotonic()))
        self._pair_goals()

    def on_wrist_goal(self, message: PoseStamped) -> None:
        """Topic ``wrist_goal``."""
        self._wrists.append((message, time.monotonic()))
        self._pair_goals()

    def on_status(self, message: Status) -> None:
        """Topic ``status``."""
        reason, stamp = Reason(message.reason), conversions.stamp_ns(message.header)
        answer = Answer(message.node, stamp, reason, message.message, float(message.latency), float(message.age))
        if message.node == "grasp_synthesis":
            self.results.replies.append(answer)
            return
        if reason is not Reason.REPLACED:  # it may overtake the answer to the picture that took the place
            self._answers[message.node] = answer
        self.results.answers.append(answer)
        self.results.dropped[message.node] = int(message.dropped)

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Topic ``/diagnostics``."""
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            if status.level == DiagnosticStatus.ERROR and values.get("state") == "unconfigured":
                self.faults[status.name] = status.message
            self.results.diagnostics[status.name] = values

    def _pair_goals(self) -> None:
        """Only the wrist goal tells the picture; the two topics each keep their order.

        One that stayed alone is dropped, as is a trajectory that holds nothing, which is how robots are stopped.
        """
        for waiting in (self._trajectories, self._wrists):
            while waiting and waiting[-1][1] - waiting[0][1] > ALONE:
                waiting.popleft()
        while self._trajectories and self._wrists:
            (trajectory, received), (wrist, _) = self._trajectories.popleft(), self._wrists.popleft()
            if not trajectory.points:
                continue
            stamp = conversions.stamp_ns(wrist.header)
            self.results.goals.append(conversions.joint_goal(trajectory, wrist))
            if stamp in self._sent_at:
                self.results.delays[stamp] = received - self._sent_at.pop(stamp)
