"""``evaluation`` in its own process: verdicts on a live graph, the result it leaves, and scenarios it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import yaml
from geometry_msgs.msg import Point, Pose, PoseArray, PoseStamped
from graph import EXECUTABLES, Graph, NodeProcess
from hoi_ros.msg import HandPoseArray, Status
from sensor_msgs.msg import CameraInfo
from trajectory_msgs.msg import JointTrajectory

from hoi_ros.nodes import conversions
from hoi_ros.pipeline import flat_hand
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


def test_a_wrong_scenario_ends_the_node_with_the_reason(tmp_path: Path) -> None:
    path = scenario(tmp_path, treshold={})
    command = [str(EXECUTABLES / "evaluation"), "--ros-args", "-p", f"scenario:={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'thresholds'?" in done.stderr and "Traceback" not in done.stderr
