"""The 32 contact anchors of a hand and its 17 regions, defined by geometry so that any hand of the schema has them.

Regions: 0-2 thumb, 3-5 index, 6-8 middle, 9-11 ring, 12-14 little, base to tip each; 15 the palm towards the fingers,
16 towards the wrist. Numbers and the anchors' regions are those of CPF (Yang et al., ICCV 2021), which CHOIR and others
use; the places on the skin are found here by looking from the bones to the palm's side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand.limits import anatomical_frames, palm_back
from hoi_ros.hand.model import HandModel
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

ANCHOR_REGIONS = np.array(
    [0, 1, 2, 2, 2, 15, 16, 3, 4, 5, 5, 5, 15, 6, 7, 8, 8, 8, 15, 16, 9, 10, 11, 11, 11, 15, 16, 12, 13, 14, 14, 14]
)
"""Region of each anchor, (32,)."""

_JOINT_REGIONS = np.array([16, 3, 4, 5, 6, 7, 8, 12, 13, 14, 9, 10, 11, 0, 1, 2])  # of MANO's joints
_FINGER_ANCHORS = {1: 0, 5: 7, 9: 13, 13: 20, 17: 27}  # first keypoint of a finger -> its first of five anchors
_FIRST_JOINT = {1: 12, 5: 0, 9: 3, 13: 9, 17: 6}  # -> row of its base in the anatomical frames
_SEGMENT = ((0, 0.7), (1, 0.5), (2, 0.35), (2, 0.65), (2, 0.85))  # bone and how far along it, for the five anchors
_PALM_ANCHORS = {  # anchor -> weights of wrist, thumb base, and the four knuckles
    5: (0.2, 0.15, 0.65, 0.0, 0.0, 0.0),
    6: (0.55, 0.25, 0.2, 0.0, 0.0, 0.0),
    12: (0.15, 0.0, 0.55, 0.3, 0.0, 0.0),
    18: (0.2, 0.0, 0.0, 0.6, 0.2, 0.0),
    19: (0.6, 0.0, 0.0, 0.2, 0.2, 0.0),
    25: (0.2, 0.0, 0.0, 0.0, 0.3, 0.5),
    26: (0.55, 0.0, 0.0, 0.0, 0.0, 0.45),
}
_DISTAL_PALM = 0.55  # of the way from the wrist to the middle knuckle


@dataclass(frozen=True)
class Anchors:
    """Points on the skin as face and barycentric weights, and the region of every vertex."""

    corners: NDArray[np.int32]  # (32, 3) vertices of the anchors' faces
    weights: Array  # (32, 3)
    regions: NDArray[np.int64]  # (32,)
    vertex_regions: NDArray[np.int64]  # (778,)

    def points(self, vertices: Array) -> Array:
        """Anchors (..., 32, 3) on posed vertices (..., 778, 3)."""
        points: Array = np.einsum("ac,...aci->...ai", self.weights, vertices[..., self.corners, :])
        return points


def find_anchors(model: HandModel) -> Anchors:
    """The anchors of a hand model. Raises Refused(HAND_MODEL) where a bone has no skin on its palm's side."""
    keypoints = model.kinematics.rest_points(np.zeros((1, 10)))[0]
    origins, directions = _lines_of_sight(keypoints)
    corners, weights = np.empty((32, 3), dtype=np.int32), np.empty((32, 3))
    for anchor in range(32):
        hit = _first_hit(origins[anchor], directions[anchor], model.v_template[model.faces])
        if hit is None:
            raise Refused(Reason.HAND_MODEL, f"hand '{model.name}' has no skin where anchor {anchor} belongs")
        corners[anchor], weights[anchor] = model.faces[hit[0]], hit[1]
    return Anchors(corners, weights, ANCHOR_REGIONS, vertex_regions(model))


def vertex_regions(model: HandModel) -> NDArray[np.int64]:
    """Region of every vertex (778,): that of the joint that moves it most; the palm is cut across."""
    keypoints = model.kinematics.rest_points(np.zeros((1, 10)))[0]
    regions: NDArray[np.int64] = _JOINT_REGIONS[model.weights.argmax(axis=1)]
    forward = keypoints[9] - keypoints[0]
    along = (model.v_template - keypoints[0]) @ forward / (forward @ forward)
    return np.where((regions == 16) & (along > _DISTAL_PALM), 15, regions)


def _lines_of_sight(keypoints: Array) -> tuple[Array, Array]:
    """Where each anchor is seen from, inside the flat hand, and in which direction: (32, 3) both."""
    frames = anatomical_frames(keypoints)
    origins, directions = np.empty((32, 3)), np.empty((32, 3))
    for first, anchor in _FINGER_ANCHORS.items():
        for place, (bone, share) in enumerate(_SEGMENT):
            start, end = keypoints[first + bone], keypoints[first + bone + 1]
            origins[anchor + place] = start + share * (end - start)
            directions[anchor + place] = -frames[_FIRST_JOINT[first] + bone, :, 1]
    for anchor, shares in _PALM_ANCHORS.items():
        origins[anchor] = np.array(shares) @ keypoints[[0, 1, 5, 9, 13, 17]]
        directions[anchor] = -palm_back(keypoints)
    return origins, directions


def _first_hit(origin: Array, direction: Array, triangles: Array) -> tuple[int, Array] | None:
    """Index and barycentric weights of the first of triangles (F, 3, 3) that a ray meets from inside."""
    corner = triangles[:, 0]
    one, two = triangles[:, 1] - corner, triangles[:, 2] - corner
    normal = np.cross(one, two)
    facing = normal @ direction
    leaving = facing > 1e-15
    safe = np.where(leaving, facing, 1.0)
    distance = np.einsum("fi,fi->f", corner - origin, normal) / safe
    offset = origin + distance[:, None] * direction - corner
    area = np.einsum("fi,fi->f", normal, normal)
    area = np.where(area > 0.0, area, 1.0)
    second = np.einsum("fi,fi->f", np.cross(offset, two), normal) / area
    third = np.einsum("fi,fi->f", np.cross(one, offset), normal) / area
    inside = leaving & (distance > 0.0) & (second >= 0.0) & (third >= 0.0) & (second + third <= 1.0)
    if not inside.any():
        return None
    face = int(np.argmin(np.where(inside, distance, np.inf)))
    return face, np.array([1.0 - second[face] - third[face], second[face], third[face]])
