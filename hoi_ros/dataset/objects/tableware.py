"""Bowls, cups and frying pans: open walls to lift by the rim, carry from below or hold by what sticks out."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import chamfered
from hoi_ros.dataset.objects.solids import (
    Solid,
    along,
    assemble,
    circle,
    inset,
    loft,
    profile,
    ring,
    seated,
    shell,
    smooth,
    stack,
    superellipse,
    vessel,
)
from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BOWLS = {  # knots of height and of radius, as shares
    "hemispherical": ([0, 0.08, 0.25, 0.5, 0.75, 1.0], [0.42, 0.6, 0.8, 0.93, 0.98, 1.0]),
    "conical": ([0, 0.05, 0.5, 1.0], [0.42, 0.48, 0.74, 1.0]),
    "steep": ([0, 0.06, 0.3, 1.0], [0.72, 0.82, 0.92, 1.0]),
    "flared": ([0, 0.1, 0.4, 0.75, 1.0], [0.42, 0.52, 0.66, 0.84, 1.0]),
    "incurved": ([0, 0.15, 0.5, 0.8, 1.0], [0.48, 0.76, 1.0, 0.99, 0.93]),
}
CUPS = {
    "straight": ([0, 0.03, 1.0], [0.95, 1.0, 1.0]),
    "tapered": ([0, 0.03, 1.0], [0.68, 0.7, 1.0]),
    "tulip": ([0, 0.1, 0.4, 0.75, 1.0], [0.45, 0.75, 1.0, 0.93, 0.84]),
    "waisted": ([0, 0.05, 0.4, 0.75, 1.0], [0.78, 0.82, 0.8, 0.95, 1.0]),
    "flared": ([0, 0.05, 0.5, 1.0], [0.5, 0.58, 0.76, 1.0]),
}
PANS = {
    "sloping": ([0, 0.15, 0.6, 1.0], [0.74, 0.8, 0.92, 1.0]),
    "straight": ([0, 0.12, 0.4, 1.0], [0.9, 0.97, 1.0, 1.0]),
    "curved": ([0, 0.1, 0.3, 0.6, 1.0], [0.66, 0.8, 0.91, 0.97, 1.0]),
}
RIM = (G.PARALLEL_EXTENSION, G.EXTENSION_TYPE)  # what hangs from two fingertips turns between them


def bowl(rng: np.random.Generator, name: str) -> ObjectModel:
    """A bowl with a plain, thickened or flanged rim, on a foot or without; half of them are in the air."""
    shape, plan = str(rng.choice(list(BOWLS))), str(rng.choice(["round", "round", "oval", "square", "octagonal"]))
    outline = {
        "round": circle(1.0, 40),
        "oval": superellipse(1.0, rng.uniform(0.7, 0.85), 2.0, 40),
        "square": superellipse(0.95, 0.95, rng.uniform(3.0, 5.0), 40),
        "octagonal": 1.03 * chamfered(8, 0.9),
    }[plan]
    radius = rng.uniform(0.047, 0.082)
    height = radius * rng.uniform(0.55, 0.95)
    edge_share = float(np.clip(0.02 / height, 0.28, 0.45))  # deep enough for the pads of fingers
    levels = np.append((1.0 - edge_share) * np.array([0.0, 0.14, 0.31, 0.5, 0.72, 1.0]), 1.0)
    sections = stack(outline, levels * height, radius * profile(*BOWLS[shape], levels))
    body, rim, edge = _walls(rng, sections, rng.uniform(0.004, 0.0055))
    foot: list[Solid] = []
    if rng.random() < 0.5:
        rise = rng.uniform(0.004, 0.014)
        scale = radius * BOWLS[shape][1][0] * np.array([rng.uniform(0.9, 1.15), 0.9])
        foot = [loft("body", stack(outline, [-rise, 0.001], scale))]
    stands = bool(rng.random() < 0.5)
    uses = [grips.lift_use("rim", grips.fitting(RIM, edge), neighbours=("body",))]
    if not stands:
        uses.append(grips.push_use(Affordance.SUPPORT, "body", grips.FLAT_HAND, grips.UP, ("rim",)))
    if 2.0 * radius < 0.115:
        types = (G.POWER_SPHERE, G.LARGE_DIAMETER, G.PRECISION_DISK)
        uses.append(Use(Affordance.WRAP_GRASP, "body", types, axis=grips.UP, neighbours=("rim",)))
    return assemble(name, "bowl", [*body, rim, *foot], uses, {"diameter": 2.0 * radius}, (plan, shape), stands)


def _walls(rng: np.random.Generator, sections: Array, wall: float) -> tuple[list[Solid], Solid, float]:
    """Body and rim of a bowl of outside ``sections``, and the rim's thickness, m."""
    body = vessel("body", sections[:-1], wall, floor=rng.uniform(0.004, 0.006))
    low, high = sections[-2:]
    inner = np.stack([inset(section, wall) for section in (low, high)])[:, ::2]
    style = rng.choice(["plain", "thick", "flanged"])
    if style == "plain":
        return body, shell("rim", sections[-2:], inner), wall
    if style == "thick":
        bead = rng.uniform(0.001, 0.0025)
        return body, shell("rim", np.stack([low, inset(high, -bead)]), inner), wall + bead
    reach = rng.uniform(0.006, 0.014)
    under = low + 0.72 * (high - low)
    outer = np.stack([low, under, inset(high, -reach) - [0.0, 0.0, 0.0025], inset(high, -reach)])
    inner = np.stack([inset(low, wall), inset(under, wall), *[inset(high, wall)] * 2])[:, ::2]
    inner[2] -= [0.0, 0.0, 0.0025]
    return body, shell("rim", outer, inner), wall


