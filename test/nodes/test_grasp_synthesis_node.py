"""``grasp_synthesis`` over real DDS: clouds and sentences, good and bad, goals of the action, and an orderly end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from graph import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, Graph, NodeProcess, bottle, cloud
from hoi_ros.action import SynthesizeGrasp
from hoi_ros.msg import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_synthesizer import GATE, program
from rclpy.action import ActionClient
from rclpy.action.server import RCLError
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String

from hoi_ros.nodes import conversions
from hoi_ros.nodes.grasp_synthesis import GraspSynthesis, Request
from hoi_ros.nodes.last_cloud import LATCHED
from hoi_ros.nodes.mailbox import MOST_GOALS
from hoi_ros.nodes.stage_node import Input
from hoi_ros.refusals import Reason
from hoi_ros.retargeting import ShadowHand

NAME = "grasp_synthesis"
GRIP = "Grasp the bottle"
LEVEL = "0 -1 0"  # up for a camera that looks ahead


@dataclass
class User:
    """Whoever speaks, and what sees."""

    graph: Graph
    gate: Path

    def __post_init__(self) -> None:
        node = self.graph.node
        self.instruction = node.create_publisher(String, "instruction", 10)
        self.camera = node.create_publisher(PointCloud2, "object_cloud", qos_profile_sensor_data)
        self.client = ActionClient(node, SynthesizeGrasp, "synthesize_grasp")

    def see(self, message: PointCloud2) -> None:
        """Publish a cloud and give it time to arrive before a sentence, which comes on another topic."""
        self.graph.until(self.camera.get_subscription_count)
        self.camera.publish(message)
        self.graph.spin(0.3)

    def say(self, sentence: str) -> Status:
        """The one answer to ``sentence``."""
        before = len(self.answers())
        self.graph.until(self.instruction.get_subscription_count)
        self.instruction.publish(String(data=sentence))
        self.graph.until(lambda: len(self.answers()) > before)
        self.graph.spin(0.1)
        assert len(self.answers()) == before + 1
        return self.answers()[-1]

    def answers(self) -> list[Status]:
        return [s for s in self.graph.heard["status"] if s.node == NAME]

    def send(self, sentence: str, **fields: Any) -> tuple[Any, list[Any]]:
        """The handle of an accepted goal and where its feedback is collected."""
        self.graph.until(self.client.server_is_ready)
        feedback: list[Any] = []
        goal = SynthesizeGrasp.Goal(instruction=sentence, **fields)
        sent = self.client.send_goal_async(goal, feedback_callback=lambda m: feedback.append(m.feedback))
        self.graph.until(sent.done)
        assert sent.result().accepted
        return sent.result(), feedback

    def result(self, handle: Any) -> tuple[int, Any]:
        future = handle.get_result_async()
        self.graph.until(future.done)
        return future.result().status, future.result().result

    def ask(self, sentence: str, **fields: Any) -> tuple[int, Any]:
        """Status and result of a goal."""
        return self.result(self.send(sentence, **fields)[0])


@pytest.fixture(scope="module")
def user(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user of the running node."""
    folder = tmp_path_factory.mktemp("grasp_synthesis")
    gate = folder / "gate"
    parameters = {"cloud_timeout": 0.2, "grasp_count": 3, "cloud_max_age": 30.0}
    with NodeProcess(program(folder), folder / "log.txt", parameters, **{GATE: str(gate)}):
        graph.diagnostic(NAME, "active", 60.0)
        yield User(graph, gate)


# --- sentences ----------------------------------------------------------------------------------------------------


def test_a_sentence_without_a_cloud_is_refused(user: User) -> None:
    refused = user.say(GRIP)
    assert refused.reason == Reason.NO_CLOUD and "after 0.2 s on /object_cloud (1 publishers)" in refused.message


def test_a_cloud_without_a_sentence_gives_nothing_and_is_told_of(user: User) -> None:
    graph, before = user.graph, len(user.answers())
    user.see(cloud(bottle(), graph.now()))
    report = graph.diagnostic(NAME, "")
    facts = {v.key: v.value for v in report.values}
    assert facts["cloud"] == "1200 points in 'base_link', streamed"
    assert len(user.answers()) == before and not graph.heard["grasps"] and not graph.heard["joint_goal"]


