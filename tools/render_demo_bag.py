"""Renders the demo's bag: ``python tools/render_demo_bag.py --out hoi_ros/demo/hand.mcap [--pictures DIR]``.

The embedded hand opens, makes a fist, points, pinches, spreads and waves before an RGB-D camera; the ground truth is
the model's own keypoints. The same seed gives the same bag.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from demo_bag.motion import SCORE, hand_motion
from demo_bag.scene import CAMERA, SIZE, Scene
from numpy.typing import NDArray
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
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

from hoi_ros.hand import load_hand_model
from hoi_ros.types import Array

RATE = 15.0  # Hz
START = 1_700_000_000_000_000_000  # ns
JPEG_QUALITY = 88
SEED = 3
FRAME = "camera_color_optical_frame"
COLOUR, DEPTH = "/camera/color", "/camera/aligned_depth_to_color"
TOPICS: dict[str, Any] = {
    f"{COLOUR}/camera_info": CameraInfo,
    f"{DEPTH}/camera_info": CameraInfo,
    f"{DEPTH}/image_raw": Image,
    f"{COLOUR}/image_raw/compressed": CompressedImage,
    "/ground_truth/hand_joints": PoseArray,
}


def messages(stamp: int, colour: NDArray[np.uint8], depth: NDArray[np.uint16], keypoints: Array) -> dict[str, object]:
    """One picture's messages by topic."""
    header = Header(Time(stamp // 10**9, stamp % 10**9), FRAME)
    height, width = SIZE
    jpeg = cv2.imencode(".jpg", colour[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].ravel()
    k = CAMERA.matrix
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


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .mcap to write")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures as PNG, to look at")
    parser.add_argument("--every", type=int, default=1, help="render only every so many pictures, to look quickly")
    arguments = parser.parse_args()
    model = load_hand_model()
    times = np.arange(0.0, SCORE[-1][0], arguments.every / RATE)
    motion = hand_motion(model, times)
    truth = model.joints(motion[0], motion[1], transl=motion[2])
    scene, rng = Scene(model), np.random.default_rng(SEED)
    store = get_typestore(Stores.ROS2_JAZZY)
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder, "bag"), version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            kinds = {topic: kind.__msgtype__ for topic, kind in TOPICS.items()}
            connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
            for i, time in enumerate(times):
                colour, depth = scene.render(motion[0][i], motion[1][i], motion[2][i], rng)
                stamp = START + round(time * 1e9)
                for topic, message in messages(stamp, colour, depth, truth[i]).items():
                    writer.write(connections[topic], stamp, store.serialize_cdr(message, kinds[topic]))
                if arguments.pictures:
                    arguments.pictures.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(arguments.pictures / f"{i:03d}.png"), colour[..., ::-1])
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(folder, "bag", "bag.mcap"), arguments.out)


if __name__ == "__main__":
    main()
