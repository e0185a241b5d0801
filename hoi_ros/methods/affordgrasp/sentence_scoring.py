"""Do words matter? Other sentences, other grasps; the same in other words, the same part; what cannot be, refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.language.instructions import write
from hoi_ros.methods.affordgrasp.affordance_training import alike, contradiction
from hoi_ros.methods.affordgrasp.grasp_scoring import DENSE, Answer, Question
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import Use
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch, ObjectCloud

NEAR = 0.005  # m from the hand that a point of the object counts as its contact
WORDINGS = 3  # of each use: one like those of training, the others of phrasings that it never saw
SURFACE = 4096


def score(
    dataset: Dataset, answer: Answer, seed: int, advance: Callable[[], None], most: int = 10_000
) -> dict[str, dict[str, float]]:
    """On the test split, of the best grasp for each sentence.

    "overlap": mean shared part (intersection over union) of the contacts of grasps for uses of different parts of one
    object. "same_part": share of uses whose wordings all lead to the same part, by the true labels, or to parts that
    differ in being left or right alone. "refused": share of requests for uses that the object lacks that are refused.
    """
    model = load_hand_model()
    overlaps, same, refused = [], [], []
    for number, record in enumerate(dataset.units("test")[:most]):
        advance()
        obj, rng = dataset.object(record.name), np.random.default_rng([seed, number])
        points, normals, _ = sample_surface(obj, DENSE, rng)
        cloud = ObjectCloud(points, normals)

        def grasp(use: Use, sentence: str, obj: ObjectModel = obj, cloud: ObjectCloud = cloud) -> HandBatch | None:
            try:
                return answer(Question(obj, use, sentence, cloud), 1, seed)[0]
            except Refused:
                return None

        touched: list[tuple[str, NDArray[np.bool_]]] = []
        for use in obj.uses:
            sentences = [*write(obj, use, rng, 1), *write(obj, use, rng, WORDINGS - 1, held_out=True)]
            hands = [hand for hand in (grasp(use, sentence) for sentence in sentences) if hand is not None]
            parts = {_part(model, obj, hand, alike(obj, use)) for hand in hands}
            same.append(len(hands) == WORDINGS and len(parts) == 1)
            if hands:
                touched.append((use.part, _contacts(model, points[:SURFACE], hands[0])))
        overlaps += [_overlap(a, b) for (one, a), (two, b) in combinations(touched, 2) if one != two]
        use = contradiction(obj, rng)
        refused.append(grasp(use, write(obj, use, rng, 1)[0]) is None)
    return {
        "all": {
            "pairs": len(overlaps),
            "overlap": float(np.mean(overlaps)),
            "uses": len(same),
            "same_part": float(np.mean(same)),
            "contradictions": len(refused),
            "refused": float(np.mean(refused)),
        }
    }


def _vertices(model: HandModel, hand: HandBatch) -> Array:
    return model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl).vertices


def _part(model: HandModel, obj: ObjectModel, hand: HandBatch, same: Sequence[int]) -> int:
    """Number of the part that most of the touching skin touches, -1 for none, the first of the ``same`` for them."""
    contacts = contact_parts(_vertices(model, hand), obj)
    parts = contacts.part[contacts.touching(NEAR)]
    if not len(parts):
        return -1
    most = int(np.bincount(parts).argmax())
    return same[0] if most in same else most


def _contacts(model: HandModel, points: Array, hand: HandBatch) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = cKDTree(_vertices(model, hand)[0]).query(points)[0] < NEAR
    return near


def _overlap(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))
