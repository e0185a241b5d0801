"""Light on surfaces: what colour each ray brings back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hoi_ros.dataset.pictures.casting import Caster, Hits, Kind
from hoi_ros.dataset.pictures.shapes import Floats
from hoi_ros.dataset.pictures.skin import SkinTexture
from hoi_ros.dataset.pictures.stage import Lights, Thing

# Where the corners of each quarter of a face lie in it, as its second and third barycentric coordinate.
_QUARTERS = np.array(
    [
        [[0, 0], [0.5, 0], [0, 0.5]],
        [[0.5, 0], [1, 0], [0.5, 0.5]],
        [[0, 0.5], [0.5, 0.5], [0, 1]],
        [[0.5, 0.5], [0, 0.5], [0.5, 0]],
    ],
    dtype=np.float32,
)
_WRAP = np.array([0.3, 0.16, 0.12], dtype=np.float32)  # light reaches round the red channel furthest under skin
_SPIRAL = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(16)
_HEIGHT = 1.0 - (np.arange(16) + 0.5) / 8.0
_BALL = np.column_stack(  # 16 places evenly over the unit sphere
    [np.sqrt(1.0 - _HEIGHT**2) * np.cos(_SPIRAL), np.sqrt(1.0 - _HEIGHT**2) * np.sin(_SPIRAL), _HEIGHT]
).astype(np.float32)
_START = 4e-4  # m off the surface, for rays that leave it


class Shader:
    """Colours of hits among the things of one scene, all in the camera frame.

    Vectors are (3, N): NumPy is several times faster along a long last axis.
    """

    def __init__(
        self, things: Sequence[Thing], caster: Caster, lights: Lights, skin: SkinTexture, darkness: float
    ) -> None:
        self._things = things
        self._caster = caster
        self._lights = lights
        self._skin = skin
        self._darkness = darkness

    def surfaces(self, hits: Hits, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Smooth normals (3, N) towards the camera, own colours (3, N) and gloss (N,) of hits at ``points`` (3, N)."""
        normals, colours = np.zeros_like(points), np.zeros_like(points)
        gloss = np.zeros(points.shape[1], dtype=np.float32)
        for index, thing in enumerate(self._things):
            at = np.flatnonzero(hits.surface == index)
            if not len(at):
                continue
            face = hits.face[at]
            u, v = hits.uv[at].T
            corners = thing.shape.normals.reshape(-1, 9).T.take(face, axis=1).reshape(3, 3, -1)
            normals[:, at] = corners[0] * (1.0 - u - v) + corners[1] * u + corners[2] * v
            if thing.kind == Kind.HAND:
                within = _QUARTERS.reshape(4, 6).T.take(face % 4, axis=1).reshape(3, 2, -1)
                place = within[0] * (1.0 - u - v) + within[1] * u + within[2] * v
                colour, gloss[at] = self._skin.look_up(face // 4, place[0], place[1], self._darkness)
                colours[:, at] = colour.T
            else:
                shift, turn = thing.shift.astype(np.float32), thing.rotation.astype(np.float32)
                own = turn.T @ (points[:, at] - shift[:, None])
                colours[:, at], gloss[at] = thing.material.look(own, thing.shape.parts[face])
        normals *= np.copysign(1.0 / np.maximum(_length(normals), 1e-9), -_dot(normals, points))
        return normals, colours, gloss

    def light(
        self, normals: Floats, colours: Floats, gloss: Floats, points: Floats, lit: Floats, openness: Floats
    ) -> Floats:
        """Colour (3, N) that leaves each place: wrapped diffuse light, highlight, and a glimpse of the room.

        ``lit`` (N,) is the share of the lamp that a place sees, ``openness`` (N,) that of its surroundings.
        """
        lights = self._lights
        view = points * (-1.0 / _length(points))
        upright, square = lights.up @ normals, lights.key @ normals
        above = (upright * np.float32(0.5) + np.float32(0.5)) * openness
        filled = np.maximum(lights.fill @ normals, 0.0) * openness
        half = view + lights.key[:, None]
        highlight = _power(np.maximum(_dot(normals, half) / _length(half), 0.0), 5) * lit * gloss
        facing = _dot(normals, view)
        mirrored = 2.0 * facing * upright - lights.up @ view
        glimpse = np.clip(mirrored * 2.0 + 0.4, 0.05, 1.0) * (0.25 + 0.75 * _power(1.0 - facing, 1))
        glimpse *= gloss * openness * np.float32(0.5)
        leaving = np.empty_like(colours)
        for channel, wrap in enumerate(_WRAP):
            total = above * (lights.sky[channel] - lights.ground[channel]) + openness * lights.ground[channel]
            total += np.maximum(square + wrap, 0.0) * lit * (lights.key_colour[channel] / (1.0 + wrap))
            total += filled * lights.fill_colour[channel]
            total *= colours[channel]
            leaving[channel] = total + highlight * lights.key_colour[channel] + glimpse * lights.sky[channel]
        return leaving

    def lit(self, points: Floats, normals: Floats, turns: NDArray[np.int64]) -> Floats:
        """Whether (N,) one place of the lamp is seen from each point, 0 or 1; ``turns`` (N,) of 16 places."""
        towards = (self._lights.key + np.float32(self._lights.width) * _BALL)[turns]
        return (~self._caster.blocked((points + _START * normals).T, towards, 2.0)).astype(np.float32)

    def openness(self, points: Floats, normals: Floats, turns: NDArray[np.int64], reach: float) -> Floats:
        """Whether (N,) one ray from each point gets ``reach`` m far, 0 or 1; ``turns`` (N,) of 16 cosine-weighted."""
        directions = normals.T + np.float32(0.98) * _BALL[turns]
        return (~self._caster.blocked((points + _START * normals).T, directions, reach)).astype(np.float32)


def facing_of(normals: Floats, points: Floats) -> Floats:
    """Cosine (N,) between normals (3, N) and the rays back to the camera."""
    return -_dot(normals, points) / _length(points)


def _dot(a: Floats, b: Floats) -> Floats:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _length(a: Floats) -> Floats:
    length: Floats = np.sqrt(_dot(a, a))
    return length


def _power(values: Floats, doublings: int) -> Floats:
    """``values ** (2 ** doublings)``."""
    for _ in range(doublings):
        values = values * values
    return values


def kinds(things: Sequence[Thing]) -> NDArray[np.int64]:
    """Kind (S,) of each thing."""
    return np.array([thing.kind for thing in things])
