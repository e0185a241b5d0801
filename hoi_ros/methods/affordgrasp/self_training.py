"""The self-looping data engine: label meshes, keep what is certain, train on it, label again (affordgrasp 3.1, 10).

What comes out is a dataset as the engine makes them: the engine's objects and grasps, and the labelled meshes in the
split ``train``. ``hoi train`` reads it as any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hoi_ros.dataset.manifest import check_conditions
from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.dataset.shards import digest
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.learning.trainer import WEIGHTS, train
from hoi_ros.learning.weights import load, load_shipped
from hoi_ros.methods.affordgrasp import label_checks, labelled_dataset
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator
from hoi_ros.methods.affordgrasp.affordance_training import (
    RECIPE,
    SENTENCES,
    Affordances,
    Draws,
    Sample,
    sample_of,
    samples,
)
from hoi_ros.methods.affordgrasp.grasp_labels import GraspAnnotator, judged_grasps
from hoi_ros.methods.affordgrasp.label_checks import Check
from hoi_ros.methods.affordgrasp.labelled_dataset import Labelled, Show
from hoi_ros.methods.affordgrasp.pseudo_labels import (
    RIGHT,
    Annotator,
    Mask,
    candidates,
    catalogue,
    judged,
    label,
    least_confidence,
)
from hoi_ros.methods.affordgrasp.semantic_classifier import SemanticClassifier
from hoi_ros.methods.affordgrasp.targets import UNNAMED, Target, targets
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance
from hoi_ros.types import Array, HandBatch

RATE = 5e-4  # of the steps between rounds: a quarter of the full training's
SHARE = 0.25  # of the training's draws that are labelled meshes, where there are fewer of them
CHECKS = "checks"

Way = Literal["told", "open", "grasps"]
"""What is labelled: meshes whose category or uses are told, meshes that are asked for everything, and grasps."""


@dataclass(frozen=True)
class Job:
    """``rounds`` of labelling with ``steps`` of training between them.

    ``precision``: the share of the kept labels that must surely be right on objects whose labels are known.
    """

    rounds: int
    steps: int
    precision: float
    seed: int


@dataclass(frozen=True)
class Bound:
    """The confidence from which on labels are kept (None: none is sure enough), and what that does to known ones.

    ``labels`` of the split ``test``; the shares of them that are right and that are kept; the share of the kept that
    are right. The bound itself is of the split ``val``.
    """

    least: float | None
    labels: int
    right: float | None
    kept: float | None
    right_of_kept: float | None

    @classmethod
    def of(cls, val: tuple[Array, Mask], test: tuple[Array, Mask], precision: float) -> Bound:
        """Of confidences (N,) and what is right (N,) of both splits."""
        least, (confidence, right) = least_confidence(*val, precision), test
        kept = confidence >= least
        bound = least if math.isfinite(least) else None
        return cls(bound, len(right), _mean(right), _mean(kept), _mean(right[kept]))

    def passes(self, confidence: float) -> bool:
        """Whether a label is kept."""
        return self.least is not None and confidence >= self.least


def _mean(values: Mask) -> float | None:
    return float(values.mean()) if len(values) else None


class Loop:
    """The loop over meshes; ``grasps`` says what their hands do, None: hands are left out."""

    def __init__(
        self,
        engine: Dataset,
        targets: Sequence[Target],
        generator: AffordanceGenerator,
        grasps: GraspAnnotator | None,
        job: Job,
        show: Show,
    ) -> None:
        if twice := sorted({target.obj.name for target in targets} & set(engine.records)):
            raise Refused(Reason.FILE, f"{engine.folder} has an object '{twice[0]}' already; rename the mesh")
        self._engine, self._targets, self._grasps, self._job, self._show = engine, targets, grasps, job, show
        self._encoder, self._known = TextEncoder(), catalogue(engine)
        self._annotator = Annotator(generator, self._encoder)

    def run(self, out: Path) -> dict[str, Any]:
        """Label, train and label again, then write the dataset and the pictures to check; figures of every round.

        ``weights`` of a round: those that were trained for it. Where nothing was labelled there is no further round.
        A label that a person rejected in an earlier run is left out, one that was accepted stays. Raises Refused(FILE)
        where ``out`` holds something else.
        """
        conditions = labelled_dataset.conditions(self._engine, self._targets)
        check_conditions(out, conditions)
        checks = label_checks.read(out / CHECKS)
        rounds: list[dict[str, Any]] = []
        labelled: list[Labelled] = []
        for number in range(self._job.rounds):
            trained = None
            if number:
                if not labelled:
                    break
                trained = out / f"round_{number}_{_digest(labelled)}"
                self._train(labelled, trained)
            bounds = self._bounds()
            labelled = self._label(bounds, checks)
            figures = {"weights": str(trained / WEIGHTS) if trained else None} | _counts(labelled)
            rounds.append({"filter": {way: vars(bound) for way, bound in bounds.items()}} | figures)
        written = labelled_dataset.write(out, self._engine, conditions, labelled, self._job.seed, self._show)
        self._ask(out / CHECKS, labelled, checks)
        return {"rounds": rounds, "checked": _verdicts(checks)} | written

    def _bounds(self) -> dict[Way, Bound]:
        """The filter of this round, of each way of labelling that the meshes need."""
        bounds: dict[Way, Bound] = {}
        for way in sorted({self._way(target) for target in self._targets}):
            val, test = (self._judged(split, way) for split in ("val", "test"))
            bounds[way] = Bound.of(val, test, self._job.precision)
        if self._grasps:
            val, test = (self._judged_grasps(split) for split in ("val", "test"))
            bounds["grasps"] = Bound.of(val, test, self._job.precision)
        return bounds

    def _judged(self, split: Split, way: Way) -> tuple[Array, Mask]:
        """Confidences, and which are right, of the labels of a split's objects, their own being hidden."""
        units = self._engine.units(split)
        rows = [np.zeros((0, 2))]
        with self._show(f"labelling what is known, {split}", len(units)) as advance:
            for number, record in enumerate(units):
                obj = self._engine.object(record.name)
                if way == "open":
                    obj = replace(obj, category=UNNAMED)
                rng = np.random.default_rng([self._job.seed, number])
                rows.append(judged(self._annotator, obj, candidates(self._known, obj.category), rng))
                advance()
        confidence, iou = np.concatenate(rows).T
        return confidence, iou >= RIGHT

    def _judged_grasps(self, split: Split) -> tuple[Array, Mask]:
        assert self._grasps is not None
        confidence, right = judged_grasps(self._grasps, self._engine, split, self._job.seed).T
        return confidence, right > 0.5

    def _way(self, target: Target) -> Way:
        return "told" if target.stated or target.obj.category in self._known else "open"

    def _label(self, bounds: Mapping[Way, Bound], checks: Sequence[Check]) -> list[Labelled]:
        """The meshes that have a label left."""
        said = {check.key: check.verdict for check in checks}
        found = []
        with self._show("labelling", len(self._targets)) as advance:
            for number, target in enumerate(self._targets):
                one = self._labelled(target, bounds, said, np.random.default_rng([self._job.seed, 1, number]))
                if one.maps:
                    found.append(one)
                advance()
        return found

    def _labelled(
        self,
        target: Target,
        bounds: Mapping[Way, Bound],
        said: Mapping[tuple[str, str, str], str],
        rng: np.random.Generator,
    ) -> Labelled:
        obj, way = target.obj, self._way(target)
        uses = candidates(self._known, obj.category, target.stated)
        hands, shown = self._shown(target, bounds, rng)
        if way == "open" and hands is not None:  # only what somebody does with it is asked for
            uses = tuple(use for use in uses if use.affordance in shown)
        seen = self._annotator.look(obj, uses, rng)
        verdicts = [said.get((obj.name, str(found.use.affordance), found.use.part)) for found in seen.maps]
        sure = [
            found
            for found, verdict in zip(seen.maps, verdicts, strict=True)
            if verdict == "accept" or (bounds[way].passes(found.confidence) and verdict != "reject")
        ]
        obj, maps = label(obj, seen.points, sure)
        rows = self._grasps.rows(obj, hands, shown, rng) if self._grasps and hands is not None and maps else []
        return Labelled(target, obj, tuple(maps), tuple(rows))

    def _shown(
        self, target: Target, bounds: Mapping[Way, Bound], rng: np.random.Generator
    ) -> tuple[HandBatch | None, list[Affordance]]:
        """The hands of a mesh whose affordance is sure, and what it is; None where it has no hands."""
        if target.grasps is None or self._grasps is None:
            return None, []
        read = self._grasps.look(target.obj, target.grasps, rng)
        sure = np.flatnonzero(
            [
                bounds["grasps"].passes(one) and kind not in (Affordance.NO_GRASP, Affordance.NULL)
                for one, kind in zip(read.confidence, read.affordance, strict=True)
            ]
        )
        return target.grasps[sure], [read.affordance[number] for number in sure]

    def _train(self, labelled: Sequence[Labelled], folder: Path) -> None:
        """Train the generator on, on the engine's objects and the labelled meshes; it answers in the next round."""
        own = [
            sample_of(one.obj, self._encoder, np.random.default_rng([self._job.seed, number]), SENTENCES)
            for number, one in enumerate(labelled)
        ]
        found, steps = mixed(self._samples, own), self._job.steps
        model = trained_on(self._annotator.model, found, steps, folder, self._job.seed, self._show)
        self._annotator = Annotator(model, self._encoder)

    @cached_property
    def _samples(self) -> list[Sample]:
        """The engine's objects of the split ``train``."""
        found = []
        with self._show("reading objects", len(self._engine.units("train"))) as advance:
            for sample in samples(self._engine, "train", self._encoder, self._job.seed, SENTENCES):
                found.append(sample)
                advance()
        return found

    def _ask(self, folder: Path, labelled: Sequence[Labelled], checks: Sequence[Check]) -> None:
        """Put labels before a person."""
        found = [
            Check(one.obj.name, str(seen.use.affordance), seen.use.part, seen.confidence)
            for one in labelled
            for seen in one.maps
        ]
        chosen = label_checks.drawn(found, checks, np.random.default_rng(self._job.seed))
        label_checks.write(folder, chosen, {one.obj.name: one.obj for one in labelled})


