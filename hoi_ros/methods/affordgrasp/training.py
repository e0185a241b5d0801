"""The trainings of AffordGrasp, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.method import Asked, Part, Table
from hoi_ros.learning.trainer import Task
from hoi_ros.methods.affordgrasp import (
    adjustment_training,
    affordance_training,
    answers,
    autoencoder_training,
    baselines_training,
    classifier_training,
    diffusion_training,
    grasp_scoring,
    lift_scoring,
    ranking_training,
    sentence_scoring,
)


def _alone(task: Callable[[Dataset, int, Callable[[], None]], Task]) -> Callable[..., Task]:
    """A task that starts from no other part but the shipped ones."""
    return lambda dataset, seed, advance, _trained: task(dataset, seed, advance)


PARTS: Mapping[str, Part] = {
    "autoencoder": Part(
        autoencoder_training.RECIPE, _alone(autoencoder_training.Coding.of), autoencoder_training.score_splits
    ),
    "affordance": Part(
        affordance_training.RECIPE, _alone(affordance_training.Affordances.of), affordance_training.score_splits
    ),
    "classifier": Part(
        classifier_training.RECIPE, _alone(classifier_training.Semantics.of), classifier_training.score_splits
    ),
    "diffusion": Part(diffusion_training.RECIPE, _alone(diffusion_training.Denoising.of), None),
    "diffusion_blind": Part(
        diffusion_training.RECIPE, _alone(partial(diffusion_training.Denoising.of, affordances=False)), None
    ),
    "diffusion_controlled": Part(baselines_training.CONTROL_RECIPE, baselines_training.Controlling.of, None),
    "cvae": Part(baselines_training.VAE_RECIPE, _alone(baselines_training.Encoding.of), None),
    "adjustment": Part(adjustment_training.RECIPE, _alone(adjustment_training.Adjusting.of), None),
    "adjustment_1_head": Part(
        adjustment_training.RECIPE, _alone(partial(adjustment_training.Adjusting.of, heads=1)), None
    ),
    "adjustment_2_heads": Part(
        adjustment_training.RECIPE, _alone(partial(adjustment_training.Adjusting.of, heads=2)), None
    ),
    "ranking": Part(ranking_training.RECIPE, _alone(ranking_training.Ranked.of), None),
}


def _sentences(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    return {"test": sentence_scoring.score(dataset, answers.stage(), asked.seed, advance, asked.most)}


TABLES: Mapping[str, Table] = {
    "grasps": partial(answers.table_of, grasp_scoring.score),
    "lifts": partial(answers.table_of, lift_scoring.score),
    "sentences": _sentences,
}
