"""New grasps from an object alone (choir 3.2, second setting): grids over places of its surface, hands of their fields.

CHOIR knows no words. A sentence is read only for whether it forbids; where on the object and for what use is left open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, load_hand_model, rotations
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.language.request import understood
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.choir.draws import place_on
from hoi_ros.methods.choir.field import ANCHORS, Place, anchors_of_field
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.refinery import Refined, Refinery, Settings
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface, surface_of
from hoi_ros.metrics.contact import TOUCHING
from hoi_ros.metrics.solids import Solid
from hoi_ros.scene.clouds import Cloud, prepare
from hoi_ros.scene.completion import completed
from hoi_ros.types import Array, Grasp, HandBatch, HandPose, ObjectCloud

POINTS = 2048
SETTINGS = Settings(steps=10)
DRAWN = 4  # hands for each that is asked for
DEEP = 0.004  # m of depth that halves a score
LEAST = 2  # fingers that a grasp touches with


@dataclass(frozen=True)
class Found:
    """Hands (N,), best first, with a score (N,), 0..1, and what each feels of the surface (N,) by name."""

    hands: HandBatch
    score: Array
    felt: Mapping[str, Array]


class ChoirSynthesizer:
    """Grasps by the network that sees objects alone; their hands are shaped as its fields say."""

    def __init__(self, network: JointDiffusion, model: HandModel | None = None) -> None:
        self._refinery = Refinery(network, model or load_hand_model(), SETTINGS)
        self._network = network
        self._anchors = find_anchors(self._refinery.model)
        limits = self._refinery.fitter.limits
        self._bent = limits.to_pose(0.25 * (limits.lower + limits.upper))

    @classmethod
    def shipped(cls, model: HandModel | None = None) -> ChoirSynthesizer:
        """With the shipped weights. Raises Refused as ``load_shipped`` does."""
        return cls(JointDiffusion.load(load_shipped("choir_synthesis")), model)

    def reset(self) -> None:
        """Nothing is remembered."""

    def synthesize(self, cloud: ObjectCloud, instruction: str, count: int, seed: int) -> list[Grasp]:
        """At most ``count`` grasps in the frame of ``cloud``, in which z is up, best first as ``felt`` scores.

        Their scores order them and are no probabilities; their affordance is empty, as none was chosen. Raises
        Refused(INSTRUCTION) for a sentence that forbids, Refused(CLOUD) for a cloud without an object.
        """
        understood(instruction)
        seen = completed(prepare(Cloud(cloud.points, cloud.normals), POINTS, viewpoint=cloud.viewpoint))
        assert seen.normals is not None
        found = self.best(surface_of(seen.points, seen.normals), count, seed)
        return [self._grasp(found, row, cloud) for row in range(len(found.hands))]

    def best(self, surface: CloudSurface, count: int, seed: int) -> Found:
        """At most ``count`` of ``DRAWN`` times as many hands: those that touch with fingers enough, best first."""
        drawn = self.hands(surface, DRAWN * count, seed).hands
        score, felt = self.felt(drawn, surface)
        rows = np.argsort(-score, kind="stable")[:count]
        rows = rows[score[rows] > 0.0]
        return Found(drawn[rows], score[rows], {name: values[rows] for name, values in felt.items()})

    def hands(self, surface: CloudSurface, count: int, seed: int) -> Refined:
        """``count`` hands over places of a surface, chosen at random."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(surface.points), count, replace=len(surface.points) < count)
        points, normals = (values[rows].double().numpy() for values in (surface.points, surface.normals))
        place = place_on(points, normals, rng)
        seen = self._refinery.sampled(place, None, surface, math.nan, seed)
        return self._refinery.fit(seen, self._start(seen.field, place), surface)

    def felt(self, hands: HandBatch, surface: CloudSurface) -> tuple[Array, dict[str, Array]]:
        """A score (N,), 0..1, and what hands feel of the surface (N,) by name: depth in m, fingers that touch, balance.

        Depth is that of skin in the object or of the object's points in the hand, which alone tells of thin walls.
        The thumb counts twice; hands that touch with fewer than ``LEAST`` fingers score nothing, nor do those that push
        from one side alone. Balance is 1 where the directions that fingers and palm push in cancel out, 0 where all are
        one.
        """
        vertices = torch.from_numpy(self._refinery.fitter.vertices(hands).astype(np.float32))
        distance, normal = (values.double().numpy() for values in surface.lookup(vertices))
        points, faces = surface.points.double().numpy(), self._refinery.model.closed_faces
        pierced = [Solid(hand, faces).depths(points).max() for hand in vertices.double().numpy()]
        depth = np.maximum((-distance).max(axis=1).clip(min=0.0), pierced)
        finger = self._anchors.vertex_regions // 3  # 0 is the thumb, 5 the palm
        near = (distance < TOUCHING)[:, None] & (finger == np.arange(6)[:, None])  # (N, 6, 778)
        touch, push = near.any(axis=2), near.astype(float) @ normal
        push = push / np.linalg.norm(push, axis=2, keepdims=True).clip(min=1e-9)
        balance = 1.0 - np.linalg.norm(push.sum(axis=1), axis=1) / touch.sum(axis=1).clip(min=1)
        fingers = touch[:, :5].sum(axis=1)
        score = (fingers + touch[:, 0]) / 6.0 * (fingers >= LEAST) * balance / (1.0 + (depth / DEEP) ** 2)
        return score, {"depth": depth, "fingers": fingers.astype(float), "balance": balance}

    def _start(self, field: Array, place: Place) -> HandBatch:
        """The mean hand, half bent, laid onto the anchors of fields (N, 4096), in the grids' frames."""
        count, model = len(place), self._refinery.model
        spread = np.random.default_rng(0).normal(0.0, 0.01, (count, ANCHORS, 3))
        wanted, _ = anchors_of_field(field, self._network.assigned.numpy(), spread, iterations=30)
        pose, betas = np.tile(self._bent, (count, 1)), np.zeros((count, 10))
        bent = self._anchors.points(model.mesh(np.zeros((count, 3)), pose, betas, np.zeros((count, 3))).vertices)
        turn, shift = rotations.align(bent, wanted, np.ones((count, ANCHORS)))
        rest = model.kinematics.rest_joints(betas)[:, 0]
        return HandBatch(rotations.log(turn), pose, betas, (turn @ rest[..., None])[..., 0] + shift - rest)

    def _grasp(self, found: Found, row: int, cloud: ObjectCloud) -> Grasp:
        orient, pose, betas, transl = (values[row] for values in vars(found.hands).values())
        score = float(found.score[row])
        keypoints = self._refinery.model.joints(orient, pose, betas[None], transl)[0]
        wrist = np.concatenate([keypoints[0], Rotation.from_rotvec(orient).as_quat()])
        hand = HandPose("right", score, orient, pose, betas, transl, keypoints, wrist, np.zeros((21, 2)))
        placed = replace(hand, stamp_ns=cloud.stamp_ns, frame_id=cloud.frame_id)
        return Grasp(placed, "", "object", score, {name: float(values[row]) for name, values in found.felt.items()})
