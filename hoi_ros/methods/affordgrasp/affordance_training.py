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
from hoi_ros.scene.clouds import farthest_points, sample_surface, seen_from
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

RECIPE = Recipe(steps=5000, rate=2e-3, every=200)
CLOUDS, REQUESTS = 12, 3  # of a batch, and of each cloud
POINTS = 2048  # of a cloud
JUDGED = 512  # of them that a step answers about
FIRST = 512  # points farthest from each other: the finest level of the point encoder
SURFACE = 8192  # points of each object to draw from
SPREAD = 2048  # of them that are ordered
VIEWS = 8  # of each object, from all around and above
SENTENCES, SCORED_SENTENCES = 16, 2  # for each use
CONTRADICTIONS = 4  # uses that the object does not have, of each sample
UNUSED = CONTRADICTIONS + 2  # requests of a sample that the object does not afford
EMPTY = 0.35  # share of sentences that ask for nothing the object affords
PARTIAL = 0.5  # share of clouds seen from one side
NOISE = 0.001  # m
BENT = 0.1  # of the normals
FLIPPED = 0.1  # share of clouds whose normals look inwards, as those that are estimated may
TILT = np.radians(10.0)
_REFUSED = (Affordance.NO_GRASP, Affordance.NULL)


@dataclass(frozen=True)
class Sample:
    """An object as points, what can be asked of it, and which points that means."""

    name: str
    category: str
    points: Array  # (S, 3) m
    normals: Array  # (S, 3) unit
    order: NDArray[np.intp]  # (S,) rows, the first ``SPREAD`` of them farthest first
    views: NDArray[np.bool_]  # (V, S) seen from each viewpoint
    asked: tuple[str, ...]  # affordance of each request
    parts: NDArray[np.bool_]  # (R, S) the part of each request; of requests that the object does not afford, empty
    masks: NDArray[np.bool_]  # (R, S) the same with all that are alike: a cloud does not tell left from right
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
    """An object with ``sentences`` for each of its uses, for both ways of asking for nothing, and for uses it lacks."""
    points, normals, parts = sample_surface(obj, SURFACE, rng)
    lacked = [contradiction(obj, rng) for _ in range(CONTRADICTIONS)]
    uses = [*obj.uses, *(Use(kind, obj.part_names[0], ()) for kind in _REFUSED), *lacked]
    own = np.array([parts == obj.part(use.part) for use in uses])
    masks = np.array([np.isin(parts, alike(obj, use)) for use in uses])
    own[-UNUSED:] = masks[-UNUSED:] = False
    texts = tuple(_texts(encoder, write(obj, use, rng, sentences, held_out)) for use in uses)
    views = np.array([seen_from(obj, points, normals, eye) for eye in _eyes(points, rng)])
    first = farthest_points(points, SPREAD)
    order = np.concatenate([first, np.setdiff1d(np.arange(SURFACE), first)])
    asked = tuple(str(use.affordance) for use in uses)
    return Sample(obj.name, obj.category, points, normals, order, views, asked, own, masks, texts)


def alike(obj: ObjectModel, use: Use) -> list[int]:
    """Numbers of the parts that a use may mean: a cloud does not say which of two is the left one."""
    names = {other.part for other in obj.uses if other.affordance is use.affordance and _side(other) == _side(use)}
    return [obj.part(name) for name in names | {use.part}]


def _side(use: Use) -> str:
    return use.part.removeprefix("left ").removeprefix("right ")


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


@dataclass(frozen=True)
class Batch:
    """Clouds and what is asked of them."""

    points: Tensor  # (C, N, 3) in the unit ball, farthest first
    normals: Tensor  # (C, N, 3) unit
    radius: Tensor  # (C,) m
    text: Text  # (B, ...) those of a cloud one after another, as many of each
    mask: Tensor  # (B, N)

    @classmethod
    def of(cls, points: Array, normals: Array, texts: Sequence[Text], mask: Array) -> Batch:
        """From points (C, N, 3), m, farthest first."""
        ball, radius = unit_ball(torch.from_numpy(points.astype(np.float32)))
        directions, wanted = (torch.from_numpy(values.astype(np.float32)) for values in (normals, mask))
        return cls(ball, directions, radius, pad(texts), wanted)


