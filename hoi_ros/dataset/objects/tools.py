"""Hammers, screwdrivers and flashlights, upright: tools in the air, as they are in use."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import chamfered
from hoi_ros.dataset.objects.solids import (
    Solid,
    along,
    assemble,
    block,
    circle,
    convex,
    loft,
    profile,
    rounded_rectangle,
    stack,
    superellipse,
    tube,
)
from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

HAFTS = {  # knots along a hammer's handle from the head to its end, and thickness there, as shares of the widest
    "straight": ([0, 0.1, 0.9, 1.0], [0.85, 0.9, 1.0, 0.9]),
    "hourglass": ([0, 0.2, 0.55, 0.75, 0.95, 1.0], [0.95, 0.7, 0.9, 0.86, 1.0, 0.85]),
    "swelling": ([0, 0.3, 0.7, 0.95, 1.0], [0.7, 0.68, 1.0, 0.95, 0.8]),
    "waisted": ([0, 0.35, 0.45, 0.6, 0.8, 0.96, 1.0], [0.55, 0.55, 0.95, 0.9, 0.85, 1.0, 0.9]),
}
DRIVERS = {  # knots along a screwdriver's handle from the shaft up, and its radius, as shares of the widest
    "cylindrical": ([0, 0.06, 0.16, 0.2, 0.9, 1.0], [0.5, 0.7, 0.75, 1.0, 1.0, 0.8]),
    "bulbous": ([0, 0.1, 0.25, 0.4, 0.75, 0.95, 1.0], [0.55, 0.7, 0.62, 0.8, 1.0, 0.85, 0.55]),
    "pear": ([0, 0.15, 0.5, 0.8, 0.95, 1.0], [0.5, 0.58, 0.75, 1.0, 0.9, 0.6]),
    "waisted": ([0, 0.08, 0.2, 0.32, 0.5, 0.88, 1.0], [0.8, 0.95, 0.7, 0.8, 1.0, 0.95, 0.7]),
}


def hammer(rng: np.random.Generator, name: str) -> ObjectModel:
    """A hammer, its face towards +x and the handle up."""
    kind = str(rng.choice(list(HEADS)))
    long = rng.uniform(0.19, 0.29)
    thick, broad = rng.uniform(0.0105, 0.0145), rng.uniform(1.15, 1.5)
    haft = str(rng.choice(list(HAFTS)))
    share = np.linspace(0.0, 1.0, 22)
    grow = profile(*HAFTS[haft], share)
    lean = rng.uniform(-0.006, 0.012) * np.sin(np.pi * share) ** 2
    outline = superellipse(thick * broad, thick, rng.uniform(2.0, 3.5), 20)
    head, top = HEADS[kind](rng)
    seat = 0.5 * top
    centres = np.column_stack([lean, 0.0 * lean])
    handle = loft("handle", stack(outline, seat + long * share, grow, centres))
    uses = (grips.handle_use("handle", thick * (1.0 + broad), grips.UP),)
    dimensions = {"handle_length": long, "head_height": top}
    return assemble(name, "hammer", [handle, *head], uses, dimensions, (kind, haft), stands=False)


def along_x(solid: Solid) -> Solid:
    """A solid built up z, laid along +x."""
    return solid.turned((0, 1, 0), np.pi / 2.0)


def _face(rng: np.random.Generator, radius: float, start: float, end: float, outline: Array) -> Solid:
    """Neck and striking face from x = ``start`` to ``end``."""
    neck = rng.uniform(0.62, 0.85)
    at = start + (end - start) * np.array([0.0, 0.35, 0.55, 0.62, 0.95, 1.0])
    return along_x(loft("head", stack(outline, at, radius * np.array([0.8, neck, neck, 1.0, 1.0, 0.88]))))


def _claw(rng: np.random.Generator) -> tuple[list[Solid], float]:
    radius, reach = rng.uniform(0.0125, 0.0165), rng.uniform(0.04, 0.055)
    outline = circle(1.0, 28) if rng.random() < 0.6 else 1.05 * chamfered(8, 0.7)
    eye = block("head", (0.032, 0.027, 0.028), (0.0, 0.0, 0.0), 0.004)
    back, drop = rng.uniform(0.06, 0.085), rng.uniform(0.0, 0.028)
    prongs = []
    for side in (-1.0, 1.0):
        share = np.linspace(0.0, 1.0, 9)
        x = -0.01 - back * share
        y = side * (0.007 + 0.006 * share**1.5)
        path = np.column_stack([x, y, 0.004 * (1.0 - share) + drop * share**2])
        scale = np.column_stack([np.interp(share, [0, 1], [1.0, 0.55]), np.interp(share, [0, 1], [1.0, 0.22])])
        prongs.append(loft("head", along(path, superellipse(0.0068, 0.0095, 3.0, 14), (0, 1, 0), scale)))
    return _based([eye, _face(rng, radius, 0.012, reach, outline), *prongs])


def _ball(rng: np.random.Generator) -> tuple[list[Solid], float]:
    radius, reach = rng.uniform(0.0125, 0.0165), rng.uniform(0.038, 0.05)
    eye = along_x(
        loft("head", stack(circle(1.0, 28), [-0.018, -0.014, 0.014, 0.018], radius * np.array([0.8, 1, 1, 0.8])))
    )
    ball = rng.uniform(0.011, 0.015)
    lift = np.linspace(-0.85, 0.5 * np.pi, 9)
    dome = stack(circle(1.0, 24), 0.03 + ball * (0.6 + np.sin(lift)), np.maximum(ball * np.cos(lift), 2e-4))
    neck = stack(circle(0.72 * radius, 24), [0.012, 0.03])
    peen = [along_x(loft("head", part)).mirrored(0) for part in (neck, dome)]
    return _based([eye, _face(rng, radius, 0.014, reach, circle(1.0, 28)), *peen])


def _cross(rng: np.random.Generator) -> tuple[list[Solid], float]:
    half, reach = rng.uniform(0.0105, 0.014), rng.uniform(0.036, 0.05)
    square = superellipse(1.0, 1.0, rng.uniform(4.0, 8.0), 28)
    eye = block("head", (0.034, 2.1 * half, 2.1 * half), (0.0, 0.0, 0.0), 0.002)
    wedge = along_x(loft("head", stack(square, [0.012, rng.uniform(0.048, 0.065)], [[half, half], [0.0022, half]])))
    return _based([eye, _face(rng, half, 0.014, reach, square), wedge.mirrored(0)])


def _club(rng: np.random.Generator) -> tuple[list[Solid], float]:
    half, reach = rng.uniform(0.017, 0.022), rng.uniform(0.042, 0.055)
    outline = chamfered(8, rng.uniform(0.6, 0.9)) if rng.random() < 0.6 else superellipse(1.0, 1.0, 5.0, 32)
    at = reach * np.array([-1.0, -0.94, -0.3, 0.3, 0.94, 1.0])
    waist = rng.uniform(0.88, 1.0)
    return _based([along_x(loft("head", stack(outline, at, half * np.array([0.9, 1, waist, waist, 1, 0.9]))))])


def _mallet(rng: np.random.Generator) -> tuple[list[Solid], float]:
    half, reach = rng.uniform(0.022, 0.032), rng.uniform(0.042, 0.06)
    outline = circle(1.0, 36) if rng.random() < 0.6 else rounded_rectangle(1.6, 2.0, 0.3, 4)
    at = reach * np.array([-1.0, -0.92, 0.0, 0.92, 1.0])
    middle = rng.uniform(0.92, 1.08)
    return _based([along_x(loft("head", stack(outline, at, half * np.array([0.93, 1, middle, 1, 0.93]))))])


HEADS = {"claw": _claw, "ball-peen": _ball, "cross-peen": _cross, "club": _club, "mallet": _mallet}


def _based(solids: list[Solid]) -> tuple[list[Solid], float]:
    """A head moved up to z = 0, and its height where the handle goes through it, m."""
    points = np.concatenate([piece for solid in solids for piece in solid.pieces])
    low = points[:, 2].min()
    near = points[np.abs(points[:, 0]) < 0.04]
    return [solid.moved([0.0, 0.0, -low]) for solid in solids], float(near[:, 2].max() - low)


def screwdriver(rng: np.random.Generator, name: str) -> ObjectModel:
    """A screwdriver with its tip down, as at work; stubby, long, or with a bar across its top."""
    barred = bool(rng.random() < 0.12)
    stubby = not barred and bool(rng.random() < 0.2)
    radius = rng.uniform(0.0105, 0.0175)
    shaft = rng.uniform(0.025, 0.045) if stubby else rng.uniform(0.06, 0.13)
    blade, words = _blade(rng, shaft)
    if barred:
        return _bar_driver(rng, name, blade, shaft, words)
    long = rng.uniform(0.05, 0.065) if stubby else rng.uniform(0.078, 0.115)
    shape = str(rng.choice(list(DRIVERS)))
    share = np.linspace(0.0, 1.0, 18)
    fluted = int(rng.integers(5, 9))
    outline = {
        "round": circle(1.0, 32),
        "fluted": chamfered(fluted, rng.uniform(0.4, 0.75)),
        "square": superellipse(0.95, 0.95, 4.0, 32),
    }[str(rng.choice(["round", "fluted", "fluted", "square"]))]
    handle = loft("handle", stack(outline, shaft + long * share, radius * profile(*DRIVERS[shape], share)))
    uses = (
        grips.handle_use("handle", 2.0 * radius, grips.UP),
        grips.twist_use("handle", 2.0 * radius),
    )
    kind = "stubby" if stubby else "long" if shaft > 0.1 else "medium"
    dimensions = {"handle_length": long, "handle_diameter": 2.0 * radius, "shaft_length": shaft}
    return assemble(name, "screwdriver", [handle, *blade], uses, dimensions, (kind, shape, *words), stands=False)


def _blade(rng: np.random.Generator, length: float) -> tuple[list[Solid], tuple[str, ...]]:
    """Shaft up to ``length`` m with its tip on z = 0, and what the tip is called."""
    radius, hexagonal = rng.uniform(0.0022, 0.0042), bool(rng.random() < 0.3)
    outline = 1.1 * chamfered(6, 0.95) if hexagonal else circle(1.0, 16)
    if rng.random() < 0.5:
        wide = rng.uniform(1.0, 1.6)
        ends = radius * np.array([[0.2, wide], [0.28, wide], [1.0, 1.0], [1.0, 1.0]])
        return [loft("shaft", stack(outline, [0.0, 0.003, 0.012, length + 0.01], ends))], ("slotted",)
    point = radius * np.array([0.25, 0.55, 1.0, 1.0])
    stem = loft("shaft", stack(outline, [0.0, 0.002, 0.008, length + 0.01], point))
    wings = [
        block("shaft", size, (0.0, 0.0, 0.0045), 0.0002)
        for size in ((2.0 * radius, 0.0011, 0.007), (0.0011, 2.0 * radius, 0.007))
    ]
    return [stem, *wings], ("crosshead",)


def _bar_driver(
    rng: np.random.Generator, name: str, blade: list[Solid], shaft: float, words: tuple[str, ...]
) -> ObjectModel:
    """A driver with its handle across the shaft."""
    half, thick = rng.uniform(0.04, 0.055), rng.uniform(0.0085, 0.0135)
    share = np.linspace(-1.0, 1.0, 13)
    grow = profile([-1, -0.9, -0.5, 0, 0.5, 0.9, 1], [0.6, 0.9, 1.0, rng.uniform(0.85, 1.1), 1.0, 0.9, 0.6], share)
    path = np.column_stack([half * share, 0.0 * share, shaft + 0.02 - rng.uniform(0.0, 0.01) * share**2])
    handle = tube("handle", path, superellipse(thick, thick * rng.uniform(0.9, 1.2), 2.4, 20), (0, 1, 0), grow)
    collar = loft("handle", stack(circle(1.0, 24), [shaft, shaft + 0.015], [0.0065, 0.009]))
    uses = (
        grips.handle_use("handle", 2.0 * thick, grips.X, approach=-grips.UP),
        Use(
            Affordance.TWIST,
            "handle",
            (G.SMALL_DIAMETER, G.MEDIUM_WRAP),
            axis=grips.X,
            approach=-grips.UP,
            cone=0.8,
            force=grips.UP,
        ),
    )
    dimensions = {"handle_length": 2.0 * half, "handle_diameter": 2.0 * thick, "shaft_length": shaft}
    return assemble(
        name, "screwdriver", [handle, collar, *blade], uses, dimensions, ("T-handled", *words), stands=False
    )


def flashlight(rng: np.random.Generator, name: str) -> ObjectModel:
    """A flashlight, the lens up and the switch towards +x."""
    radius, long = rng.uniform(0.0115, 0.0195), rng.uniform(0.08, 0.155)
    head_radius = radius * rng.uniform(1.15, 1.75)
    head_height = head_radius * rng.uniform(1.1, 2.0)
    outline = circle(1.0, 36) if rng.random() < 0.65 else chamfered(int(rng.choice([6, 8])), 0.85)
    levels, shares = _barrel(rng, long)
    body = loft("body", stack(outline, levels, radius * shares))
    tail_height = rng.uniform(0.012, 0.024)
    tail_radius = radius * rng.uniform(1.0, 1.15)
    tail = loft(
        "tail",
        stack(
            circle(1.0, 36), tail_height * np.array([0.0, 0.1, 0.8, 1.0]), tail_radius * np.array([0.92, 1, 1, 0.94])
        ),
    )
    foot, top = tail_height - 0.001, tail_height + long
    flare = str(rng.choice(["conical", "bell", "collar"]))
    knots = {
        "conical": ([0, 0.7, 0.75, 0.95, 1.0], [0.0, 0.9, 1.0, 1.0, 0.95]),
        "bell": ([0, 0.2, 0.45, 0.8, 0.95, 1.0], [0.0, 0.35, 0.8, 1.0, 1.0, 0.94]),
        "collar": ([0, 0.12, 0.2, 0.5, 0.6, 0.95, 1.0], [0.0, 0.55, 0.6, 0.6, 1.0, 1.0, 0.92]),
    }[flare]
    share = np.linspace(0.0, 1.0, 14)
    flaring = radius + (head_radius - radius) * profile(*knots, share)
    head = loft("head", stack(circle(1.0, 40), top - 0.001 + head_height * share, flaring))
    place = top - rng.uniform(0.016, 0.03)
    switch = _switch(rng, radius * float(np.interp(place - foot, levels, shares)), place)
    uses = (
        grips.handle_use("body", 2.0 * radius, grips.UP, neighbours=("switch", "tail")),
        grips.twist_use("head", 2.0 * head_radius, neighbours=("body",)),
        grips.push_use(Affordance.PRESS, "switch", grips.PUSH, -grips.X),
    )
    dimensions = {"diameter": 2.0 * radius, "head_diameter": 2.0 * head_radius}
    return assemble(
        name, "flashlight", [body.moved([0, 0, foot]), tail, head, switch], uses, dimensions, (flare,), stands=False
    )


def _barrel(rng: np.random.Generator, long: float) -> tuple[Array, Array]:
    """Heights and radii of a barrel: smooth, with a waist, or with grooves."""
    style = rng.choice(["smooth", "waisted", "grooved"])
    if style == "smooth":
        return np.array([0.0, long]), np.array([1.0, rng.uniform(0.95, 1.05)])
    if style == "waisted":
        at = np.linspace(0.0, 1.0, 9)
        return long * at, profile([0, 0.2, 0.5, 0.8, 1.0], [1.0, 0.98, rng.uniform(0.84, 0.92), 0.98, 1.0], at)
    count = int(rng.integers(3, 7))
    edges = np.linspace(0.25, 0.65, 2 * count + 1)[:, None] + np.array([-0.004, 0.004])
    ring = np.where(np.arange(2 * count + 1) % 2, 0.93, 1.0)
    heights = np.concatenate([[0.0], edges[:-1, 1], edges[1:, 0], [1.0]])
    radii = np.concatenate([[1.0], ring[:-1], ring[:-1], [1.0]])
    order = np.argsort(heights, kind="stable")
    return long * heights[order], radii[order]


def _switch(rng: np.random.Generator, radius: float, level: float) -> Solid:
    """A button on the side of the barrel, or a slider."""
    raised = rng.uniform(0.004, 0.0065)
    if rng.random() < 0.5:
        button = stack(circle(rng.uniform(0.006, 0.008), 20), [-0.006, 0.6 * raised, raised], [1.0, 1.0, 0.8])
        return along_x(loft("switch", button)).moved([radius, 0.0, level])
    wide, long = rng.uniform(0.011, 0.015), rng.uniform(0.018, 0.026)
    base = block("switch", (0.012, wide, long), (radius - 0.006 + raised, 0.0, level), 0.0015)
    ridge = convex("switch", block("", (0.006, wide, 0.003), (radius + raised - 0.0015, 0.0, level), 0.0008).pieces[0])
    return Solid("switch", (*base.pieces, *ridge.pieces))
