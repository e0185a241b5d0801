"""Which grasp types fit what, and the uses that many families share (types: GRASP taxonomy, Feix et al., 2016)."""

from __future__ import annotations

import numpy as np

from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.types import Array

X, Y, UP = np.eye(3)

WIDEST_WRAP = 0.09  # m; thicker bodies are not wrapped by one hand

Types = tuple[G, ...]


def wrap(diameter: float) -> Types:
    """Power grips around a body of ``diameter`` m, likeliest first."""
    if diameter > 0.055:
        return (G.LARGE_DIAMETER, G.MEDIUM_WRAP, G.PRISMATIC_3_FINGER)
    if diameter > 0.033:
        return (G.MEDIUM_WRAP, G.LARGE_DIAMETER, G.SMALL_DIAMETER, G.PRISMATIC_3_FINGER)
    return (G.SMALL_DIAMETER, G.MEDIUM_WRAP, G.ADDUCTED_THUMB)


def turn(diameter: float) -> Types:
    """Grips of a cap, lid or knob of ``diameter`` m from above or beside, likeliest first."""
    if diameter > 0.055:
        return (G.PRECISION_DISK, G.POWER_DISK, G.SPHERE_4_FINGER)
    if diameter > 0.035:
        return (G.QUADPOD, G.PRECISION_DISK, G.SPHERE_3_FINGER, G.TRIPOD)
    if diameter > 0.018:
        return (G.TRIPOD, G.QUADPOD, G.PRISMATIC_3_FINGER, G.PALMAR_PINCH)
    return (G.PALMAR_PINCH, G.TIP_PINCH, G.TRIPOD, G.LATERAL)


def handle(thickness: float) -> Types:
    """Grips of a bar of ``thickness`` m, likeliest first."""
    if thickness > 0.035:
        return (G.MEDIUM_WRAP, G.LARGE_DIAMETER)
    if thickness > 0.016:
        return (G.SMALL_DIAMETER, G.MEDIUM_WRAP, G.ADDUCTED_THUMB)
    return (G.SMALL_DIAMETER, G.ADDUCTED_THUMB, G.LIGHT_TOOL)


def edge(thickness: float) -> Types:
    """Grips of a plate of ``thickness`` m by its edge, likeliest first."""
    if thickness > 0.012:
        return (G.PARALLEL_EXTENSION, G.EXTENSION_TYPE, G.PALMAR)
    return (G.PARALLEL_EXTENSION, G.PALMAR_PINCH, G.LATERAL, G.EXTENSION_TYPE)


PUSH: Types = (G.INDEX_FINGER_EXTENSION,)
"""One finger stretched: buttons, keys, pumps."""

CARRY: Types = (G.PALMAR, G.EXTENSION_TYPE)
"""The open hand under a thing."""


def wrap_use(part: str, diameter: float, axis: Array = UP, neighbours: tuple[str, ...] = ()) -> Use:
    """Wrap-grasp of a body of ``diameter`` m about ``axis``."""
    return Use(Affordance.WRAP_GRASP, part, wrap(diameter), axis=axis, neighbours=neighbours)


def twist_use(part: str, diameter: float, axis: Array = UP, neighbours: tuple[str, ...] = ()) -> Use:
    """Twist of a cap, lid or knob of ``diameter`` m about ``axis``, which points outwards."""
    return Use(
        Affordance.TWIST, part, turn(diameter), axis, approach=-axis, cone=1.4, force=axis, neighbours=neighbours
    )


def press_use(part: str, types: Types = PUSH, neighbours: tuple[str, ...] = ()) -> Use:
    """Press of a key or pump head downwards."""
    return Use(Affordance.PRESS, part, types, approach=-UP, cone=0.9, force=-UP, neighbours=neighbours)
