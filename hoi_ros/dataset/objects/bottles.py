"""Bottles and jars: bodies to wrap a hand around, with caps and lids to turn."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import Solid, assemble, circle, loft, profile, stack, superellipse
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

UP = np.array([0.0, 0.0, 1.0])
BOTTLES = {  # knots of height (share of the body) and radius (share of the widest); the neck follows
    "wine": ([0, 0.03, 0.62, 0.74, 0.86, 1.0], [0.93, 1.0, 1.0, 0.86, 0.42, 0.36]),
    "water": ([0, 0.03, 0.3, 0.5, 0.72, 0.9, 1.0], [0.9, 1.0, 1.0, 0.88, 1.0, 0.62, 0.4]),
    "boston": ([0, 0.02, 0.72, 0.84, 0.93, 1.0], [0.94, 1.0, 1.0, 0.9, 0.6, 0.4]),
    "teardrop": ([0, 0.05, 0.22, 0.5, 0.8, 1.0], [0.8, 0.95, 1.0, 0.8, 0.5, 0.38]),
    "sport": ([0, 0.03, 0.45, 0.58, 0.72, 0.9, 1.0], [0.95, 1.0, 1.0, 0.85, 0.95, 0.9, 0.72]),
    "square": ([0, 0.03, 0.76, 0.86, 0.94, 1.0], [0.95, 1.0, 1.0, 0.88, 0.6, 0.42]),
}


def bottle(rng: np.random.Generator, name: str) -> ObjectModel:
    """A closed bottle with a screw cap; the neck belongs to the body."""
    shape = str(rng.choice(list(BOTTLES)))
    radius, height = rng.uniform(0.027, 0.041), rng.uniform(0.14, 0.23)
    levels = np.linspace(0.0, 1.0, 18)
    shares = np.clip(profile(*BOTTLES[shape], levels) * (1.0 + rng.normal(0.0, 0.04)), 0.0, 1.0)
    outline = superellipse(1.0, 1.0, rng.uniform(3.0, 5.0), 40) if shape == "square" else circle(1.0, 40)
    body = loft("body", stack(outline, levels * height, radius * shares))
    neck_radius = radius * shares[-1]
    neck = rng.uniform(0.006, 0.016)
    collar = loft("body", stack(circle(neck_radius, 32), [height - 0.002, height + neck]))
    cap_radius, cap_height = neck_radius + rng.uniform(0.001, 0.004), rng.uniform(0.013, 0.028)
    cap = screw_cap(rng, "cap", cap_radius, cap_height).moved([0.0, 0.0, height + neck - 0.001])
    uses = (
        Use(Affordance.WRAP_GRASP, "body", grips.wrap(2.0 * radius), axis=UP),
        Use(
            Affordance.TWIST,
            "cap",
            grips.turn(2.0 * cap_radius),
            axis=UP,
            approach=-UP,
            cone=1.5,
            force=UP,
            neighbours=("body",),
        ),
    )
    dimensions = {"diameter": 2.0 * radius, "cap_diameter": 2.0 * cap_radius}
    words = ("square",) if shape == "square" else ("round",)
    return assemble(name, "bottle", [body, collar, cap], uses, dimensions, words)


def screw_cap(rng: np.random.Generator, part: str, radius: float, height: float) -> Solid:
    """A cap standing on z = 0: plain, conical, domed or ribbed."""
    style = rng.choice(["plain", "conical", "domed", "ribbed"])
    if style == "ribbed":
        return loft(part, stack(_ribbed(radius, 14), [0.0, height]))
    levels: Array = height * np.array([0.0, 0.05, 0.8, 0.93, 1.0])
    shares = {"plain": [0.97, 1, 1, 0.98, 0.92], "conical": [1, 1, 0.84, 0.8, 0.74], "domed": [1, 1, 0.94, 0.78, 0.5]}
    return loft(part, stack(circle(radius, 32), levels, shares[str(style)]))


def _ribbed(radius: float, count: int) -> Array:
    """A polygon of ``count`` flats with cut corners, as convex as a ribbed cap can be."""
    angle = (np.arange(count)[:, None] + [-0.22, 0.22]).ravel() * 2.0 * np.pi / count
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])
