"""Pictures of hands whose hidden fingers were corrected: on the camera's picture and from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import HandModel
from hoi_ros.types import Array, CameraFrame, HandPose, Intrinsics
from hoi_ros.view import pictures
from hoi_ros.view.render import Mesh, Picture, framing, picture, zoomed

TILE = (260, 260)  # H, W of each of the four
AROUND = 1.5  # of the hand's size is in view
COLUMNS = 2
MARK = (220, 30, 30)  # of hidden keypoints
LABEL = (255, 255, 255)  # of labelled ones


@dataclass(frozen=True)
class Shown:
    """One hand before and after."""

    title: str
    frame: CameraFrame
    pixels: Array  # (21, 2) px, as labelled
    before: HandPose
    after: HandPose
    hidden: NDArray[np.bool_]  # (21,)


def sheet(hands: Sequence[Shown], model: HandModel) -> Picture:
    """Of each: before and after as the camera sees them, then both from its right; hidden keypoints ringed.

    White dots are the labels.
    """
    return pictures.grid([_tile(hand, model) for hand in hands] or [pictures.paper(TILE)], COLUMNS)


def _tile(shown: Shown, model: HandModel) -> Picture:
    rgb, camera = _close(shown.frame, shown.pixels)
    scale, shift = camera.fx / shown.frame.intrinsics.fx, camera.project(np.array([0.0, 0.0, 1.0]))
    labels = (shown.pixels - [shown.frame.intrinsics.cx, shown.frame.intrinsics.cy]) * scale + shift
    over = [_over(rgb, camera, hand, shown.hidden, labels, model) for hand in (shown.before, shown.after)]
    side = _from_side(shown, model)
    far = 1e3 * np.linalg.norm(shown.after.keypoints - shown.before.keypoints, axis=1)
    said = f"{shown.title}: {shown.hidden.sum()} hidden, moved by {far[shown.hidden].mean():.0f} mm"
    return pictures.titled(np.hstack([*over, *side]), said)


def _close(frame: CameraFrame, pixels: Array) -> tuple[Picture, Intrinsics]:
    """The part of a picture about labelled pixels, and the camera that sees it."""
    side = AROUND * np.ptp(pixels, axis=0).max()
    corner = (pixels.min(axis=0) + pixels.max(axis=0) - side) / 2.0
    camera, factor = frame.intrinsics, TILE[0] / side
    moved = zoomed(Intrinsics(camera.fx, camera.fy, camera.cx - corner[0], camera.cy - corner[1]), factor)
    change = np.array([[factor, 0.0, moved.cx - factor * camera.cx], [0.0, factor, moved.cy - factor * camera.cy]])
    return cv2.warpAffine(frame.rgb, change, TILE[::-1], flags=cv2.INTER_CUBIC, borderValue=pictures.PAPER), moved


def _over(
    rgb: Picture, camera: Intrinsics, hand: HandPose, hidden: NDArray[np.bool_], labels: Array, model: HandModel
) -> Picture:
    drawn = pictures.on_camera(rgb, camera, [hand], model)
    for point in labels:
        cv2.circle(drawn, _fine(point), 32, LABEL, -1, cv2.LINE_AA, shift=4)
    _ring(drawn, camera.project(hand.keypoints)[hidden])
    return drawn


def _from_side(shown: Shown, model: HandModel) -> list[Picture]:
    """Both hands from the camera's right, looking along -x."""
    turn = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # columns: right, down, away, of the camera's
    seen = [(pictures.vertices_of(hand, model) @ turn, hand) for hand in (shown.before, shown.after)]
    camera, shift = framing(np.concatenate([vertices for vertices, _ in seen]), TILE)
    drawn = []
    for vertices, hand in seen:
        skin = Mesh(vertices + shift, pictures.faces_of(model, hand.side), pictures.SKIN[hand.side])
        drawn.append(picture([skin], camera, pictures.paper(TILE), opacity=0.8))
        points = camera.project(hand.keypoints @ turn + shift)
        pictures.draw_skeleton(drawn[-1], points, thickness=1)
        _ring(drawn[-1], points[shown.hidden])
    return drawn


def _ring(image: Picture, points: Array) -> None:
    for point in points:
        cv2.circle(image, _fine(point), 112, MARK, 2, cv2.LINE_AA, shift=4)


def _fine(point: Array) -> tuple[int, int]:
    """A pixel in sixteenths."""
    x, y = np.round(16.0 * np.clip(point, -1e4, 1e4)).astype(int)
    return int(x), int(y)
