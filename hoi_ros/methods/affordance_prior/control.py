"""What the words do: sizes open the hand, grasp types keep their identity (affordance_guided_prior, fig. 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.language import lexicon
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.language.grasp_words import GRASPS
from hoi_ros.methods.affordance_prior.describer import SIZES
from hoi_ros.methods.affordance_prior.poses import Poses
from hoi_ros.methods.affordance_prior.prior import AffordancePrior, pose_axes
from hoi_ros.methods.affordance_prior.refiner import heard
from hoi_ros.methods.affordance_prior.refinery import PriorRefinery, Settings
from hoi_ros.types import Array, HandBatch

FREELY = Settings(diffused=999, steps=10, samples=1, weight=3.0)  # the weight chosen on val
HELD = (
    "A bottle is clasped around its {} body.",
    "A {} can is clasped.",
    "A {} bottle is clasped, with the palm and the thumb, index, middle, ring and little fingers.",
    "A {} object is clasped.",
    "A {} jar is clasped, with the thumb, index and middle fingers.",
    "A cup is clasped around its {} body, with the palm and the thumb, index, middle and ring fingers.",
)
"""Ways to hold that go with any size."""
DRAWN = 48  # poses of each description
THUMB, FINGERS = 4, [8, 12]  # tips
NEIGHBOURS = 9  # of the training split, whose commonest grasp type is a pose's
KINDS = 12  # poses drawn of each grasp type
SAID = ("small", "large", "big", "tall", "long")  # of sizes, in descriptions


def drawn(network: AffordancePrior, sentences: Sequence[str], encoder: TextEncoder, seed: int) -> HandBatch:
    """One hand for each description, of nothing but the prior."""
    count = len(sentences)
    hands = HandBatch(np.zeros((count, 3)), np.zeros((count, 45)), np.zeros((count, 10)), np.zeros((count, 3)))
    hidden = np.ones((count, 21), dtype=bool)
    return PriorRefinery(network, settings=FREELY).refine(hands, hidden, heard(encoder, sentences), False, seed).hands


def aperture(keypoints: Array) -> Array:
    """From the thumb's tip to the middle of the next two (N,), m, of keypoints (N, 21, 3)."""
    return np.asarray(np.linalg.norm(keypoints[:, THUMB] - keypoints[:, FINGERS].mean(axis=1), axis=-1))


def sizes(network: AffordancePrior, seed: int) -> dict[str, Any]:
    """Mean aperture, mm, for each word of size, and its rank correlation with the size, by description and over all."""
    encoder, found, order = TextEncoder(), {}, np.arange(len(SIZES))
    model = PriorRefinery(network).model
    every = np.empty((len(HELD), len(SIZES)))
    for row, held in enumerate(HELD):
        for column, size in enumerate(SIZES):
            hands = drawn(network, [held.format(size.word)] * DRAWN, encoder, seed)
            joints = model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
            every[row, column] = 1e3 * aperture(joints).mean()
    for held, row in zip(HELD, every, strict=True):
        found[held] = _opening(row, order)
    return found | {"all": _opening(every.mean(axis=0), order)}


def _opening(apertures: Array, order: NDArray[np.int_]) -> dict[str, float]:
    said = {f"{size.word}_mm": float(value) for size, value in zip(SIZES, apertures, strict=True)}
    return said | {"spearman": float(spearmanr(order, apertures).statistic)}


def kinds(
    network: AffordancePrior, dataset: Dataset, split: Split, seed: int, advance: Callable[[], None]
) -> dict[str, Any]:
    """How often poses drawn for a description that names a grasp type are of that type, by the nearest true poses.

    Beside it how often the true poses of the split are, and both with "small" and "large" put in the description.
    """
    train, test = (Poses.of_split(dataset, each, seed, advance) for each in ("train", split))
    scale = train.values.reshape(len(train.values), -1).std(axis=0).clip(min=1e-2)
    tree = cKDTree(train.values.reshape(len(train.values), -1) / scale)

    def guessed(values: Array) -> Array:
        near = train.kinds[tree.query(values.reshape(len(values), -1) / scale, NEIGHBOURS)[1]]
        return np.array([np.bincount(row).argmax() for row in near])

    rng, encoder = np.random.default_rng(seed), TextEncoder()
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(test.kinds == kind))[:KINDS] for kind in np.unique(test.kinds)]
    )
    rows = rows[[_names(test.told[row][0], GraspType(test.kinds[row])) for row in rows]]
    limits = PriorRefinery(network).limits
    found = {"true poses": {"of_their_type": float((guessed(test.values[rows]) == test.kinds[rows]).mean())}}
    for name, change in (("as described", str), ("small", _sized("small")), ("large", _sized("large"))):
        hands = drawn(network, [change(test.told[row][0]) for row in rows], encoder, seed)
        right = guessed(pose_axes(limits, hands.hand_pose)) == test.kinds[rows]
        found[name] = {"of_their_type": float(right.mean()), "poses": len(rows)}
    return found


def _names(description: str, kind: GraspType) -> bool:
    """Whether a description says the grasp type; those of hands that seem to contradict it do not."""
    return f", in {lexicon.with_article(GRASPS[kind][0])}" in description


def _sized(word: str) -> Callable[[str], str]:
    """A description whose object is of that size."""

    def change(description: str) -> str:
        thing, *rest = description.split(" is ", 1)
        plain = [each for each in thing.split()[1:] if each not in SAID]
        changed = lexicon.with_article(" ".join([word, *plain]))
        return " is ".join([f"{changed[0].upper()}{changed[1:]}", *rest])

    return change
