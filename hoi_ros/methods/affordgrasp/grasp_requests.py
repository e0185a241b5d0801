"""Requests with the grasps that answer them, as the diffusion and the adjustment are trained on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.language.encoder import TextEncoder, pad
from hoi_ros.methods.affordgrasp.affordance_training import SENTENCES, Sample, samples
from hoi_ros.methods.affordgrasp.conditions import Asked
from hoi_ros.methods.affordgrasp.hand_surface import Hands, Skin
from hoi_ros.methods.affordgrasp.placing import Places
from hoi_ros.types import Array

REQUESTS, HANDS = 16, 8  # of a batch, and grasps for each
POINTS = 1024  # of a cloud
FIRST = 256  # points farthest from each other: the finest level of the point encoders
PARTIAL = 0.5  # share of clouds seen from one side
NOISE = 0.001  # m
TILT = np.radians(5.0)
LEAST = 16  # points of the part that must be seen: less of it is no request
SPOILT = 0.5  # share of the maps in which a ball of points is taken for what it is not


@dataclass(frozen=True)
class Grasps:
    """MANO parameters in the frames of their objects."""

    orient: NDArray[np.float32]  # (N, 3, 3)
    pose: NDArray[np.float32]  # (N, 45)
    betas: NDArray[np.float32]  # (N, 10)
    transl: NDArray[np.float32]  # (N, 3) m

    def hands(self, rows: NDArray[np.int64]) -> Hands:
        """Some of them as tensors."""
        return Hands(*(torch.from_numpy(values[rows]) for values in vars(self).values()))


@dataclass(frozen=True)
class Requests:
    """Every use of every object that has grasps."""

    samples: tuple[Sample, ...]
    grasps: Grasps
    asked: tuple[tuple[int, int, NDArray[np.int64]], ...]  # sample, request within it, rows of its grasps

    @classmethod
    def of(cls, dataset: Dataset, split: Split, seed: int, advance: Callable[[], None]) -> Requests:
        """Read a split."""
        found = []
        for sample in samples(dataset, split, TextEncoder(), seed, SENTENCES):
            found.append(sample)
            advance()
        table = dataset.table("grasps", split)
        pose = column(table, "pose")
        grasps = Grasps(
            Rotation.from_rotvec(pose[:, :3]).as_matrix().astype(np.float32),
            np.ascontiguousarray(pose[:, 3:]),
            column(table, "betas"),
            column(table, "transl"),
        )
        names, uses = np.array(table["object"].to_pylist()), column(table, "use")
        asked = []
        for number, sample in enumerate(found):
            of = np.flatnonzero(names == sample.name)
            asked += [(number, int(use), of[uses[of] == use]) for use in np.unique(uses[of])]
        return cls(tuple(found), grasps, tuple(asked))


@dataclass(frozen=True)
class Batch:
    """Requests, the grasps that answer them, and the whole surface, all in the requests' frames."""

    asked: Asked  # (B,)
    hands: Hands  # (B * K,)
    surface: Tensor  # (B, N, 3) m: points of the whole object, also where the cloud shows one side


class Draws:
    """Batches for training: ``requests`` requests with ``hands`` grasps each."""

    def __init__(self, found: Requests, skin: Skin, requests: int = REQUESTS, hands: int = HANDS) -> None:
        self._found, self._skin, self._requests, self._hands = found, skin, requests, hands

    def __call__(self, rng: np.random.Generator) -> Batch:
        """Objects turned about the vertical and a little over, whole or from one side, their maps somewhat spoilt."""
        clouds, masks, texts, surfaces, rows = [], [], [], [], []
        turns = torch.from_numpy(random_turns(rng, self._requests).as_matrix().astype(np.float32))
        for chosen in rng.integers(len(self._found.asked), size=self._requests):
            number, request, answers = self._found.asked[chosen]
            sample = self._found.samples[number]
            cloud, mask = cloud_of(sample, request, rng)
            if mask.sum() < LEAST:
                cloud, mask = cloud_of(sample, request, rng, partial=0.0)
            clouds.append(cloud + rng.normal(0.0, NOISE, cloud.shape))
            masks.append(spoilt(cloud, mask, rng))
            texts.append(sample.texts[request][rng.integers(len(sample.texts[request]))])
            surfaces.append(sample.points[rng.choice(len(sample.points), POINTS, replace=False)])
            rows.append(rng.choice(answers, self._hands))
        points, chances, whole = (torch.from_numpy(np.array(v, dtype=np.float32)) for v in (clouds, masks, surfaces))
        aside = Places(torch.zeros(self._requests, 3), turns)
        order = farthest_first(points, FIRST)
        points, chances = aside.leave(points.gather(1, order[..., None].expand(-1, -1, 3))), chances.gather(1, order)
        places = Places.of(points, chances)
        hands = self._found.grasps.hands(np.concatenate(rows))
        hands = aside.repeat(self._hands).leave_hands(self._skin, hands)
        return Batch(
            Asked(places.enter(points), chances, pad(texts)),
            places.repeat(self._hands).enter_hands(self._skin, hands),
            places.enter(aside.leave(whole)),
        )


def cloud_of(
    sample: Sample, request: int, rng: np.random.Generator, partial: float = PARTIAL
) -> tuple[Array, NDArray[np.bool_]]:
    """Points (N, 3), m, of a sample and which are of the asked part (N,), with a chance ``partial`` of one view."""
    whole = np.arange(len(sample.points))
    seen = np.flatnonzero(sample.views[rng.integers(len(sample.views))]) if rng.random() < partial else whole
    if len(seen) < 64:
        seen = whole
    chosen = rng.choice(seen, size=POINTS, replace=len(seen) < POINTS)
    return sample.points[chosen], sample.parts[request, chosen]


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


def random_turns(rng: np.random.Generator, count: int) -> Rotation:
    """About the vertical by any angle, then over by a small one."""
    over = Rotation.from_rotvec(rng.normal(0.0, TILT, (count, 3)) * [1.0, 1.0, 0.0])
    return over * Rotation.from_euler("z", rng.uniform(0.0, 2.0 * np.pi, (count, 1)))


def spoilt(points: Array, mask: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Probabilities (N,) as a generator might give them for the mask (N,) of points (N, 3)."""
    chance = np.where(mask, rng.uniform(0.8, 1.0, len(mask)), rng.uniform(0.0, 0.1, len(mask)))
    if rng.random() < SPOILT:
        centre = points[rng.integers(len(points))]
        radius = rng.uniform(0.02, 0.12) * np.linalg.norm(np.ptp(points, axis=0))
        wrong = np.linalg.norm(points - centre, axis=1) < radius
        if not (mask <= wrong).all():  # something of the part is left
            chance[wrong] = rng.uniform(0.0, 1.0)
    return chance
