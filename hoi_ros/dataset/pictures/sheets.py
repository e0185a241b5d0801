"""Contact sheets of grasps: one for each category and each affordance, the objects' parts in colours of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.dataset.pictures.casting import Caster, Kind, pixel_rays
from hoi_ros.dataset.pictures.materials import Material, part_colours
from hoi_ros.dataset.pictures.rendering import HandLook, hand_look
from hoi_ros.dataset.pictures.shading import Shader
from hoi_ros.dataset.pictures.shapes import shape_of
from hoi_ros.dataset.pictures.stage import Lights, Thing
from hoi_ros.hand import HandModel
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch
from hoi_ros.view.pictures import PAPER, grid, titled
from hoi_ros.view.render import framing

TILE = 240  # px of each of a grasp's two views
COLUMNS = 4
LIMIT = 24  # grasps of a sheet
_SAMPLES = 2  # rays along each side of a pixel
_ELEVATION = np.radians(25.0)


@dataclass(frozen=True)
class Shown:
    """One grasp of a sheet: ``hand`` is one hand in the object's frame, ``title`` what stands over it."""

    obj: ObjectModel
    hand: HandBatch
    affordance: str
    title: str


def sheets(grasps: Iterable[Shown], model: HandModel, limit: int = LIMIT) -> dict[str, NDArray[np.uint8]]:
    """Sheets (H, W, 3) RGB by name ("category mug", "affordance Press") of at most ``limit`` grasps, evenly chosen."""
    groups: dict[str, list[Shown]] = {}
    for grasp in grasps:
        groups.setdefault(f"category {grasp.obj.category}", []).append(grasp)
        groups.setdefault(f"affordance {grasp.affordance}", []).append(grasp)
    tiles: dict[int, NDArray[np.uint8]] = {}
    made = {}
    for name in sorted(groups):
        chosen = _evenly(groups[name], limit)
        for grasp in chosen:
            if id(grasp) not in tiles:
                tiles[id(grasp)] = tile(grasp, model)
        made[name] = grid([tiles[id(grasp)] for grasp in chosen], COLUMNS)
    return made


def tile(grasp: Shown, model: HandModel) -> NDArray[np.uint8]:
    """A grasp seen from both sides under its title."""
    look = hand_look(model)
    return titled(np.hstack([_seen(grasp, look, side) for side in (1.0, -1.0)]), grasp.title)


def _seen(grasp: Shown, look: HandLook, side: float) -> NDArray[np.uint8]:
    """The grasp across the line from object to hand, z up; ``side`` -1 is from behind."""
    hand, obj = grasp.hand, grasp.obj
    skin = look.model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl).vertices[0]
    turn = _across(skin.mean(axis=0) - obj.vertices.mean(axis=0), side)
    everything = np.concatenate([skin, obj.vertices]) @ turn.T
    camera, shift = framing(everything, (TILE * _SAMPLES, TILE * _SAMPLES))
    paint = _paint(len(obj.part_names))
    things = [
        Thing(Kind.HAND, look.surface.shape(skin), paint, np.eye(3), np.zeros(3)).moved(turn, shift),
        Thing(Kind.OBJECT, shape_of(obj), paint, np.eye(3), np.zeros(3)).moved(turn, shift),
    ]
    caster = Caster([thing.shape for thing in things])
    shader = Shader(things, caster, _studio(turn), look.skin, darkness=0.0)
    pixels = np.stack(np.meshgrid(*[np.arange(TILE * _SAMPLES)] * 2), axis=-1).reshape(-1, 2).astype(np.float32)
    rays = pixel_rays(camera, pixels)
    hits = caster.first(rays)
    page = np.broadcast_to(np.array(PAPER, dtype=np.float32) / 255.0, rays.shape).copy()
    at = np.flatnonzero(hits.surface >= 0)
    found = hits.chosen(at)
    points = rays[at].T * found.depth
    normals, colours, gloss = shader.surfaces(found, points)
    turns = ((pixels[at, 0].astype(np.int64) % 4) + 4 * (pixels[at, 1].astype(np.int64) % 4)) * 7 % 16
    openness = np.ones(len(rays), dtype=np.float32)
    openness[at] = shader.openness(points, normals, turns, 0.05)
    openness = cv2.blur(openness.reshape((TILE * _SAMPLES,) * 2), (8, 8)).ravel()
    page[at] = shader.light(normals, colours, gloss, points, openness[at], openness[at]).T
    small = cv2.resize(page.reshape(TILE * _SAMPLES, -1, 3), (TILE, TILE), interpolation=cv2.INTER_AREA)
    return (np.clip(small, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _across(towards_hand: Array, side: float) -> Array:
    """Rotation (3, 3) of the object's frame into a camera's that looks across ``towards_hand`` (3,) from above."""
    azimuth = np.arctan2(towards_hand[1], towards_hand[0]) + side * np.radians(70.0)
    level = np.cos(_ELEVATION)
    forward = -np.array([np.cos(azimuth) * level, np.sin(azimuth) * level, np.sin(_ELEVATION)])
    right = np.cross(forward, [0.0, 0.0, 1.0]) / level
    return np.stack([right, np.cross(forward, right), forward])


def _paint(parts: int) -> Material:
    colours = part_colours(parts)
    nowhere = np.zeros(3, dtype=np.float32)
    return Material(
        "plain", colours, colours, np.zeros(parts, dtype=bool), 1.0, nowhere, nowhere, np.full(parts, 0.1, np.float32)
    )


def _studio(turn: Array) -> Lights:
    """Even light from above the camera's left shoulder."""
    key = np.array([-0.45, -0.7, -0.75], dtype=np.float32)
    white = np.ones(3, dtype=np.float32)
    return Lights(
        key=key / np.linalg.norm(key),
        key_colour=0.75 * white,
        width=0.1,
        fill=np.array([0.8, 0.1, -0.6], dtype=np.float32),
        fill_colour=0.15 * white,
        sky=0.6 * white,
        ground=0.35 * white,
        up=turn[:, 2].astype(np.float32),
    )


def _evenly(grasps: Sequence[Shown], count: int) -> list[Shown]:
    return [grasps[int(i)] for i in np.unique(np.linspace(0, len(grasps) - 1, min(count, len(grasps))).round())]
