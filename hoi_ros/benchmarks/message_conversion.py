"""How fast messages become arrays, beside what one writes with NumPy for the same message.

A 640x480 camera: pictures ``rgb8`` and ``bgr8``, depth ``16UC1``, and the organised cloud ``x y z rgb`` that
``depth_image_proc`` makes of them (32 bytes a point, NaN where depth is unknown). Ours are the functions of
``nodes.conversions``, which also refuse what is no such message, zero unusable depth and keep cloud points finite. The
peers are what a newcomer writes (``list``, ``struct``) and what a careful person writes (``np.frombuffer``, a copy),
without any check. All must give the same array; of an ``rgb8`` picture ours is a view. Wall times.
"""

from __future__ import annotations

import array
import math
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image, PointCloud2, PointField

from hoi_ros.benchmarks.side_by_side import SHORTEST, comparison, largest_difference, result, take_turns
from hoi_ros.nodes import conversions
from hoi_ros.types import Array

SIZE = (480, 640)  # height, width
TOLERANCE = 1e-6  # of pixel values and m: depth is float32 on one side, float64 on the other
FOCAL = 600.0  # px
OFFSETS = {"x": 0, "y": 4, "z": 8, "rgb": 16}
POINT = np.dtype(
    {"names": [*OFFSETS], "formats": ["<f4", "<f4", "<f4", "<u4"], "offsets": [*OFFSETS.values()], "itemsize": 32}
)

Convert = Callable[[Any], NDArray[Any]]


def run(data: str = "", rounds: int = 40, size: tuple[int, int] = SIZE, seed: int = 0) -> dict[str, Any]:  # noqa: ARG001 (all measurements take it)
    """Measure ``rounds`` turns of each message. Raises Refused(INTERNAL) where two ways give different arrays."""
    rng = np.random.default_rng(seed)
    depth = depth_image(size, rng)
    messages: dict[str, tuple[Any, dict[str, Convert]]] = {
        "rgb8 picture": (
            picture(size, "rgb8", rng),
            {
                "conversions.rgb": conversions.rgb,
                "np.array(list(data)), newcomer": rgb_list,
                "np.frombuffer, careful": rgb_buffer,
            },
        ),
        "bgr8 picture": (
            picture(size, "bgr8", rng),
            {
                "conversions.rgb": conversions.rgb,
                "np.array(list(data)), newcomer": bgr_list,
                "np.frombuffer, careful": bgr_buffer,
            },
        ),
        "16UC1 depth": (
            depth,
            {
                "conversions.depth": lambda message: conversions.depth(message, size),
                "struct.unpack, newcomer": depth_struct,
                "np.frombuffer, careful": depth_buffer,
            },
        ),
        "xyzrgb cloud": (
            cloud(depth_buffer(depth), rng),
            {
                "conversions.object_cloud": lambda message: conversions.object_cloud(message).points,
                "struct.iter_unpack, newcomer": cloud_struct,
                "np.frombuffer, careful": cloud_buffer,
            },
        ),
    }
    return result([_compare(what, *pair, rounds) for what, pair in messages.items()], {})


def _compare(what: str, message: Any, ways: dict[str, Convert], rounds: int) -> dict[str, Any]:
    ours, *peers = ways
    expected = ways[ours](message)
    differences = {peer: largest_difference(peer, expected, ways[peer](message), TOLERANCE) for peer in peers}
    seconds = take_turns({each: partial(way, message) for each, way in ways.items()}, rounds, SHORTEST)
    given = f"{what}, {message.width}x{message.height}, {len(message.data)} bytes"
    row = comparison(f"{what} to array", given, seconds)
    for peer, difference in differences.items():
        row["peers"][peer] |= {"largest_difference": difference, "tolerance": TOLERANCE}
    return row


# --- what one writes ----------------------------------------------------------------------------------------------


def rgb_list(message: Image) -> NDArray[np.uint8]:
    """A newcomer's picture."""
    return np.array(list(message.data), dtype=np.uint8).reshape(message.height, message.width, 3)


def rgb_buffer(message: Image) -> NDArray[np.uint8]:
    """A careful person's picture: a copy, which may be written to."""
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3).copy()


def bgr_list(message: Image) -> NDArray[np.uint8]:
    """A newcomer's picture, the channels turned round."""
    return rgb_list(message)[:, :, ::-1]


def bgr_buffer(message: Image) -> NDArray[np.uint8]:
    """A careful person's picture, the channels turned round in memory too."""
    return np.ascontiguousarray(
        np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)[..., ::-1]
    )


def depth_struct(message: Image) -> Array:
    """A newcomer's depth, m."""
    values = struct.unpack(f"<{message.height * message.width}H", message.data)
    return np.array(values).reshape(message.height, message.width) / 1000.0


def depth_buffer(message: Image) -> NDArray[np.float32]:
    """A careful person's depth, m."""
    return np.frombuffer(message.data, "<u2").reshape(message.height, message.width).astype(np.float32) * np.float32(
        1e-3
    )


def cloud_struct(message: PointCloud2) -> Array:
    """A newcomer's finite points (N, 3), m."""
    return np.array([p for p in struct.iter_unpack("<3f20x", message.data) if all(map(math.isfinite, p))])


def cloud_buffer(message: PointCloud2) -> Array:
    """A careful person's finite points (N, 3), m."""
    fields = np.frombuffer(message.data, POINT)
    points = np.stack([fields["x"], fields["y"], fields["z"]], axis=-1).astype(float)
    return points[np.isfinite(points).all(axis=1)]


# --- messages -----------------------------------------------------------------------------------------------------


def picture(size: tuple[int, int], encoding: str, rng: np.random.Generator) -> Image:
    """A picture of noise, ``size`` (H, W)."""
    pixels = rng.integers(0, 256, (*size, 3), np.uint8)
    return _image(pixels, encoding)


def depth_image(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Depth of 0.3 to 2 m in mm, a tenth of it unknown."""
    depth = rng.integers(300, 2000, size).astype("<u2")
    depth[rng.random(size) < 0.1] = 0
    return _image(depth, "16UC1")


def cloud(depth: NDArray[np.float32], rng: np.random.Generator) -> PointCloud2:
    """The organised cloud of a depth picture (H, W), m, each point with a colour."""
    height, width = depth.shape
    rows, columns = np.indices(depth.shape)
    z = np.where(depth > 0.0, depth, np.nan)
    points = np.zeros(depth.shape, POINT)
    points["x"], points["y"], points["z"] = (columns - width / 2) * z / FOCAL, (rows - height / 2) * z / FOCAL, z
    points["rgb"] = rng.integers(0, 1 << 24, depth.shape)
    kinds = {name: PointField.UINT32 if name == "rgb" else PointField.FLOAT32 for name in OFFSETS}
    return PointCloud2(
        header=conversions.header(0, "camera"),
        height=height,
        width=width,
        fields=[PointField(name=n, offset=OFFSETS[n], datatype=kind, count=1) for n, kind in kinds.items()],
        point_step=POINT.itemsize,
        row_step=POINT.itemsize * width,
        data=array.array("B", points.tobytes()),
    )


def _image(pixels: NDArray[Any], encoding: str) -> Image:
    height, width = pixels.shape[:2]
    data = pixels.tobytes()
    return Image(
        header=conversions.header(0, "camera"),
        height=height,
        width=width,
        encoding=encoding,
        step=len(data) // height,
        data=array.array("B", data),
    )
