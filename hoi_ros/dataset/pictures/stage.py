"""The scene around a grasp: how object, hand and arm stand in the world, on what, among what, and in which light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures.casting import Kind
from hoi_ros.dataset.pictures.materials import Material, random_material, table_material
from hoi_ros.dataset.pictures.shapes import Floats, Shape, box, round_solid
from hoi_ros.dataset.pictures.viewpoints import UP
from hoi_ros.types import Array

TABLE_SHARE = 0.7
DEEPEST_TABLE = 0.3  # m below the lowest point of what is carried
NEAR, FAR = 0.04, 0.3  # m between the grasp and clutter


@dataclass(frozen=True)
class Thing:
    """One surface of the scene. ``rotation`` (3, 3) and ``shift`` (3,) carry its own frame into that of ``shape``."""

    kind: Kind
    shape: Shape
    material: Material
    rotation: Array
    shift: Array

    def moved(self, rotation: Array, shift: Array) -> Thing:
        """The thing in another frame."""
        return replace(
            self,
            shape=self.shape.moved(rotation, shift),
            rotation=rotation @ self.rotation,
            shift=rotation @ self.shift + shift,
        )


@dataclass(frozen=True)
class Lights:
    """A wide lamp with a shadow, a weaker one without, and light from everywhere, more from above."""

    key: Floats  # (3,) unit, towards the lamp
    key_colour: Floats  # (3,)
    width: float  # of the lamp, as the spread of its directions
    fill: Floats
    fill_colour: Floats
    sky: Floats
    ground: Floats
    up: Floats

    def turned(self, rotation: Array) -> Lights:
        """The lights in another frame."""
        turn = rotation.astype(np.float32)
        return replace(self, key=turn @ self.key, fill=turn @ self.fill, up=turn @ self.up)


def random_lights(rng: np.random.Generator) -> Lights:
    """Lamps of a room or the sky, in the world frame (z up)."""
    warmth = rng.normal(0.0, 0.06)
    tint = np.array([1.0 + warmth, 1.0, 1.0 - warmth], dtype=np.float32)
    key = np.append(rng.normal(size=2), rng.uniform(0.6, 2.5))
    fill = np.append(rng.normal(size=2), rng.uniform(-0.5, 1.0))
    strength, ambient = rng.uniform(0.45, 0.95), rng.uniform(0.32, 0.58)
    return Lights(
        key=(key / np.linalg.norm(key)).astype(np.float32),
        key_colour=np.float32(strength) * tint,
        width=float(rng.uniform(0.02, 0.2)),
        fill=(fill / np.linalg.norm(fill)).astype(np.float32),
        fill_colour=np.float32(rng.uniform(0.05, 0.25)) / tint,
        sky=np.float32(ambient) * tint,
        ground=np.float32(ambient * rng.uniform(0.4, 0.9)) * np.ones(3, dtype=np.float32),
        up=UP.astype(np.float32),
    )


def stand(
    rng: np.random.Generator, obj: Shape, hand: Shape, arm: Shape, *, carried: bool
) -> tuple[Array, float | None]:
    """Rotation (3, 3) of the object's frame into the world, and the height of the table in it, None without one.

    What is carried may be lifted, tilted or without a table; what is not stands upright on its plane z = 0. There is
    no table where hand or arm would reach through it.
    """
    yaw = Rotation.from_euler("z", rng.uniform(0.0, 2.0 * np.pi))
    if not carried:
        rotation = yaw.as_matrix()
        lowest = min(float(shape.vertices[:, 2].min()) for shape in (hand, arm))
        return rotation, 0.0 if lowest > -0.002 else None
    tilt = Rotation.identity()
    style = rng.random()
    if style > 0.85:
        tilt = Rotation.random(random_state=int(rng.integers(2**31)))
    elif style > 0.35:
        tilt = Rotation.from_rotvec(rng.normal(0.0, 0.35, 3) * [1.0, 1.0, 0.0])
    turned = tilt * yaw
    rotation = turned.as_matrix()
    low_object, low_hand, low_arm = (float((shape.vertices @ rotation[2]).min()) for shape in (obj, hand, arm))
    lowest = min(low_object, low_hand, low_arm)
    if rng.random() > TABLE_SHARE or low_object - lowest > DEEPEST_TABLE:
        return rotation, None
    standing = style < 0.35 and lowest > low_object - 0.002 and rng.random() < 0.6
    return rotation, low_object if standing else lowest - float(rng.uniform(0.002, 0.12))


def table(rng: np.random.Generator, middle: Array, height: float) -> Thing:
    """A table under ``middle`` (3,) with its top at ``height``, m, in the world frame."""
    size = np.array([*rng.uniform(0.7, 1.6, 2), 0.03])
    turn = Rotation.from_euler("z", rng.uniform(0.0, np.pi)).as_matrix()
    aside = rng.uniform(-0.25, 0.25, 2) * size[:2]
    shift = np.array([middle[0] + aside[0], middle[1] + aside[1], height - size[2]])
    shape = box(size)
    return Thing(Kind.TABLE, shape, table_material(rng), np.eye(3), np.zeros(3)).moved(turn, shift)


def clutter(
    rng: np.random.Generator, others: Sequence[Shape], held: Array, arm: Array, top: Thing, count: int
) -> list[Thing]:
    """Up to ``count`` things standing on the table ``top`` around the points ``held`` (N, 3), none under ``arm``, m.

    ``others``: shapes that stand on their z = 0, to choose from beside boxes and round solids.
    """
    middle = held[:, :2].mean(axis=0)
    reach = float(np.linalg.norm(held[:, :2] - middle, axis=1).max())
    height = float(top.shape.vertices[:, 2].max())
    room = np.abs((top.shape.vertices - top.shift) @ top.rotation).max(axis=0)[:2]
    places = np.vstack([_thinned(held[:, :2]), _thinned(arm[:, :2])])
    radii = np.full(len(places), 0.005)
    things: list[Thing] = []
    for _ in range(count):
        shape = others[rng.integers(len(others))] if others and rng.random() < 0.8 else _plain_solid(rng)
        low, high = shape.vertices.min(axis=0), shape.vertices.max(axis=0)
        radius = float(np.linalg.norm(shape.vertices[:, :2] - (low + high)[:2] / 2.0, axis=1).max())
        for _ in range(4):
            angle, away = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(NEAR, FAR)
            place = middle + (away + radius + rng.uniform(0.2, 1.0) * reach) * np.array([np.cos(angle), np.sin(angle)])
            off = np.abs((np.append(place, height) - top.shift) @ top.rotation)[:2] > room - radius
            if not off.any() and (np.linalg.norm(places - place, axis=1) > radius + radii).all():
                turn = Rotation.from_euler("z", rng.uniform(0.0, 2.0 * np.pi)).as_matrix()
                shift = np.append(place, height) - turn @ np.append((low + high)[:2] / 2.0, low[2])
                material = random_material(rng, int(shape.parts.max()) + 1, float(high[2] - low[2]))
                things.append(Thing(Kind.CLUTTER, shape, material, np.eye(3), np.zeros(3)).moved(turn, shift))
                places, radii = np.vstack([places, place]), np.append(radii, radius)
                break
    return things


def _thinned(points: Array) -> Array:
    """Some 60 of the points (N, 2)."""
    return points[:: max(1, len(points) // 60)]


def _plain_solid(rng: np.random.Generator) -> Shape:
    """A box, a can, a ball or a cone."""
    radius, height = rng.uniform(0.02, 0.05), rng.uniform(0.04, 0.2)
    kind = rng.integers(4)
    if kind == 0:
        return box(rng.uniform([0.03, 0.03, 0.02], [0.16, 0.16, 0.2]))
    if kind == 1:
        return round_solid(np.array([[0.0, 0.0], [radius, 0.0], [radius, height], [0.0, height]]))
    if kind == 2:
        turn = np.linspace(0.0, np.pi, 14)
        return round_solid(np.column_stack([radius * np.sin(turn), radius * (1.0 - np.cos(turn))]))
    top = radius * rng.uniform(0.3, 0.9)
    return round_solid(np.array([[0.0, 0.0], [radius, 0.0], [top, height], [0.0, height]]))
