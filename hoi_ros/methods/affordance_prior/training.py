"""How the prior and its twin without words are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.language.encoder import Text, TextEncoder
from hoi_ros.learning.schedule import STEPS, alphas
from hoi_ros.learning.trainer import Recipe
from hoi_ros.methods.affordance_prior.poses import Poses, Sentences
from hoi_ros.methods.affordance_prior.prior import JOINTS, AffordancePrior, silence

RECIPE = Recipe(steps=6_000, rate=1e-3)
BATCH = 128
UNTOLD = 0.15  # share of the poses without a description [classifier-free guidance]
BY_OTHERS = 0.35  # share of the descriptions by those who know the grasp
WHOLE = 0.4  # share of the poses none of whose joints is seen
HIDDEN = 0.5  # of the digits of the others
FLAWLESS = 0.4  # share of the poses whose seen joints are as they are
FLAWED = 200  # steps of noise, at most, of those of the others: estimates are never quite right
LEAST = 0.02  # rad: axes that never turn have no deviation of their own


@dataclass(frozen=True)
class Denoising:
    """The training of one network."""

    model: AffordancePrior
    poses: Poses
    sentences: Sentences | None  # None: nothing is told

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        seed: int,
        advance: Callable[[], None],
        _trained: Path | None = None,
        told: bool = True,
    ) -> Denoising:
        """Read the split ``train``; the same seed starts with the same network."""
        poses = Poses.of_split(dataset, "train", seed, advance)
        torch.manual_seed(seed)
        model = AffordancePrior(told=told)
        model.mean.copy_(torch.from_numpy(poses.values.mean(axis=0)))
        model.deviation.copy_(torch.from_numpy(poses.values.std(axis=0).clip(min=LEAST)))
        everything = [sentence for each in (*poses.told, *poses.ours) for sentence in each if sentence]
        return cls(model, poses, Sentences(TextEncoder(), everything) if told else None)

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Error of the clean poses of joints that are not seen."""
        rows = rng.integers(len(self.poses.values), size=BATCH)
        clean = self.model.entered(torch.from_numpy(self.poses.values[rows]).float().to(device))
        hidden = hidden_joints(rng, BATCH)
        flaw = rng.integers(FLAWED, size=BATCH) * (rng.random(BATCH) > FLAWLESS)
        steps = np.where(hidden, rng.integers(STEPS, size=BATCH)[:, None], flaw[:, None])
        kept = torch.from_numpy(alphas()[steps].astype(np.float32)).to(device)[..., None]
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32)).to(device)
        noisy = kept.sqrt() * clean + (1.0 - kept).sqrt() * noise
        said = self.model.hear(self._text(rows, rng).to(device))
        found = model(noisy, torch.from_numpy(steps).to(device), said)
        wanted = torch.from_numpy(hidden).to(device)[..., None]
        return {"pose": ((found - clean).square() * wanted).sum() / (3.0 * wanted.sum())}

    def _text(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Text:
        if self.sentences is None:
            return silence(len(rows))
        chosen = []
        for row in rows:
            among = (self.poses.told if rng.random() < BY_OTHERS else self.poses.ours)[row]
            chosen.append("" if rng.random() < UNTOLD else among[rng.integers(len(among))])
        return self.sentences.text(chosen)


def hidden_joints(rng: np.random.Generator, count: int) -> NDArray[np.bool_]:
    """(N, 15): all of a hand, or some digits from one of their joints on; never none."""
    first = np.where(rng.random((count, 5)) < HIDDEN, rng.integers(3, size=(count, 5)), 3)
    hidden = np.arange(3) >= first[..., None]
    hidden = hidden.reshape(count, JOINTS)
    return np.asarray(hidden | ((rng.random(count) < WHOLE) | ~hidden.any(axis=1))[:, None])
