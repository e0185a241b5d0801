"""Messages of what is true of a picture, of the grasps that are asked for, and of the cloud."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from demo_bag.messages import FRAME, header_at
from hoi_ros.msg import ObjectState
from rosbags.typesys.store import Typestore
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__PointCloud2 as PointCloud2,
)
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__PointField as PointField,
)

from evaluation_bag.grasps import TrueGrasp
from evaluation_bag.scene import Scene
from hoi_ros.dataset.pictures.rendering import move_hand
from hoi_ros.hand import HandFit, HandModel, make_hand_pose
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import as_bytes, serialized
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import Pipeline, Result
from hoi_ros.retargeting.plan_goals import grasp_goals
from hoi_ros.retargeting.postures import Planner
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, Grasp, HandBatch, HandPose, ObjectCloud

CLOUD, INSTRUCTION = "/object_cloud", "/instruction"
GRASPS = "/ground_truth/grasps"
TOPICS = {
    CLOUD: "sensor_msgs/msg/PointCloud2",
    INSTRUCTION: "std_msgs/msg/String",
    "/ground_truth/hands": "hoi_ros/msg/HandPoseArray",
    "/ground_truth/object": "hoi_ros/msg/ObjectState",
    "/ground_truth/joint_goal": "trajectory_msgs/msg/JointTrajectory",
    "/ground_truth/wrist_goal": "geometry_msgs/msg/PoseStamped",
    GRASPS: "hoi_ros/msg/GraspArray",
}
SURFACE = 4096  # points of the mesh that the robot's grasp is planned on


class Truth:
    """Makes the messages of one recording; the goals of a picture follow on those of the picture before."""

    def __init__(self, model: HandModel, obj: ObjectModel, scene: Scene, types: Typestore) -> None:
        self._model, self._obj, self._scene, self._types = model, obj, scene, types
        self._name = f"{model.name} {model.digest[:12]}"
        self._parameters = Parameters()
        self._pipeline = Pipeline.build(self._parameters, ["retargeter"])

    def picture(self, stamp: int, hand: HandBatch, object_pose: Array) -> dict[str, bytes]:
        """Hands, object and goals at ``stamp`` ns by topic.

        ``hand`` (1) and ``object_pose`` (7,) are in the camera's frame. The goals are what the package's own
        retargeter gives for the true hand.
        """
        true = self._pose(hand, stamp)
        header = conversions.header(stamp, FRAME)
        result = Result([true], self._pipeline.retarget([true]))
        made = serialized(result, header, self._name, self._parameters.goal_duration, self._types)
        state = ObjectState(
            header=header, pose=conversions.pose(object_pose), caption=self._obj.name, score=1.0
        )  # without a cloud: the mesh lies beside the bag
        state.cloud.header = header
        return {f"/ground_truth{topic}": cdr for topic, _, cdr in made} | {"/ground_truth/object": self._cdr(state)}

    def grasps(self, stamp: int, grasp: TrueGrasp, instruction: str) -> bytes:
        """GraspArray of one true grasp of the standing mug, in the camera's frame, with the stamp of the cloud."""
        rotation, shift = self._scene.rotation, self._scene.shift
        human = self._pose(move_hand(self._model, grasp.hand, rotation, shift), stamp)
        # The robot's plan wants z up; only the origin may be the camera's.
        origin = rotation.T @ shift
        points, normals, _ = sample_surface(self._obj, SURFACE, np.random.default_rng(0))
        plan = Planner().plan((human.keypoints @ rotation)[None], ObjectCloud(points + origin, normals), origin[2])
        goals = grasp_goals(plan, rotation, [human])
        true = Grasp(human, grasp.use.affordance, grasp.use.part, 1.0)
        header = conversions.header(stamp, FRAME)
        return self._cdr(conversions.grasp_array([true], goals, header, instruction, self._name))

    def _pose(self, hand: HandBatch, stamp: int) -> HandPose:
        nothing = np.zeros(())
        fit = HandFit(
            hand.global_orient[0], hand.hand_pose[0], hand.betas[0], hand.transl[0],
            np.zeros((21, 3)), nothing, nothing.astype(np.int64),
        )  # fmt: skip
        pose = make_hand_pose(self._model, fit, side="right", score=1.0, intrinsics=self._scene.camera)
        return replace(pose, stamp_ns=stamp, frame_id=FRAME)

    def _cdr(self, message: object) -> bytes:
        return as_bytes(message, self._types)[1]


def cloud_message(stamp: int, points: Array) -> PointCloud2:
    """Cloud of points (N, 3) m in the camera's frame."""
    fields = [PointField(name, 4 * i, PointField.FLOAT32, 1) for i, name in enumerate("xyz")]
    data = np.frombuffer(points.astype("<f4").tobytes(), np.uint8)
    count = len(points)
    return PointCloud2(header_at(stamp), 1, count, fields, False, 12, 12 * count, data, True)
