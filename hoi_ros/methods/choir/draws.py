"""What is drawn for training: hands with noise, some that hold nothing yet, and what is seen of their objects."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.hand.limits import palm_back
from hoi_ros.methods.choir.contacts import Gaussians
from hoi_ros.methods.choir.field import Place, object_field
from hoi_ros.methods.choir.pairs import Pairs, Surface, perturbed, place_of, posed_anchors
from hoi_ros.types import Array, HandBatch

PARTIAL = 0.3  # share of the draws that see one view
SHADOWED = 0.5  # share of those in which the hand hides some of it
LOOSE = 0.15  # share of the draws whose hand only comes near
LOOSE_LEVEL = 0.35  # of their noise, at most: told of more, hands that hold are to be looked for
AWAY = 0.12  # m by which they are withdrawn, at most
OFF = 0.006  # m from its skin to the object, at least: else it still holds
OPEN = 0.3  # of its bend that a withdrawn hand keeps, at least
UNTOLD = 0.2  # share of the draws that are not told how noisy they are
STAND_OFF = 0.03  # m from the surface, of the middle of a grid without a hand
ASIDE = 0.01  # m along the surface by which it is moved at random

Modality = Literal["pair", "object", "both"]


@dataclass(frozen=True)
class Batch:
    """Contexts and what is true of them, in the frames of their grids."""

    object: Tensor  # (B, 4096) m
    noisy: Tensor  # (B, 32, 3) m, anchors of the noisy hands
    given: Tensor  # (B,) whether the noisy hand is
    told: Tensor  # (B,) level of the noise, NaN where it is not told
    anchors: Tensor  # (B, 32, 3) m
    contacts: Tensor  # (B, 288) m
    level: Tensor  # (B,) of the noise

    def to(self, device: torch.device) -> Batch:
        """On another device."""
        return replace(self, **{each.name: getattr(self, each.name).to(device) for each in fields(self)})


@dataclass(frozen=True)
class Drawn:
    """True and noisy hands and the grids about these, before anything is measured from their basis points."""

    rows: NDArray[np.int64]  # (B,) of the pairs
    level: Array  # (B,) of the noise
    told: Array  # (B,) the same, NaN where it is not told
    true: HandBatch  # B
    loose: NDArray[np.bool_]  # (B,) which of them hold nothing
    anchors: Array  # (B, 32, 3) m, of the true hands
    hands: HandBatch  # B, noisy
    noisy: Array  # (B, 32, 3) m, anchors of those
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

    def __call__(self, rng: Generator) -> Batch:
        """Hands with noise of any level up to the benchmark's, some without a hand to go by."""
        return self.batch(self.drawn(rng))

    def batch(self, drawn: Drawn) -> Batch:
        """What is measured from the basis points of what was drawn."""
        place, given = drawn.place, drawn.given
        means, triangles = self.pairs.contacts.means[drawn.rows], self.pairs.contacts.triangles[drawn.rows]
        turned = Gaussians(means, triangles).turned(torch.from_numpy(place.axes.swapaxes(-1, -2)))
        return Batch(
            torch.from_numpy(object_field(place, drawn.trees)),
            _single(place.enter(drawn.noisy) * given[:, None, None]),
            torch.from_numpy(given),
            _single(drawn.told),
            _single(place.enter(drawn.anchors)),
            turned.numbers().float() * torch.from_numpy(~drawn.loose)[:, None],
            _single(drawn.level),
        )

    def drawn(self, rng: Generator, least: float = 0.0) -> Drawn:
        """What a batch is made of, with noise of at least some level; above ``LOOSE_LEVEL`` all hands hold."""
        pairs, count = self.pairs, self._count
        rows = rng.integers(len(pairs), size=count)
        surfaces = [pairs.surfaces[pairs.of[row]] for row in rows]
        given = rng.random(count) < {"pair": 1.0, "object": 0.0, "both": 0.5}[self._modality]
        wanted = given & (rng.random(count) < LOOSE) & (least < LOOSE_LEVEL)
        true, loose = self._loosened(pairs.hands[rows], surfaces, wanted, rng)
        level = least + rng.random(count) * (np.where(loose, LOOSE_LEVEL, 1.0) - least)
        told = np.where(given & (rng.random(count) >= UNTOLD), level, np.nan)
        hands = perturbed(self._model, true, level, rng)
        noisy = posed_anchors(self._model, self._found, hands)
        about, before = place_of(hands, noisy), place_before(surfaces, pairs.anchors[rows], rng)
        place = Place(
            np.where(given[:, None], about.origin, before.origin),
            np.where(given[:, None, None], about.axes, before.axes),
        )
        trees = [seen(self._model, true[row : row + 1], surface, rng) for row, surface in enumerate(surfaces)]
        anchors = posed_anchors(self._model, self._found, true)
        return Drawn(rows, level, told, true, loose, anchors, hands, noisy, given, place, trees)

    def again(self, drawn: Drawn, hands: HandBatch, left: float) -> Drawn:
        """With other hands (B,) instead of the noisy ones, of whose noise a share is ``left``."""
        noisy = posed_anchors(self._model, self._found, hands)
        return replace(
            drawn,
            level=left * drawn.level,
            told=left * drawn.told,
            hands=hands,
            noisy=noisy,
            place=place_of(hands, noisy),
        )

    def _loosened(
        self, hands: HandBatch, surfaces: list[Surface], wanted: NDArray[np.bool_], rng: Generator
    ) -> tuple[HandBatch, NDArray[np.bool_]]:
        """Hands (N,), of which those ``wanted`` (N,) are withdrawn backwards, opening, and which of them came free.

        Where the object is in the way, a hand stays as it was.
        """
        model, loose = self._model, wanted.copy()
        joints = model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        moved = hands.transl + AWAY * rng.random((len(hands), 1)) * np.stack([palm_back(points) for points in joints])
        pose = hands.hand_pose * (1.0 - (1.0 - OPEN) * rng.random((len(hands), 1)))
        skin = model.mesh(hands.global_orient, pose, hands.betas, moved).vertices
        for row in np.flatnonzero(wanted):
            loose[row] = gap(skin[row], surfaces[row]) > OFF
        free = loose[:, None]
        pose, moved = np.where(free, pose, hands.hand_pose), np.where(free, moved, hands.transl)
        return HandBatch(hands.global_orient, pose, hands.betas, moved), loose


