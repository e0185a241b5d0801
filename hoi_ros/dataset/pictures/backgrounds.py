"""What lies behind: a blurred room of walls, things on them and light, drawn anew for every picture."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from hoi_ros.dataset.pictures.shapes import Floats

_COARSE = 4  # pixels of the picture to one of the drawing


def draw_background(rng: np.random.Generator, size: tuple[int, int], nearest: float) -> tuple[Floats, Floats]:
    """Colour (H, W, 3), 0..1, and depth (H, W) m behind ``nearest`` m; depth 0 where a sensor would not reach.

    ``size`` is width, height.
    """
    v, u = (np.linspace(0.0, 1.0, side, dtype=np.float32) for side in size[::-1])
    v = v[:, None]
    wall = nearest + rng.uniform(0.4, 2.5)
    lean = rng.uniform(-0.3, 0.3, 2)
    base = rng.uniform(0.15, 0.9) * (1.0 + rng.normal(0.0, 0.08, 3))
    falloff = 1.0 + rng.uniform(-0.3, 0.3) * (v - 0.5) + rng.uniform(-0.3, 0.3) * (u - 0.5)
    colour = np.ascontiguousarray(base * falloff[::_COARSE, ::_COARSE, None], dtype=np.float32)
    depth = np.ascontiguousarray(wall * (1.0 + lean[0] * (u - 0.5) + lean[1] * (v - 0.5)), dtype=np.float32)
    for _ in range(int(rng.integers(0, 14))):
        _thing(rng, colour, depth, nearest)
    blur = float(np.exp(rng.uniform(np.log(0.3), np.log(8.0))))
    colour = cv2.GaussianBlur(colour, (0, 0), blur)
    colour = cv2.resize(colour, size, interpolation=cv2.INTER_LINEAR).clip(0.0, 1.0)
    return colour, depth if rng.random() < 0.85 else np.zeros_like(depth)


def _thing(rng: np.random.Generator, colour: Floats, depth: Floats, nearest: float) -> None:
    """A cupboard, a window, a shelf, a plant, a lamp: boxes and discs of one colour, drawn in place."""
    height, width = depth.shape
    paint = colorsys.hsv_to_rgb(rng.random(), rng.beta(1.0, 4.0), rng.uniform(0.05, 0.95))
    place = rng.uniform([-0.1, -0.1], [1.1, 1.1]) * [width, height]
    away = float(rng.uniform(nearest + 0.3, max(float(depth.max()), nearest + 0.4)))
    if rng.random() < 0.75:
        half = np.exp(rng.uniform(np.log(0.02), np.log(0.35), 2)) * [width, height]
        for canvas, value, scale in ((colour, paint, _COARSE), (depth, away, 1)):
            low, high = ([int(x / scale) for x in corner] for corner in (place - half, place + half))
            cv2.rectangle(canvas, low, high, value, -1)
    else:
        radius = rng.uniform(0.03, 0.2) * height
        for canvas, value, scale in ((colour, paint, _COARSE), (depth, away, 1)):
            cv2.circle(canvas, [int(x / scale) for x in place], int(radius / scale), value, -1)
