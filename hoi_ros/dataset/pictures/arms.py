"""The forearm behind a hand, bare or in a sleeve, so that the wrist is no open stump."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures.casting import Kind
from hoi_ros.dataset.pictures.materials import plain_material, skin_material
from hoi_ros.dataset.pictures.shapes import Shape, creased
from hoi_ros.dataset.pictures.skin import DARK, LIGHT
from hoi_ros.dataset.pictures.stage import Thing
from hoi_ros.hand import HandModel
from hoi_ros.types import Array, HandBatch

ARM_LENGTH = 0.5  # m: longer than a forearm, so that it leaves most pictures
CORNERS = 40
SLEEVED = 0.55  # share of the arms
TRIES = 4  # bends of the wrist, of which the one that lifts the elbow highest is taken

# Along the arm from where it starts, m, and how much wider than the hand's rear it is there.
_CUFF = ((0.0, 1.02), (-0.003, 1.12), (-0.001, 1.2), (0.004, 1.22), (0.026, 1.2), (0.028, 1.14), (0.032, 1.17))
_BARE = ((0.0, 0.93), (0.006, 0.985), (0.012, 1.0), (0.03, 1.0))
_WIDEST = 0.2  # m along the arm


def random_arm(rng: np.random.Generator, model: HandModel, hand: HandBatch, wrist: Array) -> tuple[Thing, float]:
    """An arm for one hand with its wrist joint at (3,) m, in the hand's frame; and how dark the skin is, 0..1."""
    darkness = float(rng.beta(0.8, 1.2))
    rest = model.v_template + model.shapedirs @ hand.betas[0]
    pivot = model.kinematics.rest_joints(hand.betas)[0, 0]
    turn = Rotation.from_rotvec(hand.global_orient[0]).as_matrix()
    sleeve = bool(rng.random() < SLEEVED)
    bends = np.clip(rng.normal(0.0, [0.15, 0.25], (TRIES, 2)), -0.5, 0.5)
    elbows = Rotation.from_euler("zy", bends).as_matrix()[:, :, 0] @ turn[2]
    shape = arm_shape(rest, pivot, sleeve=sleeve, bend=bends[elbows.argmax()], width=float(rng.uniform(1.0, 1.2)))
    if sleeve:
        material = plain_material(rng)
    else:
        pairs = (LIGHT.back, DARK.back), (LIGHT.palm, DARK.palm)
        back, palm = (light + (dark - light) * darkness for light, dark in pairs)
        rear = _rear(rest)[:, 1]
        material = skin_material(rng, back, palm, (float(rear.min()), float(rear.max())))
    thing = Thing(Kind.ARM, shape, material, np.eye(3), np.zeros(3)).moved(turn, wrist - turn @ pivot)
    return thing, darkness


def arm_shape(rest: Array, wrist: Array, *, sleeve: bool, bend: Array, width: float = 1.0) -> Shape:
    """An arm behind a flat hand with vertices ``rest`` (V, 3) and wrist joint (3,), pointing along +x, m.

    It begins with the outline of the hand's rear and grows round. ``bend`` (2,) rad turns it up and sideways over its
    first centimetres, as a bent wrist does. ``width`` makes a sleeve wider than the arm. The last vertex is the middle
    of the far end.
    """
    end = float(rest[:, 0].max())
    start = max(wrist[0] + 0.002, end - 0.022) if sleeve else end - 0.024
    middle, outline = _outline(rest)
    turn = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    circle = np.column_stack([np.cos(turn), np.sin(turn)]) * np.sqrt(np.prod(np.ptp(outline, axis=0) / 2.0))
    head, growth, wide = (_CUFF, 1.3, width) if sleeve else (_BARE, 1.6, 1.0)
    profile = [*head, *((x, head[-1][1] + growth * min(x, _WIDEST)) for x in np.linspace(0.05, ARM_LENGTH, 10))]
    rings = []
    for x, scale in profile:
        ring = outline + (circle - outline) * 0.7 * min(max(x, 0.0) / 0.15, 1.0)
        rings.append(np.column_stack([np.zeros(CORNERS), ring * scale * wide]))
    return _tube(np.array(rings), np.array([x for x, _ in profile]), np.append(start, middle), bend)


def _rear(rest: Array) -> Array:
    return rest[rest[:, 0] > rest[:, 0].max() - 0.03]


def _outline(rest: Array) -> tuple[Array, Array]:
    """Middle (2,) and outline (CORNERS, 2) about it, in y and z, of the hand's rear: its convex hull."""
    flat = _rear(rest)[:, 1:]
    middle = (flat.max(axis=0) + flat.min(axis=0)) / 2.0
    corners = (flat - middle)[ConvexHull(flat).vertices]
    share = np.linspace(0.0, 1.0, 24, endpoint=False)[:, None, None]
    dense = (corners * (1.0 - share) + np.roll(corners, -1, axis=0) * share).reshape(-1, 2)
    turn = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    radius = np.interp(turn, *_by_angle(dense), period=2.0 * np.pi)
    return middle, radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])


def _by_angle(points: Array) -> tuple[Array, Array]:
    return np.arctan2(points[:, 1], points[:, 0]), np.linalg.norm(points, axis=1)


def _tube(rings: Array, along: Array, origin: Array, bend: Array) -> Shape:
    """Rings (R, C, 3) strung on a curve from ``origin`` that turns by ``bend`` within 6 cm; the far end is closed."""
    turns = Rotation.from_euler("zy", np.clip(along / 0.06, 0.0, 1.0)[:, None] * bend).as_matrix()
    steps = turns[:, :, 0] * np.diff(along, prepend=0.0)[:, None]
    strung = np.einsum("rij,rcj->rci", turns, rings) + (origin + np.cumsum(steps, axis=0))[:, None]
    corners = rings.shape[1]
    a = np.arange(corners)
    b = (a + 1) % corners
    band = np.concatenate([np.column_stack([a, b, corners + a]), np.column_stack([b, corners + b, corners + a])])
    faces = [band + first for first in range(0, corners * (len(rings) - 1), corners)]
    end = corners * (len(rings) - 1)
    faces.append(np.column_stack([end + a, end + b, np.full(corners, end + corners)]))
    vertices = np.concatenate([strung.reshape(-1, 3), strung[-1].mean(axis=0, keepdims=True)])
    return creased(vertices, np.concatenate(faces).astype(np.int32))
