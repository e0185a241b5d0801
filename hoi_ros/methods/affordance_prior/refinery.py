"""Refinement of single-view estimates: diffused, denoised, held to what is seen (affordance_guided_prior, fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoi_ros.hand import HandModel, Limits, load_hand_model
from hoi_ros.language.encoder import Text
from hoi_ros.learning.schedule import alphas
from hoi_ros.methods.affordance_prior.guidance import Guide, Seen
from hoi_ros.methods.affordance_prior.occlusion import joints_hidden
from hoi_ros.methods.affordance_prior.prior import AffordancePrior, hand_pose, pose_axes, silence
from hoi_ros.types import Array, HandBatch

SEEN_ANGLE = 0.02  # rad, of joints that are seen
ROUNDS = 4  # of Gauss-Newton, for the hand that is given back

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Settings:
    """How hands are denoised; chosen on the split ``val``."""

    diffused: int = 600  # n_r, of 1000 steps
    steps: int = 5  # of DDIM, from there
    flaw: int = 50  # steps of noise that seen joints are taken to have
    samples: int = 8
    weight: float = 1.0  # of what is told against silence; 1: as it was learnt
    angle: float = 0.15  # rad, of a hidden joint about what the prior says, against the keypoints
    spread: float = 2.0  # true errors over the samples' spread
    least: float = 0.006  # m that a hidden keypoint may be off besides
    seen: float = 0.001  # m that others may be off


@dataclass(frozen=True)
class Refined:
    """Hands (N,), and the deviation (N, 21), m, that each keypoint is believed to have."""

    hands: HandBatch
    deviation: Array


class PriorRefinery:
    """One network with one hand model. Right hands."""

    def __init__(
        self, network: AffordancePrior, model: HandModel | None = None, settings: Settings | None = None
    ) -> None:
        self.model, self.settings = model or load_hand_model(), settings or Settings()
        self.network = network
        self._guide = Guide(self.model)

    @property
    def limits(self) -> Limits:
        """Of the model's joints."""
        return self._guide.limits

    def refine(self, hands: HandBatch, hidden: Mask, text: Text, camera: bool = True, seed: int = 0) -> Refined:
        """Hands (N,) with keypoints ``hidden`` (N, 21), told of by ``text`` (N, ...).

        In the frame of a ``camera`` where there is one. Seen keypoints stay. The same seed gives the same hands.
        """
        settings, count = self.settings, len(hands)
        keypoints = self.model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        seen = Seen.of(hands, keypoints, hidden, camera)
        free = joints_hidden(hidden)
        rows = np.repeat(np.arange(count), settings.samples)
        drawn, points = self._denoised(hands[rows], free[rows], seen.take(rows), text[rows], seed)
        angles = drawn.reshape(count, settings.samples, -1).mean(axis=1)
        angles, _ = self._guide.guided(angles, self._precision(free, settings.angle), seen, ROUNDS)
        points = points.reshape(count, settings.samples, 21, 3)
        spread = np.sqrt(np.square(points - points.mean(axis=1, keepdims=True)).sum(-1).mean(axis=1))
        deviation = np.where(hidden, np.hypot(settings.spread * spread, settings.least), settings.seen)
        pose = self._guide.fixed(hands) + self.limits.to_pose(angles)
        return Refined(HandBatch(hands.global_orient, pose, hands.betas, hands.transl), deviation)

    @torch.inference_mode()
    def _denoised(self, hands: HandBatch, free: Mask, seen: Seen, text: Text, seed: int) -> tuple[Array, Array]:
        """One sample each: angles (N, D), rad, and keypoints (N, 21, 3), m. Joints that are not ``free`` stay clean."""
        settings, network = self.settings, self.network
        kept, precision = alphas(), self._precision(free, settings.angle)
        given = self._entered(hands.hand_pose)
        same = np.random.default_rng(seed).standard_normal((settings.samples, *given.shape[1:]), dtype=np.float32)
        noise = np.tile(same, (len(given) // settings.samples, 1, 1))  # whatever other hands there are
        held = torch.from_numpy(~free)[..., None]
        said = network.hear(text)
        silent = network.hear(silence(len(hands))) if settings.weight != 1.0 else said
        times = np.linspace(settings.diffused, 0, settings.steps + 1).round().astype(int)
        values = kept[times[0]] ** 0.5 * given + (1.0 - kept[times[0]]) ** 0.5 * torch.from_numpy(noise)
        for now, after in pairwise(times):
            values = torch.where(held, kept[settings.flaw] ** 0.5 * given, values)
            steps = torch.from_numpy(np.where(free, now, settings.flaw))
            clean = network(values, steps, said)
            if silent is not said:
                alone = network(values, steps, silent)
                clean = alone + settings.weight * (clean - alone)
            clean = torch.where(held, given, clean)
            angles, points = self._guide.guided(self._angles(clean), precision, seen, 1)
            clean = self._entered(self.limits.to_pose(angles))
            left, rest = kept[now], kept[after] if after else 1.0
            off = (values - left**0.5 * clean) / (1.0 - left) ** 0.5
            values = rest**0.5 * clean + (1.0 - rest) ** 0.5 * off
        return angles, points

    def _precision(self, free: Mask, angle: float) -> Array:
        """(N, D) 1/rad^2, of angles about where they are wanted."""
        return np.asarray(np.where(free[:, self.limits.joint - 1], angle, SEEN_ANGLE) ** -2.0)

    def _entered(self, pose: Array) -> Tensor:
        """Poses (N, 45) as the network has them."""
        return self.network.entered(torch.from_numpy(pose_axes(self.limits, pose).astype(np.float32)))

    def _angles(self, values: Tensor) -> Array:
        """And as angles (N, D), rad."""
        return self.limits.to_angles(hand_pose(self.limits, self.network.left(values).double().numpy()))
