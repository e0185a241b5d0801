"""Where hands start: a grasp type's shape, opened to fit, brought to places on the part it could close around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from hoi_ros.hand.grasp_shapes import GraspShape
from hoi_ros.hand.limits import Limits, palm_back
from hoi_ros.hand.model import HandModel
from hoi_ros.hand.rotations import exp
from hoi_ros.methods.optimisation.fields import scene_of
from hoi_ros.scene.affordances import PUSHING, Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

FINGERTIP = 5
"""Region that presses: the index finger's end."""

_TRAY = {15: 1.0, 5: 0.6, 8: 0.6, 11: 0.6, 14: 0.6, 16: 0.4}  # regions that support, and how much they should touch
_FLAT = np.radians(15.0)  # that a supporting finger's joints bend at most
_THICK = 0.013  # m from the bones of the palm to its skin
_OPENINGS = np.linspace(0.0, 1.0, 6)
_ROOM = 0.010  # m that a hand starts wider than what it takes
_TILT = np.radians(10.0)  # standard deviation of the start's orientation
_SLIDE = 0.004  # m, of its position
_AWAY = 0.02  # m that a pushing hand starts off the surface
_THUMB_DOWN = 0.3  # chance that an upright thing is gripped so
_POINTS = 4096


@dataclass(frozen=True)
class Jaws:
    """How one grasp type meets an object, at each opening, in the hand's frame with the wrist joint at the origin.

    Columns of ``frames``: across the jaws and the arrival (a line gripped between them), arrival, what completes them.
    """

    angles: Array  # (A, 26) rad
    places: Array  # (A, 3) m: middle between the jaws, or the skin that is laid on the surface
    frames: Array  # (A, 3, 3)
    gaps: Array  # (A,) m, thickness that fits between
    pinch: bool  # two jaws about a thickness; else skin laid on a surface
    turns: bool  # the gripped thing's axis lies along the arrival (disks and balls)


@dataclass(frozen=True)
class Starts:
    """Hands before optimisation."""

    angles: Array  # (N, 26) rad
    natural: Array  # (N, 26) rad, the type's shape at the size of what is gripped
    rotations: Array  # (N, 3, 3) of the wrist
    wrists: Array  # (N, 3) m
    places: Array  # (N, 3) m in the hand's frame: a good pivot


def region_weights(shape: GraspShape, use: Use) -> Array:
    """How much each of the 17 regions should touch, 0..1."""
    weights = np.zeros(17)
    if use.affordance is Affordance.SUPPORT:
        weights[list(_TRAY)] = list(_TRAY.values())
    elif _fingertip_pushes(shape, use):
        weights[FINGERTIP] = 1.0
    else:
        weights[list(shape.regions)] = shape.weights
    return weights


def jaws(model: HandModel, limits: Limits, betas: Array, shape: GraspShape, use: Use) -> Jaws:
    """Measured on the posed hand, from the type's mean shape to its opening."""
    angles = np.array([limits.to_angles(shape.hand_pose(model, float(opening))) for opening in _OPENINGS])
    if use.affordance is Affordance.SUPPORT:
        bends = (limits.axis == 0) & (limits.joint < 13)
        angles[:, bends] = np.minimum(angles[:, bends], _FLAT)
    poses = limits.to_pose(angles)
    wrist = model.kinematics.rest_joints(betas[None])[0, 0]
    vertices = model.mesh(np.zeros((1, 3)), poses, betas).vertices - wrist
    grip = shape.grip(model, betas)
    touching = vertices[:, shape.contact_vertices(model)[: len(shape.required)]]  # (A, R, 3)
    required = np.array(shape.required)
    approach = np.broadcast_to(grip.approach, (len(poses), 3))
    axis = np.broadcast_to(grip.axis, (len(poses), 3))
    fingers = (required >= 3) & (required < 15)
    opened = np.linalg.norm((touching - touching[0])[:, fingers].mean(axis=1), axis=1)
    if use.affordance is Affordance.SUPPORT:
        points = model.kinematics.rest_points(betas[None])[0]
        frames = _frames(points[5] - points[17], np.broadcast_to(-palm_back(points), (len(poses), 3)))
        palm = np.broadcast_to(points[[0, 5, 9, 13, 17]].mean(axis=0) - wrist - _THICK * palm_back(points), axis.shape)
        return Jaws(angles, palm, frames, shape.size + opened, False, False)
    if _fingertip_pushes(shape, use):
        tip = vertices[:, shape.contact_vertices(model)[shape.regions.index(FINGERTIP)]]
        return Jaws(angles, tip, _frames(axis, approach), shape.size + opened, False, False)
    turns = abs(float(grip.axis @ grip.approach)) > 0.7
    if shape.opposition == "palm":
        palm = grip.centre - wrist - 0.5 * shape.size * grip.approach
        places = np.broadcast_to(palm, (len(poses), 3))
        return Jaws(angles, places, _frames(axis, approach), shape.size + opened, False, turns)
    one = required < 3 if (required < 3).any() else required == required[0]
    thumb, other = touching[:, one].mean(axis=1), touching[:, ~one].mean(axis=1)
    closing = other - thumb
    across = np.cross(closing, approach)
    arrive = np.cross(across, closing)
    gaps = np.linalg.norm(closing, axis=1)
    return Jaws(angles, (thumb + other) / 2.0, _frames(across, arrive), gaps, True, turns)