def test_a_sentence_becomes_grasps_and_the_goal_of_the_best(user: User) -> None:
    graph, stamp = user.graph, user.graph.now()
    user.see(cloud(bottle(), stamp))
    goals = len(graph.heard["joint_goal"])
    assert user.say(GRIP).outcome == Status.ANSWERED
    (grasps,) = graph.until(lambda: graph.with_stamp("grasps", stamp))
    assert grasps.header.frame_id == "base_link" and grasps.instruction == GRIP and len(grasps.grasps) == 3
    scores = [grasp.score for grasp in grasps.grasps]
    assert scores == sorted(scores, reverse=True)
    (wrist,) = graph.until(lambda: graph.with_stamp("wrist_goal", stamp))
    (goal,) = graph.heard["joint_goal"][goals:]
    best = grasps.grasps[0]
    assert wrist.pose == best.wrist and wrist.header == grasps.header
    assert goal.joint_names == best.joint_names and list(goal.points[0].positions) == list(best.grasp_posture)
    assert conversions.stamp_ns(goal.header) > stamp  # of sending: controllers drop what lies in the past
    tip = best.hand.keypoints[12]
    assert np.linalg.norm([tip.x - 0.4, tip.y - 0.1, tip.z - 0.3]) < 0.25  # by the bottle, not by the origin


@pytest.mark.parametrize(
    ("sentence", "reason", "said"),
    [
        ("", Reason.INSTRUCTION, "empty"),
        (" \n\t ", Reason.INSTRUCTION, "empty"),
        ("the quick brown fox", Reason.INSTRUCTION, "asks for nothing known"),
        ("Grasp it " * 500, Reason.INSTRUCTION, "4500 characters; at most 1000"),
        ("Grasp nothing", Reason.NO_GRASP, "no grasp was found"),
        ("Grasp nan", Reason.NOT_FINITE, "quality of a Grasp"),
        ("Grasp the fault", Reason.INTERNAL, "an ounce of nothing"),
    ],
)
def test_a_sentence_of_no_use_is_refused_and_moves_nothing(
    user: User, sentence: str, reason: Reason, said: str
) -> None:
    graph = user.graph
    user.see(cloud(bottle(), graph.now()))
    before = [len(graph.heard[topic]) for topic in ("grasps", "joint_goal", "wrist_goal")]
    refused = user.say(sentence)
    assert (refused.outcome, refused.reason) == (Status.REFUSED, reason) and said in refused.message
    assert [len(graph.heard[topic]) for topic in ("grasps", "joint_goal", "wrist_goal")] == before


def broken(name: str, stamp: int) -> PointCloud2:
    points = bottle()
    if name == "empty":
        return cloud(points[:0], stamp)
    if name == "nan":
        return cloud(np.full_like(points, np.nan), stamp)
    if name == "few":
        return cloud(points[:20], stamp)
    if name == "millimetres":
        return cloud(1000.0 * points, stamp)
    if name == "short":
        return cloud(points, stamp, data=b"\0" * 100)
    if name == "no z":
        return cloud(points, stamp, fields=cloud(points, stamp).fields[:2])
    if name == "no frame":
        return cloud(points, stamp, frame="")
    assert name == "camera"
    return cloud(points, stamp, frame="camera_color_optical_frame")


@pytest.mark.parametrize(
    ("name", "reason", "said"),
    [
        ("empty", Reason.CLOUD, "no points: 0x1"),
        ("nan", Reason.CLOUD, "none of the cloud's 1200 points is finite"),
        ("few", Reason.CLOUD, "20 points show no object"),
        ("millimetres", Reason.CLOUD, "measures 160 m"),
        ("short", Reason.CLOUD, "the cloud has 100"),
        ("no z", Reason.CLOUD, "no field z"),
        ("no frame", Reason.FRAME, "frame_id of the cloud is empty"),
        ("camera", Reason.FRAME, "'camera_color_optical_frame', which does not tell where up is"),
    ],
)
def test_a_cloud_of_no_use_is_refused_by_topic_and_by_goal(user: User, name: str, reason: Reason, said: str) -> None:
    message = broken(name, user.graph.now())
    user.see(message)
    refused = user.say(GRIP)
    assert refused.reason == reason and said in refused.message
    status, result = user.ask(GRIP, cloud=message)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, reason) and said in result.error_msg
    assert not result.grasps.grasps


@pytest.mark.parametrize(("age", "said"), [(60.0, "60."), (-60.0, "in the future")])
def test_a_streamed_cloud_may_not_be_old(user: User, age: float, said: str) -> None:
    user.see(cloud(bottle(), user.graph.now() - round(age * 1e9)))
    refused = user.say(GRIP)
    assert refused.reason == Reason.STALE and said in refused.message and "cloud_max_age is 30 s" in refused.message
    user.see(cloud(bottle(), 0))
    assert "stamp is zero" in user.say(GRIP).message


