"""Training and scoring of the Affordance Generator on the engine's objects: whole clouds and single views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.language.encoder import Text, TextEncoder, pad
from hoi_ros.language.instructions import write
from hoi_ros.language.phrasings import PHRASINGS
from hoi_ros.learning.trainer import Recipe
from hoi_ros.learning.weights import load, load_shipped
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator, affordance_loss
from hoi_ros.methods.affordgrasp.point_net import unit_ball
from hoi_ros.metrics.affordance import affordance_scores
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.clouds import sample_surface, seen_from
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

RECIPE = Recipe(steps=6000, rate=2e-3)
BATCH = 16
POINTS = 1024  # of a cloud in training: half as many as in use
FIRST = 256  # points farthest from each other: the finest level of the point encoder
SURFACE = 4096  # points of each object to draw from
VIEWS = 8  # of each object, from all around and above
SENTENCES, SCORED_SENTENCES = 8, 2  # for each use
UNUSED = 3  # requests of a sample that the object does not afford
EMPTY = 0.2  # share of sentences that ask for nothing the object affords
PARTIAL = 0.5  # share of clouds seen from one side
NOISE = 0.001  # m
TILT = np.radians(10.0)
_REFUSED = (Affordance.NO_GRASP, Affordance.NULL)


@dataclass(frozen=True)
class Sample:
    """An object as points, what can be asked of it, and which points that means."""

    name: str
    category: str
    points: Array  # (S, 3) m
    views: NDArray[np.bool_]  # (V, S) seen from each viewpoint
    asked: tuple[str, ...]  # affordance of each request
    masks: NDArray[np.bool_]  # (R, S); of requests that the object does not afford, empty
    texts: tuple[tuple[Text, ...], ...]  # (R, sentences)


def samples(
    dataset: Dataset, split: Split, encoder: TextEncoder, seed: int, sentences: int, held_out: bool = False
) -> Iterator[Sample]:
    """Every object of a split."""
    for number, record in enumerate(dataset.units(split)):
        yield sample_of(
            dataset.object(record.name), encoder, np.random.default_rng([seed, number]), sentences, held_out
        )


def sample_of(
    obj: ObjectModel, encoder: TextEncoder, rng: np.random.Generator, sentences: int, held_out: bool = False
) -> Sample:
    """An object with ``sentences`` for each of its uses, for both ways of asking for nothing, and for what it lacks."""
    points, normals, parts = sample_surface(obj, SURFACE, rng)
    uses = [*obj.uses, *(Use(kind, obj.part_names[0], ()) for kind in _REFUSED), contradiction(obj, rng)]
    masks = np.array([parts == obj.part(use.part) for use in uses])
    masks[-UNUSED:] = False
    texts = tuple(_texts(encoder, write(obj, use, rng, sentences, held_out)) for use in uses)
    views = np.array([seen_from(obj, points, normals, eye) for eye in _eyes(points, rng)])
    return Sample(obj.name, obj.category, points, views, tuple(str(use.affordance) for use in uses), masks, texts)


def _texts(encoder: TextEncoder, sentences: Sequence[str]) -> tuple[Text, ...]:
    found = encoder.encode(sentences)
    return tuple(Text(tokens[mask].half(), mask[mask]) for tokens, mask in zip(found.tokens, found.mask, strict=True))


def contradiction(obj: ObjectModel, rng: np.random.Generator) -> Use:
    """A use that the object does not have, of one of its parts."""
    had = {use.affordance for use in obj.uses}
    free = [kind for kind in PHRASINGS if kind not in had and kind not in _REFUSED]
    return Use(free[rng.integers(len(free))], obj.uses[rng.integers(len(obj.uses))].part, ())


def _eyes(points: Array, rng: np.random.Generator) -> Array:
    """Viewpoints (V, 3) half a metre away or more, from a little below the horizon to the top."""
    around = 2.0 * np.pi * (np.arange(VIEWS) + rng.random()) / VIEWS
    height = np.radians(rng.uniform(-10.0, 80.0, VIEWS))
    ways = np.stack([np.cos(around) * np.cos(height), np.sin(around) * np.cos(height), np.sin(height)], axis=1)
    return points.mean(axis=0) + (0.5 + np.ptp(points, axis=0).max()) * ways


class Draws:
    """Batches for training: points (B, N, 3) in the unit ball, radius (B,) m, text, masks (B, N)."""

    def __init__(self, found: Sequence[Sample], count: int = POINTS, batch: int = BATCH) -> None:
        self._samples, self._count, self._batch = found, count, batch

    def __call__(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Text, Tensor]:
        """A batch of different objects, turned about the vertical and a little over, with a sensor's noise."""
        clouds, masks, texts = [], [], []
        for number in rng.integers(len(self._samples), size=self._batch):
            sample = self._samples[number]
            uses = len(sample.asked) - UNUSED
            request = rng.integers(uses) if rng.random() > EMPTY else rng.integers(uses, len(sample.asked))
            cloud, mask = cloud_of(sample, int(request), self._count, rng)
            clouds.append(cloud @ _turn(rng).T + rng.normal(0.0, NOISE, cloud.shape))
            masks.append(mask)
            texts.append(sample.texts[request][rng.integers(len(sample.texts[request]))])
        points, radius = unit_ball(torch.from_numpy(np.array(clouds, dtype=np.float32)))
        order = farthest_first(points, FIRST)
        return (
            points.gather(1, order[..., None].expand(-1, -1, 3)),
            radius,
            pad(texts),
            torch.from_numpy(np.array(masks, dtype=np.float32)).gather(1, order),
        )


