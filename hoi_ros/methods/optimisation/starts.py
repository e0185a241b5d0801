"""Where hands start: a grasp type's shape, opened to fit, brought to places on the part it could close around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
import torch

from hoi_ros.hand.grasp_shapes import GraspShape
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.hand.rotations import exp
from hoi_ros.methods.optimisation.hand_layer import PATCH_REGIONS, HandLayer
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

_OPENINGS = np.linspace(0.0, 1.0, 6)
_ROOM = 0.008  # m that a hand is opened wider than what it takes
_TILT = np.radians(15.0)  # standard deviation of the start's orientation
_SLIDE = 0.008  # m, of its position


@dataclass(frozen=True)
class Grip:
    """How one grasp type meets an object, at each opening, in the hand's frame (wrist joint at the origin).

    Columns of ``frames``: the axis gripped around, the direction in which the hand arrives, and what completes them.
    """

    angles: Array  # (A, 26) rad
    centres: Array  # (A, 3) m
    frames: Array  # (A, 3, 3)
    gaps: Array  # (A,) m between thumb and fingers; infinite for a palm
    patches: Array  # (22,) wanted


@dataclass(frozen=True)
class Starts:
    """Hands before optimisation."""

    angles: Array  # (N, 26) rad
    rotations: Array  # (N, 3, 3) of the wrist
    wrists: Array  # (N, 3) m


def wanted_patches(shape: GraspShape, weights: Array) -> Array:
    """Weights of regions (17,) spread over the contact patches (22,)."""
    share = np.bincount(PATCH_REGIONS, minlength=17)
    spread: Array = (weights / share)[PATCH_REGIONS]
    return spread


def grip(layer: HandLayer, model: HandModel, limits: Limits, shape: GraspShape, patches: Array, push: bool) -> Grip:
    """Measured on the posed hand, from the mean shape of the type to its opening."""
    closed, opened = (limits.to_angles(pose) for pose in (shape.hand_pose(model), shape.opening_pose(model)))
    angles = np.clip(closed + _OPENINGS[:, None] * (opened - closed), limits.lower, limits.upper)
    count = len(angles)
    with torch.no_grad():
        skin, _, _ = layer.pose(
            torch.from_numpy(angles.astype(np.float32)), torch.eye(3).expand(count, 3, 3), torch.zeros(count, 3)
        )
        pads = skin[:, layer.patches].mean(2).numpy().astype(np.float64)  # (A, 22, 3)
    knuckles = layer.rest[1] - layer.rest[7]
    palm_out = -limits.frames[3, :, 1]
    palm = pads[:, 15:].mean(1)
    thumb, fingers = patches[:3], patches[3:15]
    pinches = not push and shape.opposition != "palm" and thumb.any() and fingers.any()
    if pinches:
        one = np.einsum("p,api->ai", thumb / thumb.sum(), pads[:, :3])
        other = np.einsum("p,api->ai", fingers / fingers.sum(), pads[:, 3:15])
        centres, closing = (one + other) / 2.0, other - one
        gaps = np.linalg.norm(closing, axis=1)
        arrive = centres - palm
        axis = np.cross(closing, arrive)
        frames = _frames(axis, np.cross(axis, closing))
    else:
        share = patches / patches.sum()
        centres = np.einsum("p,api->ai", share, pads) if push else palm
        gaps = np.full(count, np.inf)
        frames = _frames(np.broadcast_to(knuckles, palm.shape), np.broadcast_to(palm_out, palm.shape))
    return Grip(angles, centres, frames, gaps, patches)


def place(obj: ObjectModel, use: Use, shape: GraspShape, grip: Grip, count: int, rng: np.random.Generator) -> Starts:
    """``count`` starts for one use."""
    points, normals = _surface(obj, use, 4096, rng)
    if np.isfinite(grip.gaps).all():
        centres, frames, openings = _pinched(obj, use, grip, points, normals, count, rng)
    else:
        centres, frames = _covered(use, points, normals, count, rng)
        openings = rng.integers(len(grip.angles), size=count)
    tilts = exp(rng.normal(size=(count, 3)) * _TILT)
    rotations = frames @ np.swapaxes(grip.frames[openings], 1, 2) @ tilts
    centres = centres + rng.normal(size=(count, 3)) * _SLIDE
    wrists = centres - np.einsum("nij,nj->ni", rotations, grip.centres[openings])
    return Starts(grip.angles[openings], rotations, wrists)


def _surface(obj: ObjectModel, use: Use, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points and outward normals (count, 3) spread evenly over the part."""
    corners = obj.vertices[obj.faces[obj.face_parts == obj.part(use.part)]]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    face = rng.choice(len(area), size=count, p=area / area.sum())
    one, two = np.sqrt(rng.random(count)), rng.random(count)
    shares = np.stack([1.0 - one, one * (1.0 - two), one * two], axis=1)
    return np.einsum("nk,nki->ni", shares, corners[face]), cross[face] / area[face, None]


