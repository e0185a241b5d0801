"""Pseudo-labels: parts and uses of an unlabelled mesh, as the Affordance Generator sees them (affordgrasp 3.1).

Every use that the mesh may have is asked for several times: in other words, the object turned another way, every
second time seen from one side alone. What all answers agree on is the use's map; how far they agree, its confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.stats import binomtest
from torch import Tensor

from hoi_ros.dataset.reader import Dataset
from hoi_ros.language.encoder import Text, TextEncoder
from hoi_ros.language.instructions import write
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator
from hoi_ros.methods.affordgrasp.affordance_training import FIRST, NOISE, POINTS, TILT, alike
from hoi_ros.methods.affordgrasp.point_net import unit_ball
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.clouds import farthest_points, sample_surface, seen_from
from hoi_ros.scene.labels import DEFAULT_TYPES
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, ObjectCloud

PASSES = 8  # times a use is asked for
LEAST = 0.003  # share of the points that a part has
SAME = 0.5  # IoU from which two maps are of one part
RIGHT = 0.7  # IoU with the true part from which a map is right
CERTAINTY = 0.95  # of the interval whose lower end must reach the wanted precision
_UPRIGHT = 0.99  # cosine to the vertical
_CORNERS = 3  # points that a face takes its answer from

Mask = NDArray[np.bool_]
Catalogue = Mapping[str, tuple[Use, ...]]
"""Uses that objects of a category may have."""


def catalogue(dataset: Dataset) -> dict[str, tuple[Use, ...]]:
    """What objects of each category in the split ``train`` afford.

    Of a use's directions those stay that are vertical in all of them: others depend on how a mesh is turned.
    """
    found: dict[str, dict[tuple[Affordance, str], list[Use]]] = {}
    for record in dataset.units("train"):
        for use in dataset.object(record.name).uses:
            found.setdefault(record.category, {}).setdefault(_key(use), []).append(use)
    return {category: tuple(map(_common, uses.values())) for category, uses in found.items()}


def _common(uses: Sequence[Use]) -> Use:
    axis, approach, force = (_vertical([getattr(use, name) for use in uses]) for name in ("axis", "approach", "force"))
    cone = max(use.cone for use in uses) if approach is not None else np.pi
    return replace(uses[0], axis=axis, approach=approach, force=force, cone=cone)


def _vertical(directions: Sequence[Array | None]) -> Array | None:
    up = {0.0 if way is None or abs(way[2]) < _UPRIGHT else float(np.sign(way[2])) for way in directions}
    return np.array([0.0, 0.0, up.pop()]) if len(up) == 1 and up != {0.0} else None


def candidates(known: Catalogue, category: str, stated: Sequence[tuple[Affordance, str]] = ()) -> tuple[Use, ...]:
    """Uses to ask for: those that are ``stated``, else those of the category, else every one that is known."""
    every = {_key(use): use for uses in known.values() for use in uses}
    if stated:
        return tuple(every.get(pair, Use(*pair, DEFAULT_TYPES)) for pair in stated)
    return known.get(category) or tuple(every.values())


@dataclass(frozen=True)
class Map:
    """Where on an object a use is."""

    use: Use
    probability: Array  # (N,)
    confidence: float  # 0..1

    @property
    def mask(self) -> Mask:
        """Points (N,) that are more likely of it than not."""
        return self.probability >= 0.5


@dataclass(frozen=True)
class Seen:
    """An object's points, and the maps of the uses that were found on it."""

    points: Array  # (N, 3) m
    parts: NDArray[np.int32]  # (N,) as the object has them
    maps: tuple[Map, ...]


