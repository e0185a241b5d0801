"""The trainings of AffordGrasp, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.trainer import Recipe, Task
from hoi_ros.methods.affordgrasp import (
    adjustment_training,
    affordance_training,
    autoencoder_training,
    classifier_training,
    diffusion_training,
    ranking_training,
)


@dataclass(frozen=True)
class Part:
    """One network: how it is trained, and how its weights (None: the shipped ones) are scored."""

    recipe: Recipe
    task: Callable[[Dataset, int, Callable[[], None]], Task]
    score: Callable[[Dataset, Any, int, Callable[[], None]], Mapping[str, Any]] | None  # None: as part of the whole


PARTS: Mapping[str, Part] = {
    "autoencoder": Part(autoencoder_training.RECIPE, autoencoder_training.Coding.of, autoencoder_training.score_splits),
    "affordance": Part(
        affordance_training.RECIPE, affordance_training.Affordances.of, affordance_training.score_splits
    ),
    "classifier": Part(classifier_training.RECIPE, classifier_training.Semantics.of, classifier_training.score_splits),
    "diffusion": Part(diffusion_training.RECIPE, diffusion_training.Denoising.of, None),
    "diffusion_blind": Part(
        diffusion_training.RECIPE, partial(diffusion_training.Denoising.of, affordances=False), None
    ),
    "adjustment": Part(adjustment_training.RECIPE, adjustment_training.Adjusting.of, None),
    "adjustment_1_head": Part(adjustment_training.RECIPE, partial(adjustment_training.Adjusting.of, heads=1), None),
    "adjustment_2_heads": Part(adjustment_training.RECIPE, partial(adjustment_training.Adjusting.of, heads=2), None),
    "ranking": Part(ranking_training.RECIPE, ranking_training.Ranked.of, None),
}
