"""Faucets, fixed in the world: a lever to push or pull, or knobs to turn."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import chamfered
from hoi_ros.dataset.objects.solids import (
    Solid,
    assemble,
    block,
    circle,
    ellipse,
    loft,
    profile,
    smooth,
    stack,
    superellipse,
    tube,
)
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

SPOUTS = {  # (outwards, upwards) of the middle line, as shares of reach and rise
    "gooseneck": [(0.0, 0.0), (0.0, 0.6), (0.12, 0.9), (0.5, 1.0), (0.88, 0.88), (1.0, 0.55)],
    "arched": [(0.0, 0.0), (0.08, 0.5), (0.35, 0.9), (0.7, 1.0), (0.95, 0.85), (1.0, 0.6)],
    "straight": [(0.0, 0.0), (0.04, 0.45), (0.3, 0.75), (0.65, 0.95), (0.95, 1.0), (1.0, 0.8)],
    "square": [(0.0, 0.0), (0.0, 0.75), (0.08, 0.97), (0.92, 1.0), (1.0, 0.93), (1.0, 0.6)],
}
RISES = {"gooseneck": (0.13, 0.2), "arched": (0.08, 0.14), "straight": (0.05, 0.09), "square": (0.1, 0.17)}


def faucet(rng: np.random.Generator, name: str) -> ObjectModel:
    """A faucet on the sink's rim z = 0 whose spout reaches to +x; one lever, one knob or two knobs work it."""
    style, shape = str(rng.choice(["top lever", "side lever", "side knob", "two knobs"])), str(rng.choice(list(SPOUTS)))
    if style == "top lever":
        shape = "straight"  # the others leave no room for a hand above the column
    radius, height = rng.uniform(0.02, 0.027), rng.uniform(0.07, 0.12)
    squareness = rng.choice([2.0, 2.0, rng.uniform(3.5, 6.0)])
    base = loft("body", stack(circle(radius * rng.uniform(1.15, 1.4), 32), [0.0, 0.004, 0.009], [1.0, 1.0, 0.85]))
    taper = profile([0, 0.5, 1], [1.0, rng.uniform(0.85, 1.0), rng.uniform(0.85, 1.0)], np.linspace(0, 1, 5))
    outline = superellipse(radius, radius, squareness, 32)
    column = loft("body", stack(outline, np.linspace(0.0, height, 5), taper))
    spout = _spout(rng, shape, 0.55 * radius, height if style != "top lever" else 0.62 * height, squareness)
    if style == "two knobs":
        solids, uses = _two_knobs(rng, radius)
    else:
        make = {"top lever": _top_lever, "side lever": _side_lever, "side knob": _side_knob}[style]
        solids, uses = make(rng, radius, height)
    return assemble(name, "faucet", [base, column, spout, *solids], uses, {}, (shape, style))


def _spout(rng: np.random.Generator, shape: str, radius: float, start: float, squareness: float) -> Solid:
    reach, rise = rng.uniform(0.11, 0.18), rng.uniform(*RISES[shape])
    control = np.array(SPOUTS[shape]) * [reach, rise]
    path = smooth(np.column_stack([control[:, 0], 0.0 * control[:, 0], start - 0.01 + control[:, 1]]), 20)
    flat = rng.uniform(0.75, 1.0)
    return tube("spout", path, superellipse(radius, flat * radius, squareness, 16), (0, 1, 0), np.linspace(1, 0.85, 20))


def _bar(rng: np.random.Generator, start: Array, along: Array, normal: Array) -> tuple[Solid, float]:
    """A lever's bar from ``start`` in the direction ``along``, flat across ``normal``; also its thickness, m."""
    length, broad, thick = rng.uniform(0.075, 0.11), rng.uniform(0.0065, 0.011), rng.uniform(0.0045, 0.0075)
    share = np.linspace(0.0, 1.0, 9)
    bend = rng.uniform(-0.1, 0.15) * length * share**2
    path = start + np.outer(length * share, along) + np.outer(bend, normal)
    swell = profile([0, 0.15, 0.6, 0.93, 1.0], [1.0, 0.85, rng.uniform(0.7, 1.1), rng.uniform(0.8, 1.3), 0.7], share)
    side = np.cross(along, normal)
    return tube("handle", path, superellipse(broad, thick, rng.uniform(2.0, 4.0), 16), side, swell), 2.0 * broad


def _lever_uses(along: Array, push: Array, thickness: float) -> tuple[Use, ...]:
    pull = Use(
        Affordance.PULL, "handle", grips.fitting(grips.BAR, thickness), axis=along, force=-push, neighbours=("body",)
    )
    return grips.push_use(Affordance.LEVER, "handle", grips.PUSH, push, ("body",)), pull


