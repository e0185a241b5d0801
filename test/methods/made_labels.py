"""Networks that answer by rule, and a dataset of a few objects: what the tests of pseudo-labels measure against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor, nn

from hoi_ros.dataset.manifest import Conditions, Record, check_conditions, table_path, write_manifest
from hoi_ros.dataset.objects import make_object
from hoi_ros.dataset.presets import split_of
from hoi_ros.dataset.reader import object_row
from hoi_ros.dataset.shards import digest, encode, write_whole
from hoi_ros.language.encoder import Text

SURE = 8.0  # logit


class Words:
    """An encoder that hears one thing: whether a sentence speaks of a cap."""

    def encode(self, sentences: Sequence[str]) -> Text:
        heard = torch.tensor([[[1.0 if "cap" in sentence.lower() else 0.0]] for sentence in sentences])
        return Text(heard, torch.ones(len(sentences), 1, dtype=torch.bool))


class Top(nn.Module):
    """Knows that the cap is the upper part of the unit ball and that all else is the body."""

    def __init__(self, height: float = 0.55, logit: float = SURE) -> None:
        super().__init__()
        self.height, self.logit = height, logit

    def forward(self, points: Tensor, normals: Tensor, scale: Tensor, text: Text) -> Tensor:
        cap = points[..., 2] > self.height
        return torch.where(cap == (text.tokens[:, 0] > 0.5), self.logit, -self.logit)


class Constant(nn.Module):
    """Says the same of every point."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.logit = float(np.log(probability / (1.0 - probability)))

    def forward(self, points: Tensor, normals: Tensor, scale: Tensor, text: Text) -> Tensor:
        return torch.full(points.shape[:2], self.logit)


class Guess(nn.Module):
    """Says something else of half of the points every time it is asked."""

    def forward(self, points: Tensor, normals: Tensor, scale: Tensor, text: Text) -> Tensor:
        return SURE * torch.sign(torch.randn(points.shape[:2]))


def post() -> trimesh.Trimesh:
    """A square post, 6 cm wide and 20 cm high."""
    return trimesh.creation.box((0.06, 0.06, 0.2))


def engine(folder: Path, categories: Sequence[str] = ("bottle", "mug"), indices: Sequence[int] = (0, 8, 9)) -> Path:
    """A dataset of objects without grasps: of each category instances of the splits train, val and test."""
    conditions = Conditions("tiny", 0, tuple(categories), False, "made up")
    check_conditions(folder, conditions)
    records = {}
    for category in categories:
        for index in indices:
            obj = make_object(category, index, 0)
            split = split_of(category, index)
            data = encode("objects", [object_row(obj, split, np.zeros(10))])
            write_whole(table_path(folder, "objects", obj.name), data)
            record = Record(obj.name, category, split, {"objects": digest(data)}, {"objects": 1}, {}, {})
            record.save(folder)
            records[obj.name] = record
    write_manifest(folder, conditions, records)
    return folder
