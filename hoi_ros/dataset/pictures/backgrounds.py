"""What lies behind: a blurred room of walls, things on them and light, drawn anew for every picture."""

from __future__ import annotations

import cv2
import numpy as np

from hoi_ros.dataset.pictures.shapes import Floats

_COARSE = 4  # pixels of the picture to one of the drawing


def draw_background(rng: np.random.Generator, size: tuple[int, int], nearest: float) -> tuple[Floats, Floats]:
    """Colour (H, W, 3), 0..1, and depth (H, W) m behind ``nearest`` m; depth 0 where a sensor would not reach.

    ``size`` is width, height.
    """
    width, height = size[0] // _COARSE, size[1] // _COARSE
    v, u = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    wall = nearest + rng.uniform(0.4, 2.5)
    lean = rng.uniform(-0.3, 0.3, 2)
    base = rng.uniform(0.15, 0.9) * (1.0 + rng.normal(0.0, 0.08, 3))
    falloff = 1.0 + rng.uniform(-0.3, 0.3) * (v - 0.5) + rng.uniform(-0.3, 0.3) * (u - 0.5)
    colour = np.ascontiguousarray(base * falloff[..., None], dtype=np.float32)
    depth = np.ascontiguousarray(wall * (1.0 + lean[0] * (u - 0.5) + lean[1] * (v - 0.5)), dtype=np.float32)
    for _ in range(int(rng.integers(0, 14))):
        _thing(rng, colour, depth, nearest)
    blur = float(rng.uniform(0.3, 5.0))
    colour = cv2.GaussianBlur(colour, (0, 0), blur)
    colour = cv2.resize(colour, size, interpolation=cv2.INTER_LINEAR).clip(0.0, 1.0)
    depth = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST)
    return colour, depth if rng.random() < 0.85 else np.zeros_like(depth)


def _thing(rng: np.random.Generator, colour: Floats, depth: Floats, nearest: float) -> None:
    """A cupboard, a window, a shelf, a plant, a lamp: boxes and discs of one colour, drawn in place."""
    height, width = depth.shape
    paint = tuple(np.clip(rng.uniform(0.05, 1.0) * (1.0 + rng.normal(0.0, 0.25, 3)), 0.0, 1.0).tolist())
    place = rng.uniform([-0.1, -0.1], [1.1, 1.1]) * [width, height]
    away = float(rng.uniform(nearest + 0.3, max(float(depth.max()), nearest + 0.4)))
    if rng.random() < 0.75:
        half = np.exp(rng.uniform(np.log(0.02), np.log(0.35), 2)) * [width, height]
        corners = tuple(int(x) for x in place - half), tuple(int(x) for x in place + half)
        cv2.rectangle(colour, *corners, paint, -1)
        cv2.rectangle(depth, *corners, away, -1)
    else:
        centre, radius = tuple(int(x) for x in place), int(rng.uniform(0.03, 0.2) * height)
        cv2.circle(colour, centre, radius, paint, -1)
        cv2.circle(depth, centre, radius, away, -1)
