"""Figures of grasps for sentences on the engine's objects: geometry, physics, meaning and variety, a row a method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.language.instructions import write
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.affordance_training import alike
from hoi_ros.methods.affordgrasp.classifier_training import scaled
from hoi_ros.methods.affordgrasp.hand_surface import hand_order
from hoi_ros.methods.affordgrasp.semantic_classifier import CLASSES, OBJECT_POINTS, SemanticClassifier
from hoi_ros.metrics.contact import contact_parts, touches
from hoi_ros.metrics.diversity import CLUSTERS, entropy_and_cluster_size
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.physics.world import GraspWorld
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import HOLDING, PUSHING, Affordance, Use
from hoi_ros.scene.clouds import farthest_points, sample_surface, seen_from
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch, ObjectCloud

DENSE = 20_000  # points of a cloud as a sensor might give it
DEEP = 0.005  # m


@dataclass(frozen=True)
class Question:
    """One use of one object, a sentence that asks for it, and a cloud."""

    obj: ObjectModel
    use: Use
    sentence: str
    cloud: ObjectCloud


Answer = Callable[[Question, int, int], tuple[HandBatch, Array]]
"""Hands (N,) for a question, at most so many, by a seed, with the probability (N,) that each does its work."""


def questions(
    dataset: Dataset, split: Split, seed: int, held_out: bool = False, one_view: bool = False
) -> Iterator[Question]:
    """Every use of every object of a split, once."""
    for number, record in enumerate(dataset.units(split)):
        obj = dataset.object(record.name)
        rng = np.random.default_rng([seed, number])
        points, normals, _ = sample_surface(obj, DENSE, rng)
        if one_view:
            eye = points.mean(axis=0) + 0.6 * _direction(rng)
            seen = seen_from(obj, points, normals, eye)
            points, normals = points[seen], normals[seen]
        for use in obj.uses:
            yield Question(obj, use, write(obj, use, rng, 1, held_out)[0], ObjectCloud(points, normals))


def _direction(rng: np.random.Generator) -> Array:
    around, up = rng.uniform(0.0, 2.0 * np.pi), np.radians(rng.uniform(10.0, 70.0))
    return np.array([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)])


class Judge:
    """Measures grasps of one object."""

    def __init__(self, model: HandModel, classifier: SemanticClassifier | None) -> None:
        self._model, self._classifier, self._order = model, classifier, hand_order(model)

    def judge(self, question: Question, hands: HandBatch, seed: int) -> dict[str, Array]:
        """Figures (N,) by name; NaN where a figure is not for such a use."""
        obj, use = question.obj, question.use
        mesh = self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        contacts = contact_parts(mesh.vertices, obj)
        nothing = np.full(len(hands), np.nan)
        found = {
            "depth": two_way_depth(mesh.vertices, self._model.closed_faces, obj).two_way,
            "iv_5mm": 1e6 * intersection_volume(mesh.vertices, self._model.closed_faces, obj, 0.005),
            "iv_2mm": 1e6 * intersection_volume(mesh.vertices, self._model.closed_faces, obj, 0.002),
            "contact": touches(contacts).astype(float),
            "on_part": contacts.share_on(tuple(alike(obj, use)), 0.003),
            "acc": self._says(obj, use, mesh.vertices, seed) if self._classifier else nothing,
            "works": self.works(question, hands, seed),
            "sd": self._displacement(question, hands) if use.affordance in HOLDING else nothing,
            "keypoints": mesh.keypoints,
        }
        return found | {"held": found["works"] if use.affordance in HOLDING else nothing}

    def works(self, question: Question, hands: HandBatch, seed: int) -> Array:
        """Whether each hand does what the use is for, (N,): holds in six directions, pushes, or turns."""
        use = question.use
        done = np.full(len(hands), np.nan)
        for world, rows in self._worlds(question, hands):
            some = hands[rows]
            if use.affordance in HOLDING:
                done[rows] = world.articulated(some, seed=seed).held
            elif use.affordance in PUSHING:
                done[rows] = world.push(some, use).pushed
            else:
                done[rows] = world.turn(some, use).turned
        return done

    def _displacement(self, question: Question, hands: HandBatch) -> Array:
        moved = np.empty(len(hands))
        for world, rows in self._worlds(question, hands):
            moved[rows] = 1e2 * world.displacement_sd(hands[rows])
        return moved

    def _worlds(self, question: Question, hands: HandBatch) -> Iterator[tuple[GraspWorld, NDArray[np.intp]]]:
        """A world for each person."""
        people, of = np.unique(hands.betas, axis=0, return_inverse=True)
        for person, betas in enumerate(people):
            yield GraspWorld(self._model, betas, question.obj), np.flatnonzero(of.ravel() == person)

    def _says(self, obj: ObjectModel, use: Use, vertices: Array, seed: int) -> Array:
        """Whether the classifier names the use, (N,) [ACC]."""
        assert self._classifier is not None
        named = named_affordances(self._classifier, obj, vertices[:, self._order], seed)
        return np.array([each is use.affordance for each in named], dtype=np.float64)


@torch.inference_mode()
def named_affordances(classifier: SemanticClassifier, obj: ObjectModel, seen: Array, seed: int = 0) -> list[Affordance]:
    """What the classifier calls hands, of which it sees the vertices (N, 256, 3), m, of `hand_order`, on an object.

    ``seed`` is that of the points of the object.
    """
    points = sample_surface(obj, 4 * OBJECT_POINTS, np.random.default_rng(seed))[0]
    points = points[farthest_points(points, OBJECT_POINTS)]
    cloud = np.broadcast_to(points, (len(seen), *points.shape))
    return [CLASSES[number] for number in classifier(*scaled(seen, cloud)).argmax(1).tolist()]


def score(
    answer: Answer,
    asked: Iterator[Question],
    each: int,
    seed: int,
    advance: Callable[[], None],
) -> dict[str, dict[str, Any]]:
    """The table of a method: over all grasps and by affordance. ``each`` grasps are asked for a question."""
    model = load_hand_model()
    judge = Judge(model, SemanticClassifier.load(load_shipped("affordgrasp_classifier")))
    rows: dict[str, list[Array]] = defaultdict(list)
    kinds: list[str] = []
    refused = 0
    for number, question in enumerate(asked):
        try:
            hands, probability = answer(question, each, seed + number)
        except Refused:
            refused += 1
            continue
        finally:
            advance()
        found = judge.judge(question, hands, seed + number) | {"probability": probability}
        for name, values in found.items():
            rows[name].append(values)
        kinds += [str(question.use.affordance)] * len(hands)
    figures = {name: np.concatenate(values) for name, values in rows.items()}
    named = np.array(kinds)
    table = {"all": summary(figures, np.ones(len(named), dtype=bool)) | {"refused": refused}}
    return table | {str(kind): summary(figures, named == kind) for kind in np.unique(named)}


def summary(figures: Mapping[str, Array], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Means of chosen grasps, by the names of the paper's table."""
    some = {name: values[chosen] for name, values in figures.items()}
    row: dict[str, Any] = {"grasps": int(chosen.sum())}
    for name, values in {
        "iv_5mm_cm3": some["iv_5mm"],
        "iv_2mm_cm3": some["iv_2mm"],
        "depth_within_5mm": some["depth"] <= DEEP,
        "contact": some["contact"],
        "on_part": some["on_part"],
        "acc": some["acc"],
        "held": some["held"],
        "works": some["works"],
        "sd_cm": some["sd"],
        "brier": (some["probability"] - some["works"]) ** 2,
    }.items():
        known = values[np.isfinite(values)]
        if len(known):
            row[name] = float(known.mean())
    if chosen.sum() >= 5 * CLUSTERS:
        row["entropy"], row["cluster_size"] = entropy_and_cluster_size(some["keypoints"])
    return row