def test_a_latched_cloud_holds_until_another_comes(user: User) -> None:
    graph = user.graph
    table = graph.node.create_publisher(PointCloud2, "object_cloud", LATCHED)
    old = graph.now() - 3600 * 10**9
    table.publish(cloud(bottle(), old))
    graph.until(lambda: "latched" in str(graph.diagnostic(NAME, "").values))
    assert user.say(GRIP).outcome == Status.ANSWERED and user.say(GRIP).outcome == Status.ANSWERED
    assert len(graph.until(lambda: graph.with_stamp("grasps", old))) == 2
    user.see(cloud(bottle(), old))
    assert user.say(GRIP).reason == Reason.STALE
    graph.node.destroy_publisher(table)


# --- goals --------------------------------------------------------------------------------------------------------


def test_a_goal_with_its_own_cloud_is_answered_to_its_client_alone(user: User) -> None:
    graph = user.graph
    before = {topic: len(graph.heard[topic]) for topic in ("grasps", "joint_goal", "wrist_goal")}
    message = cloud(bottle((0.0, 0.0, 1.0)), 5)  # however old: the client vouches for it
    handle, feedback = user.send(GRIP, count=5, seed=7, cloud=message)
    status, result = user.result(handle)
    assert (status, result.error_code, result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, 0, "")
    assert len(result.grasps.grasps) == 5 and result.grasps.header == message.header
    assert [f.stage for f in feedback] == ["finding the object", "synthesis", "planning"]
    progress = [f.progress for f in feedback]
    assert progress == sorted(progress) and feedback[-1].found == 5
    assert {topic: len(graph.heard[topic]) for topic in before} == before
    again, other = (user.ask(GRIP, count=5, seed=seed, cloud=message)[1] for seed in (7, 8))
    assert again.grasps == result.grasps and other.grasps.grasps != result.grasps.grasps


def test_every_posture_of_a_result_lies_in_the_robots_limits(user: User) -> None:
    _, result = user.ask(GRIP, count=20, cloud=cloud(bottle(), 0))
    hand = ShadowHand.embedded("right")
    assert len(result.grasps.grasps) == 20
    for grasp in result.grasps.grasps:
        assert tuple(grasp.joint_names) == hand.names
        for posture in (grasp.pre_grasp_posture, grasp.grasp_posture, grasp.squeeze_posture):
            assert (hand.lower - 1e-6 <= posture).all() and (posture <= hand.upper + 1e-6).all()


def test_a_goal_without_cloud_or_count_takes_the_topic_and_the_parameter(user: User) -> None:
    stamp = user.graph.now()
    user.see(cloud(bottle(), stamp))
    status, result = user.ask(GRIP)
    assert status == GoalStatus.STATUS_SUCCEEDED and len(result.grasps.grasps) == 3
    assert conversions.stamp_ns(result.grasps.header) == stamp


@pytest.mark.parametrize("count", [257, 2**32 - 1])
def test_an_oversized_count_is_refused(user: User, count: int) -> None:
    status, result = user.ask(GRIP, count=count, cloud=cloud(bottle(), 0))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Reason.PARAMETER)
    assert result.error_msg == f"count is {count}; it must be between 1 and 256"


def test_goals_wait_for_their_turn_and_too_many_are_refused(user: User) -> None:
    message = cloud(bottle(), 0)
    running, feedback = user.send("Please wait and grasp the bottle", count=1, cloud=message)
    user.graph.until(lambda: feedback and feedback[-1].stage == "synthesis")
    waiting = [user.send(GRIP, count=1 + n, cloud=message)[0] for n in range(MOST_GOALS)]
    status, result = user.result(user.send(GRIP, cloud=message)[0])
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Reason.BUSY) and "4 goals" in result.error_msg
    cancelled = waiting[1].cancel_goal_async()
    user.graph.until(cancelled.done)
    user.gate.touch()
    assert user.result(running)[0] == GoalStatus.STATUS_SUCCEEDED
    for number, handle in enumerate(waiting):
        status, result = user.result(handle)
        if number == 1:
            assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, Reason.CANCELLED)
        else:
            assert status == GoalStatus.STATUS_SUCCEEDED and len(result.grasps.grasps) == 1 + number
    user.gate.unlink()


def test_a_sentence_that_a_newer_one_replaces_is_told(user: User) -> None:
    running, feedback = user.send("Please wait and grasp the bottle", count=1, cloud=cloud(bottle(), 0))
    user.graph.until(lambda: feedback and feedback[-1].stage == "synthesis")
    before = len(user.answers())
    for _ in range(2):
        user.instruction.publish(String(data=GRIP))
        user.graph.spin(0.3)
    (told,) = user.answers()[before:]
    assert (told.outcome, told.reason) == (Status.REFUSED, Reason.REPLACED)
    user.gate.touch()
    assert user.result(running)[0] == GoalStatus.STATUS_SUCCEEDED
    user.graph.until(lambda: len(user.answers()) == before + 3)  # the goal, and the sentence that took the place
    assert Reason.REPLACED not in [status.reason for status in user.answers()[before + 1 :]]
    user.gate.unlink()


