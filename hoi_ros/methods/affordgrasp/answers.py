"""The rows of the table: the whole stage, its networks alone, what is left out of them, and the optimisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import load_hand_model
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.learning.method import Asked, Kind, load_trained
from hoi_ros.methods.affordgrasp.adjustment import DistributionAdjustment
from hoi_ros.methods.affordgrasp.baselines import ConditionalVae, Control, ControlledDiffusion
from hoi_ros.methods.affordgrasp.diffusion import CodeSampler, LatentDiffusion
from hoi_ros.methods.affordgrasp.grasp_scoring import Answer, Question, questions
from hoi_ros.methods.affordgrasp.sampler import Sampler
from hoi_ros.methods.affordgrasp.synthesizer import AffordGrasp
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandBatch


def stage() -> Answer:
    """The stage as it is used."""
    synthesizer = AffordGrasp.shipped()

    def answer(question: Question, count: int, seed: int) -> tuple[HandBatch, Array]:
        found = synthesizer.synthesize(question.cloud, question.sentence, count, seed)
        return HandBatch.of([g.hand for g in found]), np.array([g.score for g in found])

    return answer


def networks(change: Callable[[Sampler], Sampler] = lambda sampler: sampler) -> Answer:
    """The paper's method: the first hands that the networks give, neither settled nor ranked."""
    sampler, encoder = change(Sampler.shipped()), TextEncoder()
    looking = AffordGrasp.shipped()

    def answer(question: Question, count: int, seed: int) -> tuple[HandBatch, Array]:
        shown = looking.look(question.cloud, question.sentence, None)
        text = encoder.encode([question.sentence])
        return sampler.hands(shown.points, shown.chance, text, count, seed), np.full(count, np.nan)

    return answer


def optimisation() -> Answer:
    """The engine's own synthesis: test-time optimisation on the true mesh, told the true use."""
    optimiser = GraspOptimiser(load_hand_model())

    def answer(question: Question, count: int, seed: int) -> tuple[HandBatch, Array]:
        found = optimiser.synthesize(question.obj, question.use, count, seed, np.zeros(10))
        return found.hands, np.full(count, np.nan)

    return answer


def _trained(network: type[Kind], folder: Path | None, part: str) -> Kind:
    return load_trained(network, folder, "affordgrasp", part)


def _adjusted_by(adjustment: DistributionAdjustment) -> Answer:
    return networks(lambda sampler: replace(sampler, adjustment=adjustment))


def _diffused_by(diffusion: CodeSampler) -> Answer:
    """Not adjusted: the adjustment is trained on the diffusion's codes."""
    return networks(lambda sampler: replace(sampler, diffusion=diffusion, adjustment=None))


def _blind(trained: Path | None) -> LatentDiffusion:
    return _trained(LatentDiffusion, trained, "diffusion_blind")


def _controlled(trained: Path | None) -> ControlledDiffusion:
    return ControlledDiffusion(_blind(trained), _trained(Control, trained, "diffusion_controlled"))


Scored = Callable[[Answer, Iterator[Question], int, int, Callable[[], None]], dict[str, dict[str, Any]]]

METHODS: Mapping[str, Callable[[Path | None], Answer]] = {
    "affordgrasp": lambda _: stage(),
    "networks": lambda _: networks(),
    "without_adjustment": lambda _: networks(lambda sampler: replace(sampler, adjustment=None)),
    "without_affordance": lambda trained: _diffused_by(_blind(trained)),
    "controlled": lambda trained: _diffused_by(_controlled(trained)),
    "cvae": lambda trained: _diffused_by(_trained(ConditionalVae, trained, "cvae")),
    "adjustment_1_head": lambda trained: _adjusted_by(_trained(DistributionAdjustment, trained, "adjustment_1_head")),
    "adjustment_2_heads": lambda trained: _adjusted_by(_trained(DistributionAdjustment, trained, "adjustment_2_heads")),
    "optimisation": lambda _: optimisation(),
}
"""Rows of the table, by the folder of the parts that are not shipped."""

SPLITS: Mapping[str, tuple[Split, bool, bool]] = {
    "test": ("test", False, False),
    "unseen": ("unseen", False, False),
    "held_out": ("test", True, False),
    "one_view": ("test", False, True),
}
"""Name of a table: split, whether its sentences are of held-out phrasings, whether its clouds are single views."""


def table_of(what: Scored, dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> dict[str, Any]:
    """One row of the table on one split; ``what`` is ``grasp_scoring.score`` or ``lift_scoring.score``.

    Raises Refused(PARAMETER) with the known rows and splits, and Refused(FILE) where the row needs weights that are
    not in the folder of trained ones (``method.load_trained``).
    """
    row = asked.row or "affordgrasp"
    for value, known in ((row, METHODS), (asked.split, SPLITS)):
        if value not in known:
            raise Refused(Reason.PARAMETER, f"'{value}' is not known; choose one of: {', '.join(known)}")
    name, held_out, one_view = SPLITS[asked.split]
    found = islice(questions(dataset, name, asked.seed, held_out, one_view), asked.most)
    return {asked.split: what(METHODS[row](asked.trained), found, asked.each, asked.seed, advance)}
