"""The affordance prior on real hands: does what a camera sees stay, and where goes what the hand hides of itself?

The ``landmarks`` estimator looks at every picture by itself; the prior refines each labelled hand that it finds. There
is no object, and most of these hands hold nothing: a hand that nothing tells of would stay, so a sentence tells of one.
Keypoints are hidden or visible by the labels that the prior itself gives the estimate.

- *visible_px, hidden_px*: distance to the labelled pixels; *rise*: of a hand's mean over its visible keypoints.
- *visible_moved_mm, hidden_moved_mm*: by which the prior moves keypoints.
- *pa_mpjpe_mm* [PA-MPJPE], and *hidden_mm* of the hidden keypoints after the same alignment, where places are labelled.
- *said_mm*: the deviation that the prior tells of hidden keypoints of the hands that it moves.

``comparisons``: one hand at an object, told of, and eight of them at once, which is what the ratio tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoi_ros.benchmarks import side_by_side
from hoi_ros.benchmarks.hand_images import SETS, Labelled
from hoi_ros.hand import load_hand_model
from hoi_ros.methods import landmarks
from hoi_ros.methods.affordance_prior.occlusion import hidden_keypoints
from hoi_ros.methods.affordance_prior.refiner import AffordancePriorRefiner
from hoi_ros.methods.landmarks import LandmarksEstimator
from hoi_ros.metrics.hands import error_2d, procrustes
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Refused
from hoi_ros.types import Array, HandPose, ObjectCloud
from hoi_ros.view import corrections, pictures

FAR = 0.25  # of the labelled hand's size: an estimate that is farther off is another hand's
TOGETHER = 8  # hands
ROUNDS = 11
RADIUS = 0.03  # m, of the ball that is held while the time is taken
MOST = 12  # hands of a set in the picture
SAID = "Wrap your hand around the object."


@dataclass(frozen=True)
class Answer:
    """What became of one labelled hand."""

    labelled: Labelled
    before: HandPose
    after: HandPose
    hidden: NDArray[np.bool_]  # (21,)


def run(data: str, seed: int = 0, sheets: str = "") -> dict[str, Any]:
    """Measure on the pictures of the folder ``data``; those before and after go to ``sheets`` where it is named."""
    folders = {name: Path(data) / name for name in SETS}
    if missing := [folder for folder in folders.values() if not folder.is_dir()]:
        return {"skipped": f"{missing[0]} is not there"}
    model = load_hand_model()
    estimator, refiner = landmarks.build(Parameters()), AffordancePriorRefiner.shipped(model)
    hands = {name: list(SETS[name](folder)) for name, folder in folders.items()}
    found = {name: answers(each, estimator, refiner, seed) for name, each in hands.items()}
    if sheets:
        shown = [
            corrections.Shown(a.labelled.name, a.labelled.frame, a.labelled.pixels, a.before, a.after, a.hidden)
            for each in found.values()
            for a in _some(each)
        ]
        pictures.save(Path(sheets) / "hidden_fingers.png", corrections.sheet(shown, model))
    rows = {name: figures(each) | {"labelled": len(hands[name])} for name, each in found.items()}
    blind = max((answer for each in found.values() for answer in each), key=lambda answer: answer.hidden.sum())
    return {"hands": rows, **side_by_side.result([_times(refiner, blind.before, seed)], {})}


def answers(
    labelled: Iterable[Labelled], estimator: LandmarksEstimator, refiner: AffordancePriorRefiner, seed: int
) -> list[Answer]:
    """Of those hands that the estimator finds."""
    found = []
    for each in labelled:
        estimator.reset()
        try:
            hands = estimator.estimate(each.frame)
        except Refused:
            continue
        if hand := matching(hands, each):
            (after,) = refiner.refine_all([hand], None, SAID, seed)
            found.append(Answer(each, hand, after, hidden_keypoints(refiner.refinery.model, hand, None)))
    return found


def matching(hands: Sequence[HandPose], labelled: Labelled) -> HandPose | None:
    """The hand of the labelled one's side that is nearest to it in the picture; None where none is near."""
    size = np.ptp(labelled.pixels, axis=0).max()
    near = [
        (float(error_2d(hand.keypoints_2d, labelled.pixels)), row)
        for row, hand in enumerate(hands)
        if labelled.side in (None, hand.side)
    ]
    error, row = min(near, default=(np.inf, 0))
    return hands[row] if error < FAR * size else None


