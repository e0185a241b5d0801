"""The forearm behind a hand, bare or in a sleeve, so that the wrist is no open stump."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures.casting import Kind
from hoi_ros.dataset.pictures.materials import plain_material, skin_material
from hoi_ros.dataset.pictures.shapes import Shape, creased
from hoi_ros.dataset.pictures.skin import DARK, LIGHT
from hoi_ros.dataset.pictures.stage import Thing
from hoi_ros.hand import HandModel
from hoi_ros.types import Array, HandBatch

ARM_LENGTH = 0.3  # m
ARM_CORNERS = 40
SLEEVED = 0.55  # share of the arms

# Along the arm from the rear of the hand, m, and how much wider than the hand's rear it is there.
SLEEVE = ((-0.004, 1.02), (-0.007, 1.12), (-0.005, 1.2), (0.0, 1.22), (0.022, 1.2), (0.024, 1.14), (0.028, 1.17))
BARE = ((-0.03, 0.7), (-0.016, 0.9), (-0.006, 0.955), (0.006, 0.985), (0.03, 1.0))


def arm_shape(rest: Array, wrist: Array, *, sleeve: bool, bend: Array, width: float = 1.0) -> Shape:
    """A forearm behind a flat hand with vertices ``rest`` (V, 3) and wrist joint (3,), pointing along +x, m.

    ``bend`` (2,) rad turns it up and sideways over its first centimetres, as a bent wrist does. ``width`` makes a
    sleeve wider than the arm.
    """
    rear = rest[rest[:, 0] > rest[:, 0].max() - 0.02]
    centre, half = (rear.max(axis=0) + rear.min(axis=0)) / 2.0, (rear.max(axis=0) - rear.min(axis=0)) / 2.0
    start = max(wrist[0] + 0.004, rest[:, 0].max() - 0.02) if sleeve else rest[:, 0].max()
    head, growth = (SLEEVE, 1.5) if sleeve else (BARE, 1.6)
    wide = width if sleeve else 1.0
    profile = [(x, s * wide) for x, s in head]
    profile += [(x, (head[-1][1] + growth * (x - head[-1][0])) * wide) for x in np.linspace(0.05, ARM_LENGTH, 9)]
    turn = np.linspace(0.0, 2.0 * np.pi, ARM_CORNERS, endpoint=False)
    rings = []
    for x, scale in profile:
        round_off = np.clip(x / 0.15, 0.0, 1.0)  # from the flat wrist to a round arm
        mean = np.sqrt(half[1] * half[2])
        sides = (half[1:] + (mean - half[1:]) * 0.6 * round_off) * scale
        rings.append(np.column_stack([np.zeros_like(turn), sides[0] * np.cos(turn), sides[1] * np.sin(turn)]))
    return _tube(np.array(rings), np.array([x for x, _ in profile]), np.array([start, centre[1], centre[2]]), bend)


def _tube(rings: Array, along: Array, origin: Array, bend: Array) -> Shape:
    """Rings (R, C, 3) strung on a curve from ``origin`` that turns by ``bend`` within 6 cm; the far end is closed."""
    place, points = origin + np.array([along[0], 0.0, 0.0]), []
    for i, ring in enumerate(rings):
        turn = Rotation.from_euler("zy", bend * np.clip(along[i] / 0.06, 0.0, 1.0)).as_matrix()
        if i:
            place = place + turn[:, 0] * (along[i] - along[i - 1])
        points.append(ring @ turn.T + place)
    corners = rings.shape[1]
    a = np.arange(corners)
    b = (a + 1) % corners
    band = np.concatenate([np.column_stack([a, b, corners + a]), np.column_stack([b, corners + b, corners + a])])
    faces = [band + first for first in range(0, corners * (len(rings) - 1), corners)]
    end = corners * (len(rings) - 1)
    faces.append(np.column_stack([end + a, end + b, np.full(corners, end + corners)]))
    vertices = np.concatenate([*points, points[-1].mean(axis=0, keepdims=True)])
    return creased(vertices, np.concatenate(faces).astype(np.int32))


def random_arm(rng: np.random.Generator, model: HandModel, hand: HandBatch, wrist: Array) -> tuple[Thing, float]:
    """An arm for one hand with its wrist joint at (3,) m, in the hand's frame; and how dark the skin is, 0..1."""
    darkness = float(rng.beta(0.8, 1.2))
    rest = model.v_template + model.shapedirs @ hand.betas[0]
    pivot = model.kinematics.rest_joints(hand.betas)[0, 0]
    bend = np.clip(rng.normal(0.0, [0.12, 0.2]), -0.4, 0.4)
    sleeve = bool(rng.random() < SLEEVED)
    shape = arm_shape(rest, pivot, sleeve=sleeve, bend=bend, width=float(rng.uniform(1.0, 1.2)))
    if sleeve:
        material = plain_material(rng)
    else:
        back, palm = (
            light + (dark - light) * darkness for light, dark in ((LIGHT.back, DARK.back), (LIGHT.palm, DARK.palm))
        )
        rear = rest[rest[:, 0] > rest[:, 0].max() - 0.02, 1]
        material = skin_material(rng, back, palm, (float(rear.min()), float(rear.max())))
    turn = Rotation.from_rotvec(hand.global_orient[0]).as_matrix()
    thing = Thing(Kind.ARM, shape, material, np.eye(3), np.zeros(3)).moved(turn, wrist - turn @ pivot)
    return thing, darkness