def cloud_of(
    sample: Sample, request: int, count: int, rng: np.random.Generator, partial: float = PARTIAL
) -> tuple[Array, NDArray[np.bool_]]:
    """``count`` points (N, 3), m, of a sample and their mask (N,), with a chance ``partial`` of one view alone."""
    seen = np.flatnonzero(sample.views[rng.integers(VIEWS)]) if rng.random() < partial else np.arange(SURFACE)
    if len(seen) < 64:
        seen = np.arange(SURFACE)
    chosen = rng.choice(seen, size=count, replace=len(seen) < count)
    return sample.points[chosen], sample.masks[request, chosen]


def _turn(rng: np.random.Generator) -> Array:
    """About the vertical by any angle, then over by a small one; a size of 0.9 to 1.1."""
    turn = Rotation.from_rotvec(rng.normal(0.0, TILT, 3) * [1.0, 1.0, 0.0]) * Rotation.from_euler(
        "z", rng.uniform(0.0, 2.0 * np.pi)
    )
    scaled: Array = rng.uniform(0.9, 1.1) * turn.as_matrix()
    return scaled


def farthest_first(points: Tensor, count: int) -> Tensor:
    """Order (B, N) of points (B, N, 3) that begins with ``count`` as far apart as can be."""
    size, total = points.shape[:2]
    nearest = torch.full((size, total), torch.inf)
    rows = torch.arange(size)
    last = points.square().sum(-1).argmax(1)
    chosen = []
    for _ in range(min(count, total)):
        chosen.append(last)
        nearest = torch.minimum(nearest, (points - points[rows, last][:, None]).square().sum(-1))
        nearest[rows, last] = -1.0
        last = nearest.argmax(1)
    left = nearest.argsort(dim=1, descending=True)[:, : total - len(chosen)]
    return torch.cat([torch.stack(chosen, dim=1), left], dim=1)


@dataclass(frozen=True)
class Affordances:
    """The training of the generator: what ``learning.trainer`` asks of a task."""

    model: AffordanceGenerator
    draws: Draws

    @classmethod
    def of(cls, dataset: Dataset, seed: int, advance: Callable[[], None]) -> Affordances:
        """Read the split ``train``; the same seed starts with the same network."""
        torch.manual_seed(seed)
        encoder = TextEncoder()
        found = []
        for sample in samples(dataset, "train", encoder, seed, SENTENCES):
            found.append(sample)
            advance()
        return cls(AffordanceGenerator(encoder.width), Draws(found))

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Terms of the loss of one step."""
        points, radius, text, mask = self.draws(rng)
        logits = model(points.to(device), radius.to(device), text.to(device))
        return affordance_loss(logits, mask.to(device))


@torch.inference_mode()
def score(
    model: AffordanceGenerator, found: Sequence[Sample], seed: int, partial: float = 0.0
) -> dict[str, dict[str, float]]:
    """Scores [Affordance, LASO] over all, and of each affordance and category, of every sentence of ``found``.

    Clouds have as many points as in use. Beside them, of sentences that ask for nothing the object affords, the
    share whose highest probability stays below one half ("refused").
    """
    rng = np.random.default_rng(seed)
    predicted, true, kinds, categories, highest = [], [], [], [], []
    for sample in found:
        for request, texts in enumerate(sample.texts):
            for text in texts:
                cloud, mask = cloud_of(sample, request, 2 * POINTS, rng, partial)
                points, radius = unit_ball(torch.from_numpy(cloud.astype(np.float32))[None])
                order = farthest_first(points, FIRST)
                logits = model(points.gather(1, order[..., None].expand(-1, -1, 3)), radius, pad([text]))
                probability = logits.sigmoid()[0].numpy().astype(np.float64)
                if not sample.masks[request].any():
                    highest.append(probability.max())
                elif mask.any():
                    predicted.append(probability)
                    true.append(mask[order[0].numpy()].astype(np.float64))
                    kinds.append(sample.asked[request])
                    categories.append(sample.category)
    scores = affordance_scores(np.array(predicted), np.array(true))
    groups = {"all": np.ones(len(kinds), dtype=bool)}
    groups |= {name: np.array(kinds) == name for name in sorted(set(kinds))}
    groups |= {name: np.array(categories) == name for name in sorted(set(categories))}
    table = {
        name: {"maps": int(rows.sum())} | {figure: float(np.nanmean(v[rows])) for figure, v in vars(scores).items()}
        for name, rows in groups.items()
    }
    table["nothing"] = {"maps": len(highest), "refused": float(np.mean(np.array(highest) < 0.5))}
    return table


def score_splits(
    dataset: Dataset, weights: Path | None, seed: int, advance: Callable[[], None]
) -> dict[str, dict[str, dict[str, float]]]:
    """Tables of new instances, of the unseen categories, of held-out phrasings, and of single views."""
    model = AffordanceGenerator.load(load(weights) if weights else load_shipped("affordgrasp_affordance"))
    encoder = TextEncoder()
    tables = {}
    for name, split, held_out, partial in (
        ("test", "test", False, 0.0),
        ("unseen", "unseen", False, 0.0),
        ("held_out", "test", True, 0.0),
        ("one_view", "test", False, 1.0),
    ):
        found = list(samples(dataset, split, encoder, seed, SCORED_SENTENCES, held_out))  # type: ignore[arg-type]
        tables[name] = score(model, found, seed, partial)
        advance()
    return tables
