"""Procedural surfaces: what colour and gloss a place of an object has. Places are in the object's own frame, m."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hoi_ros.types import Array

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]

PATTERNS = ("plain", "plain", "stripes", "wood", "speckle", "marble", "checker", "blotches", "label")
TABLE_PATTERNS = ("wood", "wood", "plain", "stripes", "speckle", "marble", "checker", "blotches")
_SIDE = 128  # voxels of the noise, a power of two
_GRAIN = 8.0  # voxels of one blob
_ROW = 1024  # points of a row, for OpenCV takes pictures alone


@lru_cache(maxsize=1)
def _noise_volume() -> Floats:
    """Smooth periodic noise of unit variance as slices side by side, each one row and column larger than its period."""
    white = np.random.default_rng(0).standard_normal((_SIDE,) * 3, dtype=np.float32)
    smooth = gaussian_filter(white, _GRAIN / 2.0, mode="wrap")
    slices = np.pad(smooth / smooth.std(), ((0, 0), (0, 1), (0, 1)), mode="wrap")
    return np.ascontiguousarray(slices.transpose(1, 0, 2)).reshape(_SIDE + 1, -1)


def noise(points: Floats, frequency: float) -> Floats:
    """Smooth noise (N,) of unit variance with ``frequency`` blobs a metre at points (3, N)."""
    count = points.shape[1]
    rows = -(-count // _ROW)
    across, down = np.zeros((2, rows * _ROW), dtype=np.float32)
    cell = points * np.float32(frequency * _GRAIN / _SIDE)
    cell -= np.floor(cell)
    cell *= np.float32(_SIDE)
    across[:count] = cell[0] + np.floor(cell[2]) * np.float32(_SIDE + 1)
    down[:count] = cell[1]
    maps = across.reshape(rows, _ROW), down.reshape(rows, _ROW)
    return cv2.remap(_noise_volume(), *maps, interpolation=cv2.INTER_LINEAR).ravel()[:count]


@dataclass(frozen=True)
class Material:
    """A pattern of two colours, different for each part of the object."""

    pattern: str
    colours: Floats  # (P, 3)
    seconds: Floats  # (P, 3)
    patterned: NDArray[np.bool_]  # (P,) the parts that carry the pattern
    frequency: float  # periods a metre
    direction: Floats  # (3,) unit
    offset: Floats  # (3,) m, so that no two instances share their noise
    gloss: Floats  # (P,)
    band: tuple[float, float] = (0.0, 0.0)  # m, heights of a printed label; of an arm its palm's side and its back

    def look(self, points: Floats, parts: NDArray[np.int32]) -> tuple[Floats, Floats]:
        """Colour (3, N) and gloss (N,) at places (3, N) of parts (N,)."""
        colour = self.colours.T.take(parts, axis=1)
        moved = points + self.offset[:, None]
        colour *= 1.0 + 0.03 * noise(moved, 90.0)
        if self.pattern != "plain":
            blend = self._blend(points, moved) * self.patterned[parts]
            colour += (self.seconds.T.take(parts, axis=1) - colour) * blend
        return colour, self.gloss[parts]

    def _blend(self, points: Floats, moved: Floats) -> Floats:
        """How much (N,) of the second colour shows, 0..1."""
        along = self.direction @ moved
        turns = np.float32(2.0 * np.pi * self.frequency)
        if self.pattern == "stripes":
            return _edge(np.sin(turns * along + 0.3 * noise(moved, 30.0)))
        if self.pattern == "wood":
            grain = moved * (1.0 - 0.92 * np.abs(self.direction))[:, None]
            rings = np.sin(turns * (np.hypot(grain[0], grain[1] + grain[2]) + 0.02 * noise(grain, 12.0)))
            return 0.3 + 0.3 * rings + 0.16 * noise(grain, 160.0)
        if self.pattern == "speckle":
            return _edge(noise(moved, 10.0 * self.frequency) - 1.1)
        if self.pattern == "marble":
            return np.abs(np.sin(0.5 * turns * along + 1.6 * noise(moved, 1.2 * self.frequency))) ** 4
        if self.pattern == "checker":
            parity = np.floor(moved * np.float32(self.frequency)).astype(np.int32).sum(axis=0) & 1
            return parity.astype(np.float32)
        if self.pattern == "skin":
            return np.clip((self.band[1] - points[1]) / (self.band[1] - self.band[0]) * 1.4 - 0.5, 0.0, 1.0)
        if self.pattern == "label":
            height = points[2]
            inside = (height > self.band[0]) & (height < self.band[1])
            lines = np.abs(np.sin(turns * height)) > 0.25 + 0.6 * (noise(moved, 40.0) > 0.4)
            return inside * (0.65 + 0.35 * lines).astype(np.float32)
        return _edge(noise(moved, self.frequency))


def random_material(
    rng: np.random.Generator, parts: int, height: float, patterns: tuple[str, ...] = PATTERNS
) -> Material:
    """Colours for ``parts`` parts of an object ``height`` m high."""
    pattern = str(rng.choice(patterns))
    wooden = pattern == "wood"
    palette = [_wood(rng) if wooden else _colour(rng) for _ in range(1 + int(rng.integers(0, 3)))]
    chosen = rng.integers(0, len(palette), parts)
    colours = np.array([palette[i] for i in chosen], dtype=np.float32)
    second = np.array(colours * rng.uniform(0.45, 0.7) if wooden else _colour(rng), dtype=np.float32)
    direction = rng.normal(size=3) if rng.random() < 0.5 else np.eye(3)[rng.integers(0, 3)]
    shiny = float(rng.choice([0.03, 0.08, 0.2, 0.4, 0.6]))
    return Material(
        pattern=pattern,
        colours=colours,
        seconds=np.broadcast_to(second, (parts, 3)).copy(),
        patterned=rng.random(parts) < 0.7,
        frequency=float(np.exp(rng.uniform(np.log(15.0), np.log(120.0)))),
        direction=(direction / np.linalg.norm(direction)).astype(np.float32),
        offset=rng.uniform(0.0, 10.0, 3).astype(np.float32),
        gloss=np.float32(shiny) * rng.uniform(0.4, 1.0, parts).astype(np.float32),
        band=(height * rng.uniform(0.1, 0.35), height * rng.uniform(0.5, 0.85)),
    )


def table_material(rng: np.random.Generator) -> Material:
    """A table's top: larger patterns and calmer colours than an object's."""
    pattern = str(rng.choice(TABLE_PATTERNS))
    colour = np.array(_wood(rng) if pattern == "wood" else _colour(rng, calm=True), dtype=np.float32)
    return Material(
        pattern=pattern,
        colours=colour[None],
        seconds=(colour * rng.uniform(0.6, 1.25))[None].clip(0.0, 1.0).astype(np.float32),
        patterned=np.ones(1, dtype=bool),
        frequency=float(np.exp(rng.uniform(np.log(5.0), np.log(40.0)))),
        direction=np.eye(3, dtype=np.float32)[rng.integers(0, 2)],
        offset=rng.uniform(0.0, 10.0, 3).astype(np.float32),
        gloss=np.array([rng.uniform(0.02, 0.25)], dtype=np.float32),
    )


def plain_material(rng: np.random.Generator, parts: int = 1, colour: Colour | None = None) -> Material:
    """One dull colour, such as a sleeve's."""
    chosen = np.array(_colour(rng, calm=True) if colour is None else colour, dtype=np.float32)
    colours = np.broadcast_to(chosen, (parts, 3)).copy()
    return Material(
        pattern=str(rng.choice(["plain", "plain", "stripes", "checker"])),
        colours=colours,
        seconds=colours * np.float32(rng.uniform(0.6, 1.1)),
        patterned=np.ones(parts, dtype=bool),
        frequency=float(rng.uniform(40.0, 150.0)),
        direction=np.array([1.0, 0.0, 0.0], dtype=np.float32),
        offset=rng.uniform(0.0, 10.0, 3).astype(np.float32),
        gloss=np.full(parts, 0.01, dtype=np.float32),
    )


