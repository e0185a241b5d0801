"""Which grasp types fit what, and the uses that many families share (types: GRASP taxonomy, Feix et al., 2016)."""

from __future__ import annotations

import numpy as np

from hoi_ros.hand.grasp_shapes import GRASP_SHAPES
from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.types import Array

X, Y, UP = np.eye(3)
WIDEST_WRAP = 0.095  # m; thicker bodies are not wrapped by one hand

Types = tuple[G, ...]

ROUND: Types = (G.LARGE_DIAMETER, G.MEDIUM_WRAP, G.SMALL_DIAMETER, G.ADDUCTED_THUMB, G.RING)
CAP: Types = (
    G.POWER_DISK,
    G.PRECISION_DISK,
    G.PRECISION_SPHERE,
    G.SPHERE_4_FINGER,
    G.SPHERE_3_FINGER,
    G.QUADPOD,
    G.TRIPOD,
    G.PALMAR_PINCH,
)
KNOB: Types = CAP[:-1]  # to lift by: what hangs from two fingertips turns between them
BAR: Types = (G.MEDIUM_WRAP, G.SMALL_DIAMETER, G.ADDUCTED_THUMB, G.LIGHT_TOOL, G.STICK, G.LATERAL)
PLATE: Types = (G.PARALLEL_EXTENSION, G.EXTENSION_TYPE, G.PALMAR_PINCH, G.PRISMATIC_3_FINGER, G.PALMAR, G.LATERAL)
PUSH: Types = (G.INDEX_FINGER_EXTENSION,)  # one finger stretched: buttons, keys, pumps
FLAT_HAND: Types = (G.PALMAR, G.PRECISION_DISK, G.EXTENSION_TYPE)


def fitting(types: Types, size: float) -> Types:
    """Those of ``types`` that close on ``size`` m, nearest first; the nearest if none does."""

    def misfit(kind: G) -> float:
        return abs(float(np.log(size / GRASP_SHAPES[kind].size)))

    spans = {kind: GRASP_SHAPES[kind].span for kind in types}
    fit = [kind for kind in spans if spans[kind][0] <= size <= spans[kind][1]]
    return tuple(sorted(fit, key=misfit)) or (min(types, key=misfit),)


def wrap_use(part: str, diameter: float, axis: Array = UP, neighbours: tuple[str, ...] = ()) -> Use:
    """Wrap-grasp of a body of ``diameter`` m about ``axis``."""
    return Use(Affordance.WRAP_GRASP, part, fitting(ROUND, diameter), axis=axis, neighbours=neighbours)


def handle_use(
    part: str, thickness: float, axis: Array, approach: Array | None = None, neighbours: tuple[str, ...] = ()
) -> Use:
    """Handle-grasp of a bar of ``thickness`` m along ``axis``."""
    types = fitting(BAR, thickness)
    return Use(Affordance.HANDLE_GRASP, part, types, axis=axis, approach=approach, cone=1.2, neighbours=neighbours)


def twist_use(part: str, diameter: float, axis: Array = UP, neighbours: tuple[str, ...] = ()) -> Use:
    """Twist of a cap, lid or knob of ``diameter`` m about ``axis``, which points outwards."""
    types = fitting(CAP, diameter)
    return Use(Affordance.TWIST, part, types, axis=axis, approach=-axis, cone=1.4, force=axis, neighbours=neighbours)


def lift_use(part: str, types: Types, axis: Array | None = None, neighbours: tuple[str, ...] = ()) -> Use:
    """Lift of a part from above."""
    return Use(Affordance.LIFT, part, types, axis=axis, approach=-UP, cone=1.2, force=UP, neighbours=neighbours)


def push_use(
    affordance: Affordance, part: str, types: Types, force: Array, neighbours: tuple[str, ...] = (), cone: float = 0.9
) -> Use:
    """Press, Support or Lever: the hand comes the way it pushes."""
    return Use(affordance, part, types, approach=force, cone=cone, force=force, neighbours=neighbours)