def _fingertip_pushes(shape: GraspShape, use: Use) -> bool:
    return use.affordance in (Affordance.PRESS, Affordance.LEVER) and FINGERTIP in shape.regions


def place(obj: ObjectModel, use: Use, hand: Jaws, count: int, rng: np.random.Generator) -> Starts:
    """``count`` starts for one use."""
    points, normals = _surface(obj, use, rng)
    find = _pinched if hand.pinch else _covered
    places, frames, width = find(obj, use, hand, points, normals, count, rng)
    fitting, opened = (np.abs(hand.gaps - width[:, None] - room).argmin(axis=1) for room in (0.0, _ROOM))
    tilt = 0.3 * _TILT if use.affordance is Affordance.SUPPORT else _TILT  # a flat hand's fingers reach far
    rotations = frames @ np.swapaxes(hand.frames[opened], 1, 2) @ exp(rng.normal(size=(count, 3)) * tilt)
    places = places + rng.normal(size=(count, 3)) * _SLIDE
    wrists = places - np.einsum("nij,nj->ni", rotations, hand.places[opened])
    return Starts(hand.angles[opened], hand.angles[fitting], rotations, wrists, hand.places[opened])


def _surface(obj: ObjectModel, use: Use, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points and outward normals (P, 3) spread evenly over the part."""
    corners = obj.vertices[obj.faces[obj.face_parts == obj.part(use.part)]]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    face = rng.choice(len(area), size=_POINTS, p=area / area.sum())
    one, two = np.sqrt(rng.random(_POINTS)), rng.random(_POINTS)
    shares = np.stack([1.0 - one, one * (1.0 - two), one * two], axis=1)
    return np.einsum("nk,nki->ni", shares, corners[face]), cross[face] / area[face, None]


def _covered(
    obj: ObjectModel, use: Use, hand: Jaws, points: Array, normals: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Places and frames of skin laid on the surface, and the thickness behind it."""
    width = _thickness(obj, points, -normals)
    arrive = -normals
    if use.affordance in PUSHING and use.force is not None:
        arrive = np.broadcast_to(use.force, arrive.shape)
    elif use.axis is not None:
        arrive = _onto(use, use.axis, rng) if hand.turns else _across(arrive, use.axis, rng)
    if use.affordance not in PUSHING:
        arrive = _into_cone(arrive, use)
    chosen = rng.choice(_POINTS, size=count, p=_chances(np.einsum("ni,ni->n", arrive, -normals)))
    arrive = arrive[chosen]
    along = rng.normal(size=(count, 3))
    if use.axis is not None and not hand.turns:
        along = _along(use.axis, count, rng)
    back = rng.uniform(0.0, 0.01, size=(count, 1)) + (_AWAY if use.affordance in PUSHING else 0.0)
    return points[chosen] - back * arrive, _frames(along, arrive), width[chosen]


def _pinched(
    obj: ObjectModel, use: Use, hand: Jaws, points: Array, normals: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Middles, frames and thicknesses of places whose two sides face each other."""
    through = -normals + 0.15 * rng.normal(size=normals.shape)
    through /= np.linalg.norm(through, axis=1, keepdims=True)
    width = _thickness(obj, points, through)
    arrive = rng.normal(size=normals.shape)
    if use.axis is not None:
        arrive = _onto(use, use.axis, rng) if hand.turns else np.cross(_along(use.axis, _POINTS, rng), through)
    elif use.approach is not None:
        arrive = _into_cone(use.approach + 0.5 * np.tan(min(use.cone, 1.2)) * arrive, use)
    arrive = _across(arrive, through, rng)
    fits = (width < hand.gaps.max() + 0.005).astype(float)
    if use.approach is not None:
        fits *= np.where(arrive @ use.approach > np.cos(min(use.cone + 0.1, np.pi)), 1.0, 0.003)
    chosen = rng.choice(_POINTS, size=count, p=_chances(fits))
    through, arrive, width = through[chosen], arrive[chosen], width[chosen]
    return points[chosen] + 0.5 * width[:, None] * through, _frames(np.cross(through, arrive), arrive), width


def _thickness(obj: ObjectModel, points: Array, through: Array) -> Array:
    """How far (P,) rays into the object from its surface travel before they leave it, m."""
    rays = np.concatenate([points + 2e-4 * through, through], axis=1)
    scene = scene_of(obj.vertices, obj.faces)
    hit = (
        scene.cast_rays(o3d.core.Tensor.from_numpy(rays.astype(np.float32)), nthreads=1)["t_hit"]
        .numpy()
        .astype(np.float64)
    )
    return np.where(np.isfinite(hit), hit, 1.0)


def _along(axis: Array, count: int, rng: np.random.Generator) -> Array:
    """The axis (count, 3) with signs: an upright one mostly upwards, which is where a hand's thumb goes."""
    upwards = (1.0 - _THUMB_DOWN if axis[2] > 0.0 else _THUMB_DOWN) if abs(axis[2]) > 0.7 else 0.5
    signed: Array = axis * np.where(rng.random((count, 1)) < upwards, 1.0, -1.0)
    return signed


def _onto(use: Use, axis: Array, rng: np.random.Generator) -> Array:
    """Arrivals (P, 3) along the axis of a disk or ball: from the side that the use asks for, if any."""
    if use.approach is None or abs(float(axis @ use.approach)) < 0.5:
        return _along(axis, _POINTS, rng)
    return np.broadcast_to(np.sign(axis @ use.approach) * axis, (_POINTS, 3))


def _across(directions: Array, axis: Array, rng: np.random.Generator) -> Array:
    """The directions (N, 3) made perpendicular to an axis, (3,) or (N, 3); random ones where little is left."""
    axis = np.broadcast_to(axis, directions.shape)
    flat = directions - (directions * axis).sum(axis=1, keepdims=True) * axis
    lost = np.linalg.norm(flat, axis=1, keepdims=True) < 0.2
    flat = np.where(lost, np.cross(axis, rng.normal(size=axis.shape)), flat)
    unit: Array = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return unit


def _into_cone(directions: Array, use: Use) -> Array:
    """The directions (N, 3), turned towards the use's approach as far as its cone demands."""
    if use.approach is None:
        return directions
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    cosine = unit @ use.approach
    side = unit - cosine[:, None] * use.approach
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    angle = np.minimum(np.arccos(np.clip(cosine, -1.0, 1.0)), use.cone)
    turned: Array = np.cos(angle)[:, None] * use.approach + np.sin(angle)[:, None] * side
    return turned


def _frames(axis: Array, arrive: Array) -> Array:
    """Rotations (N, 3, 3) whose second column is ``arrive`` and whose first is as near to ``axis`` as that allows."""
    arrive = arrive / np.linalg.norm(arrive, axis=-1, keepdims=True)
    axis = axis - (axis * arrive).sum(-1, keepdims=True) * arrive
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    return np.stack([axis, arrive, np.cross(axis, arrive)], axis=-1)


def _chances(weights: Array) -> Array:
    """Probabilities from weights (N,), negative ones counting as none; even ones where none is positive."""
    kept = np.maximum(weights, 0.0)
    return kept / kept.sum() if kept.sum() > 0.0 else np.full(len(kept), 1.0 / len(kept))
