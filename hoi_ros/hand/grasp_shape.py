"""One grasp type as a shape of the hand: pose, opening, what touches, and where the object is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand.anchors import vertex_regions
from hoi_ros.hand.limits import Limits, anatomical_frames, palm_back
from hoi_ros.hand.model import HandModel
from hoi_ros.types import Array

Opposition = Literal["palm", "pad", "side"]
Face = Literal["palmar", "radial", "ulnar"]

PALM_REGIONS = (15, 16)
_OPTIONAL_WEIGHT = 0.4
_PLACES = (0.7, 0.5, 0.6)  # along the bone of a finger region: where it touches
_FIRST_KEYPOINT = (1, 5, 9, 13, 17)  # of the fingers as regions count them
_FIRST_JOINT = (12, 0, 3, 9, 6)  # of those fingers in the anatomical frames
# Degrees: standard deviation of a finger's knuckle flexion, spread, twist, middle and end joint; of the thumb's six.
_FINGER_STD = (8.0, 4.0, 3.0, 8.0, 6.0)
_THUMB_STD = (6.0, 6.0, 5.0, 7.0, 3.0, 8.0)
_FINGER_TWIST = np.array([4.0, 2.0, 0.0, -2.0])  # degrees, MANO's order: bent fingers turn their pads to the thumb
_IDLE = 1.6  # a finger that touches nothing varies so much more


@dataclass(frozen=True)
class Grip:
    """Where the object is in the hand's own frame: that of the mesh with neither ``global_orient`` nor ``transl``.

    ``centre`` (3,) m lies on the object's centre line; ``axis`` (3,) unit is the direction of that line: of a handle or
    of the edge of a plate, towards the thumb's side; of a disk or ball, the axis it would be twisted about, away from
    the palm. ``approach`` (3,) unit is how the hand comes: from the middle of the palm to the centre.
    """

    centre: Array
    axis: Array
    approach: Array


@dataclass(frozen=True)
class GraspShape:
    """One grasp type as a shape of the hand.

    ``required`` and ``optional``: contact regions of the 17 of ``hand.anchors`` that must and may touch; ``faces``:
    those that touch with the side of a finger towards the thumb ("radial") or towards the little finger ("ulnar").
    ``span`` (least, greatest) m of object that fits; ``size`` m is what the mean pose closes on.
    """

    opposition: Opposition
    required: tuple[int, ...]
    optional: tuple[int, ...]
    faces: Mapping[int, Face]
    span: tuple[float, float]
    size: float
    fingers: tuple[tuple[float, ...], ...]  # index to little; degrees: knuckle, middle, end joint, spread to the thumb
    thumb: tuple[float, ...]  # degrees: base flexion, abduction, twist; middle flexion, abduction; end flexion
    centre: tuple[float, ...]  # of the grip: forward, out of the palm, to the thumb's side; palm lengths from the wrist
    axis: tuple[float, ...]

    @property
    def regions(self) -> tuple[int, ...]:
        """Every region that may touch: the required ones first."""
        return self.required + self.optional

    @property
    def weights(self) -> Array:
        """Weight (R,) of each of ``regions``: 1 where contact is required."""
        return np.array([1.0] * len(self.required) + [_OPTIONAL_WEIGHT] * len(self.optional))

    @property
    def palm(self) -> bool:
        """Whether the palm may touch."""
        return any(region in PALM_REGIONS for region in self.regions)

    def angles(self, opening: float = 0.0) -> Array:
        """Angles (26,) rad, the degrees of freedom of ``Limits``, from closed (0) to open (1)."""
        fingers, thumb = np.array(self.fingers), np.array(self.thumb)
        if opening:
            fingers = fingers + opening * (fingers * _OPEN_FINGER[0] + _OPEN_FINGER[1])
            thumb = thumb + opening * (thumb * _OPEN_THUMB[0] + _OPEN_THUMB[1])
            if self.opposition == "side" and not _touches(self.regions, 0):  # held between index and middle finger
                fingers[:2, 3] += opening * np.array([12.0, -8.0])
        knuckle, middle, end, spread = fingers[[0, 1, 3, 2]].T  # MANO's order: the little finger before the ring finger
        rows = np.stack([knuckle, spread, _FINGER_TWIST, middle, end], axis=1)
        return np.radians(np.concatenate([rows.ravel(), thumb]))

    def hand_pose(self, model: HandModel, opening: float = 0.0) -> Array:
        """``hand_pose`` (45,) of ``model``, closed (0) to open (1, before the grasp), inside its limits."""
        limits = Limits(model.kinematics)
        return limits.to_pose(np.clip(self.angles(opening), limits.lower, limits.upper))

    def std(self) -> Array:
        """Natural standard deviation (26,) rad of each degree of freedom about the mean pose."""
        parts = [np.array(_FINGER_STD) * (1.0 if _touches(self.regions, finger) else _IDLE) for finger in (1, 2, 4, 3)]
        parts.append(np.array(_THUMB_STD) * (1.0 if _touches(self.regions, 0) else _IDLE))
        return np.radians(np.concatenate(parts))

    def grip(self, model: HandModel, betas: Array | None = None) -> Grip:
        """Where the object is in a hand of shape ``betas`` (10,), the average one by default."""
        points = model.kinematics.rest_points(np.zeros((1, 10)) if betas is None else np.atleast_2d(betas))[0]
        forward = points[9] - points[0]
        length = np.linalg.norm(forward)
        back = palm_back(points)
        frame = np.stack([forward / length, -back, np.cross(back, forward / length)], axis=1)
        centre = length * (frame @ np.array(self.centre))
        axis, approach = frame @ np.array(self.axis), centre - 0.55 * forward
        return Grip(points[0] + centre, axis / np.linalg.norm(axis), approach / np.linalg.norm(approach))

    def contact_vertices(self, model: HandModel) -> NDArray[np.int64]:
        """The vertex (R,) in the middle of each of ``regions``, on the face of the finger that touches."""
        points = model.kinematics.rest_points(np.zeros((1, 10)))[0]
        frames = anatomical_frames(points)
        of_vertex = vertex_regions(model)
        chosen = np.empty(len(self.regions), dtype=np.int64)
        for row, region in enumerate(self.regions):
            members = np.flatnonzero(of_vertex == region)
            origin, direction = _line_of_sight(points, frames, region, self.faces.get(region, "palmar"))
            offset = model.v_template[members] - origin
            along = offset @ direction
            aside = np.linalg.norm(offset - along[:, None] * direction, axis=1)
            chosen[row] = members[np.argmin(np.where(along > 0.0, aside, np.inf))]
        return chosen


# The open hand: what is added to each angle, as a share of it and in degrees. The fingers straighten by half and more
# at their ends, the thumb swings out of the palm.
_OPEN_FINGER = (np.array([-0.35, -0.45, -0.45, 0.2]), np.array([-6.0, -4.0, -2.0, 0.0]))
_OPEN_THUMB = (np.array([-0.3, 0.0, 0.0, -0.6, 0.0, -0.6]), np.array([-16.0, 5.0, 0.0, -6.0, 0.0, -2.0]))


def _touches(regions: tuple[int, ...], finger: int) -> bool:
    return any(region // 3 == finger for region in regions)


def _line_of_sight(points: Array, frames: Array, region: int, face: Face) -> tuple[Array, Array]:
    """A point (3,) inside the flat hand and the direction (3,) in which a region's skin is seen from it."""
    if region in PALM_REGIONS:
        knuckles, share = points[[9, 13]].mean(axis=0), 0.8 if region == PALM_REGIONS[0] else 0.35
        return points[0] + share * (knuckles - points[0]), -palm_back(points)
    finger, bone = divmod(region, 3)
    start, end = points[_FIRST_KEYPOINT[finger] + bone : _FIRST_KEYPOINT[finger] + bone + 2]
    frame = frames[_FIRST_JOINT[finger] + bone]
    directions = {"palmar": -frame[:, 1], "radial": frame[:, 0], "ulnar": -frame[:, 0]}
    return start + _PLACES[bone] * (end - start), directions[face]
