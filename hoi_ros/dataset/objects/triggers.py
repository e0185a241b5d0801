"""Power drills and spray bottles: a grip with a trigger before it."""

from __future__ import annotations

import numpy as np

from hoi_ros.dataset.objects import grips
from hoi_ros.dataset.objects.bottles import chamfered
from hoi_ros.dataset.objects.solids import (
    Solid,
    along,
    assemble,
    circle,
    loft,
    profile,
    rounded_rectangle,
    smooth,
    stack,
    superellipse,
)
from hoi_ros.dataset.objects.tools import along_x
from hoi_ros.hand.grasp_types import GraspType as G
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel

SPRAY_BODIES = {  # knots of height and of width, as shares of the widest
    "straight": ([0, 0.03, 0.66, 0.82, 0.94, 1.0], [0.94, 1.0, 1.0, 0.86, 0.5, 0.38]),
    "waisted": ([0, 0.03, 0.3, 0.62, 0.78, 0.92, 1.0], [0.94, 1.0, 0.98, 0.74, 0.8, 0.5, 0.38]),
    "tapered": ([0, 0.03, 0.3, 0.7, 0.9, 1.0], [0.95, 1.0, 0.93, 0.68, 0.46, 0.4]),
    "shouldered": ([0, 0.03, 0.74, 0.86, 0.96, 1.0], [0.94, 1.0, 0.94, 0.82, 0.46, 0.38]),
    "conical": ([0, 0.03, 0.5, 0.85, 1.0], [0.96, 1.0, 0.7, 0.44, 0.36]),
}
BARRELS = {  # knots from the back to the front of a drill's motor housing, and its half width there, as shares
    "rounded": ([0, 0.05, 0.2, 0.75, 1.0], [0.55, 0.8, 1.0, 1.0, 0.72]),
    "straight": ([0, 0.04, 0.1, 0.85, 1.0], [0.88, 0.96, 1.0, 0.98, 0.85]),
    "stepped": ([0, 0.05, 0.15, 0.5, 0.58, 1.0], [0.75, 0.92, 1.0, 1.0, 0.8, 0.74]),
    "tapered": ([0, 0.06, 0.3, 1.0], [0.8, 0.96, 1.0, 0.66]),
}


def power_drill(rng: np.random.Generator, name: str) -> ObjectModel:
    """A drill on its battery or foot; the chuck points to +x, the trigger is before the grip."""
    kind = str(rng.choice(["pistol", "T-handled", "T-handled"]))
    barrel_shape = str(rng.choice(list(BARRELS)))
    grip_long, tilt = rng.uniform(0.088, 0.112), rng.uniform(0.0, 0.22)
    long, half = rng.uniform(0.12, 0.175), rng.uniform(0.024, 0.034)
    base, base_height = _base(rng)
    foot = base_height - 0.004
    top = foot + grip_long
    handle, deep, wide = _grip(rng, foot, top + 0.3 * half, tilt)
    centre = top + 0.85 * half
    lean = np.tan(tilt) * grip_long  # the grip's top lies forward of its foot
    start = lean - long * (rng.uniform(0.12, 0.2) if kind == "pistol" else rng.uniform(0.4, 0.5))
    start = min(start, lean - deep - 0.004)
    share = np.linspace(0.0, 1.0, 16)
    flat = rng.uniform(1.0, 1.15)
    outline = superellipse(flat, 1.0, rng.uniform(2.0, 3.5), 32)
    barrel = stack(outline, start + long * share, half * profile(*BARRELS[barrel_shape], share))
    body = along_x(loft("body", barrel)).moved([0.0, 0.0, centre])
    front = start + long
    tip_share = BARRELS[barrel_shape][1][-1]
    chuck, radius, nose = _chuck(rng, half * tip_share)
    solids = [handle, body, *base, *(part.moved([front - 0.002, 0.0, centre]) for part in chuck)]
    level = top - rng.uniform(0.012, 0.02)
    at = np.tan(tilt) * (level - foot) + deep
    solids.append(_drill_trigger(rng, at, level))
    direction = np.array([np.sin(tilt), 0.0, np.cos(tilt)])
    size = deep + wide
    types = grips.fitting((G.MEDIUM_WRAP, G.LARGE_DIAMETER, G.SMALL_DIAMETER, G.ADDUCTED_THUMB), size)
    uses = (
        Use(
            Affordance.HANDLE_GRASP,
            "handle",
            types,
            axis=direction,
            approach=grips.X,
            cone=1.0,
            neighbours=("trigger", "body"),
        ),
        grips.push_use(Affordance.PRESS, "trigger", grips.PUSH, -grips.X, ("handle",)),
        grips.twist_use("chuck", 2.0 * radius, grips.X, neighbours=("body", "bit") if nose else ("body",)),
    )
    dimensions = {"handle_length": grip_long, "handle_width": 2.0 * wide, "barrel_length": long}
    return assemble(name, "power_drill", solids, uses, dimensions, (kind, barrel_shape))


