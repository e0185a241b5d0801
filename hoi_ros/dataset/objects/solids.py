"""Building objects from convex pieces.

A `Solid` is one labelled part as a list of convex pieces, so its convex decomposition is exact by construction and
physics needs no other. Makers build pieces from cross-sections: a section is a convex planar polygon (K, 3), and a
`loft` joins sections to pieces, merging neighbours wherever their common hull adds nothing. `assemble` unites all
pieces to one closed surface whose faces remember their part. Everything is in metres, z up.

    body = vessel("body", stack(circle(0.04, 48), heights, scales), thickness=0.003, floor=0.005)
    handle = tube("handle", smooth(control_points, 12), ellipse(0.006, 0.005, 12), normal=(0, 1, 0))
    mug = assemble("mug_0001", "mug", [*body, handle], uses)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from manifold3d import Manifold, OpType
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator, make_interp_spline
from scipy.spatial.transform import Rotation

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Use
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array

GRID = 2.0**-20  # m; vertices lie on it, so that pieces that share a vertex share it exactly
FILL = 1e-4  # neighbouring pieces merge if their common hull is larger by less than this share
WALL_FILL = 0.12  # of thin walls: 0.4 mm of 4 mm
SLIVER = 2e-6  # m; edges shorter than this are collapsed in the united surface


@dataclass(frozen=True)
class Solid:
    """One part of an object: the union of the hulls of ``pieces``, each (K, 3) m."""

    part: str
    pieces: tuple[Array, ...]

    def moved(self, offset: ArrayLike) -> Solid:
        """The solid shifted by ``offset`` (3,) m."""
        return Solid(self.part, tuple(piece + np.asarray(offset, float) for piece in self.pieces))

    def turned(self, axis: ArrayLike, angle: float) -> Solid:
        """The solid turned about ``axis`` (3,) through the origin by ``angle`` rad."""
        direction = np.asarray(axis, float)
        rotation = Rotation.from_rotvec(direction / np.linalg.norm(direction) * angle)
        return Solid(self.part, tuple(rotation.apply(piece) for piece in self.pieces))

    def mirrored(self, axis: int) -> Solid:
        """The solid with coordinate number ``axis`` negated."""
        sign = np.where(np.arange(3) == axis, -1.0, 1.0)
        return Solid(self.part, tuple(piece * sign for piece in self.pieces))


# Outlines: convex polygons (K, 2) about the origin, counter-clockwise.


def ellipse(a: float, b: float, count: int) -> Array:
    """Ellipse with half-axes ``a``, ``b`` m as ``count`` points."""
    angle = np.arange(count) * 2.0 * np.pi / count
    return np.column_stack([a * np.cos(angle), b * np.sin(angle)])


def circle(radius: float, count: int) -> Array:
    """Circle as ``count`` points."""
    return ellipse(radius, radius, count)


def superellipse(a: float, b: float, power: float, count: int) -> Array:
    """|x/a|^power + |y/b|^power = 1 as ``count`` points; 2 is an ellipse, 4 and more a soft rectangle."""
    unit = ellipse(1.0, 1.0, count)
    return np.sign(unit) * np.abs(unit) ** (2.0 / power) * [a, b]


def rounded_rectangle(width: float, depth: float, radius: float, corner: int = 4) -> Array:
    """Rectangle with corners of ``radius`` m, ``corner`` points each."""
    angle = np.linspace(0.0, np.pi / 2.0, corner)
    points = []
    for quarter, (x, y) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        centre = np.array([x * (width / 2.0 - radius), y * (depth / 2.0 - radius)])
        turn = angle + quarter * np.pi / 2.0
        points.append(centre + radius * np.column_stack([np.cos(turn), np.sin(turn)]))
    return np.concatenate(points)


# Curves.


def smooth(points: ArrayLike, count: int) -> Array:
    """``count`` points evenly spaced along the cubic spline through ``points`` (M, D)."""
    knots = np.asarray(points, float)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    spline = make_interp_spline(length, knots, k=min(3, len(knots) - 1))
    fine = spline(np.linspace(0.0, length[-1], 400))
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    at = np.linspace(0.0, run[-1], count)
    return np.column_stack([np.interp(at, run, column) for column in fine.T])


def profile(knots: ArrayLike, values: ArrayLike, at: ArrayLike) -> Array:
    """Values of a curve through (knots, values) without overshoot (monotone cubic), at the given places."""
    return np.asarray(PchipInterpolator(np.asarray(knots, float), np.asarray(values, float))(np.asarray(at, float)))


# Sections: convex planar polygons (K, 3).


def stack(outline: Array, heights: ArrayLike, scales: ArrayLike = 1.0, centres: ArrayLike = (0.0, 0.0)) -> Array:
    """Copies (M, K, 3) of ``outline`` (K, 2) at ``heights`` (M,).

    ``scales``: (M,) or (M, 2), about ``centres`` (2,) or (M, 2) m.
    """
    z = np.asarray(heights, float)
    scale = np.asarray(scales, float)
    scale = np.broadcast_to(scale[..., None] if scale.ndim < 2 else scale, (len(z), 2))
    centre = np.broadcast_to(np.asarray(centres, float), (len(z), 2))
    flat = centre[:, None] + scale[:, None] * outline
    return np.concatenate([flat, np.broadcast_to(z[:, None, None], (*flat.shape[:2], 1))], axis=2)


def along(path: Array, outline: Array, normal: ArrayLike, scales: ArrayLike = 1.0, closed: bool = False) -> Array:
    """Copies (M, K, 3) of ``outline`` (K, 2) across ``path`` (M, 3).

    The outline's first coordinate lies along ``normal`` (the normal of a plane curve), the second across both.
    ``scales``: (M,) or (M, 2). ``closed``: the last point is followed by the first.
    """
    tangent = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0) if closed else np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.asarray(normal, float) - tangent * (tangent @ np.asarray(normal, float))[:, None]
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    across = np.cross(tangent, side)
    scale = np.asarray(scales, float)
    scale = np.broadcast_to(scale[..., None] if scale.ndim < 2 else scale, (len(path), 2))
    flat = scale[:, None] * outline
    return path[:, None] + flat[..., :1] * side[:, None] + flat[..., 1:] * across[:, None]


def seated(sections: Array, levels: Array, radii: Array) -> Array:
    """Sections (M, K, 3) moved along x onto the surface of revolution of ``radii`` (L,) at heights ``levels`` (L,).

    The ends of a handle then follow a wall without reaching through it.
    """
    moved = np.array(sections)
    moved[..., 0] = np.sqrt(np.interp(moved[..., 2], levels, radii) ** 2 - moved[..., 1] ** 2)
    return moved


# Makers.


def convex(part: str, points: ArrayLike) -> Solid:
    """The hull of ``points`` (K, 3)."""
    return Solid(part, (np.asarray(points, float).reshape(-1, 3),))


def block(part: str, size: Sequence[float], centre: ArrayLike = (0.0, 0.0, 0.0), rounding: float = 0.0) -> Solid:
    """A box of ``size`` (3,) with edges rounded by the radius ``rounding`` m."""
    half = np.asarray(size, float) / 2.0
    radius = min(rounding, 0.98 * half.min())
    angle = np.linspace(0.0, np.pi / 2.0, 4 if radius else 1)
    lift, turn = (grid.ravel() for grid in np.meshgrid(angle, angle))
    corner = np.column_stack([np.cos(lift) * np.cos(turn), np.cos(lift) * np.sin(turn), np.sin(lift)])
    octant = half - radius + radius * np.unique(corner.round(9), axis=0)
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return convex(part, (signs[:, None] * octant).reshape(-1, 3) + np.asarray(centre, float))


def loft(part: str, sections: Iterable[Array], closed: bool = False) -> Solid:
    """Solid through convex ``sections`` in order; ``closed`` joins the last to the first."""
    rows = [np.asarray(section, float) for section in sections]
    pairs = list(zip(rows, rows[1:] + rows[:1] if closed else rows[1:], strict=closed))
    return Solid(part, tuple(_merged([np.concatenate(pair) for pair in pairs])))


def tube(
    part: str, path: Array, outline: Array, normal: ArrayLike, scales: ArrayLike = 1.0, closed: bool = False
) -> Solid:
    """A convex ``outline`` (K, 2) swept along ``path`` (M, 3); see `along`."""
    return loft(part, along(path, outline, normal, scales, closed), closed)


def ring(part: str, radius: float, outline: Array, count: int = 20) -> Solid:
    """A torus about z at the origin: ``outline`` (K, 2) = (along z, radial), ``count`` pieces."""
    path = np.column_stack([circle(radius, count), np.zeros(count)])
    return tube(part, path, outline, (0, 0, 1), closed=True)


def shell(part: str, outer: Array, inner: Array) -> Solid:
    """Wall between ``outer`` (M, f K, 3) and ``inner`` (M, K, 3) sections, as K segments in up to M - 1 bands."""
    count = inner.shape[1]
    fold = outer.shape[1] // count
    pieces: list[Array] = []
    for k in range(count):
        near = inner[:, [k, (k + 1) % count]]
        far = outer[:, np.arange(k * fold, (k + 1) * fold + 1) % (count * fold)]
        wedge = np.concatenate([near, far], axis=1)
        pieces += _merged([np.concatenate(pair) for pair in pairwise(wedge)], WALL_FILL)
    return Solid(part, tuple(pieces))


def vessel(part: str, sections: Array, thickness: ArrayLike, floor: float, fold: int = 2) -> list[Solid]:
    """An open container from ``sections`` (M, K, 3) of its outside, horizontal, from the foot up, M >= 2.

    ``floor``: its thickness, m; ``thickness`` of the walls, m, one or (M,). The inside has K / ``fold`` segments.
    """
    heights = sections[:, 0, 2]
    level = heights[0] + floor
    above = int(np.searchsorted(heights, level, side="right"))
    share = (level - heights[above - 1]) / (heights[above] - heights[above - 1])
    cut = sections[above - 1] + share * (sections[above] - sections[above - 1])
    walls = np.broadcast_to(np.asarray(thickness, float), (len(heights),))
    outer = np.concatenate([cut[None], sections[above:]])
    depth = np.interp(outer[:, 0, 2], heights, walls)
    inner = np.stack([inset(section, t) for section, t in zip(outer, depth, strict=True)])[:, ::fold]
    below = [section for section in sections[:above] if section[0, 2] < level - GRID]
    return [loft(part, [*below, cut]), shell(part, outer, inner)]


def inset(section: Array, distance: float) -> Array:
    """A horizontal convex section (K, 3), counter-clockwise, with its sides moved inwards by ``distance`` m."""
    before = section - np.roll(section, 1, axis=0)
    after = np.roll(before, -1, axis=0)
    normals = [np.column_stack([-side[:, 1], side[:, 0], 0.0 * side[:, 0]]) for side in (before, after)]
    first, second = (normal / np.linalg.norm(normal, axis=1, keepdims=True) for normal in normals)
    middle = first + second
    return section + distance * 2.0 * middle / (middle**2).sum(1, keepdims=True)


def assemble(
    name: str,
    category: str,
    solids: Sequence[Solid],
    uses: Sequence[Use],
    dimensions: Mapping[str, float] | None = None,
    adjectives: Sequence[str] = (),
    stands: bool = True,
) -> ObjectModel:
    """Unite ``solids`` to one object standing on z = 0, centred on x = y = 0. Parts are numbered as they come.

    What does not stand (``stands`` False: tools, which are picked up before they are used) is centred in z too, and no
    plane bounds the free space around it. "height", "width" (x) and "depth" (y) are added to ``dimensions``.
    Raises Refused(PARAMETER) if the solids do not make one closed surface, or a use names no part of it.
    """
    points = np.concatenate([piece for solid in solids for piece in solid.pieces])
    low, high = points.min(0), points.max(0)
    middle = (low + high) / 2.0
    origin = np.array([middle[0], middle[1], low[2] if stands else middle[2]])
    part_names = tuple(dict.fromkeys(solid.part for solid in solids))
    pieces, parts = [], []
    for number, part in enumerate(part_names):
        placed = [piece - origin for solid in solids if solid.part == part for piece in solid.pieces]
        hulls = [_hull(piece) for piece in placed]
        pieces += [Piece(np.asarray(hull.to_mesh64().vert_properties)[:, :3], number) for hull in hulls]
        parts.append(Manifold.batch_boolean(hulls, OpType.Add).simplify(SLIVER).as_original())
    solid = Manifold.batch_boolean(parts, OpType.Add).simplify(SLIVER)
    surfaces = len(solid.decompose())
    if surfaces != 1:
        raise Refused(Reason.PARAMETER, f"{name}: the parts make {surfaces} separate surfaces; one is needed")
    mesh = solid.to_mesh64()
    number_of = {part.original_id(): number for number, part in enumerate(parts)}
    runs = np.diff(mesh.run_index) // 3
    face_parts = np.repeat([number_of[original] for original in mesh.run_original_id], runs)
    size = high - low
    model = ObjectModel(
        name=name,
        category=category,
        vertices=np.asarray(mesh.vert_properties, float)[:, :3],
        faces=np.asarray(mesh.tri_verts, np.int32),
        face_parts=face_parts.astype(np.int32),
        part_names=part_names,
        pieces=tuple(pieces),
        uses=tuple(uses),
        dimensions={"width": size[0], "depth": size[1], "height": size[2], **(dimensions or {})},
        adjectives=tuple(adjectives),
    )
    for use in uses:
        for part in (use.part, *use.neighbours):
            model.part(part)
    return model


def _hull(points: Array) -> Manifold:
    return Manifold.hull_points(np.round(points / GRID) * GRID)


def _merged(pieces: list[Array], fill: float = FILL) -> list[Array]:
    """Neighbouring pieces joined as long as their hull is at most the share ``fill`` larger than they are."""
    merged: list[Array] = []
    volume = 0.0
    for piece in pieces:
        own = _hull(piece).volume()
        if own <= 0.0:
            continue
        if merged:
            joined = np.concatenate([merged[-1], piece])
            if _hull(joined).volume() <= (volume + own) * (1.0 + fill):
                merged[-1], volume = joined, volume + own
                continue
        merged.append(piece)
        volume = own
    return merged
