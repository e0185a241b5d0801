"""The table with the mug before an RGB-D camera, and pictures of it with the hand."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import cv2
import numpy as np
from demo_bag.scene import CAMERA
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures import OBJECT, Picture, shape_of
from hoi_ros.dataset.pictures.arms import arm_shape
from hoi_ros.dataset.pictures.casting import Caster, Kind, Silhouette, seen_keypoints
from hoi_ros.dataset.pictures.materials import Material, plain_material
from hoi_ros.dataset.pictures.rendering import View, hand_look, move_hand, render
from hoi_ros.dataset.pictures.shapes import box
from hoi_ros.dataset.pictures.stage import Lights, Thing
from hoi_ros.dataset.pictures.viewpoints import scaled
from hoi_ros.hand import HandModel
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch, Intrinsics

ELEVATION = np.radians(38.0)  # of the camera over the table
DISTANCE = 0.5  # m from the middle of what happens
HEIGHT, ASIDE = 0.06, 0.03  # m of what it looks at: over the mug's foot, and to its left, where the hand comes from
SIDE = np.radians(15.0)  # from where the hand's back looks to the camera, about the vertical
UP = np.array([0.0, -np.cos(ELEVATION), -np.sin(ELEVATION)])
"""Up in the camera's frame, (3,): the parameter `up` of a scenario."""
SLEEVE = np.array([0.03, -0.12])  # rad that the wrist bends: up and sideways
DARKNESS = 0.12  # of the skin
GRAIN, WOBBLE = 1.2, 0.5  # of one picture: standard deviations of colour, 0..255, and of depth, mm


@dataclass(frozen=True)
class Shot:
    """One picture, what it shows and what is true, in the camera optical frame."""

    picture: Picture
    hand: HandBatch  # one
    object_pose: Array  # (7,) xyz m + xyzw, of the mug's frame


class Scene:
    """Renders one mug on a table with one hand; ``seed`` chooses colours and noise, ``size`` is width, height."""

    def __init__(self, model: HandModel, obj: ObjectModel, azimuth: float, size: tuple[int, int], seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self._model, self._look, self._size, self._seed = model, hand_look(model), size, seed
        self.camera: Intrinsics = scaled(CAMERA, size)
        self.rotation, self.shift = _before(azimuth)
        paint = colorsys.hsv_to_rgb(rng.random(), 0.6, 0.75)
        top = box(np.array([3.0, 3.0, 0.03]))
        self._mug = Thing(
            Kind.OBJECT, shape_of(obj), plain_material(rng, len(obj.part_names), paint), np.eye(3), np.zeros(3)
        )
        self._table = Thing(Kind.TABLE, top, _table_top(rng), np.eye(3), np.zeros(3)).moved(
            np.eye(3), np.array([0.0, 0.0, -0.03])
        )
        self._sleeve = plain_material(rng, 1, (0.2, 0.28, 0.42))
        self._lights = _lights().turned(self.rotation)

    def shot(self, hand: HandBatch, pose: Array, number: int) -> Shot:
        """Picture ``number`` of a hand, and the mug's frame at ``pose`` (7,), given in the frame of the standing mug.

        The picture's noise is that of the sensor, the same for every picture, and some of its own.
        """
        turn = Rotation.from_quat(pose[3:]).as_matrix()
        seen = move_hand(self._model, hand, self.rotation, self.shift)
        view = self._view(seen, self._mug.moved(turn, pose[:3]))
        picture = render(view, self._look, self.camera, self._size, np.random.default_rng([self._seed, 1]))
        noisy = _noisy(picture, np.random.default_rng([self._seed, 2, number]))
        return Shot(noisy, seen, np.concatenate([view.shift, Rotation.from_matrix(view.rotation).as_quat()]))

    def _view(self, hand: HandBatch, mug: Thing) -> View:
        mesh = self._model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl)
        still = np.eye(3), np.zeros(3)
        skin = self._look.surface.shape(mesh.vertices[0])
        # The skin has a texture of its own, whatever its material.
        things = [Thing(Kind.HAND, skin, self._sleeve, *still), mug.moved(self.rotation, self.shift)]
        things += [self._arm(hand, mesh.joints[0, 0]), self._table.moved(self.rotation, self.shift)]
        caster = Caster([thing.shape for thing in things])
        alone = Silhouette(things[0].shape), Silhouette(things[1].shape)
        keypoints = mesh.keypoints[0]
        kinds = np.array([thing.kind for thing in things])
        sight = seen_keypoints(self._look.sight, caster, kinds, keypoints)
        return View(
            "third_person", tuple(things), caster, alone, self._lights, DARKNESS, things[1].rotation, things[1].shift,
            hand, keypoints, sight,
        )  # fmt: skip

    def _arm(self, hand: HandBatch, wrist: Array) -> Thing:
        rest = self._model.v_template + self._model.shapedirs @ hand.betas[0]
        pivot = self._model.kinematics.rest_joints(hand.betas)[0, 0]
        turn = Rotation.from_rotvec(hand.global_orient[0]).as_matrix()
        shape = arm_shape(rest, pivot, sleeve=True, bend=SLEEVE)
        return Thing(Kind.ARM, shape, self._sleeve, np.eye(3), np.zeros(3)).moved(turn, wrist - turn @ pivot)


