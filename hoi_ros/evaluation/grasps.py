"""Grasps against the object as it truly is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel
from hoi_ros.hand.mirror import mirror_hand, mirror_points
from hoi_ros.hand.rigid import turned_hand
from hoi_ros.metrics.contact import contact_parts, touches
from hoi_ros.metrics.diversity import CLUSTERS, entropy_and_cluster_size
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.refusals import Refused
from hoi_ros.replay.results import Results
from hoi_ros.scene.affordances import HOLDING
from hoi_ros.scene.convex import decompose
from hoi_ros.scene.meshes import check_mesh, load_mesh
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array, Grasp, HandBatch, HandPose

DEEP = 0.005  # m
SIMULATED = 16  # grasps


def load_solid(path: Path) -> ObjectModel:
    """The closed mesh of a file, as one part. Raises Refused(FILE, MESH)."""
    read = load_mesh(path)
    mesh = check_mesh(read.vertices, read.faces)
    faces = np.array(mesh.faces, np.int32)
    return ObjectModel(
        path.stem, "object", np.array(mesh.vertices), faces, np.zeros(len(faces), np.int32), ("body",), ()
    )


class GraspJudge:
    """Figures of grasps of the true object: a left hand's are those of its mirror image on the mirrored object."""

    def __init__(self, solid: ObjectModel, model: HandModel) -> None:
        self._solid, self._model = solid, model
        self._count, self._figures = 0, dict[str, float]()
        self.lacking = ""  # why grasps could not be simulated

    def figures(self, results: Results) -> dict[str, float]:
        """Of the grasps whose object's true pose is known; none without such a grasp. Made anew when more have come."""
        if len(results.grasps) != self._count:
            self._count = len(results.grasps)
            self._figures = self._judged(_placed(results))
        return self._figures

    def _judged(self, placed: list[Grasp]) -> dict[str, float]:
        values: dict[str, list[NDArray[Any]]] = defaultdict(list)
        for side in ("right", "left"):
            some = [grasp for grasp in placed if grasp.hand.side == side]
            if some:
                for name, found in self._of_side(some, mirrored=side == "left"):
                    values[name].append(found)
        joints = values.pop("joints", [])
        figures = {name: float(np.concatenate(found).mean()) for name, found in values.items()}
        if len(placed) >= CLUSTERS:
            spread = entropy_and_cluster_size(np.concatenate(joints))
            figures["grasp.entropy"], figures["grasp.cluster_size"] = spread
        return figures

    def _of_side(self, grasps: list[Grasp], mirrored: bool) -> Iterator[tuple[str, NDArray[Any]]]:
        """Figures (N,) by name of grasps of one side in the object's frame, and their joints (N, 21, 3) m."""
        hands = HandBatch.of([mirror_hand(grasp.hand) if mirrored else grasp.hand for grasp in grasps])
        obj = _mirrored(self._solid) if mirrored else self._solid
        mesh = self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        faces = self._model.closed_faces
        yield "joints", mesh.keypoints
        yield "grasp.iv_cm3", 1e6 * intersection_volume(mesh.vertices, faces, obj)
        yield "grasp.within_5mm", two_way_depth(mesh.vertices, faces, obj).two_way <= DEEP
        yield "grasp.contact", touches(contact_parts(mesh.vertices, obj))
        yield "grasp.acc", self._named_right(grasps, mesh.vertices, obj)
        holding = np.flatnonzero([grasp.affordance in HOLDING for grasp in grasps])[:SIMULATED]
        if len(holding) and self._pieces:
            whole = replace(self._solid, pieces=self._pieces)
            yield "grasp.sd_cm", 1e2 * self._displaced(hands[holding], _mirrored(whole) if mirrored else whole)

    def _named_right(self, grasps: list[Grasp], vertices: Array, obj: ObjectModel) -> NDArray[np.bool_]:
        """Whether the classifier gives each grasp the affordance that it was made for, (N,)."""
        from hoi_ros.learning.weights import load_shipped  # torch, which pictures do without
        from hoi_ros.methods.affordgrasp.grasp_scoring import named_affordances
        from hoi_ros.methods.affordgrasp.hand_surface import hand_order
        from hoi_ros.methods.affordgrasp.semantic_classifier import SemanticClassifier

        classifier = SemanticClassifier.load(load_shipped("affordgrasp_classifier"))
        named = named_affordances(classifier, obj, vertices[:, hand_order(self._model)])
        return np.array([str(one) == grasp.affordance for one, grasp in zip(named, grasps, strict=True)])

    def _displaced(self, hands: HandBatch, obj: ObjectModel) -> Array:
        """Simulation displacement (N,), m; each person's hand has a world of its own."""
        from hoi_ros.physics.world import GraspWorld  # MuJoCo, which pictures do without

        moved = np.empty(len(hands))
        people, of = np.unique(hands.betas, axis=0, return_inverse=True)
        for person, betas in enumerate(people):
            rows = of.ravel() == person
            moved[rows] = GraspWorld(self._model, betas, obj).displacement_sd(hands[rows])
        return moved

    @cached_property
    def _pieces(self) -> tuple[Piece, ...]:
        """Convex pieces of the object, its own or found in seconds; none where none are near enough to it."""
        try:
            return self._solid.pieces or decompose(self._solid.vertices, self._solid.faces, self._solid.face_parts)[0]
        except Refused as refused:
            self.lacking = f"grasps are not simulated: {refused.message}"
            return ()


def _placed(results: Results) -> list[Grasp]:
    """Grasps whose object's true pose is known, in the object's frame."""
    poses = {each.cloud.stamp_ns: each.true_object for each in results.asked if each.true_object is not None}
    return [
        replace(grasp, hand=_in_object(grasp.hand, poses[grasp.hand.stamp_ns]))
        for grasp in results.grasps
        if grasp.hand.stamp_ns in poses
    ]


def _in_object(hand: HandPose, pose: Array) -> HandPose:
    """The hand in the frame of the object at ``pose`` (7,)."""
    wrist = np.concatenate([hand.wrist_pose[:3] - pose[:3], hand.wrist_pose[3:]])
    moved = replace(hand, transl=hand.transl - pose[:3], keypoints=hand.keypoints - pose[:3], wrist_pose=wrist)
    return turned_hand(moved, Rotation.from_quat(pose[3:]).inv().as_matrix())


def _mirrored(obj: ObjectModel) -> ObjectModel:
    """The mirror image in x, its faces outwards."""
    pieces = tuple(replace(piece, vertices=mirror_points(piece.vertices)) for piece in obj.pieces)
    return replace(obj, vertices=mirror_points(obj.vertices), faces=obj.faces[:, ::-1], pieces=pieces)