def mixed(engine: Sequence[Sample], own: Sequence[Sample]) -> list[Sample]:
    """Both, ``own`` as often as makes them ``SHARE`` of all, once where they are more."""
    times = SHARE / (1.0 - SHARE) * len(engine) / max(len(own), 1)
    return [*engine, *list(own) * max(round(times), 1)]


def trained_on(
    model: AffordanceGenerator, found: Sequence[Sample], steps: int, folder: Path, seed: int, show: Show
) -> AffordanceGenerator:
    """The generator after ``steps`` on ``found``; goes on with what lies in ``folder``. ``model`` itself changes."""
    recipe = replace(RECIPE, steps=steps, rate=RATE)
    with show("training", math.ceil(steps / recipe.every)) as advance:
        task = Affordances(model.train(), Draws(found))
        weights = train(task, recipe, folder, seed, lambda _done, _terms: advance())
    return AffordanceGenerator.load(load(weights))


def self_train(
    engine: Dataset,
    meshes: Path,
    categories: Path | None,
    out: Path,
    job: Job,
    weights: Path | None,
    classifier: Path | None,
    show: Show,
) -> dict[str, Any]:
    """Run the loop over a folder of meshes (see ``targets``) from weights, None: the shipped ones.

    Raises Refused as ``targets`` and ``Loop`` do, and MESH where no mesh can be used.
    """
    found, unusable = targets(meshes, categories)
    if not found:
        name, why = next(iter(unusable.items()))
        raise Refused(Reason.MESH, f"none of the {len(unusable)} meshes of {meshes} can be used; {name}: {why}")
    generator = AffordanceGenerator.load(load(weights) if weights else load_shipped("affordgrasp_affordance"))
    grasps = None
    if any(target.grasps is not None for target in found):
        trained = load(classifier) if classifier else load_shipped("affordgrasp_classifier")
        grasps = GraspAnnotator(SemanticClassifier.load(trained))
    summary = Loop(engine, found, generator, grasps, job, show).run(out)
    return summary | {"unusable": unusable | summary["unusable"]}


def _digest(labelled: Sequence[Labelled]) -> str:
    """Of labels, so that a training is taken up again only on the same ones."""
    content = [(one.obj.name, one.maps, one.obj.face_parts.tobytes()) for one in labelled]
    return digest(repr(content).encode())[:8]


def _counts(labelled: Sequence[Labelled]) -> dict[str, int]:
    return {
        "meshes": len(labelled),
        "labels": sum(len(one.maps) for one in labelled),
        "grasps": sum(len(one.grasps) for one in labelled),
    }


def _verdicts(checks: Sequence[Check]) -> dict[str, int]:
    return {verdict: sum(check.verdict == verdict for check in checks) for verdict in ("accept", "reject")}