def cup(rng: np.random.Generator, name: str) -> ObjectModel:
    """A cup without a handle: a tumbler, or a goblet on a stem."""
    shape, stemmed = str(rng.choice(list(CUPS))), bool(rng.random() < 0.4)
    radius = rng.uniform(0.029, 0.042)
    height = radius * (rng.uniform(1.5, 2.4) if stemmed else rng.uniform(2.0, 3.6))
    sides = rng.choice(["round", "round", "faceted"])
    outline = circle(1.0, 40) if sides == "round" else chamfered(int(rng.integers(8, 13)), 0.9)
    levels = np.array([0.0, 0.04, 0.12, 0.25, 0.4, 0.55, 0.72, 0.88, 1.0])
    radii = radius * profile(*CUPS[shape], levels)
    body = vessel("body", stack(outline, levels * height, radii), rng.uniform(0.002, 0.0035), rng.uniform(0.004, 0.01))
    uses = [grips.wrap_use("body", 2.0 * radius, neighbours=("stem",) if stemmed else ())]
    dimensions = {"diameter": 2.0 * radius}
    if stemmed:
        stem, thickness, length = _stem(rng, radius, float(radii[0]))
        types = grips.fitting((G.TRIPOD, G.PALMAR_PINCH, G.PRISMATIC_3_FINGER, G.LATERAL, G.LIGHT_TOOL), thickness)
        uses.append(Use(Affordance.HANDLE_GRASP, "stem", types, axis=grips.UP, neighbours=("body",)))
        return assemble(
            name, "cup", [*body, *stem], uses, {**dimensions, "stem_length": length}, (str(sides), shape, "stemmed")
        )
    return assemble(name, "cup", body, uses, dimensions, (str(sides), shape))


def _stem(rng: np.random.Generator, radius: float, seat: float) -> tuple[list[Solid], float, float]:
    """A stem below z = 0 on its foot; also its thickness and length, m."""
    thick, length, foot = rng.uniform(0.0035, 0.008), rng.uniform(0.035, 0.08), radius * rng.uniform(0.75, 1.05)
    share = np.linspace(0.0, 1.0, 9)
    knop = rng.uniform(1.3, 1.9) if rng.random() < 0.4 else 1.0
    grow = profile([0, 0.1, 0.35, 0.5, 0.65, 0.9, 1.0], [2.0, 1.15, 1.0, knop, 1.0, 1.1, 1.8], share)
    tops = np.minimum(thick * grow, max(seat, thick))
    stem = loft("stem", stack(circle(1.0, 20), -length + (length + 0.002) * share, tops))
    plate = stack(circle(1.0, 36), -length + np.array([-0.003, 0.0, 0.004]), [foot, 0.97 * foot, 1.8 * thick])
    return [stem, loft("foot", plate)], 2.0 * thick, length


