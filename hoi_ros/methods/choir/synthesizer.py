"""New grasps from an object alone (choir 3.2, second setting): grids over places of its surface, hands of their fields.

CHOIR knows no words. A sentence is read only for whether it forbids; where on the object and for what use is left open.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, load_hand_model, rotations
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.language.request import understood
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.choir.field import ANCHORS, Place, anchors_of_field
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.pairs import place_on
from hoi_ros.methods.choir.refinery import Refined, Refinery, Settings
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface, surface_of
from hoi_ros.metrics.contact import TOUCHING
from hoi_ros.scene.clouds import Cloud, prepare
from hoi_ros.scene.completion import completed
from hoi_ros.types import Array, Grasp, HandBatch, HandPose, ObjectCloud

POINTS = 2048
SETTINGS = Settings(steps=10)
DRAWN = 4  # hands for each that is asked for
DEEPEST = 0.004  # m: hands that are deeper come after all others
LEAST = 2  # fingers that a grasp touches with


class ChoirSynthesizer:
    """Grasps of the mean hand by the network that sees objects alone."""

    def __init__(self, network: JointDiffusion, model: HandModel | None = None) -> None:
        self._refinery = Refinery(network, model or load_hand_model(), SETTINGS)
        self._network = network
        self._anchors = find_anchors(self._refinery.model)
        half = self._refinery.fitter.limits
        self._bent = half.to_pose(0.25 * (half.lower + half.upper))

    @classmethod
    def shipped(cls, model: HandModel | None = None) -> ChoirSynthesizer:
        """With the shipped weights."""
        return cls(JointDiffusion.load(load_shipped("choir_synthesis")), model)

    def reset(self) -> None:
        """Nothing is remembered."""

    def synthesize(self, cloud: ObjectCloud, instruction: str, count: int, seed: int) -> list[Grasp]:
        """At most ``count`` grasps in the frame of ``cloud``, in which z is up, those of most touching fingers first.

        Raises Refused(INSTRUCTION) for a sentence that forbids, Refused(CLOUD) for a cloud without an object.
        """
        understood(instruction)
        seen = completed(prepare(Cloud(cloud.points, cloud.normals), POINTS, viewpoint=cloud.viewpoint))
        assert seen.normals is not None
        surface = surface_of(seen.points, seen.normals)
        found = self.hands(surface, DRAWN * count, seed)
        score, felt = self.felt(found, surface)
        best = np.argsort(-score, kind="stable")[:count]
        return [
            Grasp(
                self._pose(found.hands, int(row), float(score[row]), cloud),
                "",
                "object",
                float(score[row]),
                {name: float(values[row]) for name, values in felt.items()},
            )
            for row in best
        ]

    def hands(self, surface: CloudSurface, count: int, seed: int) -> Refined:
        """``count`` hands over places of a surface, chosen at random."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(surface.points), count, replace=len(surface.points) < count)
        points, normals = (values[rows].double().numpy() for values in (surface.points, surface.normals))
        place = place_on(points, normals, rng)
        nothing = torch.zeros(count, ANCHORS, 3)
        seen = self._refinery.sampled(place, nothing, torch.zeros(count, dtype=torch.bool), surface, seed)
        return self._refinery.fit(seen, self._start(seen.field, place), surface)

    def felt(self, found: Refined, surface: CloudSurface) -> tuple[Array, dict[str, Array]]:
        """A score (N,), 0..1, and what hands feel of the surface (N,) by name: depth in mm, fingers that touch."""
        vertices = torch.from_numpy(self._refinery.fitter.vertices(found.hands).astype(np.float32))
        distance = surface.lookup(vertices)[0].double().numpy()
        depth = (-distance).max(axis=1).clip(min=0.0)
        finger = np.where(self._anchors.vertex_regions < 15, self._anchors.vertex_regions // 3, 5)
        touch = np.stack([(distance[:, finger == number] < TOUCHING).any(axis=1) for number in range(6)], axis=1)
        fingers = touch[:, :5].sum(axis=1)
        thumb = touch[:, 0]
        score = (fingers + thumb) / 6.0 * (fingers >= LEAST)
        score = score / (1.0 + depth / DEEPEST)
        return score, {"depth": 1e3 * depth, "fingers": fingers.astype(float)}

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

    def _pose(self, hands: HandBatch, row: int, score: float, cloud: ObjectCloud) -> HandPose:
        orient, pose, betas, transl = (values[row] for values in vars(hands).values())
        keypoints = self._refinery.model.joints(orient, pose, betas, transl)[0]
        wrist = np.concatenate([keypoints[0], Rotation.from_rotvec(orient).as_quat()])
        made = HandPose("right", score, orient, pose, betas, transl, keypoints, wrist, np.zeros((21, 2)))
        return replace(made, stamp_ns=cloud.stamp_ns, frame_id=cloud.frame_id)
