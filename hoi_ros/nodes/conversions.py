"""Messages to dataclasses and back: the only place that knows message layouts and ROS quaternion order.

Functions that read a message take anything with its fields, so messages of a recorded bag convert the same way. Each
refuses what it cannot use with its typed reason and the offending values, and raises nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, PoseArray, PoseStamped, Quaternion, Vector3
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import UnidentifiedImageError
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from hoi_ros import msg as hoi
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, Grasp, GraspGoals, HandPose, Intrinsics, JointGoal, ObjectCloud, ObjectState, Side

CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1, "rgba8": 4, "bgra8": 4}
TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
}
DEPTH = {"16UC1": ("u2", 1e-3), "32FC1": ("f4", 1.0)}  # item type, metres per unit
MAX_PIXELS = 50_000_000  # more than any camera gives; a few kB of compressed data can claim far more
NS = 1_000_000_000
SIDES: dict[int, Side] = {hoi.HandPose.LEFT: "left", hoi.HandPose.RIGHT: "right"}

BONES = np.array([(0 if j == 0 else 4 * f + j, 4 * f + j + 1) for f in range(5) for j in range(4)])  # K21 pairs
MESH_COLOUR = {"left": ColorRGBA(r=0.35, g=0.62, b=0.9, a=0.95), "right": ColorRGBA(r=0.93, g=0.68, b=0.5, a=0.95)}
BONE_COLOUR = ColorRGBA(r=0.1, g=0.1, b=0.1, a=1.0)


# --- in -----------------------------------------------------------------------------------------------------------


def stamp_ns(header: Any) -> int:
    """Stamp of a header, ns."""
    return int(header.stamp.sec) * NS + int(header.stamp.nanosec)


def rgb(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """Picture (H, W, 3), RGB. An rgb8 message without row padding is viewed, not copied.

    Raises Refused: ENCODING, PICTURE_SIZE, PICTURE_DATA.
    """
    if hasattr(message, "format"):
        return _decompressed(message)
    if message.encoding not in CHANNELS:
        raise Refused(Reason.ENCODING, f"encoding is '{message.encoding}'; a picture is one of: {', '.join(CHANNELS)}")
    pixels = _pixels(message, np.dtype(np.uint8), CHANNELS[message.encoding])
    if message.encoding == "rgb8":
        return np.ascontiguousarray(pixels)
    return cv2.cvtColor(pixels, TO_RGB[message.encoding])


def depth(message: Image, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Depth (H, W) in m, registered to a picture of ``shape`` (H, W); 0 where unknown.

    Raises Refused: ENCODING, PICTURE_SIZE, PICTURE_DATA, DEPTH_SIZE, DEPTH_VALUES.
    """
    if message.encoding not in DEPTH:
        raise Refused(Reason.ENCODING, f"encoding is '{message.encoding}'; depth is one of: {', '.join(DEPTH)}")
    kind, unit = DEPTH[message.encoding]
    if (message.height, message.width) != shape:
        sizes = f"depth is {message.width}x{message.height}, the picture is {shape[1]}x{shape[0]}"
        raise Refused(Reason.DEPTH_SIZE, f"{sizes}; register it to the colour")
    raw = _pixels(message, np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<"), 1)
    if raw.dtype.kind == "u":  # nothing below zero, and nothing infinite
        metres = np.multiply(raw, np.float32(unit), dtype=np.float32)
    else:
        metres = raw.astype(np.float32)
        np.copyto(metres, 0.0, where=~((metres > 0.0) & (metres < np.inf)))
    if not metres.any():
        counts = f"{np.isnan(raw).sum()} NaN, {(raw < 0).sum()} negative, {(raw == 0).sum()} zero"
        raise Refused(Reason.DEPTH_VALUES, f"depth has no usable pixel among {metres.size}: {counts}")
    return metres


def intrinsics(message: CameraInfo, shape: tuple[int, int] | None = None) -> Intrinsics:
    """Pinhole camera of a camera_info, for a rectified picture of ``shape`` (H, W) where that is known.

    That is P as image_proc fills it; K, which is the same without distortion, where a driver leaves P empty.

    Raises Refused(INTRINSICS) for focal lengths or a centre no camera has, and for another picture size.
    """
    matrix = np.reshape(message.p if message.p[0] else message.k, (3, -1))
    fx, fy, cx, cy = (float(v) for v in (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    size = (int(message.height), int(message.width))
    if shape is not None and all(size) and size != shape:
        raise Refused(
            Reason.INTRINSICS, f"camera_info is for {size[1]}x{size[0]}, the picture is {shape[1]}x{shape[0]}"
        )
    height, width = shape or size
    extent = max(height, width) or 1e4
    focal = all(0.1 * extent <= f <= 100.0 * extent for f in (fx, fy))
    centre = -extent <= cx <= 2.0 * extent and -extent <= cy <= 2.0 * extent
    if not (focal and centre):
        values = f"fx={fx:g} fy={fy:g} cx={cx:g} cy={cy:g}"
        raise Refused(Reason.INTRINSICS, f"camera_info has {values}; no camera of {width}x{height} pixels has these")
    return Intrinsics(fx, fy, cx, cy)


def distorted(message: CameraInfo) -> bool:
    """Whether the lens distorts, so that pictures of it want rectifying; camera_info tells not whether they are."""
    return bool(np.any(np.abs(np.asarray(message.d, dtype=float)) > 1e-9))


def hand_pose(message: hoi.HandPose) -> HandPose:
    """Hand of a message.

    Raises Refused(KEYPOINTS) for values that are not finite or no rotation, Refused(SIDE) for an unknown side.
    """
    if message.side not in SIDES:
        raise Refused(Reason.SIDE, f"side is {message.side}; it is one of: {SIDES}")
    arrays = {
        "global_orient": message.global_orient,
        "hand_pose": message.hand_pose,
        "betas": message.betas,
        "transl": message.transl,
        "keypoints": [(k.x, k.y, k.z) for k in message.keypoints],
        "wrist_pose": pose_array(message.wrist),
        "keypoints_2d": np.reshape(message.keypoints_2d, (21, 2)),
        "confidence": message.confidence,
        "score": message.score,
        "change": getattr(message, "change", 0.0),  # older recordings know no refinement
        "deviation": getattr(message, "deviation", np.zeros(21)),
    }
    values = {name: np.array(value, dtype=np.float64) for name, value in arrays.items()}
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise Refused(Reason.KEYPOINTS, f"{name} of the {SIDES[message.side]} hand is not finite: {value.ravel()}")
    norm = np.linalg.norm(values["wrist_pose"][3:])
    if abs(norm - 1.0) > 1e-3:
        raise Refused(Reason.KEYPOINTS, f"wrist orientation is no rotation: its quaternion has length {norm:g}")
    return HandPose(
        side=SIDES[message.side],
        score=float(values.pop("score")),
        change=float(values.pop("change")),
        refinement=str(getattr(message, "refinement", "")),
        track_id=int(message.track_id),
        stamp_ns=stamp_ns(message.header),
        frame_id=message.header.frame_id,
        **values,
    )


def joint_goal(trajectory: JointTrajectory, wrist: PoseStamped) -> JointGoal:
    """The goal of a trajectory's last point and the wrist beside it, whose header tells the picture."""
    return JointGoal(
        names=tuple(trajectory.joint_names),
        positions=np.array(trajectory.points[-1].positions, dtype=np.float64),
        actuator_names=(),
        actuator_positions=np.zeros(0),
        wrist_pose=pose_array(wrist.pose),
        stamp_ns=stamp_ns(wrist.header),
        frame_id=wrist.header.frame_id,
    )


def pose_array(message: Pose) -> Array:
    """(7,) xyz m + xyzw."""
    p, q = message.position, message.orientation
    return np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])


def rigid_pose(message: Pose) -> Array | None:
    """(7,) xyz m + xyzw; None where it is not finite or no rotation."""
    values = pose_array(message)
    return values if np.isfinite(values).all() and abs(np.linalg.norm(values[3:]) - 1.0) <= 1e-3 else None


def keypoints(message: PoseArray) -> Array | None:
    """The 21 points (21, 3), m, of a pose array; None where it holds others, or non-finite ones."""
    points = np.array([(p.position.x, p.position.y, p.position.z) for p in message.poses])
    return points if points.shape == (21, 3) and np.isfinite(points).all() else None


def object_state(message: hoi.ObjectState) -> ObjectState:
    """An object as it was found. Raises Refused: NOT_FINITE (its pose is none), FRAME, CLOUD (of its points)."""
    values, cloud, frame = rigid_pose(message.pose), message.cloud, message.header.frame_id
    if values is None:
        raise Refused(Reason.NOT_FINITE, f"pose of the object is no place and rotation: {pose_array(message.pose)}")
    points = object_cloud(cloud).points if cloud.width * cloud.height else np.zeros((0, 3))
    if len(points) and cloud.header.frame_id != frame:
        raise Refused(Reason.FRAME, f"the object is in '{frame}', its points are in '{cloud.header.frame_id}'")
    return ObjectState(values, points, message.caption, float(message.score), stamp_ns(message.header), frame)


def depth_cloud(message: Image, camera: CameraInfo) -> PointCloud2:
    """Every known pixel of a depth picture as a point, m, in the camera's frame. Raises Refused as `depth` does."""
    metres = depth(message, (message.height, message.width))
    view = intrinsics(camera, (message.height, message.width))
    row, column = np.nonzero(metres)
    z = metres[row, column]
    x, y = (column - view.cx) / view.fx * z, (row - view.cy) / view.fy * z
    points = np.stack([x, y, z], axis=1).astype(np.float32)
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    cloud = PointCloud2(header=header(stamp_ns(message.header), message.header.frame_id), fields=fields)
    cloud.height, cloud.width, cloud.point_step, cloud.row_step = 1, len(points), 12, 12 * len(points)
    cloud.data, cloud.is_dense = points.tobytes(), True
    return cloud


def object_cloud(message: PointCloud2) -> ObjectCloud:
    """The finite points of a cloud, m. Raises Refused(FRAME) without a frame_id, Refused(CLOUD) without such points."""
    from hoi_ros.scene.clouds import from_pointcloud2  # open3d, which pictures do without

    if not message.header.frame_id:
        raise Refused(Reason.FRAME, "frame_id of the cloud is empty: nobody could tell where the grasps are")
    cloud = from_pointcloud2(message)
    normals = cloud.normals
    if normals is not None and not np.isfinite(normals).all():
        normals = None
    return ObjectCloud(cloud.points, normals, stamp_ns(message.header), message.header.frame_id)


def _pixels(message: Image, dtype: np.dtype[Any], channels: int) -> NDArray[Any]:
    """View (H, W) or (H, W, channels) of a picture's pixels, row padding left out."""
    height, width, step, data = int(message.height), int(message.width), int(message.step), message.data
    if height == 0 or width == 0:
        raise Refused(Reason.PICTURE_SIZE, f"picture is {width}x{height}")
    if height * width > MAX_PIXELS:
        raise Refused(Reason.PICTURE_SIZE, f"picture is {width}x{height}; at most {MAX_PIXELS} pixels are taken")
    row = width * channels * dtype.itemsize
    if step < row:
        raise Refused(Reason.PICTURE_DATA, f"step is {step}; {width} pixels of {message.encoding} take {row} bytes")
    if len(data) != step * height:
        raise Refused(Reason.PICTURE_DATA, f"data has {len(data)} bytes; {height} rows of {step} make {step * height}")
    rows = np.frombuffer(data, np.uint8).reshape(height, step)[:, :row]
    if dtype.itemsize > 1:
        rows = np.ascontiguousarray(rows)
    pixels = rows.view(dtype)
    return pixels.reshape(height, width, channels) if channels > 1 else pixels


def _decompressed(message: CompressedImage) -> NDArray[np.uint8]:
    data = memoryview(message.data).tobytes()
    try:
        with Picture.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise Refused(
                    Reason.PICTURE_SIZE, f"picture is {width}x{height}; at most {MAX_PIXELS} pixels are taken"
                )
            return np.array(picture.convert("RGB"))
    except UnidentifiedImageError:
        known = f"format is '{message.format}', {len(data)} bytes starting {data[:4].hex() or 'nowhere'}"
        raise Refused(Reason.PICTURE_DATA, f"compressed picture is neither JPEG nor PNG: {known}") from None
    except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError) as error:
        raise Refused(Reason.PICTURE_DATA, f"compressed picture of {len(data)} bytes is corrupt: {error}") from None


