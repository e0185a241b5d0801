"""Batched grasp synthesis: many starts, a short descent, the better half goes on, and a last step apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoi_ros.hand.grasp_shapes import GRASP_SHAPES, GraspShape
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.methods.optimisation.descent import FAR, FreeHands, Problem, descend
from hoi_ros.methods.optimisation.energies import NEAR, Wish
from hoi_ros.methods.optimisation.fields import REACH, Fields
from hoi_ros.methods.optimisation.hand_layer import FACES, PATCH_REGIONS, Flesh, HandLayer
from hoi_ros.methods.optimisation.starts import jaws, place, region_weights
from hoi_ros.scene.affordances import PUSHING, Use
from hoi_ros.scene.distances import DistanceGrid
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

TRIES = 4  # starts looked at for each one that is followed
HEATS = 3  # followed for each one that is finished
RARER = 0.85  # chance of a grasp type beside that of the likelier one before it
FIRST, SECOND, LAST = 25, 45, 20  # steps of the three stages
RATE = 0.012  # rad, and tenths of a metre, of the first steps
MIDDLE = 0.008  # m within which wanted skin counts as contact in the second stage
INDENT = 0.0008  # m that touching skin should be in the object
STRESS = 10.0  # on penetration in the last stage
_SHARES = np.bincount(PATCH_REGIONS, minlength=17)


@dataclass(frozen=True)
class Candidates:
    """Grasps in the object's frame, with the energy terms they ended with."""

    hands: HandBatch
    grasp_type: NDArray[np.int64]  # (N,) values of GraspType
    terms: Mapping[str, Array]  # name -> (N,)


class GraspOptimiser:
    """Synthesises grasps with one hand model. It keeps what does not depend on the person or the object."""

    def __init__(self, model: HandModel) -> None:
        self.model = model
        self.limits = Limits(model.kinematics)
        self._flesh = Flesh.of(model)
        self._solid: tuple[ObjectModel, DistanceGrid] | None = None
        self._fields: tuple[Use, Fields] | None = None

    def synthesize(self, obj: ObjectModel, use: Use, count: int, seed: int, betas: Array) -> Candidates:
        """``count`` candidates for one use, by the hand of the person ``betas`` (10,). The same seed, the same hands.

        The grasp types of the use take turns, the likelier ones more often. Raises Refused(PARAMETER) for a part that
        the object does not have.
        """
        rng = np.random.default_rng(seed)
        layer = HandLayer(self.model, self._flesh, betas)
        fields = self._fields_of(obj, use)
        hands, wish, types = self._start(obj, use, betas, count * HEATS * TRIES, rng)
        problem = Problem(layer, fields, wish)
        kept = _best(problem, hands, TRIES)
        problem, hands = problem[kept], hands[kept]
        hands = descend(problem, hands, FIRST, (RATE, 0.5 * RATE), (FAR, MIDDLE), 0.0)
        problem.stress = STRESS
        finished = _best(problem, hands, HEATS)
        problem, hands = problem[finished], hands[finished]
        hands = descend(problem, hands, SECOND, (0.5 * RATE, 0.1 * RATE), (MIDDLE, NEAR), INDENT)
        problem.stress = STRESS
        hands = descend(problem, hands, LAST, (0.1 * RATE, 0.03 * RATE), (NEAR, NEAR), INDENT)
        with torch.no_grad():
            terms = problem.terms(hands, INDENT)
        return self._candidates(hands, betas, layer, types[kept.numpy()][finished.numpy()], terms)

    def _fields_of(self, obj: ObjectModel, use: Use) -> Fields:
        """Fields of a use; those of the last one are kept, and the distances of the last object."""
        if self._solid is None or self._solid[0] is not obj:
            self._solid = obj, DistanceGrid.build(obj.vertices, obj.faces, margin=REACH)
            self._fields = None
        if self._fields is None or self._fields[0] is not use:
            self._fields = use, Fields.of(obj, use, self._solid[1])
        return self._fields[1]

    def _start(
        self, obj: ObjectModel, use: Use, betas: Array, count: int, rng: np.random.Generator
    ) -> tuple[FreeHands, Wish, NDArray[np.int64]]:
        """Starts in groups of TRIES * HEATS rivals of one grasp type."""
        share = RARER ** np.arange(len(use.grasp_types))
        group = HEATS * TRIES
        number = rng.choice(len(share), size=count // group, p=share / share.sum())
        rows: list[list[Array]] = []
        types = []
        for index, kind in enumerate(use.grasp_types):
            amount = int((number == index).sum()) * group
            if amount == 0:
                continue
            shape = GRASP_SHAPES[kind]
            starts = place(obj, use, jaws(self.model, self.limits, betas, shape, use), amount, rng)
            weights = region_weights(shape, use)
            same = (shape.std(), (weights / _SHARES)[PATCH_REGIONS], _faces(shape))
            rows.append([*vars(starts).values(), *(np.broadcast_to(row, (amount, len(row))) for row in same)])
            types.append(np.full(amount, int(kind)))
        angles, natural, base, wrists, pivot, deviation, patches, faces = (
            torch.from_numpy(np.concatenate(column).astype(np.float32)) for column in zip(*rows, strict=True)
        )
        zero = torch.zeros(len(angles), 3)
        centre = wrists + (base @ pivot[..., None])[..., 0]
        pushes = use.affordance in PUSHING and use.force is not None
        push = torch.from_numpy(np.asarray(use.force, dtype=np.float32)) if pushes else None
        hands = FreeHands(angles, zero, zero.clone(), base, pivot, centre)
        return hands, Wish(natural, deviation, patches, faces.long(), not pushes, push), np.concatenate(types)

    def _candidates(
        self, hands: FreeHands, betas: Array, layer: HandLayer, types: NDArray[np.int64], terms: Mapping[str, Tensor]
    ) -> Candidates:
        rotation, wrist = hands.wrist()
        count = len(rotation)
        batch = HandBatch(
            Rotation.from_matrix(rotation.numpy().astype(np.float64)).as_rotvec(),
            self.limits.to_pose(hands.angles.numpy().astype(np.float64)),
            np.tile(betas, (count, 1)),
            wrist.numpy().astype(np.float64) - layer.rest[0],
        )
        return Candidates(batch, types, {name: term.numpy().astype(np.float64) for name, term in terms.items()})


@torch.no_grad()
def _best(problem: Problem, hands: FreeHands, group: int) -> Tensor:
    """Row of the cheapest of each ``group`` consecutive rows."""
    best = problem.cost(hands, 0.0).view(-1, group).argmin(dim=1)
    return best + group * torch.arange(len(best))


def _faces(shape: GraspShape) -> Array:
    """Which side of the finger touches in each patch (22,): a row of ``HandLayer.facing``."""
    return np.array([FACES.index(shape.faces.get(int(region), "palmar")) for region in PATCH_REGIONS], dtype=np.float64)
