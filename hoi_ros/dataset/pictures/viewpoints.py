"""Where the camera stands: before somebody who holds the object, or in that person's own eyes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hoi_ros.types import Array, Intrinsics

ViewKind = Literal["egocentric", "third_person"]
UP = np.array([0.0, 0.0, 1.0])
FULL = (640, 480)  # width, height of a whole picture
EGOCENTRIC = 0.35  # share of the pictures


def choose_view(
    rng: np.random.Generator, target: Array, radius: float, arm: Array, *, table: bool
) -> tuple[ViewKind, Array, Array]:
    """Kind, rotation (3, 3) and shift (3,) m from the world (z up) into the camera of a random view.

    ``target`` (3,) m is the middle of hand and object, ``radius`` m what they fill around it, ``arm`` (3,) unit points
    from the wrist to the elbow.
    """
    kind: ViewKind = "egocentric" if rng.random() < EGOCENTRIC else "third_person"
    if kind == "egocentric":
        level = arm - (arm @ UP) * UP
        towards = level + rng.uniform(0.5, 1.6) * UP + rng.normal(0.0, 0.35, 3)
        distance, roll = rng.uniform(0.35, 0.65), rng.normal(0.0, 0.17)
    else:
        azimuth = rng.uniform(0.0, 2.0 * np.pi)
        lowest = 8.0 if table else -25.0
        elevation = np.radians(rng.uniform(lowest, 75.0))
        towards = np.array([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)])
        distance, roll = rng.uniform(0.42, 1.0), rng.normal(0.0, 0.09)
    towards /= np.linalg.norm(towards)
    if table and towards[2] < 0.12:
        towards[2] = 0.12
        towards /= np.linalg.norm(towards)
    eye = target + max(distance, 2.6 * radius) * towards
    rotation = _look_along(-towards, roll)
    aside = rng.normal(0.0, 0.15, 2) * radius
    shift = -rotation @ eye + np.array([aside[0], aside[1], 0.0])
    return kind, rotation, shift


def whole_camera(rng: np.random.Generator) -> Intrinsics:
    """A 640x480 camera of the usual field of view."""
    focal = rng.uniform(560.0, 660.0)
    centre = rng.normal(0.0, 4.0, 2) + (np.array(FULL) - 1.0) / 2.0
    return Intrinsics(focal, focal * rng.uniform(0.995, 1.005), centre[0], centre[1])


def scaled(camera: Intrinsics, size: tuple[int, int]) -> Intrinsics:
    """The 640x480 camera with a picture of another size (width, height)."""
    along, across = size[0] / FULL[0], size[1] / FULL[1]
    return Intrinsics(
        camera.fx * along, camera.fy * across, (camera.cx + 0.5) * along - 0.5, (camera.cy + 0.5) * across - 0.5
    )


def crop_camera(rng: np.random.Generator, camera: Intrinsics, points: Array, size: int) -> Intrinsics:
    """The camera of a square crop of ``size`` pixels around ``points`` (N, 3) m in the camera's frame."""
    pixels = camera.project(points)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    side = float((high - low).max()) * rng.uniform(1.08, 1.45)
    corner = (low + high) / 2.0 + rng.uniform(-0.06, 0.06, 2) * side - side / 2.0
    zoom = size / side
    cx, cy = (np.array([camera.cx, camera.cy]) + 0.5 - corner) * zoom - 0.5
    return Intrinsics(camera.fx * zoom, camera.fy * zoom, float(cx), float(cy))


def _look_along(forward: Array, roll: float) -> Array:
    """Rotation from the world to an optical frame that looks along ``forward`` (3,), turned by ``roll`` rad."""
    right = np.cross(forward, UP)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    down = np.cross(forward, right)
    cosine, sine = np.cos(roll), np.sin(roll)
    return np.stack([cosine * right + sine * down, -sine * right + cosine * down, forward])
