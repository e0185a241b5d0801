"""Mugs: open walls with one handle."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import (
    Solid,
    along,
    assemble,
    circle,
    loft,
    profile,
    seated,
    smooth,
    stack,
    superellipse,
    vessel,
)
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BODIES = {  # radius at the foot, a third, two thirds and the rim, as shares of the widest
    "straight": (1.0, 1.0, 1.0, 1.0),
    "tapered": (0.76, 0.85, 0.93, 1.0),
    "barrel": (0.82, 0.98, 1.0, 0.9),
    "flared": (0.78, 0.76, 0.82, 1.0),
    "rounded": (0.62, 0.93, 1.0, 0.98),
}
HANDLES = {  # (outwards, upwards) of the handle's middle line, as shares of its reach and half its height
    "C": [(0.0, 0.9), (0.55, 1.0), (1.0, 0.45), (1.0, -0.45), (0.55, -1.0), (0.0, -0.9)],
    "D": [(0.0, 1.0), (0.7, 1.0), (1.0, 0.75), (1.0, -0.75), (0.7, -1.0), (0.0, -1.0)],
    "ear": [(0.0, 0.85), (0.6, 1.05), (1.0, 0.7), (0.85, -0.05), (0.45, -0.65), (0.0, -1.0)],
    "loop": [(0.0, 0.7), (0.5, 0.98), (0.95, 0.6), (1.05, 0.0), (0.95, -0.6), (0.5, -0.98), (0.0, -0.7)],
}


def mug(rng: np.random.Generator, name: str) -> ObjectModel:
    """A mug with its handle towards +x."""
    body_shape, handle_shape = str(rng.choice(list(BODIES))), str(rng.choice(list(HANDLES)))
    radius, height = rng.uniform(0.033, 0.046), rng.uniform(0.078, 0.112)
    wall = rng.uniform(0.003, 0.0045)
    levels = height * np.array([0.0, 0.03, 0.1, 0.22, 0.36, 0.5, 0.64, 0.78, 0.9, 0.97, 1.0])
    radii = radius * profile([0.0, 0.33, 0.67, 1.0], BODIES[body_shape], levels / height)
    radii[[0, -1]] -= [rng.uniform(0.001, 0.003), 0.0008]
    walls = np.full(len(levels), wall)
    walls[-1] -= 0.0016
    body = vessel("body", stack(circle(1.0, 36), levels, radii), walls, floor=rng.uniform(0.004, 0.007))

    gap = rng.uniform(0.027, 0.036)
    thick, broad = rng.uniform(0.0035, 0.006), rng.uniform(0.0045, 0.009)  # halves
    half = height * rng.uniform(0.33, 0.4)
    middle = height * rng.uniform(0.48, 0.54)
    outline = superellipse(broad, thick, rng.uniform(2.0, 3.5), 12)
    at = np.array([middle, half, gap + thick])
    handle = _handle(HANDLES[handle_shape], outline, at, levels, radii - wall / 2.0)

    uses = (
        grips.handle_use("handle", 2.0 * max(thick, broad), grips.UP, -grips.X, ("body",)),
        grips.wrap_use("body", 2.0 * radius, neighbours=("handle",)),
    )
    dimensions = {"diameter": 2.0 * radius, "handle_gap": gap}
    return assemble(name, "mug", [*body, handle], uses, dimensions, (body_shape,))


def _handle(shape: list[tuple[float, float]], outline: Array, at: Array, levels: Array, radii: Array) -> Solid:
    """A handle in the plane y = 0 whose ends sit in the wall of ``radii`` (L,) at heights ``levels`` (L,).

    ``at``: height of its middle, half its height and its reach from the widest, m.
    """
    middle, half, reach = at
    control = np.array(shape)
    z = middle + half * control[:, 1]
    x = np.where(control[:, 0] < 0.3, np.interp(z, levels, radii), radii.max()) + reach * control[:, 0]
    path = smooth(np.column_stack([x, 0.0 * x, z]), 14)
    grow = np.interp(np.linspace(-1, 1, len(path)), [-1, -0.7, 0.7, 1], [1.25, 1.0, 1.0, 1.25])
    sections = along(path, outline, (0, 1, 0), grow)
    sections[[0, -1]] = seated(sections[[0, -1]], levels, radii)
    return loft("handle", sections)
