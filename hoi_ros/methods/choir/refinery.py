"""CHOIR whole, for hands on one object: fields, what they should be, and hands that fit them (choir 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.methods.choir.contacts import Gaussians, cells_of
from hoi_ros.methods.choir.field import ANCHORS, Place, object_field
from hoi_ros.methods.choir.fitting import Beliefs, ContactBeliefs, Fitter
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.pairs import place_of, posed_anchors
from hoi_ros.methods.choir.sampler import sample
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.types import Array, HandBatch


@dataclass(frozen=True)
class Settings:
    """How fields are drawn and fitted; chosen on the split ``val``."""

    steps: int = 1  # of DDIM
    samples: int = 1  # whose mean is taken
    passes: Sequence[float] = (1.0, 0.5)  # of the whole, and the share of the noise that is left before each
    near: float = 0.5  # level of noise to which one pass does
    beliefs: Beliefs = field(default_factory=Beliefs)
    contacts: ContactBeliefs | None = field(default_factory=ContactBeliefs)  # None: no second stage


@dataclass(frozen=True)
class Refined:
    """Hands (N,) after the last stage and after the first, and where their skin should touch (N, 778), 0..1."""

    hands: HandBatch
    fitted: HandBatch
    chance: Array


@dataclass(frozen=True)
class Predicted:
    """What a network says of N hands, in the frames of their grids."""

    place: Place
    field: Array  # (N, 4096) m
    contacts: Tensor  # (N, 288) m


class Refinery:
    """One network with one hand model."""

    def __init__(
        self, network: JointDiffusion, model: HandModel | None = None, settings: Settings | None = None
    ) -> None:
        self.model, self.settings = model or load_hand_model(), settings or Settings()
        self.fitter = Fitter(self.model)
        self._network = network
        self._anchors = find_anchors(self.model)
        self._cells = torch.from_numpy(cells_of(self.model, self._anchors))

    def refine(self, hands: HandBatch, surface: CloudSurface, level: float = math.nan, seed: int = 0) -> Refined:
        """Hands (N,) near an object, in its frame. The same seed gives the same hands.

        ``level`` is how noisy they are, 1 being the benchmark's noise; NaN where nobody knows.
        """
        passes = self.settings.passes if not level <= self.settings.near else (1.0,)
        for left in passes:
            seen = self.predict(hands, surface, level * left, seed)
            refined = self.fit(seen, entered_hands(self.model, hands, seen.place), surface)
            hands = refined.hands
        return refined

    def predict(self, hands: HandBatch, surface: CloudSurface, level: float, seed: int) -> Predicted:
        """Fields and contacts of what noisy hands (N,) should be."""
        noisy = posed_anchors(self.model, self._anchors, hands)
        place = place_of(hands, noisy)
        about = torch.from_numpy(place.enter(noisy).astype(np.float32))
        return self.sampled(place, about, surface, level, seed)

    def sampled(self, place: Place, about: Tensor | None, surface: CloudSurface, level: float, seed: int) -> Predicted:
        """Of grids (N,) with anchors (N, 32, 3), m, of noisy hands; None for objects alone."""
        count = len(place)
        obj = torch.from_numpy(object_field(place, [surface.tree] * count))
        given = torch.full((count,), about is not None)
        noisy = torch.zeros(count, ANCHORS, 3) if about is None else about
        return self.of_context(place, obj, noisy, given, torch.full((count,), level), seed)

    def of_context(self, place: Place, obj: Tensor, noisy: Tensor, given: Tensor, told: Tensor, seed: int) -> Predicted:
        """Of what ``JointDiffusion.known`` takes, in the frames of grids (N,)."""
        settings, count = self.settings, len(place)
        found, contacts = sample(self._network, obj, noisy, given, told, settings.steps, settings.samples, seed)
        return Predicted(
            place,
            found.view(count, settings.samples, -1).mean(1).double().cpu().numpy(),
            contacts.view(count, settings.samples, -1).mean(1).cpu(),
        )

    def fit_field(self, seen: Predicted, start: HandBatch) -> HandBatch:
        """The first stage, from hands (N,) in the frames of the grids, and in these."""
        assigned = self._network.assigned.cpu().numpy()
        return self.fitter.fit_field(seen.field, assigned, start, self.settings.beliefs)

    def fit(self, seen: Predicted, start: HandBatch, surface: CloudSurface) -> Refined:
        """Both stages, from hands (N,) in the frames of the grids, and out of these."""
        fitted, contacts = self.fit_field(seen, start), self.settings.contacts
        chance = self.chance(fitted, seen.contacts)
        fitted = left_hands(self.model, fitted, seen.place)
        if contacts is None:
            return Refined(fitted, fitted, chance)
        return Refined(self.fitter.fit_contacts(fitted, surface, chance, contacts), fitted, chance)

    def chance(self, hands: HandBatch, contacts: Tensor) -> Array:
        """Of contact, (N, 778), by contacts (N, 288) in the axes of the hands' frame."""
        vertices = self.fitter.vertices(hands)
        anchors = self._anchors.points(vertices)
        found = Gaussians.of(contacts.double())
        return found.density(torch.from_numpy(vertices), torch.from_numpy(anchors), self._cells).numpy()


def entered_hands(model: HandModel, hands: HandBatch, place: Place) -> HandBatch:
    """Hands (N,) in the frames of grids."""
    turn = Rotation.from_matrix(place.axes).inv()
    return _moved(model, hands, turn, lambda wrist: place.enter(wrist[:, None])[:, 0])


def left_hands(model: HandModel, hands: HandBatch, place: Place) -> HandBatch:
    """And back again."""
    return _moved(model, hands, Rotation.from_matrix(place.axes), lambda wrist: place.leave(wrist[:, None])[:, 0])


def _moved(model: HandModel, hands: HandBatch, turn: Rotation, move: Callable[[Array], Array]) -> HandBatch:
    rest = model.kinematics.rest_joints(hands.betas)[:, 0]
    wrist = move(hands.transl + rest)
    orient = (turn * Rotation.from_rotvec(hands.global_orient)).as_rotvec()
    return HandBatch(orient, hands.hand_pose, hands.betas, wrist - rest)
