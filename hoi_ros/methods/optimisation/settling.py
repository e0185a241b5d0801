"""The last steps of the optimisation alone, for hands that are nearly grasps, on a cloud instead of a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.methods.optimisation.descent import FreeHands, Problem, descend
from hoi_ros.methods.optimisation.energies import NEAR, Wish, distance_to_part
from hoi_ros.methods.optimisation.fields import Fields
from hoi_ros.methods.optimisation.hand_layer import PATCH_REGIONS, PATCHES, Flesh, HandLayer
from hoi_ros.types import Array, HandBatch

STEPS = 12
RATES = (0.008, 0.002)  # rad, and tenths of a metre, of the first and the last step
FIRST_REACH = 0.010  # m within which skin counts as contact at first, and is wanted to touch
INDENT = 0.0008  # m that touching skin should be in the object
STRESS = 4.0  # on penetration
STIFF = 0.12  # rad that a joint may well bend

_SHARES = np.bincount(PATCH_REGIONS, minlength=17)[PATCH_REGIONS]


@dataclass(frozen=True)
class Settled:
    """Hands after a few steps, with the terms of the energy (N,) they ended with."""

    hands: HandBatch
    terms: dict[str, Array]


class Settler:
    """Brings the skin that is near an object onto it and out of it, with one person's hand."""

    def __init__(self, model: HandModel, betas: Array) -> None:
        self._limits = Limits(model.kinematics)
        self._betas = betas
        self._layer = HandLayer(model, Flesh.of(model), betas)

    def settle(self, hands: HandBatch, fields: Fields, holds: bool, steps: int = STEPS) -> Settled:
        """The hands, of that person, after ``steps`` steps; ``holds``: the contacts must hold the object."""
        layer = self._layer
        start = self._start(hands)
        wish = self._wish(start, fields, holds)
        problem = Problem(layer, fields, wish)
        problem.stress = STRESS
        end = descend(problem, start, steps, RATES, (FIRST_REACH, NEAR), INDENT)
        with torch.no_grad():
            terms = problem.terms(end, INDENT)
        rotation, wrist = end.wrist()
        return Settled(
            HandBatch(
                Rotation.from_matrix(rotation.numpy().astype(np.float64)).as_rotvec(),
                self._limits.to_pose(end.angles.numpy().astype(np.float64)),
                np.tile(self._betas, (len(rotation), 1)),
                wrist.numpy().astype(np.float64) - layer.rest[0],
            ),
            {name: term.numpy().astype(np.float64) for name, term in terms.items()},
        )

    def _start(self, hands: HandBatch) -> FreeHands:
        """Turned about the middle of the touching skin."""
        bent = np.clip(self._limits.to_angles(hands.hand_pose), self._limits.lower, self._limits.upper)
        turned = Rotation.from_rotvec(hands.global_orient).as_matrix()
        placed = hands.transl + self._layer.rest[0]
        angles, base, wrist = (torch.from_numpy(v.astype(np.float32)) for v in (bent, turned, placed))
        with torch.no_grad():
            centre = self._layer.pose(angles, base, wrist)[0].mean(1)
        zero = torch.zeros(len(angles), 3)
        pivot = (base.transpose(1, 2) @ (centre - wrist)[..., None])[..., 0]
        return FreeHands(angles, zero, zero.clone(), base, pivot, centre)

    @torch.no_grad()
    def _wish(self, hands: FreeHands, fields: Fields, holds: bool) -> Wish:
        """The shape as it is, and contact where the skin is near what is wanted."""
        skin, _, _ = self._layer.pose(hands.angles, *hands.wrist())
        distance = distance_to_part(fields, skin, fields.solid.lookup(skin)[0])
        nearest = distance[:, self._layer.patches].amin(-1)
        near = torch.exp(-((nearest.clamp(min=0.0) / FIRST_REACH) ** 2)) / torch.from_numpy(_SHARES).float()
        return Wish(
            hands.angles.clone(),
            torch.full_like(hands.angles, STIFF),
            near,
            torch.zeros(len(near), PATCHES, dtype=torch.long),
            holds,
        )
