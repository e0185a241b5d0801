"""Objects to speak of: some of every family, and boxes of any category and part."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from hoi_ros.dataset.objects import FAMILIES, make_object
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel

UP = np.array([0.0, 0.0, 1.0])


def thing(category: str, *parts: str, sides: tuple[float, float, float] = (0.1, 0.1, 0.1), adjectives=()):
    """An object of which only its extent and its names matter."""
    corners = np.array(np.meshgrid(*[[0.0, side] for side in sides])).reshape(3, -1).T
    faces = np.zeros((len(parts), 3), dtype=np.int32)
    numbers = np.arange(len(parts), dtype=np.int32)
    return ObjectModel(f"{category}_0", category, corners, faces, numbers, parts, (), adjectives=tuple(adjectives))


def use(affordance: Affordance, part: str, force: np.ndarray | None = None) -> Use:
    return Use(affordance, part, (GraspType.MEDIUM_WRAP,), force=force)


@cache
def family_objects(count: int = 3) -> tuple[ObjectModel, ...]:
    return tuple(make_object(category, index, 7) for category in FAMILIES for index in range(count))


@cache
def asked() -> tuple[tuple[ObjectModel, Use], ...]:
    """Every use of every object, with No-grasp and Null."""
    pairs = [(obj, each) for obj in family_objects() for each in obj.uses]
    pairs += [
        (obj, use(affordance, obj.part_names[0]))
        for obj in family_objects(1)
        for affordance in (Affordance.NO_GRASP, Affordance.NULL)
    ]
    pots = thing("teapot", "teapot", "lid_knob", "left_handle_2", "lid", sides=(0.1, 0.1, 0.3), adjectives=["oval"])
    pairs += [(pots, use(affordance, part, UP)) for affordance in Affordance for part in pots.part_names]
    pairs += [(replace(obj, category="object"), each) for obj, each in pairs[:3]]
    return tuple(pairs)
