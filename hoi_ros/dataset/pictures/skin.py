"""Skin as a function of the place on the flat hand: tone, creases, lines of the palm, nails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.hand import HandModel, Limits
from hoi_ros.types import Array
from hoi_ros.view.render import vertex_normals


@dataclass(frozen=True)
class Tone:
    """Colours (3,), 0..1, of one person's skin. ``blush`` is added where blood shows, ``crease`` multiplies."""

    back: Array
    palm: Array
    blush: Array
    crease: Array
    nail: Array


LIGHT = Tone(
    back=np.array([0.74, 0.53, 0.42]),
    palm=np.array([0.87, 0.65, 0.56]),
    blush=np.array([0.05, -0.045, -0.035]),
    crease=np.array([0.62, 0.5, 0.47]),
    nail=np.array([0.93, 0.74, 0.68]),
)
DARK = Tone(
    back=np.array([0.27, 0.165, 0.11]),
    palm=np.array([0.56, 0.40, 0.32]),
    blush=np.array([0.015, -0.012, -0.01]),
    crease=np.array([0.55, 0.46, 0.43]),
    nail=np.array([0.66, 0.50, 0.43]),
)
GLOSS, NAIL_GLOSS = 0.06, 0.35
CELLS = 12  # of a face's texture along each side: about 0.6 mm
# Lines of the palm between keypoints of the flat hand: (keypoint, keypoint, share of the way), three points a line.
PALM_LINES = (
    ((5, 0, 0.13), (2, 9, 0.45), (0, 9, 0.1)),  # life
    ((5, 0, 0.15), (0, 9, 0.62), (17, 0, 0.45)),  # head
    ((5, 9, 0.75), (13, 0, 0.2), (17, 0, 0.2)),  # heart
)


class Skin:
    """The look of one hand model's skin in one tone."""

    def __init__(self, model: HandModel, tone: Tone = LIGHT) -> None:
        self._tone = tone
        limits = Limits(model.kinematics)
        self.keypoints = model.kinematics.rest_points(np.zeros((1, 10)))[0]
        self._frames = limits.frames[[12, 13, 14, 0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 7, 8]].reshape(
            5, 3, 3, 3
        )  # K21 order
        wrist, index, little = self.keypoints[[0, 5, 17]]
        up = np.cross(self.keypoints[9] - wrist, index - little)
        self._up = up / np.linalg.norm(up)

    def __call__(self, points: Array, normals: Array) -> tuple[Array, Array]:
        """Colour (N, 3) and gloss (N,) at places ``points`` (N, 3) m with ``normals`` (N, 3) on the flat hand."""
        palmar = _step(-normals @ self._up, -0.25, 0.5)
        tone = self._tone
        colour = tone.back + palmar[:, None] * (tone.palm - tone.back)
        colour = (
            colour
            * (1.0 + 0.05 * _noise(points, 60.0) + 0.03 * _noise(points, 250.0) + 0.02 * _noise(points, 900.0))[:, None]
        )
        gloss = np.full(len(points), GLOSS)
        for finger in range(5):
            colour, gloss = self._finger(finger, points, normals, colour, gloss)
        for line in PALM_LINES:
            depth = 0.55 * np.exp(-((self._from_line(line, points) / 0.0009) ** 2)) * palmar
            colour = colour * (1.0 - depth[:, None] * (1.0 - self._tone.crease))
        return colour, gloss

    def _finger(self, finger: int, points: Array, normals: Array, colour: Array, gloss: Array) -> tuple[Array, Array]:
        first = 4 * finger + 1
        chain = self.keypoints[first : first + 4]
        near = np.linalg.norm(points - chain[3], axis=1)
        colour = colour + np.exp(-((near / 0.014) ** 2))[:, None] * self._tone.blush
        for level in range(3):
            frame = self._frames[finger, level]
            local = (points - chain[level]) @ frame  # along flexion axis, out of the back, along the bone
            inward = -(normals @ frame[:, 1])
            around = np.hypot(local[:, 0], local[:, 1]) < 0.014
            if level or finger == 0:
                band = sum(np.exp(-(((local[:, 2] - shift) / 0.0007) ** 2)) for shift in (-0.0012, 0.0012))
                depth = 0.45 * band * _step(inward, 0.1, 0.6) * around
                wrinkles = (0.5 + 0.5 * np.cos(2 * np.pi * local[:, 2] / 0.0018)) * np.exp(
                    -((local[:, 2] / 0.0045) ** 2)
                )
                depth = depth + 0.28 * wrinkles * _step(-inward, 0.3, 0.8) * around
                colour = colour * (1.0 - depth[:, None] * (1.0 - self._tone.crease))
            redness = np.exp(-((np.linalg.norm(local, axis=1) / 0.011) ** 2)) * _step(-inward, 0.2, 0.8)
            colour = colour + 0.8 * redness[:, None] * self._tone.blush
        frame = self._frames[finger, 2]
        local = (points - chain[3]) @ frame
        size = 1.25 if finger == 0 else 0.8 if finger == 4 else 1.0
        ellipse = np.hypot(local[:, 0] / (0.0052 * size), (local[:, 2] + 0.0055 * size) / (0.0062 * size))
        outward = _step(normals @ frame[:, 1], 0.15, 0.45)
        nail = _step(-ellipse, -1.06, -0.94) * outward
        rim = np.exp(-(((ellipse - 1.08) / 0.09) ** 2)) * outward
        moon = _step(local[:, 2] + 0.0005 * size, -0.0004, 0.0004)
        colour = colour * (1.0 - 0.3 * rim[:, None])
        colour = colour + nail[:, None] * (self._tone.nail + 0.05 * moon[:, None] - colour)
        return colour, gloss + nail * (NAIL_GLOSS - gloss)

    def _from_line(self, line: tuple[tuple[int, int, float], ...], points: Array) -> Array:
        """Distance (N,) in the palm's plane from a smooth line through three places."""
        a, b, c = (self.keypoints[i] + share * (self.keypoints[j] - self.keypoints[i]) for i, j, share in line)
        t = np.linspace(0.0, 1.0, 96)[:, None]
        curve = (1 - t) ** 2 * a + 2 * t * (1 - t) * (2 * b - (a + c) / 2) + t**2 * c  # passes b halfway
        flat = np.eye(3) - np.outer(self._up, self._up)
        distance: Array = cKDTree(curve @ flat).query(points @ flat)[0]
        return distance


