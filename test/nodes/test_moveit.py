"""Grasps as MoveIt takes them, where its messages are installed (there are no wheels of them)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hoi_ros.msg import Grasp, GraspArray

from hoi_ros.nodes import conversions
from hoi_ros.nodes.moveit import moveit_grasps
from hoi_ros.refusals import Reason, Refused


def grasps() -> GraspArray:
    back, there = (conversions.pose(np.array([0.3, 0.1, z, 0.0, 0.0, 0.0, 1.0])) for z in (0.5, 0.4))
    grasp = Grasp(pre_wrist=back, wrist=there, affordance="Lift", part="rim", score=0.75, joint_names=["a", "b"])
    grasp.pre_grasp_posture, grasp.grasp_posture, grasp.squeeze_posture = [0.0, 0.1], [0.5, 0.6], [0.7, 0.8]
    return GraspArray(header=conversions.header(7, "base_link"), grasps=[grasp])


def test_a_grasp_says_how_to_come_to_close_and_to_squeeze() -> None:
    pytest.importorskip("moveit_msgs", reason="moveit_msgs comes with a ROS installation only")
    (grasp,) = moveit_grasps(grasps(), duration=0.5)
    assert grasp.grasp_pose.header == conversions.header(7, "base_link") and grasp.grasp_pose.pose.position.z == 0.4
    approach = grasp.pre_grasp_approach
    vector = approach.direction.vector
    np.testing.assert_allclose([vector.x, vector.y, vector.z], [0.0, 0.0, -1.0], atol=1e-12)
    assert approach.desired_distance == pytest.approx(0.1) and approach.direction.header.frame_id == "base_link"
    assert list(grasp.pre_grasp_posture.points[0].positions) == [0.0, 0.1] and grasp.grasp_quality == 0.75
    closing, squeezing = grasp.grasp_posture.points
    assert list(closing.positions) == [0.5, 0.6] and list(squeezing.positions) == [0.7, 0.8]
    assert (closing.time_from_start.nanosec, squeezing.time_from_start.sec) == (500_000_000, 1)


def test_without_its_messages_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moveit_msgs.msg", None)
    with pytest.raises(Refused, match="moveit_msgs is not here") as refused:
        moveit_grasps(grasps())
    assert refused.value.reason is Reason.PARAMETER
