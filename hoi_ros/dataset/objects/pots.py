"""Pots: open or with a lid, with two loops or one long handle."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import knob
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
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BODIES = {  # knots of height and radius, as shares
    "straight": ([0, 0.05, 0.5, 1.0], [0.94, 1.0, 1.0, 1.0]),
    "tapered": ([0, 0.05, 0.5, 1.0], [0.8, 0.84, 0.92, 1.0]),
    "rounded": ([0, 0.15, 0.5, 0.8, 1.0], [0.72, 0.92, 1.0, 0.98, 0.93]),
    "bowl": ([0, 0.15, 0.4, 0.7, 1.0], [0.55, 0.76, 0.9, 0.98, 1.0]),
}
LOOPS = {  # (outwards, sideways) of a loop handle's middle line, as shares of its reach and half its width
    "round": [(0.0, -0.95), (0.5, -1.0), (1.0, -0.5), (1.0, 0.5), (0.5, 1.0), (0.0, 0.95)],
    "square": [(0.0, -1.0), (0.65, -1.0), (1.0, -0.78), (1.0, 0.78), (0.65, 1.0), (0.0, 1.0)],
    "trapezoid": [(0.0, -1.0), (0.5, -0.88), (1.0, -0.6), (1.0, 0.6), (0.5, 0.88), (0.0, 1.0)],
}


def pot(rng: np.random.Generator, name: str) -> ObjectModel:
    """A saucepan with one long handle towards +x, or a casserole with a loop on either side."""
    shape, saucepan = str(rng.choice(list(BODIES))), bool(rng.random() < 0.4)
    radius = rng.uniform(0.065, 0.09) if saucepan else rng.uniform(0.08, 0.115)
    height, wall = radius * rng.uniform(0.75, 1.4), rng.uniform(0.003, 0.0045)
    levels = height * np.array([0.0, 0.05, 0.2, 0.5, 1.0])
    radii = radius * profile(*BODIES[shape], levels / height)
    sections = stack(circle(1.0, 36), levels, radii)
    lidded = bool(rng.random() < 0.5)
    body = [loft("body", sections)] if lidded else vessel("body", sections, wall, rng.uniform(0.004, 0.007))

    level = height * rng.uniform(0.7, 0.85)
    seat = float(np.interp(level, levels, radii))
    if saucepan:
        handles, thickness, length = _stick(rng, level, levels, radii - wall / 2.0)
        grip = grips.handle_use("handle", thickness, grips.X, neighbours=("body",))
        dimensions = {"handle_length": length}
    else:
        handles, gap, half = _loops(rng, level, levels, radii - wall / 2.0)
        grip = grips.handle_use("handle", 0.011, grips.Y, neighbours=("body",))
        dimensions = {"handle_gap": gap, "handle_length": 2.0 * half}
    uses = [grip, grips.push_use(Affordance.SUPPORT, "body", grips.FLAT_HAND, grips.Y, ("handle",))]
    lid: list[Solid] = []
    if lidded:
        knob_radius = rng.uniform(0.013, 0.022)
        lid = _lid(rng, height, radii[-1] * rng.uniform(0.98, 1.03), knob_radius)
        uses.append(grips.lift_use("knob", grips.fitting(grips.KNOB, 2.0 * knob_radius), neighbours=("lid",)))
    words = (shape, "lidded" if lidded else "open")
    return assemble(name, "pot", [*body, *handles, *lid], uses, {"diameter": 2.0 * seat, **dimensions}, words)


def _stick(rng: np.random.Generator, level: float, levels: Array, radii: Array) -> tuple[list[Solid], float, float]:
    """One long handle, rising outwards; also its thickness and length, m."""
    length, broad, thick = rng.uniform(0.12, 0.17), rng.uniform(0.009, 0.014), rng.uniform(0.006, 0.01)
    rise, bend = length * rng.uniform(0.0, 0.25), rng.uniform(-0.008, 0.012)
    start = np.interp(level, levels, radii)
    share = np.linspace(0.0, 1.0, 12)
    path = np.column_stack([start + length * share, 0.0 * share, level + rise * share + bend * np.sin(np.pi * share)])
    waist, swell = rng.uniform(0.55, 0.8), rng.uniform(1.0, 1.2)
    grow = profile([0, 0.1, 0.35, 0.7, 0.95, 1.0], [0.9, waist, 0.95, swell, 0.95, 0.6], share)
    sections = along(path, superellipse(broad, thick, rng.uniform(2.0, 4.0), 16), (0, 1, 0), grow)
    sections[:1] = seated(sections[:1], levels, radii)
    return [loft("handle", sections)], 2.0 * thick, length


def _loops(rng: np.random.Generator, level: float, levels: Array, radii: Array) -> tuple[list[Solid], float, float]:
    """A loop on either side; also the gap inside it and half its width, m."""
    gap, half = rng.uniform(0.028, 0.038), rng.uniform(0.042, 0.055)
    broad, thick = rng.uniform(0.004, 0.007), rng.uniform(0.004, 0.006)
    control = np.array(LOOPS[str(rng.choice(list(LOOPS)))])
    start = np.interp(level, levels, radii)
    y = half * control[:, 1]
    x = np.where(control[:, 0] < 0.2, np.sqrt(start**2 - y**2), start + (gap + thick) * control[:, 0])
    rise = rng.uniform(0.0, 0.012) * control[:, 0]
    path = smooth(np.column_stack([x, y, level + rise]), 11)
    sections = along(path, superellipse(broad, thick, rng.uniform(2.0, 3.5), 12), (0, 0, 1))
    sections[[0, -1]] = seated(sections[[0, -1]], levels, radii)
    loop = loft("handle", sections)
    return [loop, loop.mirrored(0)], gap, half


def _lid(rng: np.random.Generator, level: float, radius: float, knob_radius: float) -> list[Solid]:
    rise = radius * rng.uniform(0.1, 0.35)
    shares = np.array([1.0, 1.0, 0.93, 0.75, 0.5, 0.2])
    heights = (
        level + np.array([0.0, 0.004, 0.004, 0.004, 0.004, 0.004]) + rise * np.array([0, 0, 0.13, 0.44, 0.75, 1.0])
    )
    dome = loft("lid", stack(circle(1.0, 40), heights - 0.001, radius * shares))
    return [dome, knob(rng, "knob", knob_radius).moved([0.0, 0.0, heights[-1] - 0.002])]
