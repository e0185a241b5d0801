"""Pump dispensers: a head to press, a collar to turn, a body to hold."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import chamfered
from hoi_ros.dataset.objects.solids import (
    Solid,
    assemble,
    block,
    circle,
    convex,
    ellipse,
    loft,
    profile,
    smooth,
    stack,
    superellipse,
    tube,
)
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.object_model import ObjectModel

BODIES = {  # knots of height and radius, as shares
    "straight": ([0, 0.03, 0.8, 0.9, 1.0], [0.95, 1.0, 1.0, 0.9, 0.5]),
    "tapered": ([0, 0.03, 0.85, 0.93, 1.0], [0.96, 1.0, 0.72, 0.64, 0.45]),
    "pear": ([0, 0.06, 0.3, 0.6, 0.85, 1.0], [0.8, 0.93, 1.0, 0.85, 0.55, 0.45]),
    "shouldered": ([0, 0.03, 0.7, 0.85, 1.0], [0.95, 1.0, 0.98, 0.8, 0.5]),
    "spherical": ([0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0], [0.6, 0.8, 0.97, 1.0, 0.95, 0.7, 0.5]),
}


def dispenser(rng: np.random.Generator, name: str) -> ObjectModel:
    """A bottle with a pump; the spout points to +x."""
    shape, plan = str(rng.choice(list(BODIES))), str(rng.choice(["round", "oval", "square"]))
    radius, height = rng.uniform(0.029, 0.04), rng.uniform(0.085, 0.165)
    depth = rng.uniform(0.62, 0.8) if plan == "oval" else 1.0
    power = rng.uniform(3.5, 6.0) if plan == "square" else 2.0
    levels = np.linspace(0.0, 1.0, 14)
    shares = profile(*BODIES[shape], levels)
    body = loft("body", stack(superellipse(1.0, depth, power, 40), levels * height, radius * shares))
    collar_radius, collar_height = rng.uniform(0.0135, 0.019), rng.uniform(0.017, 0.026)
    outline = chamfered(16) if rng.random() < 0.4 else circle(1.0, 32)
    scales = collar_radius * np.array([1.0, 1.0, rng.uniform(0.75, 1.0)])
    top = height + collar_height
    collar = loft("collar", stack(outline, [height - 0.002, height + 0.7 * collar_height, top], scales))
    lift, stem = rng.uniform(0.008, 0.024), rng.uniform(0.0035, 0.006)
    post = loft("head", stack(circle(stem, 16), [top - 0.001, top + lift + 0.003]))
    head = [part.moved([0.0, 0.0, top + lift]) for part in _head(rng)]
    uses = (
        grips.push_use(Affordance.PRESS, "head", grips.PUSH, -grips.UP, ("collar",)),
        grips.wrap_use("body", 2.0 * radius * (1.0 + depth) / 2.0),
        grips.twist_use("collar", 2.0 * collar_radius, neighbours=("body", "head")),
    )
    dimensions = {"diameter": 2.0 * radius, "collar_diameter": 2.0 * collar_radius}
    return assemble(name, "dispenser", [body, collar, post, *head], uses, dimensions, (plan, shape))


def _head(rng: np.random.Generator) -> list[Solid]:
    """A pump head above z = 0 with its spout towards +x."""
    reach, style = rng.uniform(0.028, 0.05), str(rng.choice(["disk", "swan", "paddle", "saddle"]))
    if style == "swan":
        rise = rng.uniform(0.012, 0.03)
        control = np.array([(0, 0), (0, 0.6), (0.18, 1.0), (0.7, 0.95), (1.0, 0.45)]) * [reach, rise]
        path = smooth(np.column_stack([control[:, 0], 0.0 * control[:, 0], control[:, 1]]), 11)
        top = loft("head", stack(circle(rng.uniform(0.009, 0.013), 24), [0.0, 0.006, 0.009], [1.0, 1.0, 0.8]))
        return [top, tube("head", path, circle(rng.uniform(0.0038, 0.0055), 12), (0, 1, 0), np.linspace(1.1, 0.8, 11))]
    if style == "paddle":
        wide, thick = rng.uniform(0.011, 0.016), rng.uniform(0.007, 0.012)
        back = stack(ellipse(wide, wide, 24), [0.0, thick], [0.9, 1.0])
        tip = block("head", (0.005, 0.007, 0.005), (reach, 0.0, thick - 0.0045), 0.002)
        return [convex("head", np.concatenate([*back, *tip.pieces]))]
    radius, thick = rng.uniform(0.012, 0.019), rng.uniform(0.008, 0.016)
    domed = [1.0, 1.0, 0.9, 0.6] if style == "disk" else [0.8, 1.0, 0.97, 0.9]
    top = loft("head", stack(circle(radius, 28), thick * np.array([0.0, 0.6, 0.9, 1.0]), domed))
    spout = np.array([(0.0, 0.0, 0.45 * thick), (0.7 * reach, 0.0, 0.5 * thick), (reach, 0.0, 0.5 * thick - 0.006)])
    return [top, tube("head", smooth(spout, 7), ellipse(0.0045, 0.0035, 12), (0, 1, 0), np.linspace(1.2, 0.8, 7))]
