"""The worker of a node, with doubles for the stage: faults of ours, and inputs that come too fast."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graph import Graph, camera_info, picture
from hoi_ros.msg import Status
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from hoi_ros import stages
from hoi_ros.nodes import conversions
from hoi_ros.nodes.pose_estimation import PoseEstimation
from hoi_ros.refusals import Reason
from hoi_ros.types import CameraFrame, HandPose


class Stage:
    """An estimator that does what it is told to."""

    def __init__(self) -> None:
        self.work: Callable[[], list[HandPose]] = list
        self.resets = 0

    def estimate(self, frame: CameraFrame) -> list[HandPose]:
        return self.work()

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(stages, "build", lambda *_: stage)
    return stage


@pytest.fixture
def node(graph: Graph, stage: Stage) -> Iterator[PoseEstimation]:
    node = PoseEstimation()
    node.set_parameters([Parameter("use_depth", value="never")])
    node.start()
    yield node
    node.destroy_node()


def send(graph: Graph, node: PoseEstimation) -> int:
    """Hand the node a picture as its subscription would; the stamp."""
    stamp = graph.now()
    node.receive(picture(stamp))
    return stamp


def camera_on(node: PoseEstimation) -> None:
    node._on_camera_info(camera_info(0))


def test_a_fault_of_ours_is_answered_and_the_node_goes_on(graph: Graph, node: PoseEstimation, stage: Stage) -> None:
    def fail() -> list[HandPose]:
        raise ZeroDivisionError("an ounce of nothing")

    camera_on(node)
    stage.work, resets = fail, stage.resets
    status = graph.status(send(graph, node))
    assert (status.reason, status.message) == (Reason.INTERNAL, "ZeroDivisionError: an ounce of nothing")
    assert stage.resets == resets + 1
    stage.work = list
    assert graph.status(send(graph, node)).reason == Reason.NO_HAND


def test_a_fault_in_answering_a_fault_does_not_end_the_worker(
    graph: Graph, node: PoseEstimation, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("the model is gone")

    camera_on(node)
    with monkeypatch.context() as broken:
        broken.setattr(stage, "reset", fail)
        broken.setattr(stage, "work", fail)
        send(graph, node)
        graph.spin(0.3)
    assert graph.status(send(graph, node)).reason == Reason.NO_HAND


def test_inputs_replaced_while_the_worker_is_busy_are_told(graph: Graph, node: PoseEstimation, stage: Stage) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait() -> list[HandPose]:
        started.set()
        go_on.wait(10.0)
        return []

    camera_on(node)
    stage.work = wait
    stamps = [send(graph, node)]
    assert started.wait(10.0)
    stamps += [send(graph, node) for _ in range(4)]
    go_on.set()
    assert graph.status(stamps[-1]).dropped == 3
    told = [graph.status(stamp) for stamp in stamps]
    no_hand, replaced = (Status.REFUSED, Reason.NO_HAND), (Status.REFUSED, Reason.REPLACED)
    assert [(s.outcome, s.reason) for s in told] == [no_hand, *3 * [replaced], no_hand]
    assert [s.dropped for s in told[1:4]] == [1, 2, 3] and all(s.latency > 0.0 for s in told[1:4])
    values, recent = node.statistics.report()
    assert values["replaced by newer"] == "3" and "refused: replaced" not in values and Reason.REPLACED not in recent


def test_a_worker_that_waits_for_the_camera_lets_the_node_go(graph: Graph, node: PoseEstimation) -> None:
    stamp = graph.now()
    node._on_picture(picture(stamp))  # from which on the camera is waited for
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert all(thread.name != node.stage for thread in threading.enumerate())
    graph.spin(0.2)
    assert stamp not in {conversions.stamp_ns(s.header) for s in graph.heard["status"]}


def test_a_transition_that_raises_is_told(graph: Graph, node: PoseEstimation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("no space left")

    node.trigger_deactivate()
    node.trigger_cleanup()
    monkeypatch.setattr(stages, "build", fail)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    told = graph.until(lambda: [s for s in graph.heard["status"] if "no space left" in s.message])[-1]
    assert told.reason == Reason.INTERNAL and node.pipeline is None
