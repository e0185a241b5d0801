"""Labels for grasps that came with a mesh: the Semantic Classifier says the affordance (affordgrasp 10.1).

Every hand is looked at several times, turned and with a sensor's noise; the mean probability of the likeliest class is
the label's confidence. A grasp is kept where that is enough and the hand mostly touches the part that the affordance is
of: two witnesses that know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.dataset.units import words
from hoi_ros.hand import HandModel, Limits, load_hand_model
from hoi_ros.hand.anchors import vertex_regions
from hoi_ros.hand.grasp_shapes import GRASP_SHAPES
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.methods.affordgrasp.classifier_training import NOISE, scaled
from hoi_ros.methods.affordgrasp.hand_surface import hand_order
from hoi_ros.methods.affordgrasp.semantic_classifier import CLASSES, OBJECT_POINTS, SemanticClassifier
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.clouds import farthest_points, sample_surface
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

PASSES = 8
ON_PART = 0.5  # share of the touching skin that must be on the part


@dataclass(frozen=True)
class Read:
    """What the classifier says of grasps."""

    affordance: tuple[Affordance, ...]  # N
    confidence: Array  # (N,) 0..1


class GraspAnnotator:
    """Asks the Semantic Classifier about hands on objects."""

    def __init__(self, classifier: SemanticClassifier) -> None:
        self._classifier = classifier.eval()
        self._hand = load_hand_model()
        self._order = hand_order(self._hand)

    @torch.inference_mode()
    def look(self, obj: ObjectModel, hands: HandBatch, rng: np.random.Generator) -> Read:
        """What hands in the object's frame do."""
        points = sample_surface(obj, 4 * OBJECT_POINTS, rng)[0]
        cloud = points[farthest_points(points, OBJECT_POINTS)]
        skin = _vertices(self._hand, hands)[:, self._order]
        total = np.zeros((len(hands), len(CLASSES)))
        for _ in range(PASSES):
            turn = Rotation.from_euler("z", rng.uniform(0.0, 2.0 * np.pi))
            about = (turn.apply(values.reshape(-1, 3)).reshape(values.shape) for values in (skin, cloud))
            one, two = (values + rng.normal(0.0, NOISE, values.shape) for values in about)
            logits = self._classifier(*scaled(one, np.repeat(two[None], len(hands), axis=0)))
            total += logits.softmax(dim=1).numpy()
        return Read(tuple(CLASSES[number] for number in total.argmax(axis=1)), total.max(axis=1) / PASSES)

    def rows(
        self, obj: ObjectModel, hands: HandBatch, affordance: Sequence[Affordance], rng: np.random.Generator
    ) -> list[dict[str, Any]]:
        """Rows of the table of grasps, words included, of hands that touch the part their affordance is of.

        The grasp type is the nearest of those of the use. Nothing was tested by physics: displacements are NaN.
        """
        if not len(hands):
            return []
        vertices = _vertices(self._hand, hands)
        contacts, depths = contact_parts(vertices, obj), two_way_depth(vertices, self._hand.closed_faces, obj)
        volumes = {
            name: 1e6 * intersection_volume(vertices, self._hand.closed_faces, obj, voxel)
            for name, voxel in (("volume_5mm", 0.005), ("volume_2mm", 0.002))
        }
        keypoints = self._hand.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).keypoints
        share = np.array([contacts.share_on((number,)) for number in range(len(obj.part_names))])
        touching, regions = contacts.touching(), vertex_regions(self._hand)
        rows = []
        for hand, kind in enumerate(affordance):
            number = _touched(obj, kind, share[:, hand])
            if number is None:
                continue
            use = obj.uses[number]
            region_contact = np.zeros((17, len(obj.part_names)), dtype=bool)
            skin = np.flatnonzero(touching[hand])
            region_contact[regions[skin], contacts.part[hand, skin]] = True
            row = {
                "use": number,
                "affordance": str(kind),
                "part": use.part,
                "grasp_type": self._nearest_type(use, hands.hand_pose[hand]),
                "pose": np.concatenate([hands.global_orient[hand], hands.hand_pose[hand]]),
                "betas": hands.betas[hand],
                "transl": hands.transl[hand],
                "keypoints": keypoints[hand].ravel(),
                "region_contact": region_contact,
                "hand_in_object": depths.hand_in_object[hand],
                "object_in_hand": depths.object_in_hand[hand],
                "part_contact": share[obj.part(use.part), hand],
                "displacement": np.full(6, np.nan),
                "rotation": np.full(6, np.nan),
            }
            row |= {name: volume[hand] for name, volume in volumes.items()}
            rows.append(row | words(obj, row, rng))
        return rows

    def _nearest_type(self, use: Use, hand_pose: Array) -> GraspType:
        angles = Limits(self._hand.kinematics).to_angles(hand_pose)

        def distance(kind: GraspType) -> float:
            shape = GRASP_SHAPES[kind]
            return float(np.square((angles - shape.angles()) / shape.std()).sum())

        return min(use.grasp_types, key=distance)


def judged_grasps(annotator: GraspAnnotator, dataset: Dataset, split: Split, seed: int) -> Array:
    """Confidence and whether the affordance is right (N, 2) of every grasp of a split, whose labels are known."""
    rows = []
    for number, table in enumerate(dataset.tables("grasps", split)):
        if not table.num_rows:
            continue
        pose = column(table, "pose").astype(np.float64)
        hands = HandBatch(pose[:, :3], pose[:, 3:], column(table, "betas"), column(table, "transl"))
        obj = dataset.object(table["object"][0].as_py())
        read = annotator.look(obj, hands, np.random.default_rng([seed, number]))
        right = [kind == name for kind, name in zip(read.affordance, table["affordance"].to_pylist(), strict=True)]
        rows.append(np.stack([read.confidence, right], axis=1))
    return np.concatenate(rows) if rows else np.zeros((0, 2))


def _vertices(model: HandModel, hands: HandBatch) -> NDArray[np.float64]:
    return model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices


def _touched(obj: ObjectModel, kind: Affordance, share: Array) -> int | None:
    """Number of the use of that affordance on whose part most of the touching skin is, by shares (P,) of the parts."""
    shares = {number: share[obj.part(use.part)] for number, use in enumerate(obj.uses) if use.affordance is kind}
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] >= ON_PART else None
