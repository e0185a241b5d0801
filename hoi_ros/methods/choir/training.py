"""How JointDiffusion is trained (choir 4; methods 1.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.schedule import STEPS, alphas
from hoi_ros.learning.trainer import Recipe
from hoi_ros.methods.choir.draws import Batch, Drawn, Draws, Modality
from hoi_ros.methods.choir.joint_diffusion import CONTACT_UNIT, JointDiffusion, Predicts, normal_field
from hoi_ros.methods.choir.pairs import Pairs
from hoi_ros.methods.choir.refinery import Refinery, entered_hands, left_hands
from hoi_ros.types import HandBatch

RECIPE = Recipe(steps=7_000, rate=1e-3)
CONTEXTS = 40  # of a batch
LAST = 0.75  # share of these whose step of noise is the last one, where a hand is refined from in one step
AGAIN = 0.25  # share of the batches whose hands the network has refined before, as in later passes
CONTACT_WEIGHT = 0.1  # in units of their deviation, contacts would outweigh the field at the code's 0.5
TINY = 1e-6  # beside squared errors: a square root has no slope at 0
SMALLEST = 0.2  # level of noise below which no hand counts for more


@dataclass(frozen=True)
class Denoising:
    """The training of one network."""

    model: JointDiffusion
    draws: Draws
    refinery: Refinery | None = None  # of refinement alone

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        seed: int,
        advance: Callable[[], None],
        _trained: Path | None = None,
        modality: Modality = "pair",
        predicts: Predicts = "clean",
        contacts: bool = True,
    ) -> Denoising:
        """Read the split ``train``; the same seed starts with the same network."""
        pairs = Pairs.of_split(dataset, "train", seed, advance)
        torch.manual_seed(seed)
        network = JointDiffusion(predicts=predicts, contacts=contacts)
        refines = modality == "pair" and predicts == "clean"  # of noise, one step tells nothing
        return cls(network, Draws(pairs, modality, CONTEXTS), Refinery(network) if refines else None)

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Errors of what the network predicts, of fields and of contacts."""
        batch, inner, in_one = self._batch(rng, device), self.model, self.refinery is not None
        steps = drawn_steps(rng, len(batch.level), in_one).to(device)
        kept = torch.from_numpy(alphas().astype(np.float32)).to(device)[steps][:, None]
        clean = (normal_field(inner.field(batch.anchors)), batch.contacts / CONTACT_UNIT)
        noises = [torch.from_numpy(rng.standard_normal(v.shape, dtype=np.float32)).to(device) for v in clean]
        noisy = [kept.sqrt() * v + (1.0 - kept).sqrt() * n for v, n in zip(clean, noises, strict=True)]
        found = model(batch.object, batch.noisy, batch.given, batch.told, *noisy, steps)
        wanted = [target(inner.predicts, v, n, kept) for v, n in zip(clean, noises, strict=True)]
        off = (found[0] - wanted[0]).square().mean(1)
        terms = {"field": weighed(off, batch.level * batch.given, steps, in_one)}
        if inner.config["contacts"]:
            terms["contacts"] = CONTACT_WEIGHT * (found[1] - wanted[1]).square().mean()
        return terms

    def _batch(self, rng: np.random.Generator, device: torch.device) -> Batch:
        if self.refinery is None or rng.random() > AGAIN:
            return self.draws(rng).to(device)
        passes = self.refinery.settings.passes
        drawn = self.draws.drawn(rng, self.refinery.settings.near)
        for before, left in pairwise(passes[: rng.integers(2, len(passes) + 1)]):
            hands = self._refined(self.refinery, drawn, device, int(rng.integers(2**31)))
            drawn = self.draws.again(drawn, hands, left / before)
        return self.draws.batch(drawn).to(device)

    def _refined(self, refinery: Refinery, drawn: Drawn, device: torch.device, seed: int) -> HandBatch:
        """The noisy hands after one pass, without its second stage, which takes longer than a step."""
        seen, place = self.draws.batch(drawn).to(device), drawn.place
        said = refinery.of_context(place, seen.object, seen.noisy, seen.given, seen.told, seed)
        fitted = refinery.fit_field(said, entered_hands(refinery.model, drawn.hands, place))
        return left_hands(refinery.model, fitted, place)


def drawn_steps(rng: np.random.Generator, count: int, in_one: bool) -> Tensor:
    """Steps of noise (N,): more of those with much, and mostly the last for what is refined ``in_one`` step."""
    steps = np.floor(STEPS * np.sqrt(rng.random(count))).astype(np.int64)
    last = rng.random(count) < LAST
    return torch.from_numpy(np.where(last, STEPS - 1, steps) if in_one else steps)


def weighed(off: Tensor, level: Tensor, steps: Tensor, in_one: bool) -> Tensor:
    """Weighted mean of squared errors (N,), in proportion to what could be gained at the hands' level of noise.

    Of what is refined ``in_one`` step, errors at the last one count and not their squares: of several places that a
    hand may hold, the likeliest is wanted, not one between them.
    """
    last = (steps == STEPS - 1) & in_one
    power, weight = torch.where(last, 0.5, 1.0), 1.0 / (SMALLEST + level).square()
    part, whole = (weight * off + TINY) ** power, weight**power
    kinds = (rows for rows in (last, ~last) if rows.any())
    return torch.stack([part[rows].sum() / whole[rows].sum() * rows.float().mean() for rows in kinds]).sum()


def target(predicts: Predicts, clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """What is to be predicted of something clean and its noise, where ``kept`` (B, 1) of its variance is left."""
    if predicts == "clean":
        return clean
    return noise if predicts == "noise" else kept.sqrt() * noise - (1.0 - kept).sqrt() * clean