def _base(rng: np.random.Generator) -> tuple[list[Solid], float]:
    """A battery to stand on, slid onto a shoe; also the height of both."""
    long, wide, high = rng.uniform(0.085, 0.125), rng.uniform(0.058, 0.078), rng.uniform(0.022, 0.05)
    shift = rng.uniform(0.0, 0.018)
    outline = rounded_rectangle(long, wide, rng.uniform(0.006, 0.018), 5)
    battery = loft(
        "battery", stack(outline, high * np.array([0.0, 0.12, 0.85, 1.0]), [0.95, 1.0, 1.0, 0.96], (shift, 0))
    )
    shoe_high = rng.uniform(0.012, 0.02)
    scales = np.array([[0.92, 0.92], [0.9, 0.88], [0.55, 0.62]])
    heights = high - 0.001 + shoe_high * np.array([0.0, 0.5, 1.0])
    shoe = loft("handle", stack(outline, heights, scales, (shift * np.array([[1, 0], [1, 0], [0.3, 0]]))))
    return [battery, shoe], high + shoe_high


def _grip(rng: np.random.Generator, foot: float, top: float, tilt: float) -> tuple[Solid, float, float]:
    """The grip leaning forward by ``tilt`` rad; also its half depth and half width, m."""
    deep, wide = rng.uniform(0.0195, 0.0235), rng.uniform(0.0155, 0.019)
    share = np.linspace(0.0, 1.0, 14)
    height = foot + (top - foot) * share
    swell = profile([0, 0.15, 0.4, 0.7, 1.0], [1.12, 0.95, 1.02, rng.uniform(0.88, 0.95), 1.05], share)
    bow = rng.uniform(-0.004, 0.004) * np.sin(np.pi * share)
    centres = np.column_stack([np.tan(tilt) * (height - foot) + bow, 0.0 * share])
    outline = superellipse(deep, wide, rng.uniform(2.2, 3.2), 24)
    return loft("handle", stack(outline, height, swell, centres)), deep, wide


def _chuck(rng: np.random.Generator, room: float) -> tuple[list[Solid], float, bool]:
    """Torque collar and chuck from x = 0 on; also the chuck's radius and whether a bit is in it."""
    radius = min(rng.uniform(0.0155, 0.021), room)
    long = rng.uniform(0.028, 0.045)
    outline = circle(1.0, 32) if rng.random() < 0.5 else chamfered(14, 0.6)
    at = long * np.array([0.0, 0.05, 0.55, 0.62, 0.92, 1.0])
    taper = rng.uniform(0.6, 0.85)
    scales = radius * np.array([0.95, 1.0, 1.0, 0.94, taper, 0.35])
    collar_long = rng.uniform(0.008, 0.018)
    collar = stack(circle(1.0, 36), [-0.001, 0.3 * collar_long, collar_long], room * np.array([1.0, 1.03, 0.92]))
    parts = [
        along_x(loft("body", collar)),
        along_x(loft("chuck", stack(outline, collar_long - 0.001 + at, scales))),
    ]
    nose = bool(rng.random() < 0.7)
    if nose:
        thick, reach = rng.uniform(0.002, 0.0045), rng.uniform(0.03, 0.075)
        start = collar_long + long - 0.005
        bit = stack(circle(thick, 12), start + reach * np.array([0.0, 0.93, 1.0]), [1.0, 1.0, 0.15])
        parts.append(along_x(loft("bit", bit)))
    return parts, radius, nose


