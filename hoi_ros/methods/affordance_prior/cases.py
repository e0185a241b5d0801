"""Hands in pictures of the engine's objects, as they are and as estimators take them to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures import decode
from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import HandModel
from hoi_ros.methods.affordance_prior.evidence import Object
from hoi_ros.methods.affordance_prior.guidance import Guide, Seen
from hoi_ros.methods.affordance_prior.occlusion import joints_hidden
from hoi_ros.methods.landmarks import LandmarksEstimator
from hoi_ros.metrics.hands import mpjpe
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Refused
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.types import Array, CameraFrame, HandBatch, Intrinsics

POINTS = 2048  # of an object's surface
NOISE = 0.15  # of a joint's range: the deviation of hidden ones in an estimate
FLAW = 0.01  # and of those that are seen
FOUND = 0.05  # m from the true keypoints: beyond, it is another hand, or none

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """True hands in pictures of one object."""

    name: str
    things: list[Object]  # N, in the cameras' frames
    hands: HandBatch  # N
    hidden: Mask  # (N, 21)
    instructions: list[str]  # N
    told: list[str]  # N, by those who know the grasp
    pictures: pa.Table  # N

    def __len__(self) -> int:
        return len(self.hands)

    def frame(self, row: int) -> CameraFrame:
        """A picture with its depth."""
        (values,) = self.pictures.slice(row, 1).to_pylist()
        depth = decode(values["depth"]).astype(np.float32) / 1000.0
        return CameraFrame(decode(values["rgb"]).astype(np.uint8), Intrinsics(*values["intrinsics"]), depth)

    def take(self, rows: NDArray[np.int64]) -> Case:
        """Some of its pictures."""
        return Case(
            self.name,
            [self.things[row] for row in rows],
            self.hands[rows],
            self.hidden[rows],
            [self.instructions[row] for row in rows],
            [self.told[row] for row in rows],
            self.pictures.take(rows),
        )


@dataclass(frozen=True)
class Estimated:
    """Pictures, what an estimator takes their hands to be, and how sure it is of the keypoints (N, 21), 0..1."""

    case: Case
    hands: HandBatch
    confidence: Array


def cases(dataset: Dataset, split: Split, each: int, seed: int) -> Iterator[Case]:
    """Up to ``each`` pictures of every object of a split."""
    grasps = {table["object"][0].as_py(): table for table in dataset.tables("grasps", split) if table.num_rows}
    for number, pictures in enumerate(dataset.tables("pictures", split)):
        if not pictures.num_rows:
            continue
        rng = np.random.default_rng([seed, number])
        name = pictures["object"][0].as_py()
        table, chosen = grasps[name], np.sort(rng.permutation(pictures.num_rows)[:each])
        of = {value: row for row, value in enumerate(table["number"].to_pylist())}
        rows = np.array([of[value] for value in column(pictures, "grasp")[chosen]])
        pose, betas = column(table, "pose").astype(np.float64)[rows], column(table, "betas").astype(np.float64)[rows]
        orient, transl = (column(pictures, key).astype(np.float64)[chosen] for key in ("global_orient", "transl"))
        points = sample_surface(dataset.object(name), POINTS, rng)[0]
        places = column(pictures, "object_pose").astype(np.float64)[chosen]
        things = [Object.of(Rotation.from_quat(place[3:]).apply(points) + place[:3]) for place in places]
        words = table.select(["instructions", "affordance_description"]).to_pylist()
        yield Case(
            name,
            things,
            HandBatch(orient, pose[:, 3:], betas, transl),
            ~column(pictures, "visible")[chosen].reshape(-1, 21).astype(bool),
            [words[row]["instructions"][0] for row in rows],
            [words[row]["affordance_description"] for row in rows],
            pictures.take(chosen),
        )


class Noisy:
    """Errs as one that sees: angles of hidden joints by `NOISE` of their range, seen keypoints next to nothing."""

    def __init__(self, model: HandModel) -> None:
        self._model, self._guide = model, Guide(model)

    def __call__(self, case: Case, rng: np.random.Generator) -> Estimated:
        """All hands of a case."""
        hands, limits = case.hands, self._guide.limits
        free = joints_hidden(case.hidden)[:, limits.joint - 1]
        scale = np.where(free, NOISE, FLAW) * (limits.upper - limits.lower)
        noisy = limits.to_angles(hands.hand_pose) + scale * rng.standard_normal(free.shape)
        true = self._model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        seen = Seen.of(hands, true, case.hidden, camera=True)
        angles, _ = self._guide.guided(noisy, scale**-2.0, seen, 4)
        estimate = HandBatch(hands.global_orient, limits.to_pose(angles), hands.betas, hands.transl)
        return Estimated(case, estimate, np.ones(case.hidden.shape))


class Landmarks:
    """The ``landmarks`` estimator, on the pictures in which it finds the right hand where it is."""

    def __init__(self, model: HandModel) -> None:
        self._estimator = LandmarksEstimator(Parameters(), model)

    def __call__(self, case: Case, _rng: np.random.Generator) -> Estimated:
        """The pictures of a case that were answered."""
        truth = column(case.pictures, "keypoints").astype(np.float64).reshape(-1, 21, 3)
        rows, found = [], []
        for row in range(len(case)):
            self._estimator.reset()
            try:
                hands = self._estimator.estimate(case.frame(row))
            except Refused:
                continue
            right = [hand for hand in hands if hand.side == "right" and mpjpe(hand.keypoints, truth[row]) < FOUND]
            if right:
                rows.append(row)
                found.append(right[0])
        chosen = case.take(np.array(rows, dtype=np.int64))
        sure = np.array([hand.confidence for hand in found]).reshape(-1, 21)
        return Estimated(chosen, HandBatch.of(found) if found else case.hands[:0], sure)