def pan(rng: np.random.Generator, name: str) -> ObjectModel:
    """A frying pan, its handle towards +x and rising; half of them are in the air."""
    shape = str(rng.choice(list(PANS)))
    radius, height, wall = rng.uniform(0.075, 0.125), rng.uniform(0.028, 0.05), rng.uniform(0.003, 0.004)
    levels = height * np.array([0.0, 0.15, 0.4, 0.7, 1.0])
    radii = radius * profile(*PANS[shape], levels / height)
    body = vessel("body", stack(circle(1.0, 44), levels, radii), wall, rng.uniform(0.0035, 0.0055))

    length, broad, thick = rng.uniform(0.13, 0.18), rng.uniform(0.01, 0.0145), rng.uniform(0.0065, 0.0105)  # halves
    level, rise = height * rng.uniform(0.62, 0.78), rng.uniform(0.02, 0.06)
    bend = rng.uniform(0.0, 0.35)
    share = np.linspace(0.0, 1.0, 14)
    start = float(np.interp(level, levels, radii)) - wall / 2.0
    climb = (1.0 - bend) * share + bend * np.sin(0.5 * np.pi * share)
    path = np.column_stack([start + length * share, 0.0 * share, level + rise * climb])
    waist, swell = rng.uniform(0.5, 0.75), rng.uniform(1.0, 1.2)
    grow = profile([0, 0.12, 0.3, 0.7, 0.94, 1.0], [1.0, waist, 0.9, swell, 0.95, 0.6], share)
    sections = along(path, superellipse(broad, thick, rng.uniform(2.0, 4.0), 16), (0, 1, 0), grow)
    sections[:1] = seated(sections[:1], levels, radii - wall / 2.0)
    solids = [*body, loft("handle", sections)]
    ended = str(rng.choice(["ring", "plain", "plain"]))
    if ended == "ring":
        eye = ring("handle", 0.011, superellipse(0.0045, 0.0035, 2.0, 10), 16)
        solids.append(eye.moved(path[-1] + [0.0115, 0.0, 0.0]))
    if rng.random() < 0.3:
        solids.append(_helper(rng, level, levels, radii - wall / 2.0))
    run = path[9] - path[4]
    stands = bool(rng.random() < 0.5)
    uses = [grips.handle_use("handle", thick + broad, run / np.linalg.norm(run), neighbours=("body",))]
    if not stands:
        uses.append(grips.push_use(Affordance.SUPPORT, "body", grips.FLAT_HAND, grips.UP, ("handle",)))
    dimensions = {"diameter": 2.0 * radius, "handle_length": length}
    return assemble(name, "pan", solids, uses, dimensions, (shape,), stands)


def _helper(rng: np.random.Generator, level: float, levels: Array, radii: Array) -> Solid:
    """A small loop across from the handle."""
    reach, half = rng.uniform(0.018, 0.028), rng.uniform(0.022, 0.032)
    control = np.array([(0.0, -1.0), (0.6, -0.95), (1.0, -0.5), (1.0, 0.5), (0.6, 0.95), (0.0, 1.0)])
    start = np.interp(level, levels, radii)
    y = half * control[:, 1]
    x = np.where(control[:, 0] < 0.2, np.sqrt(start**2 - y**2), start + reach * control[:, 0])
    sections = along(smooth(np.column_stack([x, y, 0.0 * x + level]), 11), circle(0.004, 10), (0, 0, 1))
    sections[[0, -1]] = seated(sections[[0, -1]], levels, radii)
    return loft("helper", sections).mirrored(0)
