"""Boxes and cans: what comes from a shelf."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import chamfered
from hoi_ros.dataset.objects.solids import (
    Solid,
    assemble,
    block,
    convex,
    inset,
    loft,
    ring,
    rounded_rectangle,
    shell,
    stack,
    superellipse,
)
from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BOXES = {  # least and greatest width (x), depth (y) and height, m
    "tall": ((0.09, 0.15), (0.035, 0.065), (0.15, 0.22)),
    "upright": ((0.06, 0.09), (0.035, 0.065), (0.08, 0.13)),
    "cubic": ((0.05, 0.075), (0.05, 0.075), (0.05, 0.08)),
    "flat": ((0.08, 0.15), (0.055, 0.085), (0.022, 0.045)),
}
CANS = {  # least and greatest radius and height, m
    "soda": ((0.029, 0.033), (0.1, 0.165)),
    "food": ((0.031, 0.04), (0.08, 0.115)),
    "flat": ((0.036, 0.046), (0.032, 0.05)),
    "canister": ((0.036, 0.045), (0.1, 0.15)),
    "potted": ((0.04, 0.05), (0.07, 0.09)),
}


def box(rng: np.random.Generator, name: str) -> ObjectModel:
    """A carton with a flap, a box with a lid, a milk carton with a gable, or a prism."""
    style = str(rng.choice(["carton", "carton", "lidded", "gabled", "hexagonal"]))
    make = {"carton": _carton, "lidded": _lidded, "gabled": _gabled, "hexagonal": _prism}[style]
    return make(rng, name)


def _held(part: str, depth: float, neighbours: tuple[str, ...] = ()) -> list[Use]:
    """Wrap-grasp from the side and Lift from above of a box ``depth`` m thick across y."""
    types = grips.fitting((G.LARGE_DIAMETER, G.MEDIUM_WRAP, G.PARALLEL_EXTENSION, G.EXTENSION_TYPE), depth)
    above = grips.fitting((G.PARALLEL_EXTENSION, G.EXTENSION_TYPE, G.PRECISION_DISK, G.PRECISION_SPHERE), depth)
    return [
        Use(Affordance.WRAP_GRASP, part, types, axis=grips.UP, neighbours=neighbours),
        grips.lift_use(part, above, axis=grips.X, neighbours=neighbours),
    ]


def _size(rng: np.random.Generator, kind: str) -> tuple[float, float, float]:
    width, depth, height = (rng.uniform(*span) for span in BOXES[kind])
    return width, depth, height


def _carton(rng: np.random.Generator, name: str) -> ObjectModel:
    kind = str(rng.choice(list(BOXES)))
    width, depth, height = _size(rng, kind)
    body = block("body", (width, depth, height), (0.0, 0.0, height / 2.0), rng.uniform(0.0008, 0.003))
    overlap = rng.uniform(0.55, 0.95)
    thin = rng.uniform(0.0008, 0.0016)
    side = rng.choice([-1.0, 1.0])
    sheet = block("flap", (width * rng.uniform(0.9, 0.985), depth * overlap, thin + 0.001))
    flap = sheet.moved([0.0, side * depth * (0.98 - overlap) / 2.0, height + thin / 2.0 - 0.0005])
    uses = _held("body", depth, ("flap",))
    if height < 0.05:  # lying flat: the sides are held from above
        uses = [grips.lift_use("body", grips.fitting((G.LARGE_DIAMETER, G.PRECISION_DISK), depth), grips.X, ("flap",))]
        uses.append(grips.push_use(Affordance.PRESS, "flap", grips.PUSH, -grips.UP, ("body",)))
    return assemble(name, "box", [body, flap], uses, {}, (kind, "closed"))


def _lidded(rng: np.random.Generator, name: str) -> ObjectModel:
    """A box whose lid reaches over its sides."""
    kind = str(rng.choice(["upright", "cubic", "flat"]))
    width, depth, height = _size(rng, kind)
    radius = rng.uniform(0.001, 0.014)
    over, deep = rng.uniform(0.001, 0.0025), min(rng.uniform(0.01, 0.03), 0.6 * height)
    outline = rounded_rectangle(width, depth, radius, 5)
    larger = rounded_rectangle(width + 2.0 * over, depth + 2.0 * over, radius + over, 5)
    body = loft("body", stack(outline, [0.0, height - deep + 0.001]))
    crown = np.array([1.0, 1.0, 0.99])
    lid = loft("lid", stack(larger, height - deep + deep * np.array([0.0, 0.93, 1.0]), crown))
    types = grips.fitting((G.PRECISION_DISK, G.LARGE_DIAMETER, G.PARALLEL_EXTENSION, G.PRECISION_SPHERE), depth)
    uses = [grips.lift_use("lid", types, grips.X, ("body",))]
    if height - deep > 0.035:
        uses += _held("body", depth, ("lid",))[:1]
    return assemble(name, "box", [body, lid], uses, {"lid_height": deep}, (kind, "lidded"))


def _gabled(rng: np.random.Generator, name: str) -> ObjectModel:
    """A milk or juice carton; the fin of its gable runs along x."""
    width, depth, height = rng.uniform(0.055, 0.08), rng.uniform(0.055, 0.075), rng.uniform(0.09, 0.16)
    rise, fin, thin = depth * rng.uniform(0.35, 0.6), rng.uniform(0.02, 0.028), rng.uniform(0.0045, 0.006)
    body = loft("body", stack(rounded_rectangle(width, depth, 0.002, 3), [0.0, height]))
    eaves = stack(rounded_rectangle(width, depth, 0.002, 3), [height - 0.001])[0]
    ridge = block("gable", (width, thin, 0.002), (0.0, 0.0, height + rise))
    gable = convex("gable", np.concatenate([eaves, *ridge.pieces]))
    comb = block("fin", (width, thin, fin), (0.0, 0.0, height + rise + fin / 2.0 - 0.001), 0.0008)
    solids = [body, gable, comb]
    if rng.random() < 0.5:
        radius = rng.uniform(0.011, 0.015)
        cap = loft("cap", stack(radius * chamfered(14), [-0.006, rng.uniform(0.009, 0.014)]))
        slope = np.arctan2(rise, depth / 2.0)
        solids.append(cap.turned((1, 0, 0), slope).moved([0.0, -depth / 4.0, height + rise / 2.0]))
    types = grips.fitting((G.PARALLEL_EXTENSION, G.EXTENSION_TYPE), thin)
    uses = [*_held("body", depth, ("gable",))[:1], grips.lift_use("fin", types, grips.X, ("gable",))]
    return assemble(name, "box", solids, uses, {"fin_height": fin}, ("gabled",))


def _prism(rng: np.random.Generator, name: str) -> ObjectModel:
    """An upright box of six or eight sides with a lid."""
    count = int(rng.choice([6, 8]))
    radius, height = rng.uniform(0.029, 0.045), rng.uniform(0.06, 0.14)
    outline, deep = chamfered(count, 0.97), rng.uniform(0.012, 0.03)
    lean = rng.uniform(0.85, 1.0)
    body = loft("body", stack(outline, [0.0, height - deep + 0.001], radius * np.array([lean, 1.0])))
    lid = loft(
        "lid", stack(outline, height - deep + deep * np.array([0.0, 0.9, 1.0]), radius * np.array([1.04, 1.04, 1]))
    )
    across = 2.0 * radius * np.cos(np.pi / count)
    uses = [
        grips.wrap_use("body", across, neighbours=("lid",)),
        grips.lift_use("lid", grips.fitting(grips.CAP, across), neighbours=("body",)),
    ]
    return assemble(name, "box", [body, lid], uses, {"lid_height": deep}, ("hexagonal" if count == 6 else "octagonal",))


def can(rng: np.random.Generator, name: str) -> ObjectModel:
    """A can: beaded or plain, necked, flat, with a plastic lid, or not round at all; some with a raised tab."""
    kind = str(rng.choice(list(CANS)))
    radius, height = (rng.uniform(*span) for span in CANS[kind])
    power = rng.uniform(2.6, 4.5) if kind == "potted" else 2.0
    depth = radius * (rng.uniform(0.62, 0.8) if kind == "potted" else 1.0)
    outline = superellipse(radius, depth, power, 48)
    levels, scales = _side(rng, kind, height)
    body = loft("body", stack(outline, levels, scales))
    across = 2.0 * depth
    uses = [grips.lift_use("body", grips.fitting(grips.CAP[:5], across), neighbours=("lid",))]
    if height > 0.06:
        uses.append(grips.wrap_use("body", across, neighbours=("lid",)))
    if kind == "canister":
        deep, over = rng.uniform(0.009, 0.016), rng.uniform(0.001, 0.002)
        scale = 1.0 + over / radius
        cover = height - deep + deep * np.array([0.0, 0.12, 0.15, 0.9, 1.0])
        lid = [loft("lid", stack(outline, cover + 0.001, [scale, scale * 1.02, scale, scale, 0.97]))]
        uses[0] = grips.lift_use("lid", grips.fitting(grips.CAP[:5], across), neighbours=("body",))
        return assemble(name, "can", [body, *lid], uses, {"diameter": 2.0 * radius}, (kind, "lidded"))
    lid = _end(rng, outline * scales[-1], height)
    if kind in ("soda", "food", "flat") and rng.random() < 0.7:
        lean = rng.uniform(0.9, 1.3)
        lid.append(_tab(rng, height - 0.003, lean))
        back = np.array([-np.sin(lean), 0.0, np.cos(lean)])
        uses.append(grips.push_use(Affordance.LEVER, "tab", grips.PUSH, back, ("lid", "body")))
    return assemble(name, "can", [body, *lid], uses, {"diameter": 2.0 * radius}, (kind,))


def _side(rng: np.random.Generator, kind: str, height: float) -> tuple[Array, Array]:
    """Heights (L,) and scales (L,) of a can's side up to the edge of its end."""
    if kind == "soda":
        shares = [0.0, 0.025, 0.08, 0.86, 0.93, 0.965, 1.0]
        return height * np.array(shares), np.array([0.74, 0.8, 1.0, 1.0, 0.9, 0.83, 0.83])
    if kind in ("canister", "potted") or rng.random() < 0.4:
        edge = 0.0025
        return np.array([0, edge, edge + 1e-3, height - edge - 1e-3, height - edge, height]), np.array(
            [1.0, 1.0, 0.98, 0.98, 1.0, 1.0]
        )
    count = int(rng.integers(3, 9))
    low, high = rng.uniform(0.15, 0.3), rng.uniform(0.7, 0.85)
    bead = np.linspace(low, high, 2 * count + 1) * height
    waves = np.where(np.arange(2 * count + 1) % 2, 1.0 - rng.uniform(0.012, 0.03), 0.985)
    heights = np.concatenate([[0, 0.002, 0.003], bead, [height - 0.003, height - 0.002, height]])
    return heights, np.concatenate([[1.0, 1.0, 0.985], waves, [0.985, 1.0, 1.0]])


def _end(rng: np.random.Generator, outline: Array, height: float) -> list[Solid]:
    """The raised edge of the end of a can."""
    low = stack(outline, [height - 0.0005, height + rng.uniform(0.0015, 0.0035)])
    inner = np.stack([inset(section, 0.002) for section in low])[:, ::2]
    return [shell("lid", low, inner)]


def _tab(rng: np.random.Generator, level: float, lean: float) -> Solid:
    """A ring tab bent up by ``lean`` rad towards +x, its foot in the end at ``level``; a finger has room below it."""
    wide, long = rng.uniform(0.0065, 0.0085), rng.uniform(0.0075, 0.01)
    flat = ring("tab", wide, superellipse(0.0012, 0.0054, 2.5, 8), 16)
    stretched = Solid("tab", tuple(piece * [long / wide, 1.0, 1.0] for piece in flat.pieces))
    tongue = block("tab", (0.018, 0.013, 0.0024), (-long - 0.006, 0.0, 0.0), 0.0008)
    whole = Solid("tab", (*stretched.pieces, *tongue.pieces)).moved([long + 0.014, 0.0, 0.0])
    return whole.turned((0, 1, 0), -lean).moved([-0.004, 0.0, level])
