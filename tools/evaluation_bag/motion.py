"""How the hand comes, grasps, lifts, puts back and leaves, and how the mug goes with it.

Everything is in the mug's frame as it stands (z up, the table at z = 0), m. Times are shares of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures.rendering import move_hand
from hoi_ros.hand import HandModel, Limits
from hoi_ros.hand.grasp_shapes import GRASP_SHAPES
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.hand.limits import palm_back
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

APPROACH, HOLD, LEAVE = (0.0, 0.44), (0.44, 0.78), (0.78, 1.0)
"""Phases: the hand comes and closes; it has the mug; it opens and leaves."""
STILL = ((0.0, 0.36), (0.86, 1.0))  # the mug stands and no finger touches it
# Time, how far the fingers are open (0 the grasp, 1 the grasp type's opening), how far the hand is back (0..1).
SCORE = (
    (0.0, 0.75, 1.0),
    (0.06, 0.85, 1.0),
    (0.33, 1.0, 0.03),
    (0.36, 1.0, 0.0),
    (0.44, 0.0, 0.0),
    (0.78, 0.0, 0.0),
    (0.86, 1.0, 0.0),
    (0.89, 1.0, 0.05),
    (1.0, 0.8, 1.0),
)
# Time, height in cm, tilt about the mug's y and turn about its z in degrees.
LIFT = ((0.0, 0, 0, 0), (0.48, 0, 0, 0), (0.59, 6, 8, -6), (0.66, 6, -4, 8), (0.74, 0, 0, 0), (1.0, 0, 0, 0))
BACK = 0.15  # m that the hand comes from
RISE = 0.05  # m that it is higher there
FAN = np.radians([-50.0, -25.0, 0.0, 25.0, 50.0])  # ways back that are tried, about the vertical
LOOKS = np.linspace(0.31, 0.46, 12)  # when they are looked at


@dataclass(frozen=True)
class Motion:
    """Hands (T) and poses (T, 7) xyz + xyzw of the mug's frame, both in the frame of the standing mug."""

    hands: HandBatch
    poses: Array


def motion(model: HandModel, grasp: HandBatch, kind: GraspType, way: Array, times: Array) -> Motion:
    """Motion at ``times`` (T,), shares of the whole, around one grasp of a type that is come to by ``way`` (3,) m."""
    hands = _around(model, grasp, kind, way, times)
    height, tilt, turn = _curve(LIFT, times).T
    lifted = Rotation.from_euler("ZY", np.column_stack([turn, tilt]), degrees=True)
    shift = np.column_stack([np.zeros((len(times), 2)), height / 100.0])
    carried = [move_hand(model, hands[[i]], lifted[i].as_matrix(), shift[i]) for i in range(len(times))]
    columns = [np.concatenate(values) for values in zip(*(vars(hand).values() for hand in carried), strict=True)]
    return Motion(HandBatch(*columns), np.concatenate([shift, lifted.as_quat()], axis=1))


def entry(model: HandModel, obj: ObjectModel, grasp: HandBatch, kind: GraspType) -> tuple[Array, float]:
    """Where the hand had best come from, (3,) m from its grasp, and how deep it is in the object at most, m."""
    ways = _ways_back(model, grasp)
    depths = [_deepest(model, obj, _around(model, grasp, kind, way, LOOKS)) for way in ways]
    best = int(np.argmin(depths))
    return ways[best], depths[best]


def _around(model: HandModel, grasp: HandBatch, kind: GraspType, way: Array, times: Array) -> HandBatch:
    """Hands at ``times`` around a mug that stands: opened, and ``way`` (3,) m back."""
    limits = Limits(model.kinematics)
    opened = limits.to_angles(GRASP_SHAPES[kind].hand_pose(model, 1.0))
    closed = limits.to_angles(grasp.hand_pose[0])
    openness, back = _curve(SCORE, times).T[:, :, None]
    count = len(times)
    return HandBatch(
        np.repeat(grasp.global_orient, count, axis=0),
        limits.to_pose(closed + openness * (opened - closed)),
        np.repeat(grasp.betas, count, axis=0),
        grasp.transl + back * way,
    )


def _ways_back(model: HandModel, grasp: HandBatch) -> list[Array]:
    """Where the hand may come from: behind its palm, level but for a rise, and to both sides of that."""
    keypoints = model.joints(grasp.global_orient, grasp.hand_pose, grasp.betas, grasp.transl)[0]
    behind = palm_back(keypoints) * [1.0, 1.0, 0.0]
    behind *= BACK / np.linalg.norm(behind)
    rise = np.array([0.0, 0.0, RISE])
    return [Rotation.from_rotvec([0.0, 0.0, angle]).apply(behind) + rise for angle in FAN]


def _deepest(model: HandModel, obj: ObjectModel, hands: HandBatch) -> float:
    vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
    return float(two_way_depth(vertices, model.closed_faces, obj).two_way.max())


def _curve(beats: Sequence[Sequence[float]], times: Array) -> Array:
    """Smooth values (T, K) through beats of a time and K values, without overshoot."""
    table = np.array(beats, dtype=np.float64)
    values: Array = PchipInterpolator(table[:, 0], table[:, 1:])(times)
    return values
