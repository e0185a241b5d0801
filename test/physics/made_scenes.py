"""Hands and objects whose answers are known without simulating."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, Limits
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.hand.limits import palm_back
from hoi_ros.retargeting.shadow_hand import transform
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array, HandBatch

MEAN = np.zeros(10)


def solid(*meshes: trimesh.Trimesh, parts: tuple[str, ...] = ("body",)) -> ObjectModel:
    """An object of convex meshes, each a piece and a part where there are several parts."""
    whole = trimesh.util.concatenate(list(meshes))
    numbers = [number if len(parts) > 1 else 0 for number in range(len(meshes))]
    return ObjectModel(
        "made",
        "object",
        np.array(whole.vertices),
        np.array(whole.faces, dtype=np.int32),
        np.repeat(numbers, [len(mesh.faces) for mesh in meshes]).astype(np.int32),
        parts,
        tuple(Piece(np.array(mesh.vertices), number) for mesh, number in zip(meshes, numbers, strict=True)),
    )


def box(size: tuple[float, float, float], centre: Array | tuple[float, float, float] = (0.0, 0.0, 0.0)) -> ObjectModel:
    mesh = trimesh.creation.box(size)
    mesh.apply_translation(np.asarray(centre))
    return solid(mesh)


def palm_frame(model: HandModel) -> Array:
    """Columns forward (to the fingers), out of the palm, to the thumb's side, of the flat hand."""
    points = model.kinematics.rest_points(MEAN[None])[0]
    forward = points[9] - points[0]
    forward /= np.linalg.norm(forward)
    out = -palm_back(points)
    return np.stack([forward, out, np.cross(forward, out)], axis=1)


def bent(model: HandModel, fingers: tuple[float, float, float], thumb: dict[int, tuple[float, float, float]]) -> Array:
    """``hand_pose`` (45,) with all fingers flexed alike and the thumb's joints as given, degrees."""
    limits = Limits(model.kinematics)
    angles = np.zeros(limits.size)
    for dof, (joint, axis) in enumerate(zip(limits.joint, limits.axis, strict=True)):
        if joint < 13:
            angles[dof] = fingers[(joint - 1) % 3] if axis == 0 else 0.0
        else:
            angles[dof] = thumb.get(joint - 13, (0.0, 0.0, 0.0))[axis]
    return limits.clamp(limits.to_pose(np.radians(angles)))


def at_origin(pose: Array) -> HandBatch:
    """One hand as the model has it."""
    return HandBatch(np.zeros((1, 3)), pose[None], MEAN[None], np.zeros((1, 3)))


def index_on_top(model: HandModel, height: float, above: float, tilt: float = 0.0) -> HandBatch:
    """A pointing hand whose lowest point, the index, is ``above`` m over the plane z = ``height`` at x = y = 0."""
    limits = Limits(model.kinematics)
    degrees = {1: 15.0, 2: 20.0, 3: 10.0}
    angles = np.array(
        [
            degrees.get(joint, 60.0 if joint < 13 else 0.0) * (axis == 0)
            for joint, axis in zip(limits.joint, limits.axis, strict=True)
        ]
    )
    pose = limits.to_pose(np.radians(angles))
    cosine, sine = np.cos(np.radians(30.0)), np.sin(np.radians(30.0))
    forward, down = np.array([cosine, 0.0, -sine]), np.array([-sine, 0.0, -cosine])
    goal = np.stack([forward, down, np.cross(forward, down)], axis=1)
    turn = Rotation.from_euler("y", tilt) * Rotation.from_matrix(goal @ palm_frame(model).T)
    vertices = model.mesh(turn.as_rotvec(), pose).vertices[0]
    lowest = vertices[np.argmin(vertices[:, 2])]
    return HandBatch(
        turn.as_rotvec()[None], pose[None], MEAN[None], (np.array([0.0, 0.0, height + above]) - lowest)[None]
    )


def pinched_box(model: HandModel, overlap: float) -> tuple[HandBatch, ObjectModel]:
    """A hand and a box between the pads of its thumb and of index and middle finger, ``overlap`` m into either side."""
    pose, place, length = _pinch(model)
    mesh = trimesh.creation.box((length + 2.0 * overlap, 0.03, 0.016))
    mesh.apply_transform(place)
    return at_origin(pose), solid(mesh)


def pinched_knob(model: HandModel) -> tuple[HandBatch, ObjectModel, Array]:
    """A hand and a round knob between the same pads, and the knob's axis."""
    pose, place, length = _pinch(model)
    mesh = trimesh.creation.cylinder(radius=length / 2.0, height=0.03, sections=48)
    mesh.apply_transform(place)
    return at_origin(pose), solid(mesh), place[:3, 2]


def _pinch(model: HandModel) -> tuple[Array, Array, float]:
    """``hand_pose`` (45,), a frame (4, 4) between the pads with x from thumb to fingers, and how far they are apart."""
    pose = bent(model, (45.0, 40.0, 20.0), {0: (25.0, 45.0, 30.0), 1: (10.0, 0.0, 0.0), 2: (15.0, 0.0, 0.0)})
    anchors = find_anchors(model).points(model.mesh(np.zeros(3), pose).vertices[0])
    thumb, index, middle = anchors[[3, 10, 16]]
    fingers = (index + middle) / 2.0
    length = float(np.linalg.norm(fingers - thumb))
    axis = (fingers - thumb) / length
    across = middle - index
    across -= axis * (across @ axis)
    across /= np.linalg.norm(across)
    return pose, transform(np.stack([axis, across, np.cross(axis, across)], axis=1), (fingers + thumb) / 2.0), length


def plate_between_fingers(model: HandModel, overlap: float) -> tuple[HandBatch, ObjectModel]:
    """A flat hand with a small plate between index and middle finger, ``overlap`` m into either of them."""
    hand = at_origin(np.zeros(45))
    points = model.joints(np.zeros(3), hand.hand_pose)[0]
    index, middle = 0.7 * points[[6, 10]] + 0.3 * points[[7, 11]]
    along = (points[7] - points[6]) / np.linalg.norm(points[7] - points[6])
    across = middle - index
    across -= along * (across @ along)
    width = float(np.linalg.norm(across))
    across /= width
    line = index + np.linspace(0.0, width, 400)[:, None] * across
    vertices = model.mesh(np.zeros(3), hand.hand_pose).vertices[0]
    free = line[SignedDistance(vertices, model.closed_faces).distance(line) > 0.0]
    gap = float(np.linalg.norm(free[-1] - free[0]))
    mesh = trimesh.creation.box((gap + 2.0 * overlap, 0.016, 0.014))
    axes = np.stack([across, along, np.cross(across, along)], axis=1)
    mesh.apply_transform(transform(axes, (free[0] + free[-1]) / 2.0))
    return hand, solid(mesh)
