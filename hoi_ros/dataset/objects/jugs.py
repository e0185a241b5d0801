"""Bottles with a handle: milk jugs, detergent bottles, canisters."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import screw_cap
from hoi_ros.dataset.objects.solids import (
    Solid,
    assemble,
    circle,
    loft,
    profile,
    rounded_rectangle,
    smooth,
    stack,
    superellipse,
    tube,
)
from hoi_ros.scene.affordances import Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BACKS = {  # knots of height and of where the back (the handle's side) is, as shares of half the width
    "jug": ([0, 0.04, 0.35, 0.55, 0.85, 1.0], [0.94, 1.0, 1.0, 0.25, -0.05, -0.2]),
    "detergent": ([0, 0.05, 0.25, 0.42, 0.8, 1.0], [0.92, 1.0, 0.92, 0.3, 0.22, 0.0]),
    "carafe": ([0, 0.1, 0.3, 0.6, 0.85, 1.0], [0.8, 0.96, 1.0, 0.55, 0.0, -0.15]),
}


def handle_bottle(rng: np.random.Generator, name: str) -> ObjectModel:
    """A closed bottle with a handle: behind it (+x), or across its top."""
    make = _canister if rng.random() < 0.25 else _jug
    return make(rng, name)


def _jug(rng: np.random.Generator, name: str) -> ObjectModel:
    shape = str(rng.choice(list(BACKS)))
    half, depth, height = rng.uniform(0.048, 0.066), rng.uniform(0.033, 0.046), rng.uniform(0.19, 0.27)
    if shape == "carafe":
        depth = half * rng.uniform(0.9, 1.0)
    levels = np.linspace(0.0, 1.0, 15)
    back = half * profile(*BACKS[shape], levels)
    front = half * profile([0, 0.04, 0.6, 0.85, 1.0], [0.94, 1.0, rng.uniform(0.92, 1.0), 0.86, 0.62], levels)
    width = depth * profile([0, 0.04, 0.7, 0.9, 1.0], [0.94, 1.0, rng.uniform(0.8, 1.0), 0.7, 0.45], levels)
    outline = superellipse(1.0, 1.0, 2.0 if shape == "carafe" else rng.uniform(2.8, 5.0), 36)
    scales, centres = (
        np.column_stack([(front + back) / 2.0, width]),
        np.column_stack([(back - front) / 2.0, 0.0 * back]),
    )
    body = loft("body", stack(outline, levels * height, scales, centres))

    thick, broad = rng.uniform(0.008, 0.0115), rng.uniform(0.009, 0.014)  # halves
    gap = rng.uniform(0.032, 0.042)
    low, high = height * rng.uniform(0.24, 0.3), height * rng.uniform(0.86, 0.92)

    def behind(z: float) -> float:
        return float(np.interp(z / height, levels, back))

    reach = max(behind(0.6 * height) + gap + thick, half * rng.uniform(0.85, 1.1))
    top = np.array([(behind(high) - 0.012, high), (behind(high) + 0.022, high + rng.uniform(0.0, 0.008))])
    bend = rng.uniform(-0.006, 0.006)
    run = np.array([(reach - 0.008, high - 0.02), (reach + bend, 0.5 * (low + high)), (reach - 0.002, low + 0.035)])
    foot = np.array([(behind(low) - 0.02, low - 0.004)])
    control = np.concatenate([top, run, foot])
    path = smooth(np.column_stack([control[:, 0], 0.0 * control[:, 0], control[:, 1]]), 16)
    handle = tube("handle", path, superellipse(broad, thick, rng.uniform(2.0, 3.0), 16), (0, 1, 0))

    mouth = np.array([centres[-1, 0], 0.0, height])
    uses = [grips.handle_use("handle", 2.0 * thick, grips.UP, -grips.X, ("body",))]
    if 2.0 * depth < 0.085 and shape != "carafe":
        uses.append(grips.wrap_use("body", 2.0 * depth, neighbours=("handle",)))
    return _capped(rng, name, [body, handle], mouth, float(scales[-1].min()), uses, gap, shape)


def _canister(rng: np.random.Generator, name: str) -> ObjectModel:
    width, depth, height = rng.uniform(0.15, 0.19), rng.uniform(0.075, 0.105), rng.uniform(0.13, 0.2)
    levels = np.array([0.0, 0.03, 0.9, 0.97, 1.0])
    outline = rounded_rectangle(width, depth, rng.uniform(0.015, 0.03), 6)
    body = loft("body", stack(outline, levels * height, [0.96, 1.0, 1.0, 0.96, rng.uniform(0.86, 0.92)]))
    thick, broad, gap = rng.uniform(0.008, 0.011), rng.uniform(0.009, 0.013), rng.uniform(0.032, 0.042)
    start, end = -0.5 * width + rng.uniform(0.045, 0.05), 0.42 * width
    over = height + gap + thick
    control = [
        (start, height - 0.01),
        (start + 0.01, over - 0.012),
        (start + 0.04, over),
        (end - 0.03, over),
        (end, over - 0.02),
        (end + 0.002, height - 0.01),
    ]
    path = smooth(np.array([(x, 0.0, z) for x, z in control]), 16)
    handle = tube("handle", path, superellipse(broad, thick, rng.uniform(2.0, 3.0), 16), (0, 1, 0))
    mouth = np.array([-0.5 * width + 0.024, 0.0, height])
    uses = [grips.handle_use("handle", 2.0 * thick, grips.X, -grips.UP, ("body",))]
    return _capped(rng, name, [body, handle], mouth, 0.014, uses, gap, "canister")


def _capped(
    rng: np.random.Generator,
    name: str,
    solids: list[Solid],
    mouth: Array,
    radius: float,
    uses: list[Use],
    gap: float,
    shape: str,
) -> ObjectModel:
    neck, cap_radius = rng.uniform(0.006, 0.014), max(radius * rng.uniform(0.85, 1.05), 0.014)
    collar = loft("body", stack(circle(0.88 * cap_radius, 28), [-0.003, neck])).moved(mouth)
    cap = screw_cap(rng, "cap", cap_radius, rng.uniform(0.014, 0.026)).moved(mouth + (neck - 0.001) * grips.UP)
    uses = [*uses, grips.twist_use("cap", 2.0 * cap_radius, neighbours=("body",))]
    dimensions = {"handle_gap": gap, "cap_diameter": 2.0 * cap_radius}
    return assemble(name, "handle-bottle", [*solids, collar, cap], uses, dimensions, (shape,))
