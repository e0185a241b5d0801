"""``evaluation`` in its own process: verdicts on a live graph, the result it leaves, and scenarios it refuses."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import Point, Pose, PoseArray, PoseStamped
from graph import EXECUTABLES, Graph, NodeProcess
from hoi_ros.msg import HandPoseArray, Status
from sensor_msgs.msg import CameraInfo
from trajectory_msgs.msg import JointTrajectory

from hoi_ros.evaluation.scoring import AWAITED, Scorer
from hoi_ros.evaluation.whole import whole
from hoi_ros.nodes import conversions
from hoi_ros.nodes.listener import Listener
from hoi_ros.pipeline import flat_hand
from hoi_ros.replay.results import Results
from hoi_ros.types import JointGoal

PICTURES, STEP = 20, 33_333_333


def scenario(folder: Path, **content: object) -> Path:
    path = folder / "live.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "bag": "live"} | content))
    return path


def goal(stamp: int) -> JointGoal:
    names = tuple(f"rh_{finger}J{joint}" for finger in ("FF", "MF", "RF", "LF") for joint in (1, 2, 3, 4))
    return JointGoal(names, np.zeros(16), (), np.zeros(0), np.array([0, 0, 0.5, 0, 0, 0, 1.0]), stamp_ns=stamp)


def test_a_live_graph_is_judged_and_the_result_written(graph: Graph, tmp_path: Path) -> None:
    """The hand is where the truth is not: mirrored. Every picture is answered but the last."""
    node = graph.node
    kinds = {
        "camera_info": CameraInfo, "truth_hands": PoseArray, "hands": HandPoseArray, "joint_goal": JointTrajectory,
        "wrist_goal": PoseStamped, "status": Status,
    }  # fmt: skip
    publishers = {topic: node.create_publisher(kind, f"/judged/{topic}", 10) for topic, kind in kinds.items()}
    asked = scenario(tmp_path, thresholds={"hand.found": {"min": 1.0}, "answered": {"min": 1.0}})
    out = tmp_path / "out"
    parameters = {"scenario": str(asked), "out": str(out), "period": 0.2}
    with NodeProcess("evaluation", tmp_path / "log.txt", parameters, "__ns:=/judged"):
        graph.until(lambda: all(p.get_subscription_count() for p in publishers.values()), 60.0)
        graph.spin(0.5)  # found here is not yet found there
        hand = flat_hand("right")
        true = hand.keypoints * [-1.0, 1.0, 1.0]
        start = graph.now()
        for picture in range(PICTURES):
            stamp = start + picture * STEP
            head = conversions.header(stamp, "camera")
            publishers["camera_info"].publish(CameraInfo(header=head, width=640, height=480))
            poses = [Pose(position=Point(x=x, y=y, z=z)) for x, y, z in true.tolist()]
            publishers["truth_hands"].publish(PoseArray(header=head, poses=poses))
            if picture < PICTURES - 1:
                publishers["hands"].publish(conversions.hand_pose_array([hand], head, "embedded"))
                publishers["joint_goal"].publish(conversions.joint_trajectory(goal(stamp), stamp, 0.1))
                publishers["wrist_goal"].publish(conversions.wrist_goal(goal(stamp)))
                for name in ("pose_estimation", "retargeting"):
                    publishers["status"].publish(Status(header=head, node=name))
            graph.spin(0.03)
        graph.spin(0.3)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["figures"]["frames"] == PICTURES
    assert summary["verdicts"] == {"pass": PICTURES - 1, "fail": 0, "refused": 0, "unanswered": 1}
    assert not summary["passed"]
    assert any("hands look mirrored" in reason for reason in summary["reasons"])
    assert any(reason.startswith("answered is 0.95") for reason in summary["reasons"])
    assert len((out / "result.jsonl").read_text().splitlines()) == 1 + PICTURES


def ended(folder: Path, *parameters: str) -> tuple[int, str]:
    """Exit status of the node with some parameters, and what it says on stderr."""
    options = [option for parameter in parameters for option in ("-p", parameter)]
    command = [str(EXECUTABLES / "evaluation"), "--ros-args", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder)
    return done.returncode, done.stderr


def test_a_wrong_scenario_ends_the_node_with_the_reason(tmp_path: Path) -> None:
    status, said = ended(tmp_path, f"scenario:={scenario(tmp_path, treshold={})}")
    assert status == 2
    assert "did you mean 'thresholds'?" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("period:=0.0", "evaluation: refused (parameter): period is 0.0; it is 0.01 to 86400 s"),
        ("period:=soon", "period is 'soon'; "),
        ("scenario:=nowhere.yaml", "evaluation: refused (file): nowhere.yaml cannot be read"),
        ("out:=taken.txt", "evaluation: refused (file): out is 'taken.txt', which cannot be written: "),
    ],
)
def test_wrong_parameters_end_the_node_with_one_line(tmp_path: Path, parameter: str, says: str) -> None:
    (tmp_path / "taken.txt").write_text("")
    status, said = ended(tmp_path, parameter)
    assert status == 2
    assert [says in line for line in said.splitlines() if not line.startswith("WARNING:")] == [True]


# --- without a graph --------------------------------------------------------------------------------------------

ABOVE = 2_000  # pictures of a live graph, more than are awaited at once


def heard(pictures: int, *, sent: bool = True, off: int = 0, wrists: bool = True) -> tuple[Scorer, Results, Listener]:
    """A live graph of some pictures as the node hears and scores it.

    Not ``sent``, without ``wrists``, or with outputs and truth ``off`` by some ns, nothing belongs together.
    """
    results = Results()
    listener, scorer = Listener(results), Scorer(results, {}, realtime=True)
    hand = flat_hand("right")
    for picture in range(pictures):
        stamp = 10**18 + picture * STEP
        if sent:
            results.stamps.append(stamp)
            listener.sent(stamp)
        head = conversions.header(stamp + off, "camera")
        results.truth[stamp + off] = hand.keypoints
        results.hands.append(replace(hand, stamp_ns=stamp + off))
        listener.on_joint_goal(conversions.joint_trajectory(goal(stamp), stamp, 0.1))
        if wrists:
            listener.on_wrist_goal(PoseStamped(header=head))
        listener.on_status(Status(header=head, node="pose_estimation"))
        if picture % 30 == 0:
            scorer.take()
    return scorer, results, listener


def held(*holders: object) -> int:
    """Entries of all lists, dictionaries and queues of some objects, one level deep."""
    return sum(
        len(each) for holder in holders for each in vars(holder).values() if isinstance(each, list | dict | deque)
    )


@pytest.mark.parametrize(
    "wrong", [{}, {"sent": False}, {"off": 7}, {"wrists": False}], ids=["nothing", "no pictures", "stamps", "no wrists"]
)
def test_what_waits_does_not_grow_with_the_run(wrong: dict[str, Any]) -> None:
    once, twice = held(*heard(ABOVE, **wrong)), held(*heard(2 * ABOVE, **wrong))
    assert twice <= once + 60 and once < 6 * AWAITED  # 60: where in their second two runs end


def test_every_picture_is_scored_though_it_is_forgotten() -> None:
    scorer, results, _ = heard(ABOVE)
    scorer.take(ended=True)
    assert len(scorer.kept.stamps) == ABOVE == scorer.kept.verdicts["pass"] == scorer.kept.found
    assert results.stamps == [] and results.truth == {} and results.delays == {}


def test_a_clock_set_back_holds_no_picture_up() -> None:
    results = Results()
    scorer = Scorer(results, {}, realtime=True)
    hour = 3600 * conversions.NS
    results.stamps += [hour, hour + STEP, STEP, 2 * STEP]
    assert [line.stamp_ns for line in scorer.take()] == [hour, hour + STEP]


def test_goals_of_another_hand_have_no_coupling() -> None:
    """J0 stands for both joints of a finger, or there are none."""
    for names in (("rh_FFJ0", "rh_FFJ3"), ("joint_1", "joint_2")):
        results = Results(stamps=[STEP])
        results.goals.append(replace(goal(STEP), names=names, positions=np.zeros(2)))
        scorer = Scorer(results, {}, realtime=True)
        assert [line.verdict for line in scorer.take(ended=True)] == ["pass"]
        assert "goal.coupling_violation_rad" not in whole(scorer.kept, results)
    results = Results(stamps=[STEP])
    results.goals.append(replace(goal(STEP), positions=np.eye(16)[4] * 0.3))  # J1 of the middle finger beyond J2
    scorer = Scorer(results, {}, realtime=True)
    scorer.take(ended=True)
    assert whole(scorer.kept, results)["goal.coupling_violation_rad"] == pytest.approx(0.3)


def test_a_trajectory_that_stops_the_robot_is_no_goal() -> None:
    results = Results()
    listener = Listener(results)
    listener.on_joint_goal(JointTrajectory())
    listener.on_wrist_goal(PoseStamped())
    listener.on_joint_goal(conversions.joint_trajectory(goal(STEP), STEP, 0.1))
    listener.on_wrist_goal(PoseStamped(header=conversions.header(STEP, "camera")))
    assert [each.stamp_ns for each in results.goals] == [STEP]


def test_a_goal_without_its_wrist_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The goals after it are those of their own pictures."""
    results = Results()
    listener = Listener(results)
    monkeypatch.setattr("hoi_ros.nodes.listener.time.monotonic", lambda: clock)
    clock = 0.0
    listener.on_joint_goal(conversions.joint_trajectory(replace(goal(0), positions=np.ones(16)), 0, 0.1))
    clock = 60.0
    listener.on_joint_goal(conversions.joint_trajectory(goal(STEP), STEP, 0.1))
    listener.on_wrist_goal(PoseStamped(header=conversions.header(STEP, "camera")))
    assert [each.positions.max() for each in results.goals] == [0.0]