def _drill_trigger(rng: np.random.Generator, at: float, level: float) -> Solid:
    """A trigger whose front stands before x = ``at``."""
    out, high, half = rng.uniform(0.009, 0.014), rng.uniform(0.026, 0.036), rng.uniform(0.007, 0.0095)
    share = np.linspace(-1.0, 1.0, 7)
    hollow = rng.uniform(0.1, 0.45)
    front = at + out * (1.0 - hollow * (1.0 - share**2)) - 0.004 * np.maximum(-share, 0.0)
    depth = (front - (at - 0.012)) / 2.0
    scales = np.column_stack([depth, np.full(7, half) * np.where(np.abs(share) > 0.9, 0.85, 1.0)])
    centres = np.column_stack([front - depth, 0.0 * share])
    heights = level - high / 2.0 + high / 2.0 * share
    return loft("trigger", stack(superellipse(1.0, 1.0, 3.0, 16), heights, scales, centres))


def spray_bottle(rng: np.random.Generator, name: str) -> ObjectModel:
    """A bottle with a trigger sprayer; the nozzle points to +x."""
    shape, plan = str(rng.choice(list(SPRAY_BODIES))), str(rng.choice(["round", "oval", "rectangular"]))
    half, height = rng.uniform(0.031, 0.042), rng.uniform(0.12, 0.185)
    depth = 1.0 if plan == "round" else rng.uniform(0.62, 0.8)
    power = 2.0 if plan != "rectangular" else rng.uniform(3.5, 6.0)
    levels = np.linspace(0.0, 1.0, 18)
    shares = profile(*SPRAY_BODIES[shape], levels)
    neck = rng.uniform(0.0115, 0.0145)
    long_side = np.maximum(half * shares, neck)
    scales = np.column_stack([long_side, np.maximum(half * depth * shares, neck)])
    lean = rng.uniform(-0.006, 0.006) * levels**2 if plan != "round" else 0.0 * levels
    centres = np.column_stack([lean, 0.0 * lean])
    body = loft("body", stack(superellipse(1.0, 1.0, power, 40), levels * height, scales, centres))
    collar_radius, collar_height = neck + rng.uniform(0.001, 0.0035), rng.uniform(0.014, 0.02)
    outline = chamfered(18, 0.5) if rng.random() < 0.6 else circle(1.0, 32)
    collar = loft(
        "collar",
        stack(
            outline, height - 0.001 + collar_height * np.array([0.0, 0.85, 1.0]), collar_radius * np.array([1, 1, 0.92])
        ),
    )
    head = [part.moved([lean[-1], 0.0, height + collar_height - 0.002]) for part in _sprayer(rng, neck)]
    uses = (
        grips.wrap_use("body", 2.0 * half * np.sqrt(depth) * 0.95),
        grips.push_use(Affordance.PRESS, "trigger", grips.PUSH, -grips.X, ("head", "collar")),
        Use(  # the sprayer is unscrewed by its head, taken from above
            Affordance.TWIST,
            "head",
            (G.SMALL_DIAMETER, G.MEDIUM_WRAP, G.PARALLEL_EXTENSION),
            axis=grips.X,
            approach=-grips.UP,
            cone=0.9,
            force=grips.UP,
            neighbours=("nozzle", "trigger", "collar"),
        ),
        Use(
            Affordance.HANDLE_GRASP,
            "head",
            grips.fitting((G.SMALL_DIAMETER, G.MEDIUM_WRAP, G.ADDUCTED_THUMB, G.INDEX_FINGER_EXTENSION), 0.032),
            axis=grips.UP,
            approach=grips.X,
            cone=0.9,
            neighbours=("trigger", "collar", "body"),
        ),
    )
    dimensions = {"diameter": 2.0 * half, "collar_diameter": 2.0 * collar_radius}
    moved = collar.moved([lean[-1], 0.0, 0.0])
    return assemble(name, "spray_bottle", [body, moved, *head], uses, dimensions, (plan, shape))


