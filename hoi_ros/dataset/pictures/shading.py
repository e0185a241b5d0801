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
    """Colours of hits among the things of one scene, all in the camera frame."""

    def __init__(
        self, things: Sequence[Thing], caster: Caster, lights: Lights, skin: SkinTexture, darkness: float
    ) -> None:
        self._things = things
        self._caster = caster
        self._lights = lights
        self._skin = skin
        self._darkness = darkness

    def surfaces(self, hits: Hits, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Smooth normals (N, 3) towards the camera, own colours (N, 3) and gloss (N,) of hits at ``points`` (N, 3)."""
        normals, colours = np.zeros_like(points), np.zeros_like(points)
        gloss = np.zeros(len(points), dtype=np.float32)
        for index, thing in enumerate(self._things):
            at = np.flatnonzero(hits.surface == index)
            if not len(at):
                continue
            face, uv = hits.face[at], hits.uv[at]
            corners = thing.shape.normals[face]
            u, v = uv[:, :1], uv[:, 1:]
            normals[at] = corners[:, 0] * (1.0 - u - v) + corners[:, 1] * u + corners[:, 2] * v
            if thing.kind == Kind.HAND:
                within = _QUARTERS[face % 4]
                place = within[:, 0] * (1.0 - u - v) + within[:, 1] * u + within[:, 2] * v
                colours[at], gloss[at] = self._skin.look_up(face // 4, place[:, 0], place[:, 1], self._darkness)
            else:
                own = (points[at] - thing.shift.astype(np.float32)) @ thing.rotation.astype(np.float32)
                colours[at], gloss[at] = thing.material.look(own, thing.shape.parts[face])
        normals /= np.maximum(np.sqrt(np.einsum("ni,ni->n", normals, normals)), 1e-9)[:, None]
        away = np.einsum("ni,ni->n", normals, points) > 0.0
        normals[away] *= -1.0
        return normals, colours, gloss

    def light(
        self, normals: Floats, colours: Floats, gloss: Floats, points: Floats, lit: Floats, openness: Floats
    ) -> Floats:
        """Colour (N, 3) that leaves each place: wrapped diffuse light, highlight, and a glimpse of the room.

        ``lit`` (N,) is the share of the lamp that a place sees, ``openness`` (N,) that of its surroundings.
        """
        lights = self._lights
        view = points / -np.sqrt(np.einsum("ni,ni->n", points, points))[:, None]
        above = (normals @ lights.up) * np.float32(0.5) + np.float32(0.5)
        total = lights.ground + above[:, None] * (lights.sky - lights.ground)
        total *= openness[:, None]
        diffuse = np.clip(((normals @ lights.key)[:, None] + _WRAP) / (1.0 + _WRAP), 0.0, None)
        total += diffuse * lit[:, None] * lights.key_colour
        total += np.clip(normals @ lights.fill, 0.0, None)[:, None] * (openness[:, None] * lights.fill_colour)
        half = view + lights.key
        half /= np.sqrt(np.einsum("ni,ni->n", half, half))[:, None]
        highlight = np.clip(np.einsum("ni,ni->n", normals, half), 0.0, None)
        highlight = _power(highlight, 5) * lit
        facing = np.einsum("ni,ni->n", normals, view)
        mirrored = 2.0 * facing * (normals @ lights.up) - view @ lights.up
        glimpse = np.clip(mirrored * 2.0 + 0.4, 0.05, 1.0) * (0.25 + 0.75 * _power(1.0 - np.clip(facing, 0, 1), 2))
        colour = colours * total
        colour += (gloss * highlight)[:, None] * lights.key_colour
        colour += (0.5 * gloss * glimpse * openness)[:, None] * lights.sky
        return colour

    def lit(self, points: Floats, normals: Floats, turns: NDArray[np.int64]) -> Floats:
        """Whether (N,) one place of the lamp is seen from each point, 0 or 1; ``turns`` (N,) of 16 places."""
        towards = self._lights.key + np.float32(self._lights.width) * _BALL[turns]
        facing = np.einsum("ni,ni->n", normals, towards) > 0.0
        lit = facing.astype(np.float32)
        origins = points[facing] + _START * normals[facing]
        lit[facing] = ~self._caster.blocked(origins, towards[facing], 2.0)
        return lit

    def openness(self, points: Floats, normals: Floats, turns: NDArray[np.int64], reach: float) -> Floats:
        """Whether (N,) one ray from each point gets ``reach`` m far, 0 or 1; ``turns`` (N,) of 16 cosine-weighted."""
        directions = normals + np.float32(0.98) * _BALL[turns]
        blocked = self._caster.blocked(points + _START * normals, directions, reach)
        return (~blocked).astype(np.float32)


def facing_of(normals: Floats, points: Floats) -> Floats:
    """Cosine (N,) between normals and the rays back to the camera."""
    cosine: Floats = -np.einsum("ni,ni->n", normals, points) / np.sqrt(np.einsum("ni,ni->n", points, points))
    return cosine


def _power(values: Floats, doublings: int) -> Floats:
    """``values ** (2 ** doublings)``."""
    for _ in range(doublings):
        values = values * values
    return values


def kinds(things: Sequence[Thing]) -> NDArray[np.int64]:
    """Kind (S,) of each thing."""
    return np.array([thing.kind for thing in things])
