"""The messages of an RGB-D camera and of true keypoints, and the bag they go into."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore
from rosbags.typesys.stores.ros2_jazzy import (
    builtin_interfaces__msg__Time as Time,
)
from rosbags.typesys.stores.ros2_jazzy import (
    geometry_msgs__msg__Point as Point,
)
from rosbags.typesys.stores.ros2_jazzy import (
    geometry_msgs__msg__Pose as Pose,
)
from rosbags.typesys.stores.ros2_jazzy import (
    geometry_msgs__msg__PoseArray as PoseArray,
)
from rosbags.typesys.stores.ros2_jazzy import (
    geometry_msgs__msg__Quaternion as Quaternion,
)
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__CameraInfo as CameraInfo,
)
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__CompressedImage as CompressedImage,
)
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__Image as Image,
)
from rosbags.typesys.stores.ros2_jazzy import (
    sensor_msgs__msg__RegionOfInterest as RegionOfInterest,
)
from rosbags.typesys.stores.ros2_jazzy import (
    std_msgs__msg__Header as Header,
)

from hoi_ros.types import Array, Intrinsics

START = 1_700_000_000_000_000_000  # ns
JPEG_QUALITY = 88
FRAME = "camera_color_optical_frame"
COLOUR, DEPTH = "/camera/color", "/camera/aligned_depth_to_color"
KEYPOINTS = "/ground_truth/hand_joints"
_KINDS: dict[str, Any] = {
    f"{COLOUR}/camera_info": CameraInfo,
    f"{DEPTH}/camera_info": CameraInfo,
    f"{DEPTH}/image_raw": Image,
    f"{COLOUR}/image_raw/compressed": CompressedImage,
    KEYPOINTS: PoseArray,
}
TOPICS: dict[str, str] = {topic: kind.__msgtype__ for topic, kind in _KINDS.items()}
"""Topic -> type of what ``picture_messages`` makes."""


def header_at(stamp: int) -> Header:
    """The header of everything at ``stamp`` ns, in the camera's frame."""
    return Header(Time(stamp // 10**9, stamp % 10**9), FRAME)


def picture_messages(
    stamp: int, colour: NDArray[np.uint8], depth: NDArray[np.uint16], keypoints: Array, camera: Intrinsics
) -> dict[str, object]:
    """One picture's messages by topic: colour (H, W, 3) RGB, depth (H, W) mm, true keypoints (21, 3) m."""
    header = header_at(stamp)
    height, width = depth.shape
    jpeg = cv2.imencode(".jpg", colour[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].ravel()
    k = camera.matrix
    info = CameraInfo(
        header, height, width, "plumb_bob", np.zeros(5), k.ravel(), np.eye(3).ravel(),
        np.column_stack([k, np.zeros(3)]).ravel(), 0, 0, RegionOfInterest(0, 0, 0, 0, False),
    )  # fmt: skip
    raw = np.frombuffer(depth.astype("<u2").tobytes(), np.uint8)
    poses = [Pose(Point(*point), Quaternion(0.0, 0.0, 0.0, 1.0)) for point in keypoints.tolist()]
    values = (
        info,
        info,
        Image(header, height, width, "16UC1", 0, 2 * width, raw),
        CompressedImage(header, "rgb8; jpeg compressed bgr8", jpeg),
        PoseArray(header, poses),
    )
    return dict(zip(TOPICS, values, strict=True))


class CompressedBag:
    """Writes one compressed .mcap with the topics of ``kinds`` (topic -> type). Use as a context manager."""

    def __init__(self, path: Path, kinds: Mapping[str, str], types: Typestore) -> None:
        self._path, self._kinds, self._types = path, kinds, types

    def __enter__(self) -> CompressedBag:
        self._folder = tempfile.TemporaryDirectory()
        bag = Path(self._folder.name, "bag")
        self._writer = Writer(bag, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections = {
            topic: self._writer.add_connection(topic, kind, typestore=self._types)
            for topic, kind in self._kinds.items()
        }
        return self

    def write(self, topic: str, time_ns: int, message: Any) -> None:
        """Append a message, or one that is CDR bytes already."""
        raw = message if isinstance(message, bytes) else self._types.serialize_cdr(message, self._kinds[topic])
        self._writer.write(self._connections[topic], time_ns, raw)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self._writer.close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(self._folder.name, "bag", "bag.mcap"), self._path)
        else:
            self._writer.abort()
        self._folder.cleanup()
