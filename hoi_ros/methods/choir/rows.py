"""The rows of the table of refinement: the method, parts of it, and what it is compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hoi_ros.hand import load_hand_model
from hoi_ros.learning.method import load_trained
from hoi_ros.methods.choir.adam_fitting import AdamFitter
from hoi_ros.methods.choir.fitting import ContactBeliefs, Fitter
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.keypoints import KeypointDiffusion
from hoi_ros.methods.choir.keypoints_refinery import KeypointRefinery
from hoi_ros.methods.choir.pairs import perturbed
from hoi_ros.methods.choir.refinery import Refinery, Settings, entered_hands, left_hands
from hoi_ros.methods.choir.scoring import Row
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.types import Array, HandBatch

RESTARTS = 4  # of the contact optimisation, from hands moved at random [ContactOpt]
RESTART = 0.3  # of the benchmark's noise, by which they are
FREE = ContactBeliefs(stay=0.05, turn=0.02, angle=0.3)  # where contacts alone say where the hand is
ONCE = Settings(passes=(1.0,))  # one pass, as the ablation has it
GRADUALLY = replace(ONCE, steps=10)  # in one step, a network that predicts noise tells nothing
PULLED, PULL = 0.01, 0.1  # m within which skin is drawn to the object, and how much [GraspTTA]


def network(folder: Path | None) -> JointDiffusion:
    """Of refinement: the shipped one, or that of a folder of trained parts."""
    return load_trained(JointDiffusion, folder, "choir", "refinement", shipped="choir_refinement")


def by(trained: JointDiffusion, settings: Settings | None = None) -> Row:
    """The method with a network."""
    refinery = Refinery(trained, settings=settings)
    return lambda hands, surface, level, seed: refinery.refine(hands, surface, level, seed).hands


def untold(trained: JointDiffusion) -> Row:
    """The same where nobody knows how noisy hands are."""
    row = by(trained)
    return lambda hands, surface, _level, seed: row(hands, surface, math.nan, seed)


def by_adam(trained: JointDiffusion) -> Row:
    """The method with the paper's fitting."""
    refinery = Refinery(trained)
    adam = AdamFitter(refinery.model)

    def row(hands: HandBatch, surface: CloudSurface, level: float, seed: int) -> HandBatch:
        seen = refinery.predict(hands, surface, level, seed)
        entered = entered_hands(refinery.model, hands, seen.place)
        fitted = adam.fit_field(seen.field, entered)
        chance = refinery.chance(fitted, seen.contacts)
        return adam.fit_contacts(left_hands(refinery.model, fitted, seen.place), surface, chance)

    return row


def by_contacts(trained: JointDiffusion) -> Row:
    """Contact optimisation: the noisy hand moved until what should touch does, from several starts; the best is kept.

    What should touch is what a network says.
    """
    refinery = Refinery(trained)

    def row(hands: HandBatch, surface: CloudSurface, level: float, seed: int) -> HandBatch:
        seen = refinery.predict(hands, surface, level, seed)
        chance = refinery.chance(entered_hands(refinery.model, hands, seen.place), seen.contacts)
        rng = np.random.default_rng(seed)
        moved = np.full(len(hands), RESTART)
        starts = [hands, *(perturbed(refinery.model, hands, moved, rng) for _ in range(RESTARTS - 1))]
        ends = [refinery.fitter.fit_contacts(start, surface, chance, FREE) for start in starts]
        cost = np.array([_unmet(refinery.fitter, end, surface, chance) for end in ends])
        best = cost.argmin(axis=0)
        rows = np.arange(len(hands))
        return HandBatch(*(np.stack([getattr(e, name) for e in ends])[best, rows] for name in vars(hands)))

    return row


def by_test_time() -> Row:
    """Test-time adaptation of the grasp papers: skin that is near is drawn to the object, all is kept out of it."""
    fitter = Fitter(load_hand_model())

    def row(hands: HandBatch, surface: CloudSurface, _level: float, _seed: int) -> HandBatch:
        distance = _distance(fitter, hands, surface)
        nearest = distance.min(axis=1, keepdims=True).clip(min=0.0)
        chance = PULL * np.exp(-(((distance - nearest).clip(min=0.0) / PULLED) ** 2))
        return fitter.fit_contacts(hands, surface, chance, FREE)

    return row


def _unmet(fitter: Fitter, hands: HandBatch, surface: CloudSurface, chance: Array) -> Array:
    """Gaps of what should touch and depth of all, (N,) m."""
    distance = _distance(fitter, hands, surface)
    gaps = (chance * distance.clip(min=0.0)).sum(axis=1) / (chance.sum(axis=1) + 1e-6)
    return np.asarray(gaps + (-distance).clip(min=0.0).mean(axis=1))


def _distance(fitter: Fitter, hands: HandBatch, surface: CloudSurface) -> Array:
    points = torch.from_numpy(fitter.vertices(hands).astype(np.float32))
    return surface.lookup(points)[0].double().numpy()


def _trained(part: str, settings: Settings) -> Callable[[Path | None], Row]:
    return lambda folder: by(load_trained(JointDiffusion, folder, "choir", part), settings)


def _keypoints(folder: Path | None) -> Row:
    return KeypointRefinery(load_trained(KeypointDiffusion, folder, "choir", "keypoints")).refine


ROWS: Mapping[str, Callable[[Path | None], Row]] = {
    "noisy": lambda _: lambda hands, _surface, _level, _seed: hands,
    "choir": lambda folder: by(network(folder)),
    "one_pass": lambda folder: by(network(folder), ONCE),
    "untold": lambda folder: untold(network(folder)),
    "field": lambda folder: by(network(folder), replace(Settings(), contacts=None)),
    "adam": lambda folder: by_adam(network(folder)),
    "contact_optimisation": lambda folder: by_contacts(network(folder)),
    "test_time": lambda _: by_test_time(),
    "keypoints": _keypoints,
    "without_contacts": _trained("refinement_without_contacts", replace(ONCE, contacts=None)),
    "both": _trained("both", ONCE),
    "noise": _trained("refinement_noise", GRADUALLY),
    "velocity": _trained("refinement_velocity", GRADUALLY),
}
"""By the folder of trained parts; None: the shipped ones."""
