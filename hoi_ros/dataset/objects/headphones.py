"""Headphones standing on their cups."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.solids import (
    Solid,
    assemble,
    circle,
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

ARCHES = {  # (sideways, upwards) of half the band's middle line, as shares of half the width and the height
    "round": [(1.0, 0.0), (0.98, 0.3), (0.85, 0.65), (0.5, 0.93)],
    "square": [(1.0, 0.0), (1.0, 0.45), (0.88, 0.82), (0.5, 0.98)],
    "oval": [(0.96, 0.0), (1.0, 0.3), (0.86, 0.66), (0.48, 0.92)],
}


def headphones(rng: np.random.Generator, name: str) -> ObjectModel:
    """Headphones: the band arches over x, the cups face each other."""
    half, rise = rng.uniform(0.068, 0.082), rng.uniform(0.085, 0.115)
    cup_height, cup_depth = rng.uniform(0.033, 0.046), rng.uniform(0.7, 1.0)  # half height; depth as a share of it
    ear, plan = cup_height * cup_depth, rng.uniform(2.0, 2.8)
    thick = rng.uniform(0.026, 0.042)
    level = cup_height + rng.uniform(0.0, 0.012)  # of the band's ends
    corner = np.array(ARCHES[str(rng.choice(list(ARCHES)))]) * [half, rise]
    arch = np.concatenate([corner, [(0.0, rise)], corner[::-1] * [-1, 1]])
    curve = smooth(arch, 22)
    path = np.column_stack([curve[:, 0], 0.0 * curve[:, 0], level + curve[:, 1]])
    broad, slim = rng.uniform(0.008, 0.016), rng.uniform(0.0025, 0.005)  # halves
    middle = np.abs(np.linspace(-1.0, 1.0, len(path)))
    wider = profile([0, 0.5, 0.8, 1.0], [rng.uniform(0.9, 1.25), 1.0, 0.85, 0.75], middle)
    thicker = profile([0, 0.45, 0.65, 1.0], [rng.uniform(1.0, 2.2), 1.1, 1.0, 1.0], middle)
    outline = superellipse(broad, slim, rng.uniform(2.5, 4.0), 14)
    band = tube("band", path, outline, (0, 1, 0), np.column_stack([wider, thicker]))

    tilt = rng.uniform(-0.05, 0.16)
    cup = [solid.turned((0, 1, 0), -tilt) for solid in _cup(rng, superellipse(ear, cup_height, plan, 32), thick)]
    end = np.array([arch[0, 0], 0.0, 0.0])
    right = [solid.moved(end) for solid in [*cup, *_yoke(rng, cup_height, level, 0.55 * thick, broad, slim)]]
    left = [Solid("left cup", solid.mirrored(0).pieces) for solid in right]
    solids = [band, *right, *left]
    if rng.random() < 0.3:
        solids.append(_microphone(rng, arch[0, 0] + 0.3 * thick, ear))
    around = grips.fitting(grips.BAR, 2.0 * broad)
    across = tuple(kind for kind in grips.fitting(grips.PLATE, 2.0 * slim * thicker[11]) if kind not in around)[:3]
    uses = [
        grips.lift_use("band", (*around, *across), axis=grips.X),
        grips.wrap_use("band", 2.0 * broad, axis=grips.X),
    ]
    for part, out in (("right cup", grips.X), ("left cup", -grips.X)):
        types = grips.fitting((*grips.CAP, *grips.ROUND), 2.0 * ear)
        uses.append(Use(Affordance.PULL, part, types, approach=-out, cone=1.4, force=out, neighbours=("band",)))
    dimensions = {"cup_diameter": 2.0 * ear, "band_width": 2.0 * broad}
    return assemble(name, "earphone", solids, uses, dimensions, ("over-ear" if ear > 0.036 else "on-ear",))


def _cup(rng: np.random.Generator, outline: Array, thick: float) -> list[Solid]:
    """The right cup about the origin: a shell outwards (+x) and a cushion inwards, with a groove between."""
    domed = rng.uniform(0.55, 0.95)
    shell = stack(
        outline, thick * np.array([0.0, 0.3, 0.45, 0.52]), [0.97, 0.95, 0.5 * (1 + domed) - 0.05, domed - 0.08]
    )
    groove = stack(outline, thick * np.array([-0.05, 0.02]), [0.88, 0.88])
    cushion = stack(outline, thick * np.array([-0.48, -0.44, -0.3, -0.12, -0.04]), [0.78, 0.9, 1.0, 1.0, 0.92])
    # The outline's second coordinate becomes z, its normal x.
    made = [loft("right cup", sections) for sections in (shell, groove, cushion)]
    return [solid.turned((0, 0, 1), np.pi / 2.0).turned((0, 1, 0), np.pi / 2.0) for solid in made]


def _yoke(
    rng: np.random.Generator, cup_height: float, level: float, out: float, broad: float, slim: float
) -> list[Solid]:
    """What joins the right cup to the band's end at the height ``level``: an arm outside the cup."""
    bow = np.array([(0.0, level + 0.008), (0.35 * out, level - 0.004), (0.95 * out, 0.55 * cup_height), (out, 0.0)])
    path = smooth(np.column_stack([bow[:, 0], 0.0 * bow[:, 0], bow[:, 1]]), 8)
    arm = tube("right cup", path, superellipse(rng.uniform(0.6, 0.9) * broad, max(slim, 0.003), 3.0, 12), (0, 1, 0))
    hub = loft("right cup", stack(circle(rng.uniform(0.008, 0.014), 20), [-0.35 * out, 0.002, 0.006], [1.0, 1.0, 0.7]))
    return [arm, hub.turned((0, 1, 0), np.pi / 2.0).moved((out, 0.0, 0.0))]


def _microphone(rng: np.random.Generator, x: float, ear: float) -> Solid:
    """A boom from the right cup forwards (+y)."""
    reach = rng.uniform(0.07, 0.1)
    control = np.array([(x, 0.6 * ear, -0.008), (x, ear + 0.3 * reach, -0.02), (0.75 * x, ear + reach, -0.03)])
    path = smooth(control, 10)
    swell = np.interp(np.linspace(0, 1, 10), [0, 0.75, 0.9, 1.0], [1.0, 1.0, 2.0, 1.8])
    return tube("microphone", path, circle(0.0028, 10), (0, 0, 1), swell)
