"""Pictures of hands, objects and robot hands: on the camera's picture, and by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel
from hoi_ros.types import Array, HandPose, Intrinsics, Side
from hoi_ros.view.render import Mesh, Picture, cast, framing, picture, smoothed

SKIN = {"right": np.array([0.93, 0.68, 0.5]), "left": np.array([0.5, 0.66, 0.9])}
FOUND, TRUE = np.array([0.36, 0.55, 0.95]), np.array([0.2, 0.82, 0.6])  # of objects
BEFORE = 0.01  # m: what is so much nearer than an object hides it
FINGER_COLOURS = ((235, 120, 90), (240, 190, 70), (120, 200, 110), (80, 170, 220), (170, 120, 220))  # thumb to little
PAPER = (244, 242, 238)
INK = (40, 40, 44)
TURN = {  # so that depth shows
    "right": Rotation.from_euler("YX", [-28.0, -8.0], degrees=True),
    "left": Rotation.from_euler("YX", [28.0, -8.0], degrees=True),
}
FACING = {  # fingers up, palm to the camera; MANO's flat right hand points along -x with its palm to -y
    "right": TURN["right"] * Rotation.from_matrix([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "left": TURN["left"] * Rotation.from_matrix([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
}


def on_camera(
    rgb: Picture,
    intrinsics: Intrinsics,
    hands: Sequence[HandPose],
    model: HandModel,
    things: Sequence[Mesh] = (),
    *,
    samples: int = 2,
) -> Picture:
    """The camera's picture with the mesh and the skeleton of each hand, coloured by side, and with other ``things``."""
    if not hands and not things:
        return rgb.copy()
    meshes = [Mesh(vertices_of(hand, model), faces_of(model, hand.side), SKIN[hand.side]) for hand in hands]
    meshes += things
    drawn = picture(meshes, intrinsics, rgb, opacity=0.8, samples=samples)
    for hand in hands:
        draw_skeleton(drawn, intrinsics.project(hand.keypoints), thickness=2 if len(rgb) >= 360 else 1)
    return drawn


def through(
    rgb: Picture, intrinsics: Intrinsics, thing: Mesh, inside: Sequence[Mesh], depth: NDArray[np.float32] | None = None
) -> Picture:
    """The camera's picture with a thing that is half clear, and with what is ``inside``, behind or before it.

    Where the camera's ``depth`` (h, w), m, of whatever size, tells that something stands before the thing, it is
    nearly clear.
    """
    height, width = rgb.shape[:2]
    behind = picture(inside, intrinsics, rgb) if inside else rgb
    over = picture([thing, *inside], intrinsics, rgb)
    opacity = np.full((height, width, 1), 0.55)
    if depth is not None:
        hits = cast([thing], intrinsics, (height, width), occlusion_rays=0)
        seen = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
        reached = np.zeros((height, width))
        reached[hits.mask] = hits.depth
        opacity[(seen > 0.0) & (seen < reached - BEFORE)] = 0.15
    return np.round(behind + opacity * (over.astype(float) - behind)).astype(np.uint8)


def skeleton(points: Array, radius: float) -> Mesh:
    """Keypoints (21, 3), m, K21, as balls and rods of a ``radius``, m, in the fingers' colours."""
    parts, colours = [trimesh.creation.icosphere(1, 2.0 * radius)], [np.ones(3)]
    parts[0].apply_translation(points[0])
    for finger, colour in enumerate(FINGER_COLOURS):
        chain = points[[0, *range(4 * finger + 1, 4 * finger + 5)]]
        bones = [ends for ends in pairwise(chain) if np.linalg.norm(ends[1] - ends[0]) > 1e-6]
        rods = [trimesh.creation.cylinder(radius, segment=ends, sections=8) for ends in bones]
        balls = [trimesh.creation.icosphere(1, 1.6 * radius) for _ in chain[1:]]
        for ball, point in zip(balls, chain[1:], strict=True):
            ball.apply_translation(point)
        parts += [*rods, *balls]
        colours += [np.array(colour) / 255.0] * len(rods + balls)
    return _joined(parts, colours)


def axes(pose: Array, length: float = 0.06) -> Mesh:
    """A pose (7,), xyz m + xyzw, as three rods, x red, y green, z blue, of a ``length``, m."""
    ends = pose[:3] + length * Rotation.from_quat(pose[3:]).as_matrix().T
    rods = [trimesh.creation.cylinder(0.03 * length, segment=[pose[:3], end], sections=12) for end in ends]
    return _joined(rods, list(0.15 + 0.7 * np.eye(3)))


