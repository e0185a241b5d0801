"""How JointDiffusion is trained (choir 4; methods 1.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.schedule import STEPS, alphas
from hoi_ros.learning.trainer import Recipe
from hoi_ros.methods.choir.draws import Batch, Draws, Modality
from hoi_ros.methods.choir.joint_diffusion import CONTACT_UNIT, JointDiffusion, Predicts, normal_field
from hoi_ros.methods.choir.pairs import Pairs
from hoi_ros.methods.choir.refinery import Refinery, entered_hands, left_hands

RECIPE = Recipe(steps=7_000, rate=1e-3)
CONTEXTS = 40  # of a batch
LAST = 0.75  # share of these whose step of noise is the last one, where a hand is refined from in one step
AGAIN = 0.3  # share of the batches whose hands the network has refined before, as in later passes
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
        batch, inner = self._batch(rng, device), self.model
        steps = drawn_steps(rng, len(batch.level), self.refinery is not None).to(device)
        kept = torch.from_numpy(alphas().astype(np.float32)).to(device)[steps][:, None]
        clean = (normal_field(inner.field(batch.anchors)), batch.contacts / CONTACT_UNIT)
        noises = [torch.from_numpy(rng.standard_normal(v.shape, dtype=np.float32)).to(device) for v in clean]
        noisy = [kept.sqrt() * v + (1.0 - kept).sqrt() * n for v, n in zip(clean, noises, strict=True)]
        found = model(batch.object, batch.noisy, batch.given, batch.told, *noisy, steps)
        wanted = [target(inner.predicts, v, n, kept) for v, n in zip(clean, noises, strict=True)]
        off = (found[0] - wanted[0]).square().mean(1)
        terms = {"field": weighed(off, batch.level * batch.given, steps, self.refinery is not None)}
        if inner.config["contacts"]:
            terms["contacts"] = CONTACT_WEIGHT * (found[1] - wanted[1]).square().mean()
        return terms

    def _batch(self, rng: np.random.Generator, device: torch.device) -> Batch:
        drawn = self.draws.drawn(rng)
        if self.refinery is None or rng.random() > AGAIN:
            return self.draws.batch(drawn, rng).to(device)
        refinery, seen = self.refinery, self.draws.batch(drawn, rng).to(device)
        said = refinery.of_context(
            drawn.place, seen.object, seen.noisy, seen.given, seen.told, int(rng.integers(2**31))
        )
        fitted = refinery.fit_field(said, entered_hands(refinery.model, drawn.hands, drawn.place))
        hands = left_hands(refinery.model, fitted, drawn.place)
        left = rng.choice(refinery.settings.passes[1:])
        return self.draws.batch(self.draws.again(drawn, hands, float(left)), rng).to(device)


def drawn_steps(rng: np.random.Generator, count: int, refines: bool) -> Tensor:
    """Steps of noise (N,): more of those with much, and for what ``refines`` hands mostly the last."""
    steps = np.floor(STEPS * np.sqrt(rng.random(count))).astype(np.int64)
    last = rng.random(count) < LAST
    return torch.from_numpy(np.where(last, STEPS - 1, steps) if refines else steps)


def weighed(off: Tensor, level: Tensor, steps: Tensor, refines: bool) -> Tensor:
    """Mean of squared errors (N,) in proportion to what could be gained: hands of little noise by what they may have.

    Where a hand is refined in one step, the error counts and not its square: of several places that it may hold, the
    likeliest is wanted, not one between them.
    """
    weight = 1.0 / (SMALLEST + level).square()
    part = weight * off
    if refines:
        part = torch.where(steps == STEPS - 1, (part + TINY).sqrt(), part)
    return part.mean() / weight.mean()


def target(predicts: Predicts, clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """What is to be predicted of something clean and its noise, where ``kept`` (B, 1) of its variance is left."""
    if predicts == "clean":
        return clean
    return noise if predicts == "noise" else kept.sqrt() * noise - (1.0 - kept).sqrt() * clean
