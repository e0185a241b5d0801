"""What a camera makes of the light and the distances: noise, blur, compression; holes, steps and wrong distances.

Depth is that of an active stereo camera such as hands are recorded with: its second eye lies ``BASELINE`` to the right
and sees less, disparities come in steps of 1/32 pixel, and noise grows with the square of the distance.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.dataset.pictures.shapes import Floats
from hoi_ros.types import Intrinsics

BASELINE = 0.055  # m
SENSOR_FOCAL = 600.0  # px, of the picture that disparities are found in
SUBPIXEL = 32.0
FARTHEST = 6.0  # m
EDGE = 0.015  # m: neighbours farther apart in depth belong to different surfaces


def expose(light: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Bytes (H, W, 3) RGB of a picture (H, W, 3), 0..1: blur, white balance, gain, noise, and sometimes JPEG."""
    light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.45, 0.9))
    light *= (rng.uniform(0.85, 1.12) * (1.0 + rng.normal(0.0, 0.035, 3))).astype(np.float32)
    read, shot = rng.uniform(0.002, 0.008), rng.uniform(0.002, 0.014)
    grain = (rng.random(light.shape, dtype=np.float32) - np.float32(0.5)) * np.float32(np.sqrt(12.0))
    np.clip(light, 0.0, 1.2, out=light)
    grain *= np.float32(shot) * np.sqrt(light) + np.float32(read)
    light += grain
    picture = (np.clip(light, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    curve = (np.linspace(0.0, 1.0, 256) ** rng.uniform(0.85, 1.15) * 255.0 + 0.5).astype(np.uint8)
    picture = cv2.LUT(picture, curve)
    if rng.random() < 0.5:
        quality = int(rng.integers(55, 96))
        packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
    return picture


def measure(depth: Floats, facing: Floats, intrinsics: Intrinsics, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Depth (H, W) mm, 0 where unknown, as a sensor gives it.

    ``depth`` (H, W) m is the true one, 0 where there is nothing; ``facing`` (H, W) is the cosine between the surface's
    normal and the ray.
    """
    height, width = depth.shape
    nothing = (depth <= 0.0) | (depth > FARTHEST)
    away = np.where(nothing, FARTHEST, depth)
    # Nguyen et al., 3DIMPVT 2012: axial noise of a depth camera, here smooth over some pixels as block matching is.
    sigma = 0.0012 + 0.0019 * np.square(away - 0.4)
    coarse = rng.standard_normal((height // 3 + 1, width // 3 + 1), dtype=np.float32)
    wobble = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    disparity = np.float32(SENSOR_FOCAL * BASELINE * SUBPIXEL) / (away + sigma * wobble)
    seen = np.float32(SENSOR_FOCAL * BASELINE * SUBPIXEL * 1e3) / np.maximum(np.round(disparity), 1.0)
    luck = rng.random((height, width), dtype=np.float32)
    lost = nothing | _hidden_from_second(away, intrinsics) | (facing < 0.12 + 0.2 * luck) | (luck < 0.002)
    lost |= _on_edge(away) & (luck < 0.6)
    return np.where(lost, 0.0, np.round(seen)).astype(np.uint16)


def _hidden_from_second(depth: Floats, intrinsics: Intrinsics) -> NDArray[np.bool_]:
    """Pixels whose surface the second eye cannot see, for something nearer covers it there."""
    column = np.arange(depth.shape[1], dtype=np.float32)
    there = column - np.float32(intrinsics.fx * BASELINE) / depth
    covered = np.minimum.accumulate(there[:, ::-1], axis=1)[:, ::-1]
    return there > covered + 1.5


def _on_edge(depth: Floats) -> NDArray[np.bool_]:
    """Pixels beside a step in depth."""
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(depth, kernel) - cv2.erode(depth, kernel) > EDGE
