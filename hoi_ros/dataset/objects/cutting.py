"""Knives and scissors, flat in the plane z = 0."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import (
    Solid,
    along,
    assemble,
    circle,
    convex,
    ellipse,
    loft,
    profile,
    stack,
    superellipse,
    tube,
)
from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BLADES = {  # (along, across) from the heel: spine (across > 0) to tip, back along the edge; shares of length and depth
    "chef": [(0, 0.25), (0.6, 0.25), (0.85, 0.12), (1.0, -0.3), (0.9, -0.5), (0.65, -0.68), (0.3, -0.75), (0, -0.75)],
    "paring": [(0, 0.4), (0.5, 0.4), (0.8, 0.25), (1.0, -0.1), (0.8, -0.45), (0.4, -0.6), (0, -0.6)],
    "bread": [(0, 0.4), (0.92, 0.4), (0.99, 0.1), (1.0, -0.3), (0.96, -0.55), (0.5, -0.6), (0, -0.6)],
    "cleaver": [(0, 0.2), (0.98, 0.2), (1.0, 0.15), (1.0, -0.75), (0.97, -0.8), (0, -0.8)],
    "santoku": [(0, 0.25), (0.72, 0.25), (0.92, 0.02), (1.0, -0.55), (0.9, -0.7), (0.5, -0.75), (0, -0.75)],
    "table": [(0, 0.45), (0.85, 0.5), (0.96, 0.3), (1.0, 0.0), (0.96, -0.35), (0.85, -0.5), (0, -0.5)],
}
LENGTHS = {  # of the blade, m: least, most; and its depth
    "chef": (0.15, 0.24, 0.038, 0.052),
    "paring": (0.075, 0.11, 0.018, 0.025),
    "bread": (0.18, 0.25, 0.026, 0.036),
    "cleaver": (0.13, 0.19, 0.065, 0.09),
    "santoku": (0.13, 0.19, 0.038, 0.05),
    "table": (0.1, 0.13, 0.018, 0.024),
}


def knife(rng: np.random.Generator, name: str) -> ObjectModel:
    """A knife lying on its side, its tip towards +x."""
    kind = str(rng.choice(list(BLADES)))
    shortest, longest, slim, deep = LENGTHS[kind]
    length, depth = rng.uniform(shortest, longest), rng.uniform(slim, deep)
    spine = rng.uniform(0.0018, 0.003)
    flat = np.array(BLADES[kind]) * [length, depth]
    half = np.where(flat[:, 1] > 0.15 * flat[:, 1].max(), spine / 2.0, 0.0003)
    blade = convex("blade", np.concatenate([np.column_stack([flat, side * half]) for side in (-1.0, 1.0)]))
    long, thick = rng.uniform(0.1, 0.135), rng.uniform(0.014, 0.021)
    high = thick * rng.uniform(1.2, 1.55)
    share = np.linspace(0.0, 1.0, 13)
    grow = profile(
        [0, 0.15, 0.45, 0.75, 0.93, 1.0],
        [0.85, rng.uniform(0.78, 1.0), 1.0, rng.uniform(0.76, 0.95), rng.uniform(0.95, 1.2), 0.7],
        share,
    )
    bend = rng.uniform(-0.004, 0.008)
    path = np.column_stack([-long * share, -bend * np.sin(np.pi * share) - 0.003 * share, 0.0 * share])
    level = 0.5 * (flat[0, 1] + max(flat[-1, 1], flat[0, 1] - high))
    outline = superellipse(thick / 2.0, high / 2.0, rng.uniform(2.2, 5.0), 16)
    handle = tube(
        "handle", path + np.array([0.002, level, 0.0]), outline, (0, 0, 1), np.column_stack([0.5 + 0.5 * grow, grow])
    )
    solids = [handle, blade, *_guard(rng, thick, high, level)]
    uses = (grips.handle_use("handle", 0.5 * (thick + high), grips.X),)
    dimensions = {"handle_length": long, "blade_length": length}
    return assemble(name, "knife", solids, uses, dimensions, (kind,), stands=False)


def _guard(rng: np.random.Generator, thick: float, high: float, level: float) -> list[Solid]:
    """The collar between handle and blade that some knives have."""
    if rng.random() < 0.5:
        return []
    outline = superellipse(high / 2.0 * rng.uniform(0.9, 1.15), thick / 2.0 * rng.uniform(0.8, 1.0), 3.0, 16)
    guard = loft("bolster", stack(outline, [-0.004, rng.uniform(0.004, 0.012)], [1.0, 0.85]))
    return [guard.turned((0, 0, 1), np.pi / 2.0).turned((0, 1, 0), np.pi / 2.0).moved([0.0, level, 0.0])]


def scissors(rng: np.random.Generator, name: str) -> ObjectModel:
    """Scissors lying flat, their tips towards +x, a little open."""
    length, depth, thin = rng.uniform(0.075, 0.12), rng.uniform(0.013, 0.019), rng.uniform(0.0016, 0.0024)
    opening = rng.uniform(0.02, 0.16)
    reach = rng.uniform(0.048, 0.07)  # from the pivot to the middle of the rings
    thick, broad = rng.uniform(0.004, 0.0065), rng.uniform(0.0035, 0.0065)  # halves of a ring's bar
    offset = np.array([1.0, rng.choice([1.0, rng.uniform(1.2, 1.8)])])  # the lower ring may be longer
    halves: list[Solid] = []
    for side, stretch in zip((1.0, -1.0), offset, strict=True):
        half = _half(rng, length, depth, thin, reach, thick, broad, stretch)
        turned = [solid.turned((0, 0, 1), -opening / 2.0).moved([0.0, 0.0, 0.5 * thin]) for solid in half]
        halves += turned if side > 0 else [solid.mirrored(1).mirrored(2) for solid in turned]
    screw = loft("blade", stack(circle(rng.uniform(0.0035, 0.005), 16), [-thin - 0.001, thin + 0.001]))
    types = (G.DISTAL_TYPE, G.PARALLEL_EXTENSION, G.LATERAL, G.PALMAR_PINCH, G.LIGHT_TOOL)
    uses = (Use(Affordance.HANDLE_GRASP, "handle", types, axis=grips.X, neighbours=("blade",)),)
    dimensions = {"blade_length": length}
    return assemble(name, "scissors", [*halves, screw], uses, dimensions, stands=False)


def _half(
    rng: np.random.Generator,
    length: float,
    depth: float,
    thin: float,
    reach: float,
    thick: float,
    broad: float,
    stretch: float,
) -> list[Solid]:
    """One blade towards +x with the ring behind the pivot on the +y side, in the plane z = 0."""
    a, b = rng.uniform(0.0155, 0.019) * stretch, rng.uniform(0.0135, 0.0165)
    centre = np.array([-reach - (a - 0.016), b + broad + 0.002])
    angle = np.arange(16) * 2.0 * np.pi / 16
    tilt = rng.uniform(-0.1, 0.25)
    flat = ellipse(a + broad, b + broad, 16) @ np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    path = np.column_stack([flat + centre, 0.0 * angle])
    outline = superellipse(thick, broad, rng.uniform(2.0, 3.5), 10)
    loop = tube("handle", path, outline, (0, 0, 1), closed=True)
    joint = path[np.argmax(path[:, 0])]
    shank = np.array([joint - 0.001 * grips.X, 0.5 * joint + 0.001 * grips.Y, np.zeros(3)])
    bar = loft(
        "handle",
        along(
            shank,
            superellipse(1.0, 1.0, 3.0, 12),
            (0, 0, 1),
            [(thick, broad), (0.8 * thick, 1.1 * broad), (0.5 * thin, 0.4 * depth)],
        ),
    )
    edge = np.array(
        [(-0.012, 0.35), (0.0, 0.5), (0.5, 0.32), (0.97, -0.3), (1.0, -0.45), (0.4, -0.45), (0.0, -0.5), (-0.012, -0.3)]
    )
    outline_2d: Array = edge * [length, depth]
    height = 0.5 * thin
    blade = convex(
        "blade", np.concatenate([np.column_stack([outline_2d, np.full(len(edge), z)]) for z in (-height, height)])
    )
    return [loop, bar, blade]
