"""Hands on objects as fields, drawn for training and scoring: perturbed as the benchmark does, whole or as one view."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.anchors import Anchors, find_anchors
from hoi_ros.methods.choir.contacts import Gaussians, cells_of, contact_weights, fit
from hoi_ros.methods.choir.field import Place, object_field
from hoi_ros.metrics.solids import surface_points
from hoi_ros.scene.clouds import sample_surface, seen_from
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch
from hoi_ros.view.render import vertex_normals

POINTS = 3000  # of an object's surface, at random
DENSE = 0.002  # m between the points that contacts are counted on
VIEWS = 4  # of an object from one side
PARTIAL = 0.3  # share of the draws that see one
COMPONENTS = 15  # of the hand's principal components that are perturbed [ContactOpt]
TRANSLATION, POSE, ROTATION = 0.05, 0.5, 0.15  # deviations of the noise: m, of each component, rad [methods 1.3]
STAND_OFF = 0.03  # m from the surface, of the middle of a grid without a hand
ASIDE = 0.01  # m along the surface by which it is moved at random

Modality = Literal["pair", "object", "both"]


def perturbed(model: HandModel, hands: HandBatch, level: Array, rng: np.random.Generator) -> HandBatch:
    """Hands (N,) with the benchmark's noise at levels (N,), 1 being all of it."""
    count = len(hands)
    scale = level[:, None]
    turn = Rotation.from_rotvec(ROTATION * scale * rng.standard_normal((count, 3)))
    bent = POSE * scale * rng.standard_normal((count, COMPONENTS)) @ model.hands_components[:COMPONENTS]
    return HandBatch(
        (turn * Rotation.from_rotvec(hands.global_orient)).as_rotvec(),
        hands.hand_pose + bent,
        hands.betas,
        hands.transl + TRANSLATION * scale * rng.standard_normal((count, 3)),
    )


def posed_anchors(model: HandModel, anchors: Anchors, hands: HandBatch) -> Array:
    """Anchors (N, 32, 3), m, of hands."""
    return anchors.points(model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices)


def place_of(hands: HandBatch, anchors: Array) -> Place:
    """Grids about hands with anchors (N, 32, 3), along their axes."""
    return Place(anchors.mean(axis=1), Rotation.from_rotvec(hands.global_orient).as_matrix())


@dataclass(frozen=True)
class Surface:
    """An object's surface as points to measure distances from: all of it, and as some views have it."""

    points: Array  # (N, 3) m
    normals: Array  # (N, 3)
    whole: cKDTree
    views: tuple[cKDTree, ...]

    @classmethod
    def of(cls, obj: ObjectModel, rng: np.random.Generator) -> Surface:
        """At random, but for those of the same generator."""
        points, normals, _ = sample_surface(obj, POINTS, rng)
        centre, reach = points.mean(axis=0), np.linalg.norm(np.ptp(points, axis=0))
        views = []
        for _ in range(VIEWS):
            way = rng.standard_normal(3)
            seen = seen_from(obj, points, normals, centre + (0.5 + reach) * way / np.linalg.norm(way))
            if seen.sum() > POINTS // 20:
                views.append(cKDTree(points[seen]))
        return cls(points, normals, cKDTree(points), tuple(views))

    def tree(self, rng: np.random.Generator, partial: float) -> cKDTree:
        """All of it, or with a chance one view."""
        if self.views and rng.random() < partial:
            return self.views[rng.integers(len(self.views))]
        return self.whole


@dataclass(frozen=True)
class Pairs:
    """Hands on objects, with their contacts in the axes of the objects."""

    hands: HandBatch  # N
    names: tuple[str, ...]  # of objects
    of: NDArray[np.int64]  # (N,) object of each hand
    surfaces: tuple[Surface, ...]
    anchors: Array  # (N, 32, 3) m
    contacts: Gaussians  # N

    def __len__(self) -> int:
        return len(self.hands)

    @classmethod
    def of_split(cls, dataset: Dataset, split: Split, seed: int, advance: Callable[[], None]) -> Pairs:
        """The grasps of a split of the engine's."""
        tables = dataset.table("grasps", split)
        pose = column(tables, "pose").astype(np.float64)
        hands = HandBatch(
            pose[:, :3],
            pose[:, 3:],
            column(tables, "betas").astype(np.float64),
            column(tables, "transl").astype(np.float64),
        )
        names, of = np.unique(tables["object"].to_pylist(), return_inverse=True)
        objects = (dataset.object(str(name)) for name in names)
        return cls.of_objects(hands, tuple(map(str, names)), of, objects, seed, advance)

    @classmethod
    def of_objects(
        cls,
        hands: HandBatch,
        names: tuple[str, ...],
        of: NDArray[np.int64],
        objects: Iterable[ObjectModel],
        seed: int,
        advance: Callable[[], None],
    ) -> Pairs:
        """Hands on objects (an iterable of ``ObjectModel``), in the objects' frames."""
        model = load_hand_model()
        found = find_anchors(model)
        cells = torch.from_numpy(cells_of(model, found))
        surfaces = []
        vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
        weights = np.zeros(vertices.shape[:2])
        for number, obj in enumerate(objects):
            surfaces.append(Surface.of(obj, np.random.default_rng([seed, number])))
            tree = cKDTree(surface_points(obj.vertices, obj.faces, DENSE))
            for hand in np.flatnonzero(of == number):
                normals = vertex_normals(vertices[hand], model.faces)
                weights[hand] = contact_weights(vertices[hand], normals, tree)
            advance()
        anchors = found.points(vertices)
        contacts = fit(torch.from_numpy(vertices), torch.from_numpy(weights), torch.from_numpy(anchors), cells)
        return cls(hands, names, of, tuple(surfaces), anchors, contacts)


