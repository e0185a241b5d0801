"""Pictures of real hands that people have labelled: the three sets of ``hand_images`` and the frames of ``hand_rgbd``.

FreiHAND comes without its cameras: ``ANGLE`` is assumed. Keypoints are K21, in the camera's frame.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.replay.bag import Bag
from hoi_ros.replay.offline import camera_frame
from hoi_ros.types import Array, CameraFrame, Intrinsics, Side

ANGLE = 60.0  # degrees across a picture
_DIGITS = np.arange(20).reshape(5, 4)[:, ::-1].ravel()  # from tip to base, turned round
_WRIST_LAST = np.concatenate([[20], _DIGITS])
_SIDES: Mapping[Side, slice] = {"right": slice(0, 21), "left": slice(21, 42)}
_WRIST_FIRST = np.concatenate([[0], _DIGITS + 1])


@dataclass(frozen=True)
class Labelled:
    """One hand in one picture."""

    name: str
    frame: CameraFrame
    pixels: Array  # (21, 2) px
    keypoints: Array | None = None  # (21, 3) m, where they are told
    side: Side | None = None


def freihand(folder: Path) -> Iterator[Labelled]:
    """Two poses, each on four backgrounds; pixels alone."""
    told = _read(folder / "test_freihand.json")
    pixels = {each["image_id"]: np.array(each["keypoints"]).reshape(21, 3)[:, :2] for each in told["annotations"]}
    for image in told["images"]:
        rgb = _picture(folder / image["file_name"])
        height, width = rgb.shape[:2]
        focal = width / 2.0 / math.tan(math.radians(ANGLE / 2.0))
        camera = Intrinsics(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0)
        yield Labelled(Path(image["file_name"]).stem, CameraFrame(rgb, camera), pixels[image["id"]], side="right")


def rhd(folder: Path) -> Iterator[Labelled]:
    """Rendered persons."""
    told = _read(folder / "test_rhd.json")
    places = {each["image_id"]: np.array(each["joint_cam"])[_WRIST_FIRST] / 1e3 for each in told["annotations"]}
    for image in told["images"]:
        camera = Intrinsics(*image["cam_param"]["focal"], *image["cam_param"]["princpt"])
        frame, points = CameraFrame(_picture(folder / image["file_name"]), camera), places[image["id"]]
        yield Labelled(Path(image["file_name"]).stem, frame, camera.project(points), points)


def interhand(folder: Path) -> Iterator[Labelled]:
    """One hand of a person, or both."""
    images, cameras, joints = (
        _read(folder / f"test_interhand2.6m_{name}.json") for name in ("data", "camera", "joint_3d")
    )
    for image in images["images"]:
        capture, number = str(image["capture"]), image["camera"]
        of = {key: np.array(values[number]) for key, values in cameras[capture].items()}
        camera = Intrinsics(*of["focal"], *of["princpt"])
        told = joints[capture][str(image["frame_idx"])]
        points = (np.array(told["world_coord"]) - of["campos"]) @ of["camrot"].T / 1e3
        valid = np.array(told["joint_valid"])[:, 0].astype(bool)
        frame = CameraFrame(_picture(folder / image["file_name"]), camera)
        for side, rows in _SIDES.items():
            if valid[rows].all():
                hand, name = points[rows][_WRIST_LAST], f"{Path(image['file_name']).stem} {side}"
                yield Labelled(name, frame, camera.project(hand), hand, side)


def rgbd(folder: Path) -> Iterator[Labelled]:
    """One hand that closes and opens, with its depth."""
    with Bag(folder / "hand_rgbd.mcap") as bag:
        for number, recorded in enumerate(bag.frames()):
            frame = camera_frame(recorded, wants_depth=True)
            if recorded.truth is not None:
                yield Labelled(
                    f"{number:02d}", frame, frame.intrinsics.project(recorded.truth), recorded.truth, "right"
                )


SETS: Mapping[str, Callable[[Path], Iterator[Labelled]]] = {
    "hand_images/freihand": freihand,
    "hand_images/interhand2.6m": interhand,
    "hand_images/rhd": rhd,
    "hand_rgbd": rgbd,
}
"""Folder -> its hands."""


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _picture(path: Path) -> NDArray[np.uint8]:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
