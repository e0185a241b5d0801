"""Figures of the prior: hidden keypoints of the engine's pictures, before and after."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import HandModel, load_hand_model, rotations
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.methods.affordance_prior.cases import Case, Landmarks, Noisy, cases
from hoi_ros.methods.affordance_prior.describer import Known, describe
from hoi_ros.methods.affordance_prior.evidence import Witness
from hoi_ros.methods.affordance_prior.occlusion import hidden_keypoints
from hoi_ros.methods.affordance_prior.refiner import heard
from hoi_ros.methods.affordance_prior.refinery import PriorRefinery, Refined
from hoi_ros.metrics.hands import pa_mpjpe
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandBatch, HandPose

FINGERS = np.array([k for k in range(21) if k and k % 4 != 1])  # keypoints that finger joints move
PALM = np.array([k for k in range(21) if k % 4 == 1 or not k])
WITHIN = 1.443  # deviations within which nine in ten errors lie, were they normal in three directions
GROUPS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.01))  # shares of the fingers' keypoints that are hidden
ESTIMATORS: Mapping[str, Callable[[HandModel], Noisy | Landmarks]] = {"noise": Noisy, "landmarks": Landmarks}

Mask = NDArray[np.bool_]
Words = Callable[["Question", "Question"], Sequence[str]]
"""Descriptions (N,) for a question, from it and from one of another object."""


@dataclass(frozen=True)
class Question:
    """Estimated hands (N,), what is said to be hidden of them (N, 21), and what the pipeline knows."""

    case: Case
    estimate: HandBatch
    hidden: Mask
    known: list[Known]


WORDS: Mapping[str, Words] = {
    "described": lambda own, _other: [describe(each) for each in own.known],
    "silent": lambda own, _other: [""] * len(own.known),
    "wrong": lambda own, other: [describe(other.known[row % len(other.known)]) for row in range(len(own.known))],
    "without_contacts": lambda own, _other: [describe(replace(k, touched=None, unseen=None)) for k in own.known],
    "without_instruction": lambda own, _other: [describe(replace(k, instruction="")) for k in own.known],
    "told_all": lambda own, _other: own.case.told,
}
"""What the prior is told, by the row's name; ``told_all`` by those who know the grasp, which no pipeline does."""


def questions(
    dataset: Dataset, split: Split, estimator: str, each: int, seed: int, advance: Callable[[], None]
) -> list[Question]:
    """Of up to ``each`` pictures of every object of a split. Raises Refused(FILE) where no hand is found in any."""
    model = load_hand_model()
    errs, witness = ESTIMATORS[estimator](model), Witness(model)
    found = []
    for number, case in enumerate(cases(dataset, split, each, seed)):
        seen = errs(case, np.random.default_rng([seed, number]))
        advance()
        if not len(seen.hands):
            continue
        hidden, known = [], []
        for row, thing in enumerate(seen.case.things):
            one = seen.hands[row : row + 1]
            lost = hidden_keypoints(model, _pose(model, one, seen.confidence[row]), thing.points)
            hidden.append(lost)
            known += witness.known(one, lost[None], thing, [seen.case.instructions[row]])
        found.append(Question(seen.case, seen.hands, np.array(hidden), known))
    if not found:
        raise Refused(Reason.FILE, f"{dataset.folder} has no picture of the split '{split}' in which a hand is found")
    return found


def _pose(model: HandModel, hands: HandBatch, confidence: Array) -> HandPose:
    """One right hand, for what asks where it is."""
    orient, pose, betas, transl = (values[0] for values in vars(hands).values())
    keypoints = model.joints(orient, pose, betas, transl)[0]
    return HandPose("right", 1.0, orient, pose, betas, transl, keypoints, np.zeros(7), np.zeros((21, 2)), confidence)


def score(
    asked: Sequence[Question], refineries: Mapping[str, tuple[PriorRefinery, str]], seed: int
) -> dict[str, dict[str, Any]]:
    """Figures of rows: each a network and the name of what it is told."""
    encoder = TextEncoder()
    found = {}
    for name, (refinery, words) in refineries.items():
        parts = []
        for number, question in enumerate(asked):
            other = asked[(number + len(asked) // 2) % len(asked)]
            text = heard(encoder, WORDS[words](question, other))
            started = time.perf_counter()
            better = refinery.refine(question.estimate, question.hidden, text, seed=seed)
            parts.append(measured(refinery.model, question, better, time.perf_counter() - started))
        found[name] = Figures.joined(parts).table()
    return found


def measured(model: HandModel, question: Question, better: Refined, seconds: float) -> Figures:
    """Of one question, in the true palm's frame: the prior moves no wrist."""
    before, after, true = (
        model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        for hands in (question.estimate, better.hands, question.case.hands)
    )
    turn, shift = rotations.align(before[:, PALM], true[:, PALM], np.ones((len(true), len(PALM))))
    first, last = (points @ turn.swapaxes(1, 2) + shift[:, None] for points in (before, after))
    off = np.linalg.norm(last - true, axis=-1)
    return Figures(
        1e3 * np.linalg.norm(first - true, axis=-1),
        1e3 * off,
        1e3 * np.linalg.norm(after - before, axis=-1),
        1e3 * pa_mpjpe(before, true),
        1e3 * pa_mpjpe(after, true),
        off < WITHIN * better.deviation,
        question.case.hidden,
        question.hidden,
        np.full(len(true), 1e3 * seconds / len(true)),
    )


@dataclass(frozen=True)
class Figures:
    """Of N hands, mm."""

    before: Array  # (N, 21) errors of the estimate
    after: Array  # (N, 21)
    moved: Array  # (N, 21)
    pa_before: Array  # (N,)
    pa_after: Array  # (N,)
    within: Mask  # (N, 21) error inside the interval
    hidden: Mask  # (N, 21)
    said: Mask  # (N, 21) what the labels call hidden
    ms: Array  # (N,)

    @classmethod
    def joined(cls, parts: Sequence[Figures]) -> Figures:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def table(self) -> dict[str, Any]:
        """Means over all hands, and by the share of a hand's fingers that is hidden; None where there is nothing."""
        fingers = np.zeros_like(self.hidden)
        fingers[:, FINGERS] = True
        lost, seen = self.hidden & fingers, ~self.hidden & fingers
        before, after = _mean(self.before[lost]), _mean(self.after[lost])
        found: dict[str, Any] = {
            "hands": len(self.ms),
            "hidden_before_mm": before,
            "hidden_after_mm": after,
            "falls_by": 1.0 - after / before if before and after is not None else None,
            "seen_before_mm": _mean(self.before[seen]),
            "seen_after_mm": _mean(self.after[seen]),
            "seen_moved_mm": _mean(self.moved[seen]),
            "kept_moved_mm": _mean(self.moved[~self.said & fingers]),  # of what the labels call seen
            "covered": _mean(self.within[self.said & fingers]),
            "hidden_covered": _mean(self.within[lost]),
            "ms": _mean(self.ms),
        }
        share = lost.sum(axis=1) / len(FINGERS)
        for low, high in GROUPS:
            rows = (share >= low) & (share < high)
            if rows.any():
                key = f"{100 * low:.0f}-{100 * min(high, 1):.0f}%"
                found[f"pa_before {key}"] = self.pa_before[rows].mean()
                found[f"pa_after {key}"] = self.pa_after[rows].mean()
        return found


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None
