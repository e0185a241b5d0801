"""Finger poses of the engine's grasps, and the sentences that tell of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.language.encoder import Text, TextEncoder, pad
from hoi_ros.methods.affordance_prior.describer import Known, describe
from hoi_ros.methods.affordance_prior.evidence import REGIONS
from hoi_ros.methods.affordance_prior.grip import extents, gripped_width, held_width
from hoi_ros.methods.affordance_prior.prior import TOLD, pose_axes
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.types import Array

POINTS = 1024  # of an object's surface
OURS = 5  # sentences of each grasp as the pipeline would write them
UNASKED = 0.2  # share of those without an instruction
FELT = 0.7  # share of the fingers whose contacts are seen

Mask = NDArray[np.bool_]


class Sentences:
    """Encoded sentences by number."""

    def __init__(self, encoder: TextEncoder, sentences: Sequence[str]) -> None:
        self._number = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
        read = encoder.encode(list(self._number))
        self._texts = [(tokens[mask].half(), mask[mask]) for tokens, mask in zip(read.tokens, read.mask, strict=True)]

    def text(self, sentences: Sequence[str]) -> Text:
        """Of sentences that were encoded; nothing for empty ones."""
        found = []
        for sentence in sentences:
            tokens, mask = (
                self._texts[self._number[sentence]] if sentence else (torch.zeros(1, TOLD), torch.zeros(1).bool())
            )
            found.append(Text(tokens.float(), mask))
        return pad(found)


@dataclass(frozen=True)
class Poses:
    """Of N grasps."""

    values: Array  # (N, 15, 3) rad
    told: tuple[tuple[str, ...], ...]  # N times sentences of those who know the grasp
    ours: tuple[tuple[str, ...], ...]  # N times what the pipeline would write
    kinds: NDArray[np.int64]  # (N,) grasp types

    @classmethod
    def of_split(cls, dataset: Dataset, split: Split, seed: int, advance: Callable[[], None]) -> Poses:
        """The grasps of a split of the engine's."""
        limits = Limits(load_hand_model().kinematics)
        values, told, ours, kinds = [], [], [], []
        for number, table in enumerate(dataset.tables("grasps", split)):
            advance()
            if not table.num_rows:
                continue
            rng = np.random.default_rng([seed, number])
            obj = dataset.object(table["object"][0].as_py())
            points = sample_surface(obj, POINTS, rng)[0]
            values.append(pose_axes(limits, column(table, "pose").astype(np.float64)[:, 3:]))
            keypoints = column(table, "keypoints").astype(np.float64).reshape(-1, 21, 3)
            kinds.append(column(table, "grasp_type").astype(np.int64))
            rows = table.select(
                ["affordance_description", "partial_description", "instructions", "region_contact"]
            ).to_pylist()
            for row, hand in zip(rows, keypoints, strict=True):
                touched = np.array(row["region_contact"]).reshape(REGIONS, -1).any(axis=1)
                held = Known(row["instructions"][0], extents(points), held_width(points, hand), touched)
                told.append((row["affordance_description"], row["partial_description"], describe(held)))
                width = gripped_width(points, hand)
                ours.append(tuple(_written(row["instructions"], points, width, touched, rng) for _ in range(OURS)))
        return cls(np.concatenate(values), tuple(told), tuple(ours), np.concatenate(kinds))


def _written(
    instructions: Sequence[str], points: Array, width: float | None, touched: Mask, rng: np.random.Generator
) -> str:
    """A sentence of what may be known."""
    asked = "" if rng.random() < UNASKED else instructions[rng.integers(len(instructions))]
    first = np.where(rng.random(5) > FELT, rng.integers(3, size=5), 3)
    unseen = np.append(np.arange(3) >= first[:, None], np.repeat(rng.random() > FELT, 2))
    return describe(Known(asked, extents(points), width, touched & ~unseen, unseen))