def seen_cloud(picture: Picture) -> Array:
    """Points (N, 3) m of the object where the camera sees it, in its frame: the depth picture, cut out by the truth."""
    v, u = np.nonzero(picture.mask(OBJECT) & (picture.depth > 0))
    z = picture.depth[v, u] / 1e3
    camera = picture.intrinsics
    return np.column_stack([(u - camera.cx) * z / camera.fx, (v - camera.cy) * z / camera.fy, z])


def _before(azimuth: float) -> tuple[Array, Array]:
    """Rotation (3, 3) and shift (3,) m from the frame of the standing mug to that of a camera at an azimuth, rad."""
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    forward = -np.cos(ELEVATION) * level - np.sin(ELEVATION) * np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    middle = HEIGHT * np.array([0.0, 0.0, 1.0]) - ASIDE * right
    return rotation, -rotation @ (middle - DISTANCE * forward)


def _noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    height, width = picture.depth.shape
    grain = rng.normal(0.0, GRAIN, picture.rgb.shape)
    coarse = rng.normal(0.0, WOBBLE, (height // 4, width // 4))
    wobble = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    depth: NDArray[np.uint16] = np.where(picture.depth > 0, np.round(picture.depth + wobble), 0.0).astype(np.uint16)
    rgb = np.clip(np.round(picture.rgb + grain), 0, 255).astype(np.uint8)
    return replace(picture, rgb=rgb, depth=depth)


def _table_top(rng: np.random.Generator) -> Material:
    """Pale wood."""
    return Material(
        pattern="wood",
        colours=np.array([[0.62, 0.5, 0.38]], dtype=np.float32),
        seconds=np.array([[0.55, 0.43, 0.32]], dtype=np.float32),
        patterned=np.ones(1, dtype=bool),
        frequency=9.0,
        direction=np.array([1.0, 0.0, 0.0], dtype=np.float32),
        offset=rng.uniform(0.0, 10.0, 3).astype(np.float32),
        gloss=np.array([0.04], dtype=np.float32),
    )


def _lights() -> Lights:
    """A lamp from above, light from all around; z up."""
    key = np.array([0.5, -0.6, 1.4], dtype=np.float32)
    fill = np.array([-0.8, 0.5, 0.4], dtype=np.float32)
    white = np.ones(3, dtype=np.float32)
    return Lights(
        key=key / np.linalg.norm(key),
        key_colour=np.float32(0.7) * white,
        width=0.15,
        fill=fill / np.linalg.norm(fill),
        fill_colour=np.float32(0.15) * white,
        sky=np.float32(0.5) * white,
        ground=np.float32(0.4) * white,
        up=np.array([0.0, 0.0, 1.0], dtype=np.float32),
    )
