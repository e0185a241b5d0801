"""The hand's flesh: a mass and a few boxes and capsules for each link, for RViz, collisions and physics.

Masses as Shadow's model has them; shapes of our own, about as large as the real links.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.shadow_hand import FINGERS, Vector, transform
from hoi_ros.types import Array, Side

# Neighbours whose shapes overlap where they are hinged, beyond a link and its parent.
OVERLAPPING = (
    ("forearm", "wrist"),  # the forearm is the fixed world, whose children are not left out by themselves
    ("forearm", "palm"),
    *(("palm", f"{finger.lower()}proximal") for finger in FINGERS),
    ("palm", "lfknuckle"),
    ("lfmetacarpal", "lfproximal"),
    ("lfmetacarpal", "rfknuckle"),
    ("lfmetacarpal", "rfproximal"),
    *((f"{finger.lower()}knuckle", f"{finger.lower()}middle") for finger in FINGERS[1:]),
    ("palm", "thhub"),
    ("thbase", "thhub"),
    ("thbase", "thmiddle"),
    ("thproximal", "thmiddle"),
    ("thproximal", "thdistal"),
    ("thhub", "thdistal"),
)


@dataclass(frozen=True)
class Shape:
    """A box of half sizes ``size``, or a capsule along its z of radius ``size[0]`` and half length ``size[1]``, m."""

    kind: str  # box, capsule
    size: tuple[float, ...]
    xyz: Vector = (0.0, 0.0, 0.0)
    rpy: Vector = (0.0, 0.0, 0.0)

    @property
    def pose(self) -> Array:
        """In the link, (4, 4)."""
        return transform(Rotation.from_euler("xyz", self.rpy).as_matrix(), np.array(self.xyz))

    @property
    def volume(self) -> float:
        """m^3."""
        if self.kind == "box":
            return float(8.0 * np.prod(self.size))
        radius, half = self.size
        return float(np.pi * radius**2 * (2.0 * half + 4.0 / 3.0 * radius))

    @property
    def inertia(self) -> Array:
        """Inertia (3, 3) about the centre, in the link's axes, per kg."""
        if self.kind == "box":
            square = np.square(self.size)
            own = (square.sum() - square) / 3.0
        else:
            radius, half = self.size
            barrel = 2.0 * half / (2.0 * half + 4.0 / 3.0 * radius)  # share of the mass; the caps make one sphere
            along = radius**2 * (0.5 * barrel + 0.4 * (1.0 - barrel))
            caps = 0.4 * radius**2 + half**2 + 0.75 * half * radius
            across = barrel * (radius**2 / 4.0 + half**2 / 3.0) + (1.0 - barrel) * caps
            own = np.array([across, across, along])
        turn = self.pose[:3, :3]
        inertia: Array = turn @ np.diag(own) @ turn.T
        return inertia


@dataclass(frozen=True)
class Body:
    """Mass, kg, spread evenly over a link's shapes."""

    mass: float
    shapes: tuple[Shape, ...]

    @property
    def centre(self) -> Array:
        """Centre of mass in the link, m."""
        volumes = np.array([shape.volume for shape in self.shapes])
        centre: Array = volumes @ np.array([shape.xyz for shape in self.shapes]) / volumes.sum()
        return centre

    @property
    def inertia(self) -> Array:
        """Inertia (3, 3) about the centre of mass, in the link's axes, kg m^2."""
        total, centre = sum(shape.volume for shape in self.shapes), self.centre
        inertia = np.zeros((3, 3))
        for shape in self.shapes:
            arm = np.array(shape.xyz) - centre
            steiner = arm @ arm * np.eye(3) - np.outer(arm, arm)
            inertia += self.mass * shape.volume / total * (shape.inertia + steiner)
        return inertia


def _along(radius: float, start: float, end: float) -> tuple[Shape, ...]:
    """A capsule on the link's z whose caps are centred at ``start`` and ``end``."""
    return (Shape("capsule", (radius, (end - start) / 2), (0, 0, (start + end) / 2)),)


def _finger(finger: str) -> dict[str, Body]:
    return {
        f"{finger}knuckle": Body(0.008, (Shape("capsule", (0.008, 0.002), rpy=(0, np.pi / 2, 0)),)),
        f"{finger}proximal": Body(0.03, _along(0.009, 0.004, 0.045)),
        f"{finger}middle": Body(0.017, _along(0.0085, 0.0, 0.025)),
        f"{finger}distal": Body(0.013, _along(0.008, 0.0, 0.018)),
    }


_RIGHT = {
    "forearm": Body(3.0, (*_along(0.045, 0.045, 0.13), Shape("box", (0.032, 0.026, 0.03), (0, -0.01, 0.175)))),
    "wrist": Body(0.1, (Shape("box", (0.03, 0.012, 0.017), (0, 0, 0.017)),)),
    "palm": Body(
        0.3,
        (
            Shape("box", (0.033, 0.010, 0.044), (0.011, 0.001, 0.044)),
            Shape("box", (0.011, 0.010, 0.01), (-0.031, 0.001, 0.01)),
            Shape("capsule", (0.011, 0.018), (0.029, -0.006, 0.03), (0, np.pi / 12, 0)),  # ball of the thumb
        ),
    ),
    **_finger("ff"),
    **_finger("mf"),
    **_finger("rf"),
    "lfmetacarpal": Body(0.03, (Shape("box", (0.0105, 0.010, 0.024), (0.001, 0, 0.031)),)),
    **_finger("lf"),
    "thbase": Body(0.01, (Shape("capsule", (0.011, 0.002)),)),
    "thproximal": Body(0.04, _along(0.0105, 0.008, 0.036)),
    "thhub": Body(0.005, (Shape("capsule", (0.0095, 0.001)),)),
    "thmiddle": Body(0.02, _along(0.0095, 0.003, 0.032)),
    "thdistal": Body(0.017, _along(0.009, 0.0, 0.0185)),
}


def bodies(side: Side) -> dict[str, Body]:
    """The body of each link, in the link's frame. A left hand's are mirrored in x."""
    if side == "right":
        return _RIGHT
    return {link: replace(body, shapes=tuple(map(_mirrored, body.shapes))) for link, body in _RIGHT.items()}


def _mirrored(shape: Shape) -> Shape:
    (x, y, z), (r, p, w) = shape.xyz, shape.rpy
    return replace(shape, xyz=(-x, y, z), rpy=(r, -p, -w))