class Draws:
    """Batches for training."""

    def __init__(
        self, found: Sequence[Sample], points: int = POINTS, clouds: int = CLOUDS, requests: int = REQUESTS
    ) -> None:
        self._samples, self._points, self._clouds, self._requests = found, points, clouds, requests

    def __call__(self, rng: np.random.Generator) -> Batch:
        """Clouds turned about the vertical and a little over, with a sensor's noise, each asked several things."""
        clouds, directions, masks, texts = [], [], [], []
        for number in rng.integers(len(self._samples), size=self._clouds):
            sample = self._samples[number]
            chosen = rows_of_cloud(sample, self._points, rng)
            turn, size = _turn(rng), rng.uniform(0.9, 1.1)
            cloud = size * sample.points[chosen] @ turn.T
            bent = sample.normals[chosen] @ turn.T + rng.normal(0.0, BENT, cloud.shape)
            if rng.random() < FLIPPED:
                bent = -bent
            clouds.append(cloud + rng.normal(0.0, NOISE, cloud.shape))
            directions.append(bent / np.linalg.norm(bent, axis=1, keepdims=True))
            for request in _requests(sample, self._requests, rng):
                masks.append(sample.masks[request, chosen])
                texts.append(sample.texts[request][rng.integers(len(sample.texts[request]))])
        return Batch.of(np.array(clouds), np.array(directions), texts, np.array(masks))


def _requests(sample: Sample, count: int, rng: np.random.Generator) -> Array:
    """Rows (count,) of requests, a share ``EMPTY`` of them for what the object does not afford."""
    uses = len(sample.asked) - UNUSED
    empty = rng.random(count) < EMPTY
    return np.where(empty, rng.integers(uses, len(sample.asked), count), rng.integers(uses, size=count))


def rows_of_cloud(sample: Sample, count: int, rng: np.random.Generator, partial: float = PARTIAL) -> NDArray[np.intp]:
    """Rows (N,) of ``count`` points of a sample, about farthest first, with a chance ``partial`` of one view alone."""
    seen = sample.views[rng.integers(VIEWS)] if rng.random() < partial else np.ones(SURFACE, dtype=bool)
    rows = sample.order[seen[sample.order]]
    if len(rows) < 64:
        rows = sample.order
    spread, rest = rows[: round(1.25 * FIRST)], rows[round(1.25 * FIRST) :]
    first = spread[np.sort(rng.choice(len(spread), min(FIRST, len(spread)), replace=False))]
    more = count - len(first)
    return np.concatenate([first, rng.choice(rest if len(rest) else spread, more, replace=len(rest) < more)])


def _turn(rng: np.random.Generator) -> Array:
    """About the vertical by any angle, then over by a small one, (3, 3)."""
    turn = Rotation.from_rotvec(rng.normal(0.0, TILT, 3) * [1.0, 1.0, 0.0]) * Rotation.from_euler(
        "z", rng.uniform(0.0, 2.0 * np.pi)
    )
    matrix: Array = turn.as_matrix()
    return matrix


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
        batch = self.draws(rng)
        rows = torch.from_numpy(rng.permutation(batch.mask.shape[1])[:JUDGED])
        shown = (batch.points, batch.normals, batch.radius, batch.text, rows)
        logits = model(*(values.to(device) for values in shown))
        return affordance_loss(logits.float(), batch.mask[:, rows].to(device))


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
                chosen = rows_of_cloud(sample, POINTS, rng, partial)
                mask = sample.masks[request, chosen]
                one = Batch.of(sample.points[None, chosen], sample.normals[None, chosen], [text], mask[None])
                logits = model(one.points, one.normals, one.radius, one.text)
                probability = logits.sigmoid()[0].numpy().astype(np.float64)
                if not sample.masks[request].any():
                    highest.append(probability.max())
                elif mask.any():
                    predicted.append(probability)
                    true.append(mask.astype(np.float64))
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