def skin_material(rng: np.random.Generator, back: Array, palm: Array, band: tuple[float, float]) -> Material:
    """An arm's skin, ``back`` (3,) above and ``palm`` (3,) below in y, between the heights of ``band`` m."""
    return Material(
        pattern="skin",
        colours=back[None].astype(np.float32),
        seconds=palm[None].astype(np.float32),
        patterned=np.ones(1, dtype=bool),
        frequency=1.0,
        direction=np.array([0.0, 1.0, 0.0], dtype=np.float32),
        offset=rng.uniform(0.0, 10.0, 3).astype(np.float32),
        gloss=np.array([0.05], dtype=np.float32),
        band=band,
    )


def part_colours(count: int) -> Floats:
    """Well-told-apart colours (count, 3) for the parts of an object."""
    hues = (0.58 + 0.381966 * np.arange(count)) % 1.0
    return np.array([colorsys.hsv_to_rgb(hue, 0.55, 0.88) for hue in hues], dtype=np.float32)


def _colour(rng: np.random.Generator, *, calm: bool = False) -> Colour:
    """Things are more often white, grey and black than any one colour."""
    if rng.random() < 0.35:
        grey = float(rng.choice([0.1, 0.2, 0.45, 0.65, 0.85, 0.92])) * rng.uniform(0.85, 1.05)
        tint = 1.0 + rng.normal(0.0, 0.03, 3)
        red, green, blue = np.clip(grey * tint, 0.03, 0.97)
        return float(red), float(green), float(blue)
    saturation = rng.uniform(0.1, 0.45) if calm else rng.uniform(0.25, 0.9)
    return colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.3, 0.95))


def _wood(rng: np.random.Generator) -> Colour:
    return colorsys.hsv_to_rgb(rng.uniform(0.05, 0.11), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.85))


def _edge(value: Floats) -> Floats:
    """A soft step at zero."""
    return np.clip(value * 4.0 + 0.5, 0.0, 1.0)
