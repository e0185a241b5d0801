"""One picture for each kind of thing a person may want to look at: a bag, hands, goals, the hand model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import HandModel, Limits
from hoi_ros.nodes import conversions
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Bag, Frame
from hoi_ros.replay.files import hand_poses
from hoi_ros.replay.offline import camera_frame
from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.types import HandPose, Side
from hoi_ros.view import pictures, plots
from hoi_ros.view.render import Picture
from hoi_ros.view.robot import of_robot

SHOWN = 8  # hands, goals or pictures of a sheet
COLUMNS = 4
TILE = (300, 400)  # H, W
NS = 1e9
_SIDES: tuple[Side, Side] = ("right", "left")


def of_bag(bag: Bag, hands: Mapping[str, NDArray[Any]] | None, model: HandModel) -> Picture:
    """Pictures over depth, evenly over the recording, with the hands of its ``hands.npz``, else the true skeleton."""
    by_stamp: dict[int, list[HandPose]] = {}
    for hand in hand_poses(hands) if hands else ():
        by_stamp.setdefault(hand.stamp_ns, []).append(hand)
    chosen = set(_evenly(len(bag)))
    frames = [frame for i, frame in enumerate(bag.frames()) if i in chosen]
    if not frames:
        raise Refused(Reason.FILE, f"{bag.path} has no pictures")
    return pictures.grid([_tile(frame, by_stamp.get(frame.image.stamp_ns), model) for frame in frames], COLUMNS)


def of_hands(arrays: Mapping[str, NDArray[Any]], model: HandModel) -> Picture:
    """The hands of a ``hands.npz``, evenly over the file."""
    hands = hand_poses(arrays)
    if not hands:
        raise Refused(Reason.NO_HAND, "the file has no hands")
    begin = hands[0].stamp_ns
    tiles = []
    for i in _evenly(len(hands)):
        hand = hands[i]
        where = f"{(hand.stamp_ns - begin) / NS:.2f} s" if "stamp_ns" in arrays else Path(str(arrays["image"][i])).name
        drawn = pictures.of_hand(hand.hand_pose, hand.betas, hand.side, model, TILE)
        tiles.append(pictures.titled(drawn, f"{where}: {hand.side}, score {hand.score:.2f}"))
    return pictures.grid(tiles, COLUMNS)


def of_goals(arrays: Mapping[str, NDArray[Any]]) -> Picture:
    """Joint goals of a ``goals.npz`` against their limits, under the robot hand at some of them."""
    names = tuple(str(name) for name in arrays["names"])
    hands = {side: ShadowHand.embedded(side) for side in _SIDES}
    side = next((side for side, hand in hands.items() if hand.names == names), None)
    if side is None:
        raise Refused(Reason.FILE, f"the joints are not those of a Shadow Hand but: {', '.join(names)}")
    positions = arrays["positions"]
    if not len(positions):
        raise Refused(Reason.FILE, "the file has no goals")
    stamps = arrays.get("stamp_ns")
    along = (stamps - stamps[0]) / NS if stamps is not None else np.arange(len(positions), dtype=float)
    unit = "s" if stamps is not None else "goal"
    tiles = [
        pictures.titled(of_robot(positions[i], side, TILE), f"{along[i]:.2f} s" if unit == "s" else f"goal {i}")
        for i in _evenly(len(positions))
    ]
    sheet = pictures.grid(tiles, COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "joints.png")
        plots.joint_angles(path, names, positions, along, hands[side].limits, unit)
        figure = cv2.imread(str(path))[..., ::-1]
    scale = sheet.shape[1] / figure.shape[1]
    return stacked([sheet, cv2.resize(figure, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)])


def of_keypoints(points: NDArray[Any]) -> Picture:
    """Skeletons (N, 21, 3), evenly over the file, seen along the palm's normal."""
    tiles = []
    for i in _evenly(len(points)):
        hand = points[i] - points[i, 0]
        up = hand[9] / max(float(np.linalg.norm(hand[9])), 1e-9)
        side = hand[5] - hand[17]
        side = side - (side @ up) * up
        side /= max(float(np.linalg.norm(side)), 1e-9)
        flat = np.column_stack([hand @ side, -(hand @ up)])
        low, high = flat.min(0), flat.max(0)
        scale = 0.8 * min(TILE[0] / max(high[1] - low[1], 1e-6), TILE[1] / max(high[0] - low[0], 1e-6))
        tile = pictures.paper(TILE)
        pictures.draw_skeleton(tile, (flat - (low + high) / 2) * scale + np.array(TILE[::-1]) / 2, thickness=3)
        tiles.append(pictures.titled(tile, f"hand {i}"))
    return pictures.grid(tiles, COLUMNS)


def of_model(model: HandModel) -> Picture:
    """The hand model: flat, in its mean pose, closed, in three synergies either way, and in three shapes."""
    limits = Limits(model.kinematics)
    flexion = limits.frames[:, :, 0]
    fist = np.radians([80, 95, 55] * 4 + [25, 40, 45])[:, None] * flexion
    shown = {"flat": np.zeros(45), "mean pose": model.hands_mean, "fist": fist.ravel()}
    for i in range(2):
        component = model.hands_components[i] / np.linalg.norm(model.hands_components[i])
        shown |= {f"synergy {i + 1}, {sign:+d}": model.hands_mean + 1.5 * sign * component for sign in (1, -1)}
    tiles = [
        pictures.titled(pictures.of_hand(limits.clamp(pose), np.zeros(10), side, model, TILE), f"{name} ({side})")
        for name, pose in shown.items()
        for side in (_SIDES if name == "flat" else _SIDES[:1])
    ]
    for i in range(2):
        for sign in (2, -2):
            betas = np.eye(10)[i] * sign
            drawn = pictures.of_hand(np.zeros(45), betas, "right", model, TILE)
            tiles.append(pictures.titled(drawn, f"shape {i + 1}, {sign:+d}"))
    return pictures.grid(tiles, COLUMNS)


def stacked(sheets: list[Picture]) -> Picture:
    """Sheets under each other, as wide as the widest."""
    width = max(sheet.shape[1] for sheet in sheets)
    margins = [((0, 0), (0, width - sheet.shape[1]), (0, 0)) for sheet in sheets]
    filled = [np.pad(s, m, constant_values=255) for s, m in zip(sheets, margins, strict=True)]
    return np.vstack(filled)


def _tile(frame: Frame, hands: list[HandPose] | None, model: HandModel) -> Picture:
    seen = camera_frame(frame, wants_depth=False)
    drawn = pictures.on_camera(seen.rgb, seen.intrinsics, hands or [], model, samples=1)
    if not hands and frame.truth is not None:
        pictures.draw_skeleton(drawn, seen.intrinsics.project(frame.truth))
    tile = pictures.fitted(drawn, TILE)
    if frame.depth is None:
        return tile
    depth = conversions.depth(frame.depth.message, (seen.rgb.shape[0], seen.rgb.shape[1]))
    return np.vstack([tile, pictures.fitted(pictures.depth_colours(depth), TILE)])


def _evenly(count: int) -> list[int]:
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round())] if count else []
