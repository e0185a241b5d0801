"""The last steps of the optimisation alone, for hands that are nearly grasps, on a cloud instead of a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.methods.optimisation.cloud_fields import followed
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
LENIENCE = 0.2  # on that of hands that are still to be settled
STIFF = 0.12  # rad that a joint may well bend

_SHARES = np.bincount(PATCH_REGIONS, minlength=17)[PATCH_REGIONS]


@dataclass(frozen=True)
class Settled:
    """Hands after a few steps, and what they feel of the object, (N,) by name.

    The terms of the energy; "depth" and "flesh_depth", mm, of skin in the object and of it in the flesh; "part",
    the share of the touching skin that is on what is wanted; "patches" of skin and "fingers" that touch.
    """

    hands: HandBatch
    felt: dict[str, Array]


class Settler:
    """Brings the skin that is near an object onto it and out of it, with one person's hand."""

    def __init__(self, model: HandModel, betas: Array) -> None:
        self._limits = Limits(model.kinematics)
        self._betas = betas
        self._layer = HandLayer(model, Flesh.of(model), betas)

    def settle(self, hands: HandBatch, fields: Fields, holds: bool, count: int, steps: int = STEPS) -> Settled:
        """The ``count`` likeliest of hands (N,) of that person after ``steps`` steps, in the order they came.

        ``holds``: the contacts must hold the object.
        """
        layer = self._layer
        start, near = self._start(hands), followed(fields)
        problem = Problem(layer, near, self._wish(start, near, holds))
        if count < len(hands):
            problem.reach, problem.stress = FIRST_REACH, LENIENCE
            with torch.no_grad():
                likely = problem.cost(start, INDENT).argsort()[:count].sort().values
            problem, start = problem[likely], start[likely]
        problem.stress = STRESS
        end = descend(problem, start, steps, RATES, (FIRST_REACH, NEAR), INDENT)
        rotation, wrist = end.wrist()
        return Settled(
            HandBatch(
                Rotation.from_matrix(rotation.numpy().astype(np.float64)).as_rotvec(),
                self._limits.to_pose(end.angles.numpy().astype(np.float64)),
                np.tile(self._betas, (len(rotation), 1)),
                wrist.numpy().astype(np.float64) - layer.rest[0],
            ),
            {name: value.numpy().astype(np.float64) for name, value in self._felt(problem, fields, end).items()},
        )

    @torch.no_grad()
    def _felt(self, problem: Problem, fields: Fields, hands: FreeHands) -> dict[str, Tensor]:
        layer = self._layer
        problem.fields = fields = followed(fields)  # afresh, so all that is felt here is exact
        skin, on_skin, in_flesh = self._posed(hands, fields)
        touching = on_skin < NEAR
        on_part = touching & (distance_to_part(fields, skin, on_skin) < NEAR)
        patches = on_skin[:, layer.patches].amin(-1) < NEAR
        fingers = patches[:, :15].view(-1, 5, 3).any(-1)
        return problem.terms(hands, INDENT) | {
            "depth": 1e3 * (-on_skin).amax(1).clamp(min=0.0),
            "flesh_depth": 1e3 * (layer.radii - in_flesh).amax(1).clamp(min=0.0),
            "part": on_part.sum(1) / touching.sum(1).clamp(min=1),
            "patches": patches.sum(1),
            "fingers": fingers.sum(1),
        }

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
        """The shape as it is, and contact where the skin is nearly as near to what is wanted as anywhere."""
        skin, on_skin, _ = self._posed(hands, fields)
        distance = distance_to_part(fields, skin, on_skin)
        nearest = distance[:, self._layer.patches].amin(-1)
        behind = (nearest - nearest.amin(1, keepdim=True).clamp(min=0.0)).clamp(min=0.0)  # the nearest patch
        near = torch.exp(-((behind / FIRST_REACH) ** 2)) / torch.from_numpy(_SHARES).float()
        return Wish(
            hands.angles.clone(),
            torch.full_like(hands.angles, STIFF),
            near,
            torch.zeros(len(near), PATCHES, dtype=torch.long),
            holds,
        )

    def _posed(self, hands: FreeHands, fields: Fields) -> tuple[Tensor, Tensor, Tensor]:
        """Skin (N, V, 3), and the distances (N, V) and (N, S) of skin and balls from the object, m."""
        layer = self._layer
        points = layer.pose(hands.angles, *hands.wrist())
        distance = fields.solid.lookup(torch.cat(points, dim=1))[0]  # of all, as ``Problem`` asks for them
        return points[0], *distance.split([layer.skin_count, layer.ball_count, points[2].shape[1]], dim=1)[:2]