def gap(points: Array, surface: Surface) -> float:
    """Least distance of points (N, 3) from a surface, m, negative where one is inside."""
    distance, row = surface.whole.query(points)
    outside = np.einsum("nk,nk->n", points - surface.points[row], surface.normals[row]) > 0.0
    return float(np.where(outside, distance, -distance).min())


def seen(model: HandModel, hand: HandBatch, surface: Surface, rng: Generator) -> cKDTree:
    """All of an object, or with a chance one view of it, at times from where a hand (1) hides some."""
    if not surface.views or rng.random() > PARTIAL:
        return surface.whole
    view = surface.views[rng.integers(len(surface.views))]
    if rng.random() > SHADOWED:
        return cKDTree(view.points)
    return view.beside(model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl).vertices[0])


def place_before(surfaces: list[Surface], anchors: Array, rng: Generator) -> Place:
    """Grids over the points of surfaces that are nearest to the middle of hands (N, 32, 3), moved a little aside."""
    wanted = anchors.mean(axis=1) + rng.normal(0.0, ASIDE, (len(anchors), 3))
    rows = [int(surface.whole.query(point)[1]) for surface, point in zip(surfaces, wanted, strict=True)]
    points = np.array([surface.points[row] for surface, row in zip(surfaces, rows, strict=True)])
    normals = np.array([surface.normals[row] for surface, row in zip(surfaces, rows, strict=True)])
    return place_on(points, normals, rng)


def place_on(points: Array, normals: Array, rng: Generator) -> Place:
    """Grids over points (N, 3), m, of a surface, with their normals (N, 3) as z and x in any direction."""
    other = np.cross(normals, rng.standard_normal(points.shape))
    other = other / np.linalg.norm(other, axis=1, keepdims=True)
    axes = np.stack([other, np.cross(normals, other), normals], axis=2)
    return Place(points + STAND_OFF * normals, axes)


def _single(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
