"""Training of the ranking: settled hands on objects that no network was trained on, and what physics says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import load_hand_model
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.language.request import understood
from hoi_ros.learning.trainer import Recipe
from hoi_ros.methods.affordgrasp.grasp_scoring import Judge, questions
from hoi_ros.methods.affordgrasp.ranking import Ranking
from hoi_ros.methods.affordgrasp.sampler import Sampler
from hoi_ros.methods.affordgrasp.synthesizer import AffordGrasp
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import HOLDING

RECIPE = Recipe(steps=1500, rate=3e-3, decay=1e-2, every=500)
EACH = 8  # hands of a question
BATCH = 256


@dataclass(frozen=True)
class Ranked:
    """The training of the ranking."""

    model: Ranking
    values: Tensor  # (N, F)
    works: Tensor  # (N,) 0 or 1

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Ranked:
        """Synthesise and simulate on ``val``, whole and from one side; the same seed starts with the same network."""
        torch.manual_seed(seed)
        ranking, hand = Ranking(), load_hand_model()
        stage = AffordGrasp(Sampler.shipped(), ranking, TextEncoder(), hand)
        judge = Judge(hand, None)
        values, works = [], []
        asked = chain(*(questions(dataset, "val", seed, one_view=one_view) for one_view in (False, True)))
        for number, question in enumerate(asked):
            advance()
            try:
                request = understood(question.sentence)
                shown = stage.look(question.cloud, question.sentence, request)
            except Refused:
                continue
            hands, felt, _ = stage.candidates(shown, question.sentence, request, EACH, seed + number)
            values.append(ranking.values(felt, question.use.affordance in HOLDING))
            works.append(judge.works(question, hands, seed + number))
        found = torch.cat(values)
        ranking.normalise(found)
        return cls(ranking, found, torch.from_numpy(np.concatenate(works).astype(np.float32)))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Cross-entropy of some of them."""
        rows = torch.from_numpy(rng.integers(len(self.works), size=BATCH))
        logits = model(self.values[rows].to(device))
        return {"cross_entropy": functional.binary_cross_entropy_with_logits(logits, self.works[rows].to(device))}