def _covered(use: Use, points: Array, normals: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Centres and frames of hands laid on the surface with the palm (or the pushing pads) towards it."""
    arrive = -normals
    if use.axis is not None:
        arrive = _across(arrive, use.axis, rng)
    if use.affordance in (Affordance.PRESS, Affordance.LEVER, Affordance.SUPPORT) and use.force is not None:
        arrive = np.broadcast_to(use.force, arrive.shape)
    arrive = _into_cone(arrive, use)
    facing = np.einsum("ni,ni->n", arrive, -normals)
    chosen = rng.choice(len(points), size=count, p=_positive(facing))
    arrive, points = arrive[chosen], points[chosen]
    axis = rng.normal(size=(count, 3)) if use.axis is None else use.axis * rng.choice([-1.0, 1.0], size=(count, 1))
    back = rng.uniform(0.0, 0.015, size=(count, 1))
    return points - back * arrive, _frames(axis, arrive)


def _pinched(
    obj: ObjectModel, use: Use, grip: Grip, points: Array, normals: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Centres, frames and openings of hands about places whose two sides face each other."""
    through = -normals + 0.15 * rng.normal(size=normals.shape)
    through /= np.linalg.norm(through, axis=1, keepdims=True)
    width = _thickness(obj, points, through)
    arrive = rng.normal(size=normals.shape)
    if use.axis is not None:
        arrive = np.cross(use.axis, through) * rng.choice([-1.0, 1.0], size=(len(points), 1))
    if use.approach is not None:
        arrive = _into_cone(use.approach + np.tan(min(use.cone, 1.2)) * 0.5 * rng.normal(size=normals.shape), use)
    arrive = _across(arrive, through, rng)
    fits = (width < grip.gaps.max() + 0.01) & (width > 0.0)
    good = fits if use.approach is None else fits & (arrive @ use.approach > np.cos(min(use.cone + 0.2, np.pi)))
    chosen = rng.choice(len(points), size=count, p=_positive(good + 0.01 * fits))
    through, arrive, width = through[chosen], arrive[chosen], width[chosen]
    openings = np.abs(grip.gaps - (width[:, None] + _ROOM)).argmin(axis=1)
    return points[chosen] + 0.5 * width[:, None] * through, _frames(np.cross(through, arrive), arrive), openings


def _thickness(obj: ObjectModel, points: Array, through: Array) -> Array:
    """How far (N,) rays into the object from its surface travel before they leave it, m."""
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(o3d.core.Tensor(obj.vertices.astype(np.float32)), o3d.core.Tensor(obj.faces.astype(np.uint32)))
    rays = np.concatenate([points + 2e-4 * through, through], axis=1).astype(np.float32)
    hit = scene.cast_rays(o3d.core.Tensor(rays), nthreads=1)["t_hit"].numpy().astype(np.float64)
    return np.where(np.isfinite(hit), hit, 1.0)


def _across(directions: Array, axis: Array, rng: np.random.Generator) -> Array:
    """The directions (N, 3) made perpendicular to an axis, (3,) or (N, 3); random ones where nothing is left."""
    axis = np.broadcast_to(axis, directions.shape)
    for attempt in (directions, rng.normal(size=directions.shape)):
        flat = attempt - (attempt * axis).sum(1, keepdims=True) * axis
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        if attempt is directions:
            first, kept = flat / np.maximum(length, 1e-9), length > 0.2
    result: Array = np.where(kept, first, flat / np.maximum(length, 1e-9))
    return result


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


def _positive(weights: Array) -> Array:
    """Probabilities from weights (N,), which may be negative; even ones where none is positive."""
    kept = np.maximum(np.asarray(weights, dtype=np.float64), 0.0)
    return kept / kept.sum() if kept.sum() > 0.0 else np.full(len(kept), 1.0 / len(kept))