def _top_lever(rng: np.random.Generator, radius: float, height: float) -> tuple[list[Solid], tuple[Use, ...]]:
    dome = stack(circle(radius, 28), height + np.array([-0.001, 0.012, 0.02, 0.026]), [0.96, 0.96, 0.8, 0.45])
    steep = rng.uniform(0.15, 0.6)
    along = rng.choice([-1.0, 1.0]) * np.cos(steep) * grips.X + np.sin(steep) * grips.UP
    normal = np.cross(along, grips.Y) * np.sign(np.cross(along, grips.Y)[2])
    bar, thickness = _bar(rng, (height + 0.014) * grips.UP, along, normal)
    return [loft("handle", dome), bar], _lever_uses(along, -normal, thickness)


def _side_lever(rng: np.random.Generator, radius: float, height: float) -> tuple[list[Solid], tuple[Use, ...]]:
    level, out = 0.65 * height, radius + rng.uniform(0.018, 0.03)
    stub = loft("handle", stack(circle(0.6 * radius, 24), [0.0, out - 0.003, out], [1.0, 1.0, 0.85]))
    stub = stub.turned(grips.X, -np.pi / 2.0).moved((0.0, 0.0, level))
    lean = rng.uniform(-0.3, 0.5)
    along = np.cos(lean) * grips.UP + np.sin(lean) * grips.Y
    normal = np.cos(lean) * grips.Y - np.sin(lean) * grips.UP
    bar, thickness = _bar(rng, level * grips.UP + (out - 0.009) * grips.Y, along, normal)
    return [stub, bar], _lever_uses(along, -normal, thickness)


def _side_knob(rng: np.random.Generator, radius: float, height: float) -> tuple[list[Solid], tuple[Use, ...]]:
    level = rng.uniform(0.55, 0.7) * height
    solids, diameter = _knob(rng, radius + 0.012)
    placed = [solid.turned(grips.X, -np.pi / 2.0).moved((0.0, 0.0, level)) for solid in solids]
    return placed, (grips.twist_use("handle", diameter, grips.Y, ("body",)),)


def _two_knobs(rng: np.random.Generator, radius: float) -> tuple[list[Solid], tuple[Use, ...]]:
    apart = rng.uniform(0.075, 0.1)
    plate = block("body", (2.2 * radius, 2.0 * apart + 2.4 * radius, 0.012), (0.0, 0.0, 0.006), 0.005)
    solids, diameter = _knob(rng, rng.uniform(0.03, 0.05))
    knobs = [solid.moved((0.0, side * apart, 0.008)) for side in (-1.0, 1.0) for solid in solids]
    return [plate, *knobs], (grips.twist_use("handle", diameter, grips.UP, ("body",)),)


def _knob(rng: np.random.Generator, stem: float) -> tuple[list[Solid], float]:
    """A knob on a stem of ``stem`` m along z from the origin: fluted, conical, or a cross; also its diameter, m."""
    style = str(rng.choice(["fluted", "conical", "cross", "smooth"]))
    radius, thick = rng.uniform(0.018, 0.026), rng.uniform(0.02, 0.032)
    post = loft("body", stack(circle(0.011, 20), [0.0, stem + 0.002]))
    if style == "cross":
        hub = loft("handle", stack(circle(0.012, 24), stem + np.array([0.0, 0.018, 0.024]), [1.0, 1.0, 0.6]))
        long, bar = rng.uniform(0.028, 0.034), rng.uniform(0.0045, 0.0065)
        share = np.linspace(-1.0, 1.0, 9)
        path = np.column_stack([long * share, 0.0 * share, np.full(9, stem + 0.01)])
        swell = 0.85 + 0.35 * np.abs(share) ** 3
        spokes = tube("handle", path, ellipse(bar, bar, 14), (0, 0, 1), swell)
        return [post, hub, spokes, spokes.turned(grips.UP, np.pi / 2.0)], 2.0 * long
    outline = chamfered(int(rng.integers(6, 11)), 0.6) if style == "fluted" else circle(1.0, 28)
    shares = {"fluted": [0.9, 1.0, 0.97, 0.85], "conical": [0.7, 0.8, 1.0, 0.92], "smooth": [1.0, 1.0, 0.9, 0.75]}
    levels = stem + thick * np.array([0.0, 0.15, 0.9, 1.0])
    return [post, loft("handle", stack(outline, levels, radius * np.array(shares[style])))], 2.0 * radius
