"""Bottles and jars: bodies to wrap a hand around, with caps and lids to turn."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import Solid, assemble, circle, loft, profile, stack, superellipse
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

JARS = {
    "cylindrical": ([0, 0.04, 0.8, 0.94, 1.0], [0.95, 1.0, 1.0, 0.95, 0.88]),
    "bellied": ([0, 0.2, 0.5, 0.8, 1.0], [0.74, 0.95, 1.0, 0.92, 0.76]),
    "tapered": ([0, 0.04, 0.9, 1.0], [0.72, 0.76, 1.0, 0.95]),
    "shouldered": ([0, 0.04, 0.65, 0.85, 1.0], [0.94, 1.0, 1.0, 0.86, 0.7]),
    "waisted": ([0, 0.05, 0.5, 0.92, 1.0], [0.95, 1.0, 0.84, 1.0, 0.92]),
}
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
    neck_radius = max(radius * shares[-1], 0.0115)
    neck = rng.uniform(0.006, 0.016)
    collar = loft("body", stack(circle(neck_radius, 32), [height - 0.002, height + neck]))
    cap_radius, cap_height = neck_radius + rng.uniform(0.001, 0.004), rng.uniform(0.016, 0.032)
    cap = screw_cap(rng, "cap", cap_radius, cap_height).moved([0.0, 0.0, height + neck - 0.001])
    uses = (grips.wrap_use("body", 2.0 * radius), grips.twist_use("cap", 2.0 * cap_radius, neighbours=("body",)))
    dimensions = {"diameter": 2.0 * radius, "cap_diameter": 2.0 * cap_radius}
    words = ("square",) if shape == "square" else ("round",)
    return assemble(name, "bottle", [body, collar, cap], uses, dimensions, words)


def jar(rng: np.random.Generator, name: str) -> ObjectModel:
    """A closed jar: a round, hexagonal or square body with a screw lid or a lid with a knob."""
    shape, plan = str(rng.choice(list(JARS))), str(rng.choice(["round", "round", "hexagonal", "square"]))
    radius = rng.uniform(0.029, 0.042)
    height = radius * rng.uniform(1.7, 3.4)
    outline = {
        "round": circle(1.0, 40),
        "hexagonal": 1.04 * chamfered(6, rng.uniform(0.6, 0.85)),
        "square": superellipse(0.94, 0.94, rng.uniform(4.0, 6.0), 40),
    }[plan]
    levels = np.linspace(0.0, 1.0, 10)
    shares = profile(*JARS[shape], levels)
    body = loft("body", stack(outline, levels * height, radius * shares))
    lid_radius, lid_height = radius * shares[-1] * rng.uniform(0.9, 1.04), rng.uniform(0.014, 0.026)
    top = height + rng.uniform(0.0, 0.006)
    neck = loft("body", stack(circle(0.93 * lid_radius, 32), [height - 0.003, top + 0.001]))
    knobbed = bool(rng.random() < 0.35)
    if knobbed:
        dome = loft(
            "lid",
            stack(
                circle(1.0, 32),
                top + lid_height * np.array([0.0, 0.4, 0.8, 1.0]),
                lid_radius * np.array([1.0, 0.98, 0.7, 0.3]),
            ),
        )
        knob_radius = rng.uniform(0.013, 0.018)
        lid = [dome, knob(rng, "knob", knob_radius).moved([0.0, 0.0, top + 0.95 * lid_height])]
        open_it = grips.lift_use("knob", grips.fitting(grips.KNOB, 2.0 * knob_radius), grips.UP, neighbours=("lid",))
    else:
        lid = [screw_cap(rng, "lid", lid_radius, lid_height).moved([0.0, 0.0, top])]
        open_it = grips.twist_use("lid", 2.0 * lid_radius, neighbours=("body",))
    uses = (grips.wrap_use("body", 2.0 * radius, neighbours=("lid",)), open_it)
    dimensions = {"diameter": 2.0 * radius, "lid_diameter": 2.0 * lid_radius}
    return assemble(name, "jar", [body, neck, *lid], uses, dimensions, (plan, shape))


def knob(rng: np.random.Generator, part: str, radius: float) -> Solid:
    """A knob to lift a lid by, its foot on z = 0: ball, mushroom, spool or cylinder; 1.9 to 2.6 radii high.

    Lower ones leave no room between them and the lid for the ends of fingers whose pads reach below the widest place.
    """
    style = str(rng.choice(["ball", "mushroom", "spool", "cylinder"]))
    knots = {
        "ball": ([0, 0.2, 0.35, 0.6, 0.85, 1.0], [0.55, 0.5, 0.85, 1.0, 0.8, 0.3]),
        "mushroom": ([0, 0.45, 0.55, 0.75, 0.9, 1.0], [0.5, 0.45, 1.0, 1.0, 0.8, 0.4]),
        "spool": ([0, 0.3, 0.6, 0.85, 1.0], [0.9, 0.6, 0.75, 1.0, 0.95]),
        "cylinder": ([0, 0.05, 0.9, 1.0], [0.9, 0.9, 1.0, 0.85]),
    }[style]
    levels = np.linspace(0.0, 1.0, 12)
    return loft(part, stack(circle(radius, 24), levels * radius * rng.uniform(1.9, 2.6), profile(*knots, levels)))


def screw_cap(rng: np.random.Generator, part: str, radius: float, height: float) -> Solid:
    """A cap standing on z = 0: plain, conical, domed or ribbed."""
    style = rng.choice(["plain", "conical", "domed", "ribbed"])
    if style == "ribbed":
        return loft(part, stack(radius * chamfered(int(rng.integers(10, 18))), [0.0, height]))
    levels: Array = height * np.array([0.0, 0.05, 0.8, 0.93, 1.0])
    shares = {"plain": [0.97, 1, 1, 0.98, 0.92], "conical": [1, 1, 0.84, 0.8, 0.74], "domed": [1, 1, 0.94, 0.78, 0.5]}
    return loft(part, stack(circle(radius, 32), levels, shares[str(style)]))


def chamfered(count: int, flat: float = 0.56) -> Array:
    """A regular polygon of ``count`` sides with cut corners: each side keeps the share ``flat`` of its angle."""
    angle = (np.arange(count)[:, None] + np.array([-0.5, 0.5]) * flat).ravel() * 2.0 * np.pi / count
    return np.column_stack([np.cos(angle), np.sin(angle)])
