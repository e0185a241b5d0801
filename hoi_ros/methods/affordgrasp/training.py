"""The trainings of AffordGrasp, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.trainer import Recipe, Task
from hoi_ros.methods.affordgrasp import affordance_training, autoencoder_training, classifier_training


@dataclass(frozen=True)
class Part:
    """One network: how it is trained, and how its weights (None: the shipped ones) are scored."""

    recipe: Recipe
    task: Callable[[Dataset, int, Callable[[], None]], Task]
    score: Callable[[Dataset, Any, int, Callable[[], None]], Mapping[str, Any]]


PARTS: Mapping[str, Part] = {
    "autoencoder": Part(autoencoder_training.RECIPE, autoencoder_training.Coding.of, autoencoder_training.score_splits),
    "affordance": Part(
        affordance_training.RECIPE, affordance_training.Affordances.of, affordance_training.score_splits
    ),
    "classifier": Part(classifier_training.RECIPE, classifier_training.Semantics.of, classifier_training.score_splits),
}
