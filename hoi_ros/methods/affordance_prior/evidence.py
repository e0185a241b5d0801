"""What the pipeline knows of how an object is held: the sentence, the cloud, and where seen fingers touch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.hand import HandModel
from hoi_ros.hand.anchors import vertex_regions
from hoi_ros.methods.affordance_prior.describer import Known
from hoi_ros.methods.affordance_prior.grip import extents, gripped_width
from hoi_ros.types import Array, HandBatch

TOUCHES = 0.006  # m between the skin and an object's points, which are some millimetres apart
REGIONS = 17
_ENDS = np.array([4 * digit + level for digit in range(5) for level in (2, 3, 4)])  # keypoints beyond the 15 of digits
_KNUCKLES = np.array([1, 5, 9, 13, 17])
MANY = 3  # hidden knuckles from which a palm is hidden

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Object:
    """An object's points in the frame of the hands."""

    points: Array  # (N, 3) m
    tree: cKDTree
    extents: Array  # (3,) m

    @classmethod
    def of(cls, points: Array) -> Object:
        """Points (N, 3), m."""
        return cls(points, cKDTree(points), extents(points))


class Witness:
    """Reads hands of one model."""

    def __init__(self, model: HandModel) -> None:
        self._model = model
        self._members = vertex_regions(model)[:, None] == np.arange(REGIONS)  # (778, 17)

    def known(self, hands: HandBatch, hidden: Mask, thing: Object | None, instruction: Sequence[str]) -> list[Known]:
        """Of right hands (N,) with ``hidden`` (N, 21) keypoints, and N instructions."""
        if thing is None:
            return [Known(instruction=each) for each in instruction]
        mesh = self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        near = thing.tree.query(mesh.vertices, distance_upper_bound=TOUCHES)[0] < TOUCHES
        touched = (near[..., None] & self._members).any(axis=1)
        unseen = regions_hidden(hidden)
        return [
            Known(each, thing.extents, gripped_width(thing.points, keypoints), felt & ~out, out)
            for each, keypoints, felt, out in zip(instruction, mesh.keypoints, touched, unseen, strict=True)
        ]


def regions_hidden(hidden: Mask) -> Mask:
    """Which of the 17 regions nobody sees, (N, 17), by hidden keypoints (N, 21)."""
    palm = hidden[:, _KNUCKLES].sum(axis=1) >= MANY
    return np.concatenate([hidden[:, _ENDS], np.repeat(palm[:, None], 2, axis=1)], axis=1)