# --- out ----------------------------------------------------------------------------------------------------------


def header(stamp: int, frame_id: str) -> Header:
    """Header of a stamp in ns."""
    return Header(stamp=Time(sec=stamp // NS, nanosec=stamp % NS), frame_id=frame_id)


def hand_pose_array(hands: list[HandPose], head: Header, hand_model: str) -> hoi.HandPoseArray:
    """Message of every hand in one picture."""
    return hoi.HandPoseArray(header=head, hands=[hand_pose_message(hand, head, hand_model) for hand in hands])


def hand_pose_message(hand: HandPose, head: Header, hand_model: str) -> hoi.HandPose:
    """Message of one hand."""
    single, double = ("confidence", "deviation"), ("keypoints_2d", "global_orient", "hand_pose", "betas", "transl")
    return hoi.HandPose(
        header=head,
        side=hoi.HandPose.RIGHT if hand.side == "right" else hoi.HandPose.LEFT,
        track_id=int(hand.track_id),
        score=float(hand.score),
        keypoints=_points(hand.keypoints),
        wrist=pose(hand.wrist_pose),
        hand_model=hand_model,
        refinement=hand.refinement,
        change=float(hand.change),
        **{name: np.asarray(getattr(hand, name), np.float32) for name in single},
        **{name: np.asarray(getattr(hand, name), np.float64).ravel() for name in double},
    )


def pose(values: Array) -> Pose:
    """Message of a pose (7,), xyz m + quaternion xyzw."""
    x, y, z, qx, qy, qz, qw = (float(v) for v in values)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def joint_trajectory(goal: JointGoal, now: int, duration: float) -> JointTrajectory:
    """One point, ``duration`` s after ``now`` (ns on the node's clock), as joint_trajectory_controller takes it.

    The stamp is that of sending, not of the picture: the controller drops trajectories that end in the past.
    """
    after = round(duration * NS)
    ahead = Duration(sec=after // NS, nanosec=after % NS)
    point = JointTrajectoryPoint(positions=[float(v) for v in goal.positions], time_from_start=ahead)
    return JointTrajectory(header=header(now, ""), joint_names=list(goal.names), points=[point])


def wrist_goal(goal: JointGoal) -> PoseStamped:
    """Where the robot's wrist should be, in the frame and with the stamp of the picture."""
    return PoseStamped(header=header(goal.stamp_ns, goal.frame_id), pose=pose(goal.wrist_pose))


def grasp_array(
    grasps: Sequence[Grasp], goals: Sequence[GraspGoals], head: Header, instruction: str, hand_model: str
) -> hoi.GraspArray:
    """Message of grasps with what the robot hand does for each."""
    pairs = zip(grasps, goals, strict=True)
    messages = [_grasp_message(grasp, goal, head, hand_model) for grasp, goal in pairs]
    return hoi.GraspArray(header=head, instruction=instruction, grasps=messages)


def _grasp_message(grasp: Grasp, goals: GraspGoals, head: Header, hand_model: str) -> hoi.Grasp:
    return hoi.Grasp(
        hand=hand_pose_message(grasp.hand, head, hand_model),
        pre_wrist=pose(goals.pre_grasp.wrist_pose),
        wrist=pose(goals.grasp.wrist_pose),
        joint_names=list(goals.grasp.names),
        pre_grasp_posture=np.asarray(goals.pre_grasp.positions, np.float64),
        grasp_posture=np.asarray(goals.grasp.positions, np.float64),
        squeeze_posture=np.asarray(goals.squeeze.positions, np.float64),
        affordance=str(grasp.affordance),
        part=grasp.part,
        score=float(grasp.score),
        quality_names=list(grasp.quality),
        quality_values=np.array([*grasp.quality.values()], np.float32),
    )


def grasp(message: hoi.Grasp) -> Grasp:
    """The grasp of a message, without what the robot hand does for it."""
    quality = dict(zip(message.quality_names, map(float, message.quality_values), strict=True))
    return Grasp(hand_pose(message.hand), message.affordance, message.part, float(message.score), quality)


def hand_markers(hand: HandPose, vertices: Array, faces: NDArray[Any], head: Header, lifetime: float) -> MarkerArray:
    """Mesh and skeleton of a hand from ``vertices`` (V, 3) m and ``faces`` (F, 3).

    Identifiers follow the track, so that a viewer moves a hand instead of adding one. The mesh is not quite opaque:
    RViz flickers on opaque triangle lists.
    """
    corners = _points(vertices)
    mesh = _marker(f"hand_mesh_{hand.side}", int(hand.track_id), Marker.TRIANGLE_LIST, 1.0, head, lifetime)
    mesh.color = MESH_COLOUR[hand.side]
    mesh.points = [corners[i] for i in np.asarray(faces).ravel().tolist()]
    joints = _points(hand.keypoints)
    skeleton = _marker(f"hand_skeleton_{hand.side}", int(hand.track_id), Marker.LINE_LIST, 0.003, head, lifetime)
    skeleton.color = BONE_COLOUR
    skeleton.points = [joints[i] for i in BONES.ravel().tolist()]
    return MarkerArray(markers=[mesh, skeleton])


def grasp_markers(grasps: Sequence[Grasp], meshes: Sequence[Array], faces: NDArray[Any], head: Header) -> MarkerArray:
    """Hands of grasps from their vertices (V, 3) m, by score from red to green, instead of those shown before.

    The best one can be seen through a little, the others much.
    """
    array = MarkerArray(markers=[Marker(header=head, action=Marker.DELETEALL)])
    order = np.asarray(faces).ravel().tolist()
    for number, (grasp, vertices) in enumerate(zip(grasps, meshes, strict=True)):
        corners = _points(vertices)
        mesh = _marker("grasps", number, Marker.TRIANGLE_LIST, 1.0, head, 0.0)
        mesh.color = ColorRGBA(r=1.0 - grasp.score, g=grasp.score, b=0.3, a=0.25 if number else 0.95)
        mesh.points = [corners[i] for i in order]
        array.markers.append(mesh)
    return array


def _marker(namespace: str, number: int, kind: int, scale: float, head: Header, lifetime: float) -> Marker:
    nanoseconds = round(lifetime * NS)
    return Marker(
        header=head,
        ns=namespace,
        id=number & 0x7FFFFFFF,
        type=kind,
        action=Marker.ADD,
        pose=Pose(orientation=Quaternion(w=1.0)),
        scale=Vector3(x=scale, y=scale, z=scale),
        lifetime=Duration(sec=nanoseconds // NS, nanosec=nanoseconds % NS),
    )


def _points(values: Array) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in np.asarray(values, np.float64).tolist()]