def test_a_running_goal_is_cancelled_and_gives_no_grasp(user: User) -> None:
    handle, feedback = user.send("Please wait and grasp the bottle", cloud=cloud(bottle(), 0))
    user.graph.until(lambda: feedback and feedback[-1].stage == "synthesis")
    user.graph.until(handle.cancel_goal_async().done)
    user.gate.touch()
    status, result = user.result(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, Reason.CANCELLED) and not result.grasps.grasps
    user.gate.unlink()
    assert user.ask(GRIP, cloud=cloud(bottle(), 0))[0] == GoalStatus.STATUS_SUCCEEDED


def test_whoever_waits_when_the_node_is_deactivated_is_told(user: User) -> None:
    graph, message = user.graph, cloud(bottle(), 0)
    running, feedback = user.send("Please wait and grasp the bottle", cloud=message)
    graph.until(lambda: feedback and feedback[-1].stage == "synthesis")
    waiting, _ = user.send(GRIP, cloud=message)
    user.gate.touch()  # the transition ends the worker, which is at this
    assert graph.change_state(NAME, DEACTIVATE)
    late, _ = user.send(GRIP, cloud=message)
    status, result = user.result(waiting)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Reason.CANCELLED)
    status, result = user.result(late)
    assert (status, result.error_msg) == (GoalStatus.STATUS_ABORTED, "the node is not active")
    assert user.result(running)[0] in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED)
    user.gate.unlink()
    assert graph.change_state(NAME, ACTIVATE)
    assert user.say(GRIP).reason == Reason.NO_CLOUD  # nothing is left of the cloud before


def test_a_goal_cancelled_while_it_is_being_answered_is_answered() -> None:
    tries = []

    def execute() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RCLError("invalid transition")

    goal = SimpleNamespace(goal_id=SimpleNamespace(uuid=[1]), execute=execute)
    node = SimpleNamespace(_results={})
    GraspSynthesis.answered(node, Input(Request(None, GRIP, 1, goal=goal), 0.0), None)
    assert len(tries) == 2 and node._results[b"\1"].error_code == 0


def test_the_camera_may_look_from_anywhere_when_up_is_stated(user: User) -> None:
    graph = user.graph
    graph.activate(NAME, up=LEVEL)
    ahead = bottle((0.0, 0.0, 0.0)) @ np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]).T
    ahead += [0.0, 0.1, 0.6]
    status, result = user.ask(GRIP, cloud=cloud(ahead, 0, frame="camera_color_optical_frame"))
    assert status == GoalStatus.STATUS_SUCCEEDED
    wrist = result.grasps.grasps[0].hand.wrist.position
    assert wrist.y == pytest.approx(ahead[:, 1].min() - 0.02, abs=1e-3)  # over the top: towards -y
    graph.activate(NAME, up="")


def test_up_that_is_no_direction_is_refused(user: User) -> None:
    graph = user.graph
    assert graph.change_state(NAME, DEACTIVATE) and graph.change_state(NAME, CLEANUP)
    assert graph.set_parameter(NAME, "up", "0 0") == "up is '0 0'; it must be three numbers: x y z"
    assert graph.set_parameter(NAME, "gravity_frame", "base_link") == ""
    assert not graph.change_state(NAME, CONFIGURE)
    assert "tf2_ros is not here" in graph.diagnostic(NAME, "PARAMETER").message
    graph.activate(NAME, gravity_frame="")


# --- whatever comes -----------------------------------------------------------------------------------------------

numbers = st.floats(width=32)
few = st.lists(st.tuples(numbers, numbers, numbers), max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), few, st.text(max_size=12), st.integers(0, 2**32 - 1), st.binary(max_size=40))
def test_whatever_is_asked_gets_one_answer_and_no_fault(
    user: User, sentence: str, points: list[Any], frame: str, count: int, data: bytes
) -> None:
    message = cloud(np.array(points, np.float32).reshape(-1, 3), 0, frame=frame.replace("\0", ""))
    if len(data) > 20:
        message.data = data
    status, result = user.ask(sentence.replace("\0", "").replace("wait", ""), count=count, cloud=message)
    assert result.error_code != Reason.INTERNAL, result.error_msg
    assert (status == GoalStatus.STATUS_SUCCEEDED) == (result.error_code == 0)