@dataclass(frozen=True)
class Batch:
    """Contexts and what is true of them, in the frames of their grids."""

    object: Tensor  # (B, 4096) m
    noisy: Tensor  # (B, 32, 3) m, anchors of the noisy hands
    given: Tensor  # (B,) whether the noisy hand is
    anchors: Tensor  # (B, 32, 3) m
    contacts: Tensor  # (B, 288) m
    level: Tensor  # (B,) of the noise

    def to(self, device: torch.device) -> Batch:
        """On another device."""
        return replace(self, **{each.name: getattr(self, each.name).to(device) for each in fields(self)})


@dataclass(frozen=True)
class Drawn:
    """Noisy hands and the grids about them, before anything is measured from their basis points."""

    rows: NDArray[np.int64]  # (B,) of the pairs
    level: Array  # (B,)
    hands: HandBatch  # B, noisy
    anchors: Array  # (B, 32, 3) m, of those
    given: NDArray[np.bool_]  # (B,)
    place: Place
    trees: list[cKDTree]  # of what is seen of the objects


class Draws:
    """Batches for training."""

    def __init__(self, pairs: Pairs, modality: Modality, count: int) -> None:
        self.pairs = pairs
        self._modality, self._count = modality, count
        self._model = load_hand_model()
        self._found = find_anchors(self._model)

    def __call__(self, rng: np.random.Generator) -> Batch:
        """Hands with noise of any level up to the benchmark's, some without a hand to go by."""
        drawn = self.drawn(rng)
        place, given = drawn.place, drawn.given
        means, triangles = self.pairs.contacts.means[drawn.rows], self.pairs.contacts.triangles[drawn.rows]
        turned = Gaussians(means, triangles).turned(torch.from_numpy(place.axes.swapaxes(-1, -2)))
        return Batch(
            torch.from_numpy(object_field(place, drawn.trees)),
            _single(place.enter(drawn.anchors) * given[:, None, None]),
            torch.from_numpy(given),
            _single(place.enter(self.pairs.anchors[drawn.rows])),
            turned.numbers().float(),
            _single(drawn.level),
        )

    def drawn(self, rng: np.random.Generator) -> Drawn:
        """What a batch is made of."""
        pairs, count = self.pairs, self._count
        rows = rng.integers(len(pairs), size=count)
        level = rng.random(count)
        hands = perturbed(self._model, pairs.hands[rows], level, rng)
        anchors = posed_anchors(self._model, self._found, hands)
        surfaces = [pairs.surfaces[pairs.of[row]] for row in rows]
        given = rng.random(count) < {"pair": 1.0, "object": 0.0, "both": 0.5}[self._modality]
        about, before = place_of(hands, anchors), place_before(surfaces, pairs.anchors[rows], rng)
        place = Place(
            np.where(given[:, None], about.origin, before.origin),
            np.where(given[:, None, None], about.axes, before.axes),
        )
        trees = [surface.tree(rng, PARTIAL) for surface in surfaces]
        return Drawn(rows, level, hands, anchors, given, place, trees)


def place_before(surfaces: list[Surface], anchors: Array, rng: np.random.Generator) -> Place:
    """Grids over the points of surfaces that are nearest to the middle of hands (N, 32, 3), moved a little aside."""
    wanted = anchors.mean(axis=1) + rng.normal(0.0, ASIDE, (len(anchors), 3))
    rows = [int(surface.whole.query(point)[1]) for surface, point in zip(surfaces, wanted, strict=True)]
    points = np.array([surface.points[row] for surface, row in zip(surfaces, rows, strict=True)])
    normals = np.array([surface.normals[row] for surface, row in zip(surfaces, rows, strict=True)])
    return place_on(points, normals, rng)


def place_on(points: Array, normals: Array, rng: np.random.Generator) -> Place:
    """Grids over points (N, 3), m, of a surface, with their normals (N, 3) as z and x in any direction."""
    other = np.cross(normals, rng.standard_normal(points.shape))
    other = other / np.linalg.norm(other, axis=1, keepdims=True)
    axes = np.stack([other, np.cross(normals, other), normals], axis=2)
    return Place(points + STAND_OFF * normals, axes)


def _single(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
