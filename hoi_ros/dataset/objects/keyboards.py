"""Keyboards and laptops: keys to press, plates to lift, push and steady."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import Solid, assemble, block, convex, loft, rounded_rectangle, stack
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array


def keyboard(rng: np.random.Generator, name: str) -> ObjectModel:
    """A compact keyboard; its far edge (+y) is raised on feet, its near edge lies on z = 0."""
    pitch, rows = rng.uniform(0.0165, 0.0195), int(rng.integers(4, 6))
    columns = int(rng.integers(9, 12 if rows == 5 else 14))
    margin, thick, rise = rng.uniform(0.006, 0.016), rng.uniform(0.009, 0.018), rng.uniform(0.004, 0.009)
    keys = _keys(rng, rows, columns, pitch, rise + 0.001, rng.uniform(0.72, 0.9))
    width, depth = columns * pitch + 2.0 * margin, rows * pitch + 2.0 * margin
    radius = rng.uniform(0.003, 0.012)
    plate = loft(
        "base",
        stack(rounded_rectangle(width, depth, radius, 5), [-thick, -0.8 * thick, -0.002, 0.0], [0.98, 1, 1, 0.988]),
    )
    solids = [plate, *(solid.moved((0.0, 0.0, -0.001)) for solid in keys)]
    if rng.random() < 0.35:
        strip = block("base", (0.9 * width, 0.018, 0.5 * thick), (0.0, 0.5 * depth + 0.006, -0.35 * thick), 0.003)
        solids.append(strip)
    tilt = rng.uniform(0.1, 0.2)
    solids = [solid.turned(grips.X, tilt) for solid in solids]
    solids += _feet(rng, width, depth, thick, tilt)
    edge = np.array([0.0, -np.cos(tilt), -np.sin(tilt)])
    uses = (
        grips.push_use(Affordance.PRESS, "keys", grips.PUSH, -grips.UP, ("base",)),
        Use(
            Affordance.LIFT,
            "base",
            grips.fitting(grips.PLATE, thick),
            axis=grips.X,
            approach=edge,
            cone=0.7,
            force=grips.UP,
            neighbours=("keys", "feet"),
        ),
        grips.push_use(Affordance.SUPPORT, "base", grips.FLAT_HAND, edge, ("keys", "feet")),
    )
    dimensions = {"key_pitch": pitch, "thickness": thick}
    return assemble(name, "keyboard", solids, uses, dimensions, ("compact" if columns < 11 else "wide",))


def _feet(rng: np.random.Generator, width: float, depth: float, thick: float, tilt: float) -> list[Solid]:
    """Two feet under the far edge of a plate turned by ``tilt`` about x, down to the level of its near edge."""
    along = np.array([np.cos(tilt), np.sin(tilt)])
    down = np.array([np.sin(tilt), -np.cos(tilt)])
    ground = -0.5 * depth * along[1] + thick * down[1]
    wide, place = rng.uniform(0.012, 0.025), width * rng.uniform(0.3, 0.42)
    feet = []
    for side in (-1.0, 1.0):
        top = [0.36 * depth * along + (thick - 0.002) * down, 0.46 * depth * along + (thick - 0.002) * down]
        foot = [(point[0], ground) for point in top]
        outline = np.array([*top, foot[0] + np.array([0.002, 0.0]), foot[1] - np.array([0.002, 0.0])])
        corners = [np.column_stack([np.full(4, side * place + half), outline]) for half in (-wide / 2.0, wide / 2.0)]
        feet.append(convex("feet", np.concatenate(corners)))
    return feet


def _keys(
    rng: np.random.Generator, rows: int, columns: int, pitch: float, rise: float, top: float, fill: float = 0.9
) -> list[Solid]:
    """Keys on z = 0 in a block of ``rows`` x ``columns`` pitches: capped pyramids, the nearest row with a space bar."""
    keys = []
    for row in range(rows):
        widths = np.ones(columns)
        if row == 0:
            bar = int(rng.integers(4, 6))
            side = (columns - bar) // 2
            widths = np.concatenate([np.ones(side), [bar], np.ones(columns - bar - side)])
        elif row < rows - 1:  # wider keys at the ends, as for Shift and Enter
            first = rng.choice([1.25, 1.5, 1.75])
            widths = np.concatenate([[first], np.ones(columns - 3), [3.0 - first]])
        edges = np.concatenate([[0.0], np.cumsum(widths)]) - columns / 2.0
        y = (row + 0.5 - rows / 2.0) * pitch
        for left, right in pairwise(edges):
            size = np.array([(right - left) * pitch - (1.0 - fill) * pitch, fill * pitch])
            keys.append(_key(size, 0.5 * (left + right) * pitch, y, rise, top))
    return keys


def _key(size: Array, x: float, y: float, rise: float, top: float) -> Solid:
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    smaller = size - (1.0 - top) * size.min()
    foot, cap = corners * size + [x, y], corners * smaller + [x, y]
    return convex(
        "keys", np.concatenate([np.column_stack([foot, np.zeros(4)]), np.column_stack([cap, np.full(4, rise)])])
    )


def laptop(rng: np.random.Generator, name: str) -> ObjectModel:
    """An open laptop: the base on z = 0, the hinge along x at its far edge (+y), the screen leaning back."""
    width = rng.uniform(0.25, 0.35)
    depth = width * rng.uniform(0.64, 0.72)
    thick, thin = rng.uniform(0.011, 0.02), rng.uniform(0.0045, 0.0085)
    corner = rng.uniform(0.006, 0.014)
    outline = rounded_rectangle(width, depth, corner, 5)
    base = loft(
        "base", stack(outline, [0.0, 0.3 * thick, 0.9 * thick, thick], [rng.uniform(0.93, 0.98), 1.0, 1.0, 0.993])
    )
    rows, columns = 5, int(rng.integers(8, 10))
    pitch = min(0.86 * width / columns, 0.105 / rows * rng.uniform(1.1, 1.4))
    wide = 0.86 * width / (columns * pitch)
    keys = [
        Solid("keys", tuple(piece * [wide, 1.0, 1.0] + [0.0, 0.14 * depth, thick - 0.0005] for piece in key.pieces))
        for key in _keys(rng, rows, columns, pitch, rng.uniform(0.0015, 0.003), 0.94)
    ]
    pad = (rng.uniform(0.08, 0.12), 0.24 * depth)
    trackpad = block("trackpad", (*pad, 0.0016), (0.0, -0.31 * depth, thick), 0.0004)
    opening = np.radians(rng.uniform(95.0, 130.0))
    screen, hinges = _screen(rng, width, depth, thin, corner, opening, thick)
    facing = np.array([0.0, -np.sin(opening), -np.cos(opening)])  # from the display to the user
    upwards = np.array([0.0, -np.cos(opening), np.sin(opening)])
    uses = (
        grips.push_use(Affordance.PRESS, "keys", grips.PUSH, -grips.UP, ("base",)),
        grips.push_use(Affordance.PRESS, "trackpad", grips.PUSH, -grips.UP, ("base",)),
        Use(
            Affordance.LIFT,
            "screen",
            grips.fitting(grips.PLATE, thin),
            axis=grips.X,
            approach=-upwards,
            cone=1.3,
            force=upwards,
        ),
        grips.push_use(Affordance.SUPPORT, "screen", grips.FLAT_HAND, facing, cone=0.6),
        grips.push_use(Affordance.LEVER, "screen", grips.FLAT_HAND, -facing, cone=0.6),
    )
    dimensions = {"screen_width": width, "opening": float(opening), "thickness": thick}
    return assemble(name, "laptop", [base, *keys, trackpad, *screen, *hinges], uses, dimensions, ("open",))


def _screen(
    rng: np.random.Generator, width: float, depth: float, thin: float, corner: float, opening: float, level: float
) -> tuple[list[Solid], list[Solid]]:
    """The screen and its hinges at the far edge of the base, opened by ``opening`` rad from lying on the base."""
    height = depth * rng.uniform(0.94, 1.0)
    flat = stack(rounded_rectangle(width, height, corner, 5), [0.0, 0.6 * thin, thin], [1.0, 1.0, 0.98])
    plate = loft("screen", flat).moved((0.0, -height / 2.0, 0.0)).turned(grips.X, -opening)
    axis = np.array([0.0, depth / 2.0 - 0.006, level + 0.003])
    round_rod = rounded_rectangle(0.011, 0.011, 0.005, 4)
    length = width * rng.uniform(0.1, 0.3)
    places = (-0.32 * width, 0.32 * width) if rng.random() < 0.6 else (0.0,)
    rod = loft("hinge", stack(round_rod, [-length / 2.0, length / 2.0])).turned((0, 1, 0), np.pi / 2.0)
    hinges = [rod.moved(axis + place * grips.X) for place in places]
    return [plate.moved(axis)], hinges