class Annotator:
    """Asks the Affordance Generator about objects."""

    def __init__(self, model: AffordanceGenerator, encoder: TextEncoder) -> None:
        self.model, self._encoder = model.eval(), encoder

    def look(self, obj: ObjectModel, uses: Sequence[Use], rng: np.random.Generator) -> Seen:
        """Ask for each of ``uses`` of an object."""
        points, normals, parts = sample_surface(obj, POINTS, rng)
        if not uses:
            return Seen(points, parts, ())
        answers = np.full((len(uses), PASSES, POINTS), np.nan)
        texts = self._encoder.encode([text for use in uses for text in write(obj, use, rng, PASSES)])
        alive = np.arange(len(uses))
        for turn in range(PASSES):
            seen = np.arange(POINTS) if turn % 2 == 0 else _one_side(obj, points, normals, rng)
            cloud = ObjectCloud(points[seen], normals[seen])
            answers[alive[:, None], turn, seen] = self._ask(cloud, texts[alive * PASSES + turn], rng)
            if turn == 0:  # the whole object: what is not there now is not asked for again
                alive = np.flatnonzero((answers[:, 0] >= 0.5).mean(axis=1) >= LEAST)
            if not len(alive):
                break
        maps = [_consensus(uses[number], answers[number]) for number in alive]
        return Seen(points, parts, tuple(found for found in maps if found.mask.mean() >= LEAST))

    @torch.inference_mode()
    def _ask(self, cloud: ObjectCloud, texts: Text, rng: np.random.Generator) -> Array:
        """Probabilities (U, N) of the points of a cloud, turned anew, for each of U sentences."""
        turn = Rotation.from_rotvec(rng.normal(0.0, TILT, 3) * [1.0, 1.0, 0.0]) * Rotation.from_euler(
            "z", rng.uniform(0.0, 2.0 * np.pi)
        )
        assert cloud.normals is not None
        first = farthest_points(cloud.points, FIRST)
        order = np.concatenate([first, np.setdiff1d(np.arange(len(cloud.points)), first)])
        points = turn.apply(cloud.points[order]) + rng.normal(0.0, NOISE, cloud.points.shape)
        ball, radius = unit_ball(_floats(points)[None])
        logits = self.model(ball, _floats(turn.apply(cloud.normals[order]))[None], radius, texts)
        probabilities = np.empty((len(texts.mask), len(order)))
        probabilities[:, order] = logits.sigmoid().numpy()
        return probabilities


