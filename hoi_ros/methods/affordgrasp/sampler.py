"""From a cloud and a sentence to hands: generator, diffusion and adjustment, with the weights that are shipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.language.encoder import Text
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.adjustment import DistributionAdjustment
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator
from hoi_ros.methods.affordgrasp.autoencoder import HandAutoencoder
from hoi_ros.methods.affordgrasp.conditions import Asked
from hoi_ros.methods.affordgrasp.diffusion import CodeSampler, LatentDiffusion
from hoi_ros.methods.affordgrasp.hand_surface import Hands, Skin, hand_skin
from hoi_ros.methods.affordgrasp.placing import Places
from hoi_ros.methods.affordgrasp.point_net import unit_ball
from hoi_ros.types import Array, HandBatch, ObjectCloud

STEPS = 10  # of DDIM
GUIDANCE = 1.5  # how much more a request is heeded than none


@dataclass(frozen=True)
class Sampler:
    """The networks. ``adjustment`` None leaves codes as the diffusion gives them."""

    generator: AffordanceGenerator
    diffusion: CodeSampler
    adjustment: DistributionAdjustment | None
    autoencoder: HandAutoencoder
    skin: Skin
    steps: int = STEPS
    guidance: float = GUIDANCE

    @classmethod
    def shipped(cls) -> Sampler:
        """With the shipped weights."""
        return cls(
            AffordanceGenerator.load(load_shipped("affordgrasp_affordance")),
            LatentDiffusion.load(load_shipped("affordgrasp_diffusion")),
            DistributionAdjustment.load(load_shipped("affordgrasp_adjustment")),
            HandAutoencoder.load(load_shipped("affordgrasp_autoencoder")),
            hand_skin(),
        )

    @torch.inference_mode()
    def heard(self, cloud: ObjectCloud, texts: Text, count: int) -> Array:
        """Logits (T, count) that the first points of a cloud, farthest first, are what T sentences speak of.

        Of a cloud of fewer points, of all of them.
        """
        assert cloud.normals is not None
        ball, radius = unit_ball(_single(cloud.points)[None])
        logits = self.generator(
            ball, _single(cloud.normals)[None], radius, texts, torch.arange(min(count, len(cloud.points)))
        )
        found: Array = logits.numpy().astype(np.float64)
        return found

    @torch.inference_mode()
    def hands(self, points: Array, affordance: Array, text: Text, count: int, seed: int) -> HandBatch:
        """``count`` hands for one sentence about points (N, 3), m, farthest first, with probabilities (N,)."""
        cloud, chance = _single(points)[None], _single(affordance)[None]
        places = Places.of(cloud, chance)
        features = self.diffusion.conditions(Asked(places.enter(cloud), chance, text))
        noise = torch.from_numpy(
            np.random.default_rng(seed).standard_normal((count, self.diffusion.config["code"]), dtype=np.float32)
        )
        codes = self.diffusion.sample(features, noise, self.steps, self.guidance)
        if self.adjustment is not None:
            codes = self.adjustment(codes, features.repeat(count))
        return batch_of(places.repeat(count).leave_hands(self.skin, self.autoencoder.decode(codes)))


def batch_of(hands: Hands) -> HandBatch:
    """The same as arrays."""
    orient, pose, betas, transl = (values.numpy().astype(np.float64) for values in vars(hands).values())
    return HandBatch(Rotation.from_matrix(orient).as_rotvec(), pose, betas, transl)


def _single(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
