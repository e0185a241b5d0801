"""Grasps as MoveIt takes them, where ``moveit_msgs`` is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseStamped, Vector3, Vector3Stamped
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hoi_ros.msg import Grasp, GraspArray
from hoi_ros.nodes.conversions import NS
from hoi_ros.refusals import Reason, Refused

LEAST_WAY = 0.5  # share of the way to the object that must be free


def moveit_grasps(message: GraspArray, duration: float = 1.0) -> list[Any]:
    """``moveit_msgs/Grasp`` of each grasp, best first.

    ``grasp_pose`` is that of the palm link, so ``rh_palm`` (``lh_palm``) has to be the end effector's parent link. The
    hand closes within ``duration`` s and squeezes within as many more. Where to go with the object is the caller's
    choice: ``post_grasp_retreat`` is left empty. Raises Refused(PARAMETER) without ``moveit_msgs``.
    """
    try:
        from moveit_msgs.msg import Grasp as MoveItGrasp
        from moveit_msgs.msg import GripperTranslation
    except ImportError:
        raise Refused(Reason.PARAMETER, "moveit_msgs is not here; it comes with a ROS installation") from None

    found = []
    for number, grasp in enumerate(message.grasps):
        way = _position(grasp.wrist) - _position(grasp.pre_wrist)
        distance = float(np.linalg.norm(way))
        x, y, z = (way / distance).tolist()
        approach = GripperTranslation(
            direction=Vector3Stamped(header=message.header, vector=Vector3(x=x, y=y, z=z)),
            desired_distance=distance,
            min_distance=LEAST_WAY * distance,
        )
        found.append(
            MoveItGrasp(
                id=f"{number} {grasp.affordance} {grasp.part}",
                pre_grasp_posture=_postures(grasp, [grasp.pre_grasp_posture], duration),
                grasp_posture=_postures(grasp, [grasp.grasp_posture, grasp.squeeze_posture], duration),
                grasp_pose=PoseStamped(header=message.header, pose=grasp.wrist),
                grasp_quality=float(grasp.score),
                pre_grasp_approach=approach,
            )
        )
    return found


def _position(pose: Any) -> Any:
    return np.array([pose.position.x, pose.position.y, pose.position.z])


def _postures(grasp: Grasp, postures: Sequence[Any], duration: float) -> JointTrajectory:
    """Postures one after the other, ``duration`` s each."""
    points = []
    for number, posture in enumerate(postures, 1):
        after = round(number * duration * NS)
        time = Duration(sec=after // NS, nanosec=after % NS)
        points.append(JointTrajectoryPoint(positions=[float(v) for v in posture], time_from_start=time))
    return JointTrajectory(joint_names=list(grasp.joint_names), points=points)
