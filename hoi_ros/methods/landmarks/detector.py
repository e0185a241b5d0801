"""MediaPipe Hands: which hands are in a picture, their sides, 21 pixels each and their relative 3D.

The legacy solution of MediaPipe 0.10.21 carries its models inside the wheel: nothing is fetched at run time.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoi_ros.types import Array, Side

# Two detections whose keypoints lie this close together, as a share of the hand's size, are one hand seen twice: the
# keypoints of two hands that touch, or even clasp, are farther apart.
DUPLICATE_DISTANCE = 0.2

# MediaPipe's fingertip is the middle of the rounded end, ours the end itself, a radius of 7 mm (9 mm on the thumb)
# farther: its last bone is 0.76 of ours.
LAST_BONE = 0.76


@dataclass(frozen=True)
class Detection:
    """One hand as MediaPipe sees it."""

    side: Side
    score: float  # 0..1, of the side
    pixels: Array  # (21, 2) px, pixel centres at whole numbers; may lie outside the picture
    relative: Array  # (21, 3) m about the hand's middle, axes of the camera, proportions and scale approximate

    @property
    def size(self) -> float:
        """Diagonal of the box around the keypoints, px."""
        return float(np.linalg.norm(np.ptp(self.pixels, axis=0)))


class Detector:
    """Detects hands, then follows them from picture to picture (so `detect` wants them in order).

    It loads its models on ``sample`` (H, W, 3), a picture of a hand.
    """

    def __init__(self, max_hands: int, min_score: float, sample: NDArray[np.uint8]) -> None:
        self._sample = sample
        with _quiet():
            from mediapipe.python.solutions.hands import Hands

            self._hands = Hands(
                max_num_hands=max_hands, min_detection_confidence=min_score, min_tracking_confidence=min_score
            )
            self._warm_up()
        weakref.finalize(self, self._hands.close)  # MediaPipe's graph and models outlive its Python object

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """Hands in ``rgb`` (H, W, 3), best first, no hand twice."""
        found = self._hands.process(np.ascontiguousarray(rgb))
        if not found.multi_hand_landmarks:
            return []
        height, width = rgb.shape[:2]
        detections = []
        for picture, world, sides in zip(
            found.multi_hand_landmarks, found.multi_hand_world_landmarks, found.multi_handedness, strict=True
        ):
            # MediaPipe takes every picture for a mirror image, so its sides are the other way round.
            side: Side = "right" if sides.classification[0].label == "Left" else "left"
            pixels = np.array([(p.x * width, p.y * height) for p in picture.landmark]) - 0.5
            relative = np.array([(p.x, p.y, p.z) for p in world.landmark])
            score = float(sides.classification[0].score)
            detection = Detection(side, score, to_the_end(pixels), to_the_end(relative))
            if np.isfinite(pixels).all() and np.isfinite(relative).all() and detection.size > 0.0:
                detections.append(detection)
        return without_duplicates(detections)

    def reset(self) -> None:
        """Forget the hands followed so far: the next picture is searched as the first one was."""
        with _quiet():
            self._hands.reset()
            self._warm_up()

    def _warm_up(self) -> None:
        """Load the models now rather than in the first pictures, then lose the sample's hand on a black one."""
        self._hands.process(self._sample)
        self._hands.process(np.zeros_like(self._sample))


def to_the_end(points: Array) -> Array:
    """MediaPipe's keypoints (21, K) with fingertips where the fingers end."""
    moved = points.copy()
    moved[4::4] = points[3::4] + (points[4::4] - points[3::4]) / LAST_BONE
    return moved


def without_duplicates(detections: list[Detection]) -> list[Detection]:
    """The detections, best first, less those that lie on a better one."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda d: -d.score):
        if all(pixel_distance(candidate, other) > DUPLICATE_DISTANCE for other in kept):
            kept.append(candidate)
    return kept


def pixel_distance(a: Detection, b: Detection) -> float:
    """Mean distance of corresponding keypoints as a share of the larger hand's size."""
    return float(np.linalg.norm(a.pixels - b.pixels, axis=1).mean()) / max(a.size, b.size)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what MediaPipe's C++ side writes to stderr while it loads; no log level of its own silences it."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