def of_hand(
    hand_pose: Array, betas: Array, side: Side, model: HandModel, size: tuple[int, int], *, samples: int = 2
) -> Picture:
    """One hand by itself, palm to the viewer, (H, W, 3), at a scale at which the flat mean hand fills the picture."""
    orient = FACING[side].as_rotvec()
    mesh = model.mesh(orient, hand_pose, betas, side=side)
    flat = model.mesh(orient, np.zeros(45), side=side)
    camera, shift = framing(flat.vertices[0] - flat.joints[0, 0], size)
    vertices = mesh.vertices[0] - mesh.joints[0, 0] + shift
    skin = Mesh(*smoothed(vertices, faces_of(model, side), 1), SKIN[side])
    return picture([skin], camera, paper(size), samples=samples)


def draw_skeleton(image: Picture, points: Array, thickness: int = 2) -> None:
    """Draw keypoints (21, 2) px, K21, in place: one colour a finger."""
    pixels = [tuple(round(16.0 * float(v)) for v in np.clip(point, -1e4, 1e4)) for point in points]
    for finger, colour in enumerate(FINGER_COLOURS):
        chain = [pixels[0], *pixels[4 * finger + 1 : 4 * finger + 5]]
        for start, end in pairwise(chain):
            cv2.line(image, start, end, colour, thickness, cv2.LINE_AA, shift=4)
        for point in chain[1:]:
            cv2.circle(image, point, 16 * (thickness + 1), colour, -1, cv2.LINE_AA, shift=4)
    cv2.circle(image, pixels[0], 16 * (thickness + 2), (255, 255, 255), -1, cv2.LINE_AA, shift=4)


def depth_colours(depth: NDArray[np.float32]) -> Picture:
    """Depth (H, W) m in colours, near is bright; black where unknown."""
    known = np.isfinite(depth) & (depth > 0.0)
    if not known.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = np.percentile(depth[known], [1, 99])
    level = 255.0 * (1.0 - np.clip((depth - near) / max(far - near, 1e-6), 0.0, 1.0))
    colours = cv2.applyColorMap(np.where(known, level, 0.0).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.where(known[..., None], colours, 0).astype(np.uint8)


def titled(image: Picture, title: str) -> Picture:
    """The picture under a line of text, smaller where it would not fit."""
    height = max(22, image.shape[0] // 14)
    bar = paper((height, image.shape[1]))
    scale = height / 36.0
    (wide, _), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale *= min(1.0, (image.shape[1] - 16) / max(wide, 1))
    cv2.putText(bar, title, (8, round(0.72 * height)), cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)
    return np.vstack([bar, image])


def grid(images: Sequence[Picture], columns: int, gap: int = 4) -> Picture:
    """Pictures of one size, row by row."""
    rows = []
    height, width = images[0].shape[:2]
    blank = paper((height, width))
    for start in range(0, len(images), columns):
        row = [*images[start : start + columns]]
        row += [blank] * (min(columns, len(images)) - len(row))
        rows.append(
            np.hstack([np.pad(image, ((gap, gap), (gap, gap), (0, 0)), constant_values=PAPER[0]) for image in row])
        )
    return np.vstack(rows)


def fitted(image: Picture, size: tuple[int, int]) -> Picture:
    """The picture scaled into (H, W), with margins where the shapes differ."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    shape = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC)
    page = paper(size)
    top, left = (size[0] - shape[1]) // 2, (size[1] - shape[0]) // 2
    page[top : top + shape[1], left : left + shape[0]] = small
    return page


def paper(size: tuple[int, int]) -> Picture:
    """An empty page (H, W, 3)."""
    return np.full((*size, 3), PAPER, np.uint8)


def save(path: Path, image: Picture) -> None:
    """Write a PNG or JPEG, by the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image[..., ::-1]):
        raise OSError(f"{path} cannot be written")


def vertices_of(hand: HandPose, model: HandModel) -> Array:
    """Of the hand's mesh (778, 3), m, where the hand is."""
    return model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, side=hand.side).vertices[0]


def faces_of(model: HandModel, side: Side) -> NDArray[np.int32]:
    """Of the closed mesh of a hand (F, 3), outwards."""
    return model.closed_faces if side == "right" else model.closed_faces[:, ::-1]


def _joined(parts: Sequence[trimesh.Trimesh], colours: Sequence[Array]) -> Mesh:
    """Parts, each in its colour, as one surface."""
    whole = trimesh.util.concatenate(parts)
    shades = np.concatenate([np.tile(c, (len(p.vertices), 1)) for p, c in zip(parts, colours, strict=True)])
    return Mesh(np.array(whole.vertices), np.array(whole.faces, np.int32), shades)