def _sprayer(rng: np.random.Generator, neck: float) -> list[Solid]:
    """Sprayer head over z = 0: a stem, a shroud with the nozzle at its front, the trigger beneath."""
    rise = rng.uniform(0.026, 0.036)
    wide = rng.uniform(0.0095, 0.0125)
    stem = loft(
        "head",
        stack(
            superellipse(1.0, 1.0, 2.8, 24),
            [0.0, 0.5 * rise, rise + 0.004],
            [[neck, neck], [0.013, 0.012], [0.015, wide]],
        ),
    )
    front, back = rng.uniform(0.03, 0.042), rng.uniform(0.018, 0.032)
    high = rng.uniform(0.018, 0.024)
    share = np.linspace(0.0, 1.0, 9)
    x = -back + (front + back) * share
    style = str(rng.choice(["wedge", "level", "humped"]))
    tall = {
        "wedge": profile([0, 0.15, 0.6, 1.0], [0.35, 0.6, 1.0, 0.85], share),
        "level": profile([0, 0.08, 0.9, 1.0], [0.75, 1.0, 1.0, 0.9], share),
        "humped": profile([0, 0.2, 0.5, 1.0], [0.3, 0.85, 1.0, 0.7], share),
    }[style]
    drop = {"wedge": 0.2, "level": 0.0, "humped": -0.12}[style] * high * (1.0 - share)
    path = np.column_stack([x, 0.0 * x, rise + high / 2.0 - drop])
    scale = np.column_stack([profile([0, 0.2, 1.0], [0.6, 1.0, 0.9], share), tall])
    shroud = loft("head", along(path, superellipse(wide, high / 2.0, 3.2, 24), (0, 1, 0), scale))
    level = rise + high / 2.0
    radius = rng.uniform(0.0085, 0.0108)
    cap = circle(1.0, 24) if rng.random() < 0.4 else superellipse(1.0, 1.0, 4.0, 24)
    at = np.array([-0.004, 0.0, 0.013, 0.016])
    nozzle = along_x(loft("nozzle", stack(cap, at, radius * np.array([1.0, 1.0, 1.0, 0.8])))).moved([front, 0.0, level])
    return [stem, shroud, nozzle, _spray_trigger(rng, rise, wide)]


def _spray_trigger(rng: np.random.Generator, rise: float, wide: float) -> Solid:
    """A lever that hangs from the shroud at z = ``rise``, curved to the finger."""
    start, reach = rng.uniform(0.02, 0.026), rng.uniform(0.006, 0.016)
    drop = rng.uniform(0.034, 0.05)
    hook = rng.uniform(0.0, 0.007)
    control = np.array([(0.0, 0.006), (0.25, -0.3), (0.65, -0.7), (1.0, -1.0)])
    path = np.column_stack(
        [start + reach * control[:, 0] + [0, 0, 0, hook], np.zeros(4), rise + drop * np.minimum(control[:, 1], 0.1)]
    )
    path[0, 2] = rise + 0.005
    fine = smooth(path, 10)
    taper = np.column_stack([np.linspace(1.0, 0.85, 10), np.linspace(1.2, 0.8, 10)])
    return loft("trigger", along(fine, superellipse(0.8 * wide, 0.0028, 2.6, 16), (0, 1, 0), taper))
