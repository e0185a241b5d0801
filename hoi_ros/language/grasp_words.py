"""The 28 grasp types in words, each said only of a hand whose touching digits agree."""

from __future__ import annotations

from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.language.touch import Mask, touching_digits

_POWER = frozenset(("thumb", "index", "middle"))
_PINCH = frozenset(("thumb", "index"))
_THREE = frozenset(("thumb", "index", "middle"))
_FOUR = frozenset(("thumb", "index", "middle", "ring"))

# Name; digits that touch in every such grasp; whether the name counts them, so that no other digit may touch.
GRASPS: dict[G, tuple[str, frozenset[str], bool]] = {
    G.LARGE_DIAMETER: ("large diameter power grasp", _POWER, False),
    G.SMALL_DIAMETER: ("small diameter power grasp", _POWER, False),
    G.INDEX_FINGER_EXTENSION: ("index finger extension grasp", frozenset(("index",)), False),
    G.EXTENSION_TYPE: ("extension type grasp", frozenset(("thumb",)), False),
    G.PARALLEL_EXTENSION: ("parallel extension grasp", _PINCH, False),
    G.PALMAR: ("palmar grasp", frozenset(), False),
    G.MEDIUM_WRAP: ("medium wrap", _POWER, False),
    G.ADDUCTED_THUMB: ("adducted thumb grasp", frozenset(("thumb", "index")), False),
    G.LIGHT_TOOL: ("light tool grasp", frozenset(("index", "middle")), False),
    G.DISTAL_TYPE: ("distal type grasp", frozenset(("thumb",)), False),
    G.RING: ("ring grasp", _PINCH, False),
    G.POWER_DISK: ("power disk grasp", _POWER, False),
    G.POWER_SPHERE: ("power sphere grasp", _POWER, False),
    G.SPHERE_4_FINGER: ("four-finger sphere grasp", _FOUR, True),
    G.SPHERE_3_FINGER: ("three-finger sphere grasp", _THREE, True),
    G.LATERAL: ("lateral key grasp", _PINCH, False),
    G.STICK: ("stick grasp", _PINCH, False),
    G.ADDUCTION_GRIP: ("adduction grip", frozenset(("index", "middle")), False),
    G.WRITING_TRIPOD: ("writing tripod grasp", _THREE, True),
    G.LATERAL_TRIPOD: ("lateral tripod grasp", _THREE, True),
    G.PALMAR_PINCH: ("palmar pinch", _PINCH, True),
    G.TIP_PINCH: ("tip pinch", _PINCH, True),
    G.INFERIOR_PINCER: ("inferior pincer grasp", _PINCH, True),
    G.PRISMATIC_3_FINGER: ("three-finger prismatic grasp", _FOUR, True),
    G.PRECISION_DISK: ("precision disk grasp", _POWER, False),
    G.PRECISION_SPHERE: ("precision sphere grasp", _POWER, False),
    G.QUADPOD: ("quadpod grasp", _FOUR, True),
    G.TRIPOD: ("tripod grasp", _THREE, True),
}


def grasp_words(grasp_type: G, contacts: Mask) -> str | None:
    """The name of a grasp, or None where the contacts (17, P) contradict it."""
    name, digits, counted = GRASPS[grasp_type]
    touching = frozenset(touching_digits(contacts))
    agrees = touching == digits if counted else digits <= touching
    return name if agrees else None
