"""Bags: open totes with two straps, closed handbags, cases and duffels with one."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import (
    Solid,
    assemble,
    block,
    loft,
    profile,
    rounded_rectangle,
    smooth,
    stack,
    superellipse,
    tube,
    vessel,
)
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel

STYLES = ("tote", "handbag", "case", "duffel")
ARCHES = {  # (along, upwards) of half a strap's middle line, as shares of half its width and its height
    "round": [(1.0, 0.0), (0.93, 0.45), (0.7, 0.82), (0.35, 0.98)],
    "flat": [(1.0, 0.0), (0.98, 0.55), (0.85, 0.92), (0.45, 1.0)],
    "pointed": [(1.0, 0.0), (0.8, 0.5), (0.55, 0.88), (0.25, 1.0)],
}


def bag(rng: np.random.Generator, name: str) -> ObjectModel:
    """A bag standing with its broad side towards y; the straps run along x."""
    style = str(rng.choice(STYLES))
    width, depth, height, body = _body(rng, style)
    thick = rng.uniform(0.004, 0.008) if style == "tote" else rng.uniform(0.006, 0.011)  # half
    broad = thick * rng.uniform(1.0, 1.6)
    rise = rng.uniform(0.065, 0.13) if style in ("tote", "handbag") else rng.uniform(0.045, 0.06)
    half = min(rng.uniform(0.06, 0.09), 0.42 * width)
    corner = np.array(ARCHES[str(rng.choice(list(ARCHES)))]) * [half, rise]
    arch = np.concatenate([corner, [(0.0, rise * 1.01)], corner[::-1] * [-1, 1]])
    deep = 0.03 if style == "tote" else 0.012
    ends = np.array([(half, -deep)]), np.array([(-half, -deep)])
    curve = smooth(np.concatenate([ends[0], arch, ends[1]]), 20)
    path = np.column_stack([curve[:, 0], 0.0 * curve[:, 0], height + curve[:, 1]])
    padded = np.interp(np.abs(curve[:, 0]) / half, [0.0, 0.5, 0.75, 1.0], [1.0, 1.0, 1.0, rng.uniform(0.7, 1.0)])
    outline = superellipse(broad, thick, rng.uniform(2.0, 4.0), 12)
    strap = tube("handle", path, outline, (0, 1, 0), padded)
    straps = [strap.moved([0.0, side * depth / 2.0, 0.0]) for side in (-1, 1)] if style == "tote" else [strap]
    solids = [*body, *straps]
    grip = 2.0 * max(broad, thick)
    uses = (
        grips.handle_use("handle", grip, grips.X, -grips.UP, ("body",)),
        grips.lift_use("handle", grips.fitting(grips.BAR, grip), axis=grips.X, neighbours=("body",)),
        Use(
            Affordance.PULL, "handle", grips.fitting(grips.BAR, grip), axis=grips.X, force=grips.X, neighbours=("body",)
        ),
        grips.push_use(Affordance.SUPPORT, "body", grips.FLAT_HAND, grips.Y),
    )
    dimensions = {"handle_gap": rise - thick, "handle_length": 2.0 * half}
    return assemble(name, "bag", solids, uses, dimensions, (style,))


def _body(rng: np.random.Generator, style: str) -> tuple[float, float, float, list[Solid]]:
    """Width at the top, depth between the straps, height, and the solids of a body."""
    width, depth, height = rng.uniform(0.19, 0.3), rng.uniform(0.07, 0.12), rng.uniform(0.16, 0.27)
    if style == "tote":
        thin = rng.uniform(0.0025, 0.0035)
        flare = np.array([[rng.uniform(0.8, 1.1), rng.uniform(0.9, 1.3)], [1.0, 1.0]])
        sections = stack(rounded_rectangle(width, depth, rng.uniform(0.012, 0.03), 5), [0.0, height], flare)
        return width, depth - thin, height, vessel("body", sections, thin, 0.004, fold=1)
    if style == "duffel":
        radius, length = rng.uniform(0.075, 0.1), rng.uniform(0.24, 0.34)
        levels = length * np.array([0.0, 0.01, 0.03, 0.97, 0.99, 1.0])
        soft = superellipse(rng.uniform(0.85, 1.0), 1.0, rng.uniform(2.0, 2.8), 40)
        barrel = loft("body", stack(soft, levels, radius * np.array([0.88, 0.96, 1.0, 1.0, 0.96, 0.88])))
        lying = barrel.moved([0.0, 0.0, -length / 2.0]).turned((0, 1, 0), np.pi / 2.0)
        top = max(piece[:, 2].max() for piece in lying.pieces)
        return length, 0.0, 2.0 * top, [lying.moved([0.0, 0.0, top])]
    if style == "case":
        width, depth, height = rng.uniform(0.28, 0.36), rng.uniform(0.055, 0.085), rng.uniform(0.2, 0.26)
        return (
            width,
            0.0,
            height,
            [block("body", (width, depth, height), (0, 0, height / 2.0), rng.uniform(0.008, 0.025))],
        )
    height *= 0.75
    levels = np.linspace(0.0, 1.0, 9)
    wide = profile([0, 0.1, 0.6, 1.0], [0.95, 1.05, rng.uniform(0.9, 1.05), rng.uniform(0.72, 0.9)], levels)
    deep = profile([0, 0.1, 0.5, 1.0], [0.92, 1.0, 0.85, rng.uniform(0.25, 0.4)], levels)
    outline = superellipse(width / 2.0, depth / 2.0, rng.uniform(3.0, 6.0), 40)
    return 0.8 * width, 0.0, height, [loft("body", stack(outline, levels * height, np.column_stack([wide, deep])))]