def figures(found: Sequence[Answer]) -> dict[str, Any]:
    """Means over keypoints, and the worst; None where there is no such keypoint."""
    if not found:
        return {"found": 0}
    hidden = np.array([answer.hidden for answer in found])
    before, after = (
        np.array([np.linalg.norm(hand.keypoints_2d - a.labelled.pixels, axis=1) for a, hand in hands])
        for hands in ([(a, a.before) for a in found], [(a, a.after) for a in found])
    )
    moved = 1e3 * np.array([np.linalg.norm(a.after.keypoints - a.before.keypoints, axis=1) for a in found])
    rises = [float((b - a)[~lost].mean()) for a, b, lost in zip(before, after, hidden, strict=True) if not lost.all()]
    return {
        "found": len(found),
        "stayed": sum(answer.after.refinement.startswith("unchanged") for answer in found),
        "hidden_share": float(hidden.mean()),
        "visible_px": _pair(before[~hidden], after[~hidden]) | {"largest_rise": max(rises, default=None)},
        "hidden_px": _pair(before[hidden], after[hidden]),
        "visible_moved_mm": _of(moved[~hidden]),
        "hidden_moved_mm": _of(moved[hidden]),
    } | _places([answer for answer in found if answer.labelled.keypoints is not None])


def _places(found: Sequence[Answer]) -> dict[str, Any]:
    """Errors in space."""
    if not found:
        return {}
    true = np.array([answer.labelled.keypoints for answer in found])
    hidden = np.array([answer.hidden for answer in found])
    before, after = (
        1e3 * np.linalg.norm(procrustes(np.array(points), true) - true, axis=-1)
        for points in ([a.before.keypoints for a in found], [a.after.keypoints for a in found])
    )
    said = 1e3 * np.array([answer.after.deviation for answer in found])
    return {
        "pa_mpjpe_mm": _pair(before.mean(axis=1), after.mean(axis=1)),
        "hidden_mm": _pair(before[hidden], after[hidden]),
        "said_mm": _of(said[hidden & (said > 0.0)]),
    }


def _pair(before: Array, after: Array) -> dict[str, Any]:
    return {"before": _of(before), "after": _of(after)}


def _of(values: Array) -> Mapping[str, float] | None:
    return {"mean": float(values.mean()), "worst": float(values.max())} if values.size else None


def _some(found: Sequence[Answer]) -> list[Answer]:
    """Those that the prior moves, at even steps of how far."""
    moved = sorted((answer for answer in found if answer.after.change), key=lambda answer: answer.after.change)
    return [moved[row] for row in np.unique(np.linspace(0, len(moved) - 1, MOST).round().astype(int))] if moved else []


def _times(refiner: AffordancePriorRefiner, hand: HandPose, seed: int) -> dict[str, Any]:
    """One hand with a ball in it; torch and NumPy have as many threads as they take."""
    rng = np.random.default_rng(seed)
    ways = rng.standard_normal((2048, 3))
    middle = hand.keypoints[[4, 8, 12]].mean(axis=0)
    ball = ObjectCloud(middle + RADIUS * ways / np.linalg.norm(ways, axis=1, keepdims=True), frame_id=hand.frame_id)

    def refine(count: int) -> None:
        refiner.refine_all([hand] * count, ball, SAID, seed)

    works = {"one hand": lambda: refine(1), f"{TOGETHER} hands at once": lambda: refine(TOGETHER)}
    seconds = side_by_side.take_turns(works, ROUNDS, shortest=0.05)
    return side_by_side.comparison("refine hidden fingers", "a real hand, a ball and a sentence", seconds)
