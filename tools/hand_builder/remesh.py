"""Isotropic remeshing of an implicit surface to an exact number of vertices, with pinned points.

Split, collapse, flip, relax, project (Botsch and Kobbelt 2004, "A Remeshing Approach to Multiresolution Modeling"),
with a target edge length that varies over the surface.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Faces = NDArray[np.int64]
Scalar = Callable[[Array], Array]


def project(points: Array, field: Scalar, steps: int = 4) -> Array:
    """Moves points onto the zero level of the field along its gradient (Newton)."""
    for _ in range(steps):
        slope = gradient(points, field)
        points = points - (field(points) / np.maximum((slope**2).sum(1), 0.05))[:, None] * slope
    return points


def gradient(points: Array, field: Scalar, step: float = 2e-4) -> Array:
    """Central differences of the field (N, 3)."""
    shifts = step * np.concatenate([np.eye(3), -np.eye(3)])
    values = field((points[None] + shifts[:, None]).reshape(-1, 3)).reshape(6, -1)
    return (values[:3] - values[3:]).T / (2 * step)


class Remesher:
    """A triangle mesh under local edits; vertices and faces are numbered once and never renumbered until ``arrays``."""

    def __init__(self, vertices: Array, faces: Faces, pinned: Array, field: Scalar, length: Scalar) -> None:
        self.points = dict(enumerate(np.asarray(vertices, dtype=float)))
        self.faces = {i: tuple(int(v) for v in face) for i, face in enumerate(faces)}
        self.around: dict[int, set[int]] = {i: set() for i in self.points}
        for number, face in self.faces.items():
            for vertex in face:
                self.around[vertex].add(number)
        self.next_vertex, self.next_face = len(self.points), len(self.faces)
        self.field, self.length, self.scale = field, length, 1.0
        self.pins: dict[int, Array] = {}
        for pin in pinned:
            free = [i for i in self.points if i not in self.pins]
            nearest = free[int(np.argmin([np.sum((self.points[i] - pin) ** 2) for i in free]))]
            self.points[nearest], self.pins[nearest] = np.array(pin), np.array(pin)

    def run(self, count: int, rounds: int = 24) -> tuple[Array, Faces, list[int]]:
        """Remeshes to ``count`` vertices. Returns vertices, faces and the rows of the pinned points."""
        for round_number in range(rounds):
            self._split_long()
            self._collapse_short()
            self._flip_for_valence()
            self._relax(2)
            if round_number < rounds - 4:
                self.scale *= (len(self.points) / count) ** 0.5
        for _ in range(6):
            self._reach(count)
            self._flip_for_valence()
            self._relax(2)
        for _ in range(12):
            self._flip_for_angles()
            self._relax(2)
        self._flip_for_angles()
        return self.arrays()

    def arrays(self) -> tuple[Array, Faces, list[int]]:
        """Vertices, faces and the rows of the pinned points, as ``run`` returns them."""
        rows = {vertex: row for row, vertex in enumerate(self.points)}
        faces = np.array([[rows[v] for v in face] for face in self.faces.values()])
        return np.array(list(self.points.values())), faces, [rows[pin] for pin in self.pins]

    def _neighbours(self, vertex: int) -> set[int]:
        return {v for face in self.around[vertex] for v in self.faces[face]} - {vertex}

    def _edges(self) -> list[tuple[float, int, int]]:
        """All edges as (length over target length, vertex, vertex)."""
        pairs = sorted(
            {(min(a, b), max(a, b)) for f in self.faces.values() for a, b in zip(f, f[1:] + f[:1], strict=True)}
        )
        first = np.array([self.points[a] for a, _ in pairs])
        second = np.array([self.points[b] for _, b in pairs])
        target = self.scale * self.length(0.5 * (first + second))
        ratio = np.linalg.norm(first - second, axis=1) / target
        return [(float(r), a, b) for r, (a, b) in zip(ratio, pairs, strict=True)]

    def _split_long(self) -> None:
        for ratio, a, b in sorted(self._edges(), reverse=True):
            if ratio < 4 / 3:
                return
            self._split(a, b)

    def _collapse_short(self) -> None:
        for ratio, a, b in sorted(self._edges()):
            if ratio > 4 / 5:
                return
            if a in self.points and b in self.points and b in self._neighbours(a):
                self._collapse(a, b, 4 / 3)

    def _reach(self, count: int) -> None:
        while len(self.points) > count:
            if not any(self._collapse(a, b, 3.0) for _, a, b in sorted(self._edges())):
                raise RuntimeError("no edge can be collapsed")
        while len(self.points) < count:
            _, a, b = max(self._edges())
            self._split(a, b)

    def _add_face(self, face: tuple[int, int, int]) -> None:
        self.faces[self.next_face] = face
        for vertex in face:
            self.around[vertex].add(self.next_face)
        self.next_face += 1

    def _drop_face(self, number: int) -> None:
        for vertex in self.faces.pop(number):
            self.around[vertex].discard(number)

    def _split(self, a: int, b: int) -> None:
        middle = self.next_vertex
        self.next_vertex += 1
        self.points[middle] = project(0.5 * (self.points[a] + self.points[b])[None], self.field, 2)[0]
        self.around[middle] = set()
        for number in sorted(self.around[a] & self.around[b]):
            face = self.faces[number]
            self._drop_face(number)
            for old in (a, b):
                self._add_face(tuple(middle if v == old else v for v in face))  # type: ignore[arg-type]

    def _collapse(self, a: int, b: int, longest: float) -> bool:
        """Merges b into a (or a into b where b is pinned), unless the mesh would fold, lengthen or pinch."""
        if b in self.pins:
            a, b = b, a
        if b in self.pins or len(self._neighbours(a) & self._neighbours(b)) != 2:
            return False
        place = (
            self.points[a]
            if a in self.pins
            else project(0.5 * (self.points[a] + self.points[b])[None], self.field, 2)[0]
        )
        ring = sorted((self._neighbours(a) | self._neighbours(b)) - {a, b})
        spokes = np.array([self.points[v] for v in ring])
        if np.any(np.linalg.norm(spokes - place, axis=1) > longest * self.scale * self.length(0.5 * (spokes + place))):
            return False
        shared = self.around[a] & self.around[b]
        for number in (self.around[a] | self.around[b]) - shared:
            old = np.array([self.points[v] for v in self.faces[number]])
            new = np.array([place if v in (a, b) else self.points[v] for v in self.faces[number]])
            if _normal(old) @ _normal(new) < 0.5 * np.linalg.norm(_normal(old)) * np.linalg.norm(_normal(new)):
                return False
        if any(len(self.around[v]) <= 3 for v in (self._neighbours(a) & self._neighbours(b))):
            return False
        for number in sorted(shared):
            self._drop_face(number)
        for number in sorted(self.around[b]):
            face = self.faces[number]
            self._drop_face(number)
            self._add_face(tuple(a if v == b else v for v in face))  # type: ignore[arg-type]
        self.points[a] = place
        del self.points[b], self.around[b]
        return True

    def _flip_for_valence(self) -> None:
        def cost(valences: list[int]) -> int:
            return sum((v - 6) ** 2 for v in valences)

        for _, a, b in self._edges():
            pair = self._opposite(a, b)
            if pair is None:
                continue
            before = [len(self.around[v]) for v in (a, b, *pair)]
            after = [before[0] - 1, before[1] - 1, before[2] + 1, before[3] + 1]
            if cost(after) < cost(before) and min(after[:2]) >= 4 and self._flat_enough(a, b, *pair):
                self._flip(a, b, *pair)

    def _flip_for_angles(self) -> None:
        """Flips edges whose opposite angles sum to more than half a turn (Delaunay)."""
        for _, a, b in self._edges():
            pair = self._opposite(a, b)
            if pair is None or min(len(self.around[a]), len(self.around[b])) <= 4:
                continue
            angles = [_angle(self.points[v], self.points[a], self.points[b]) for v in pair]
            if sum(angles) > np.pi + 1e-3 and self._flat_enough(a, b, *pair):
                self._flip(a, b, *pair)

    def _opposite(self, a: int, b: int) -> tuple[int, int] | None:
        if b not in self._neighbours(a):
            return None
        c, d = (next(v for v in self.faces[n] if v not in (a, b)) for n in sorted(self.around[a] & self.around[b]))
        return None if d in self._neighbours(c) else (c, d)

    def _flat_enough(self, a: int, b: int, c: int, d: int) -> bool:
        """Whether flipping a-b to c-d keeps both new faces turned the way the old ones are."""
        number = min(self.around[a] & self.around[b])
        face = self.faces[number]
        if (face.index(b) - face.index(a)) % 3 != 1:
            a, b = b, a
        if c not in face:
            c, d = d, c
        p = self.points
        old = _unit_normal(np.array([p[a], p[b], p[c]])) + _unit_normal(np.array([p[b], p[a], p[d]]))
        new = [_unit_normal(np.array([p[c], p[d], p[b]])), _unit_normal(np.array([p[d], p[c], p[a]]))]
        return bool(min(n @ old for n in new) > 0.7 * np.linalg.norm(old) and new[0] @ new[1] > 0.4)

    def _flip(self, a: int, b: int, c: int, d: int) -> None:
        first, second = sorted(self.around[a] & self.around[b])
        face = self.faces[first]
        if (face.index(b) - face.index(a)) % 3 != 1:
            a, b = b, a
        if c not in face:
            c, d = d, c
        self._drop_face(first)
        self._drop_face(second)
        self._add_face((c, d, b))
        self._add_face((d, c, a))

    def _relax(self, times: int) -> None:
        """Moves vertices towards their neighbours' size-weighted mean along the surface, then onto the surface."""
        ids = list(self.points)
        for _ in range(times):
            row = {v: i for i, v in enumerate(ids)}
            points = np.array([self.points[v] for v in ids])
            faces = np.array([[row[v] for v in f] for f in self.faces.values()])
            corners = points[faces]
            centres = corners.mean(axis=1)
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            weight = np.linalg.norm(normals, axis=1) / self.length(centres) ** 2
            total, mean, normal = np.zeros(len(points)), np.zeros_like(points), np.zeros_like(points)
            for k in range(3):
                np.add.at(total, faces[:, k], weight)
                np.add.at(mean, faces[:, k], weight[:, None] * centres)
                np.add.at(normal, faces[:, k], normals)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            move = mean / total[:, None] - points
            move -= (move * normal).sum(1, keepdims=True) * normal
            points = project(points + 0.7 * move, self.field, 2)
            for vertex, point in zip(ids, points, strict=True):
                self.points[vertex] = self.pins.get(vertex, point)


def _normal(corners: Array) -> Array:
    return np.cross(corners[1] - corners[0], corners[2] - corners[0])


def _unit_normal(corners: Array) -> Array:
    normal = _normal(corners)
    return normal / max(float(np.linalg.norm(normal)), 1e-18)


def _angle(apex: Array, a: Array, b: Array) -> float:
    u, v = a - apex, b - apex
    return float(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))


def quality(vertices: Array, faces: Faces) -> Array:
    """Per triangle the smaller of 2r/R and 4 sqrt(3) area / sum of squared edges; both are 1 for equal sides."""
    a, b, c = (
        np.linalg.norm(vertices[faces[:, i]] - vertices[faces[:, j]], axis=1) for i, j in ((1, 2), (2, 0), (0, 1))
    )
    area = 0.5 * np.linalg.norm(
        np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]), axis=1
    )
    radius_ratio = 16 * area**2 / (a * b * c * (a + b + c))
    return np.minimum(radius_ratio, 4 * np.sqrt(3) * area / (a**2 + b**2 + c**2))