def _floats(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _one_side(obj: ObjectModel, points: Array, normals: Array, rng: np.random.Generator) -> NDArray[np.intp]:
    """Points that are seen from somewhere around or above; all of them where that is next to none."""
    around, height = rng.uniform(0.0, 2.0 * np.pi), np.radians(rng.uniform(-10.0, 80.0))
    way = np.array([np.cos(around) * np.cos(height), np.sin(around) * np.cos(height), np.sin(height)])
    eye = points.mean(axis=0) + (0.5 + np.ptp(points, axis=0).max()) * way
    seen = np.flatnonzero(seen_from(obj, points, normals, eye))
    return seen if len(seen) >= FIRST else np.arange(len(points))


def _consensus(use: Use, answers: Array) -> Map:
    """The mean of answers (P, N), NaN where a point was not seen.

    The confidence is the mean over the answers of their overlap with the consensus, sum min(p, m) / sum max(p, m), m
    being 1 where the mean is one half or more: it falls where answers differ and where they are unsure.
    """
    mean = np.nanmean(answers, axis=0)
    agreed = np.where(np.isnan(answers), np.nan, (mean >= 0.5).astype(float))
    shared, either = np.nansum(np.fmin(answers, agreed), axis=1), np.nansum(np.fmax(answers, agreed), axis=1)
    return Map(use, mean, float(np.mean(shared / np.maximum(either, 1e-9))))


def label(obj: ObjectModel, points: Array, maps: Sequence[Map]) -> tuple[ObjectModel, list[Map]]:
    """The object with the parts and uses of ``maps`` over ``points`` (N, 3), and the maps that were kept.

    Maps that agree are of one part, which has the name of the most confident. A map is dropped where its part has the
    use already, where its name is another part's, and where little of it is left when each point goes to the likeliest
    part. Points of no part are the body, or the rest where the body is a part.
    """
    groups: list[list[Map]] = []
    for found in sorted(maps, key=lambda found: -found.confidence):
        group = next((group for group in groups if overlap(group[0].mask, found.mask) >= SAME), None)
        if group is None:
            if found.use.part not in {other[0].use.part for other in groups}:
                groups.append([found])
        elif found.use.affordance not in {other.use.affordance for other in group}:
            group.append(found)
    owner = _owner(_likely(groups)) if groups else np.zeros(0, np.int32)
    left = [
        [found for found in group if overlap(owner == number, found.mask) >= SAME]
        for number, group in enumerate(groups)
    ]
    parts = {group[0].use.part: found for group, found in zip(groups, left, strict=True) if found}
    if not parts:
        return obj, []
    near = cKDTree(points).query(obj.vertices[obj.faces].mean(axis=1), _CORNERS)[1]
    face_parts = _owner(_likely(list(parts.values()))[:, near].mean(axis=2))
    names = list(parts)
    if (face_parts == len(names)).any():
        names.append("rest" if "body" in names else "body")
    kept = [_placed(found, part, names) for part, group in parts.items() for found in group]
    uses = tuple(found.use for found in kept)
    return replace(obj, face_parts=face_parts, part_names=tuple(names), uses=uses), kept


def _placed(found: Map, part: str, names: Sequence[str]) -> Map:
    """A map of ``part``; of the neighbours that its use knows, those which are there."""
    neighbours = tuple(name for name in found.use.neighbours if name in names)
    return replace(found, use=replace(found.use, part=part, neighbours=neighbours))


def _likely(groups: Sequence[Sequence[Map]]) -> Array:
    """Mean probabilities (P, N) of the maps of each part."""
    return np.array([np.mean([found.probability for found in group], axis=0) for group in groups])


def _owner(likely: Array) -> NDArray[np.int32]:
    """Number of the likeliest part by probabilities (P, N); P where none is more likely than not."""
    return np.where(likely.max(axis=0) >= 0.5, likely.argmax(axis=0), len(likely)).astype(np.int32)


def overlap(one: Mask, two: Mask) -> float:
    """IoU; 0 where both are empty."""
    return float((one & two).sum() / max((one | two).sum(), 1))


def judged(annotator: Annotator, obj: ObjectModel, uses: Sequence[Use], rng: np.random.Generator) -> Array:
    """Confidence and IoU (M, 2) of the maps of an object whose parts and uses are known, told its category alone.

    The IoU is that with the true part, and 0 where the object does not afford the use.
    """
    seen = annotator.look(replace(obj, adjectives=()), uses, rng)
    had = {(use.affordance, use.part) for use in obj.uses}
    rows = [(found.confidence, _iou(obj, seen, found) if _key(found.use) in had else 0.0) for found in seen.maps]
    return np.array(rows).reshape(-1, 2)


def _iou(obj: ObjectModel, seen: Seen, found: Map) -> float:
    return overlap(np.isin(seen.parts, alike(obj, found.use)), found.mask)


def _key(use: Use) -> tuple[Affordance, str]:
    return use.affordance, use.part


def least_confidence(confidence: Array, right: Mask, precision: float) -> float:
    """The confidence from which on labels are kept: the least at which those kept are surely right often enough.

    ``confidence`` (N,) and ``right`` (N,) are of labels whose truth is known. Surely: the lower end of the interval
    [Wilson] of the share of right ones among those kept reaches ``precision``. Infinite where no confidence does.
    """
    order = np.argsort(-confidence)
    counts = np.cumsum(right[order])
    for number in range(len(order), 0, -1):
        interval = binomtest(int(counts[number - 1]), number).proportion_ci(CERTAINTY, "wilson")
        if interval.low >= precision:
            return float(confidence[order[number - 1]])
    return float("inf")
