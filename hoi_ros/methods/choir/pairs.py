"""Hands on objects for training and scoring: perturbed as the benchmark does, with surfaces whole or as one view."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.anchors import Anchors, find_anchors
from hoi_ros.methods.choir.contacts import Gaussians, cells_of, contact_weights, fit
from hoi_ros.methods.choir.field import Place
from hoi_ros.metrics.solids import surface_points
from hoi_ros.scene.clouds import sample_surface, seen_from
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch
from hoi_ros.view.render import vertex_normals

POINTS = 3000  # of an object's surface, at random
DENSE = 0.002  # m between the points that contacts are counted on
VIEWS = 4  # of an object from one side
LEAST = 150  # points of a view
COMPONENTS = 15  # of the hand's principal components that are perturbed [ContactOpt]
TRANSLATION, POSE, ROTATION = 0.05, 0.5, 0.15  # deviations of the noise: m, of each component, rad [methods 1.3]
SHADOW = 0.008  # m about a hand's vertices that it hides


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
class View:
    """What is seen of an object from one place."""

    points: Array  # (N, 3) m
    eye: Array  # (3,) m

    def beside(self, vertices: Array) -> cKDTree:
        """What is seen beside a hand with vertices (V, 3), m; all of it where that is next to nothing."""
        ways, far = _ways(vertices - self.eye)
        own, away = _ways(self.points - self.eye)
        apart, row = cKDTree(ways).query(own)
        left = self.points[(apart * away > SHADOW) | (away < far[row])]
        return cKDTree(left if len(left) >= LEAST else self.points)


def _ways(rays: Array) -> tuple[Array, Array]:
    """Directions and lengths of rays (N, 3)."""
    lengths = np.linalg.norm(rays, axis=1)
    return rays / lengths[:, None], lengths


@dataclass(frozen=True)
class Surface:
    """An object's surface as points to measure distances from: all of it, and as some views have it."""

    points: Array  # (N, 3) m
    normals: Array  # (N, 3)
    whole: cKDTree
    views: tuple[View, ...]

    @classmethod
    def of(cls, obj: ObjectModel, rng: np.random.Generator) -> Surface:
        """At random, but for those of the same generator."""
        points, normals, _ = sample_surface(obj, POINTS, rng)
        centre, reach = points.mean(axis=0), np.linalg.norm(np.ptp(points, axis=0))
        views = []
        for _ in range(VIEWS):
            way = rng.standard_normal(3)
            eye = centre + (0.5 + reach) * way / np.linalg.norm(way)
            seen = seen_from(obj, points, normals, eye)
            if seen.sum() >= LEAST:
                views.append(View(points[seen], eye))
        return cls(points, normals, cKDTree(points), tuple(views))


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