@dataclass(frozen=True)
class SkinTexture:
    """Skin of any tone as a table over the model's faces, for pictures that cannot wait for the drawing."""

    light: NDArray[np.float32]  # (F * CELLS**2, 3)
    dark: NDArray[np.float32]
    gloss: NDArray[np.float32]  # (F * CELLS**2,)

    @classmethod
    def draw(cls, model: HandModel) -> SkinTexture:
        """Draw the skin of a model's flat hand, in about two seconds."""
        faces = model.closed_faces
        step = (np.arange(CELLS) + 0.5) / CELLS
        u, v = (grid.ravel() for grid in np.meshgrid(step, step, indexing="ij"))
        inside = u + v < 1.0 + 1.0 / CELLS
        weights = np.column_stack([1.0 - u - v, u, v])[inside]
        points, normals = (
            (weights @ of_vertex[faces]).reshape(-1, 3)
            for of_vertex in (model.v_template, vertex_normals(model.v_template, faces))
        )
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        tables = []
        for tone in (LIGHT, DARK):
            colour, gloss = Skin(model, tone)(points, normals)
            tables.append(_filled(colour, inside, len(faces)))
        light, dark = tables
        return cls(light, dark, _filled(gloss[:, None], inside, len(faces))[:, 0])

    def look_up(
        self, faces: NDArray[np.int64], u: NDArray[np.float32], v: NDArray[np.float32], darkness: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Colour (N, 3) and gloss (N,) at barycentric places of faces (N,); ``darkness`` 0 is LIGHT, 1 DARK."""
        row, column = (np.minimum((place * CELLS).astype(np.int64), CELLS - 1) for place in (u, v))
        cell = (faces * CELLS + row) * CELLS + column
        blend = np.float32(darkness)
        return self.light[cell] * (1 - blend) + self.dark[cell] * blend, self.gloss[cell]


def _filled(values: Array, inside: NDArray[np.bool_], faces: int) -> NDArray[np.float32]:
    table = np.zeros((faces, len(inside), values.shape[1]), dtype=np.float32)
    table[:, inside] = values.reshape(faces, -1, values.shape[1])
    return table.reshape(-1, values.shape[1])


def _step(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _noise(points: Array, frequency: float) -> Array:
    """Smooth noise (N,) in -1..1: a trilinear lattice of hashed values, ``frequency`` cells a metre."""
    scaled = points * frequency
    cell = np.floor(scaled).astype(np.int64)
    t = scaled - cell
    t = t * t * (3.0 - 2.0 * t)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        hashed = (cell + corner) @ np.array([73856093, 19349663, 83492791])
        value = np.sin(hashed * 12.9898) * 43758.5453
        weight = np.prod(np.where(np.array(corner), t, 1.0 - t), axis=1)
        total += weight * (2.0 * (value - np.floor(value)) - 1.0)
    return total
