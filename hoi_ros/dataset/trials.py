"""What a candidate must pass to become a grasp of the dataset, cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import Limits
from hoi_ros.hand.anchors import vertex_regions
from hoi_ros.methods.optimisation.optimiser import Candidates, GraspOptimiser
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.physics.world import GraspWorld
from hoi_ros.scene.affordances import HOLDING, PUSHING, Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

if TYPE_CHECKING:
    from hoi_ros.dataset.units import Stages

DEPTH = 0.003  # m, two-way
PART_CONTACT = 0.65  # least share of the touching skin on the asked part
NEAR_CONTACT = 0.95  # on it and the parts the use allows beside it
FRICTIONS = (0.6, 0.54)  # of the two articulated tests, each perturbed in its own way: the second leaves a margin

Mask = NDArray[np.bool_]


class Trials:
    """The tests of one person's grasps of one object."""

    def __init__(self, optimiser: GraspOptimiser, obj: ObjectModel, betas: Array, stages: Stages) -> None:
        self._optimiser, self._obj, self._betas, self._stages = optimiser, obj, betas, stages
        self._model = model = optimiser.model
        self._world = GraspWorld(model, betas, obj)
        self._limits = Limits(model.kinematics)
        self._regions = vertex_regions(model)

    def run(self, use: Use, count: int, seed: int) -> list[dict[str, Any]]:
        """Rows of the accepted ones of ``count`` new candidates."""
        with self._stages.stage("synthesis", count) as tally:
            batch = _Batch.of(use, seed, self._optimiser.synthesize(self._obj, use, count, seed, self._betas))
            tally.left += len(batch.hands)
        batch = self._geometry(batch)
        for test in _TESTS[use.affordance]:
            if len(batch.hands):
                batch = test(self, batch)
        return self._rows(batch) if len(batch.hands) else []

    def _geometry(self, batch: _Batch) -> _Batch:
        """Joint limits, depth both ways, contact on the asked part, shared volume."""
        use = batch.use
        with self._stages.stage("geometry", len(batch.hands)) as tally:
            vertices = self._vertices(batch.hands)
            depths = two_way_depth(vertices, self._model.closed_faces, self._obj)
            contacts = contact_parts(vertices, self._obj)
            part = contacts.share_on((self._obj.part(use.part),))
            near = contacts.share_on(tuple(self._obj.part(name) for name in (use.part, *use.neighbours)))
            regions = np.zeros((len(vertices), 17, len(self._obj.part_names)), dtype=bool)
            rows, skin = np.nonzero(contacts.touching())
            regions[rows, self._regions[skin], contacts.part[rows, skin]] = True
            batch.columns |= {
                "hand_in_object": depths.hand_in_object,
                "object_in_hand": depths.object_in_hand,
                "part_contact": part,
                "region_contact": regions,
            }
            passed = np.ones(len(vertices), dtype=bool)
            for reason, met in (
                ("limits", self._limits.violation(batch.hands.hand_pose) < 1e-6),
                ("depth", depths.two_way <= DEPTH),
                ("part", (part >= PART_CONTACT) & (near >= NEAR_CONTACT)),
            ):
                self._stages.rejected[reason] += int((passed & ~met).sum())
                passed &= met
            tally.left += int(passed.sum())
        return batch[passed]

    def _settle(self, batch: _Batch) -> _Batch:
        """Closing the hand without gravity leaves the object in it."""
        with self._stages.stage("settle", len(batch.hands)) as tally:
            kept = self._world.settle(batch.hands).kept
            self._stages.rejected["settle"] += int((~kept).sum())
            tally.left += int(kept.sum())
        return batch[kept]

    def _hold(self, batch: _Batch) -> _Batch:
        """The articulated test in six directions decides about a grasp that must hold: twice, perturbed in two ways."""
        with self._stages.stage("articulated", len(batch.hands)) as tally:
            for seed, friction in enumerate(FRICTIONS, batch.seed):
                outcome = self._world.articulated(batch.hands, seed=seed, friction=friction)
                batch.columns |= {"displacement": outcome.displacement, "rotation": outcome.rotation}
                self._stages.rejected.update(reason for reason in outcome.reason if reason != "held")
                batch = batch[outcome.held]
            tally.left += len(batch.hands)
        return batch

    def _push(self, batch: _Batch) -> _Batch:
        """The hand pushes the part of an object that does not give way."""
        with self._stages.stage("push", len(batch.hands)) as tally:
            outcome = self._world.push(batch.hands, batch.use)
            self._stages.rejected.update(reason for reason in outcome.reason if reason != "pushed")
            tally.left += int(outcome.pushed.sum())
        return batch.unmoved()[outcome.pushed]

    def _turn(self, batch: _Batch) -> _Batch:
        """The hand turns the part of an object that does not give way."""
        with self._stages.stage("turn", len(batch.hands)) as tally:
            outcome = self._world.turn(batch.hands, batch.use)
            self._stages.rejected.update(reason for reason in outcome.reason if reason != "turned")
            tally.left += int(outcome.turned.sum())
        return batch.unmoved()[outcome.turned]

    def _rows(self, batch: _Batch) -> list[dict[str, Any]]:
        """Rows of the table of grasps, as far as geometry and physics fill them."""
        hands = batch.hands
        mesh = self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        columns = batch.columns | {
            "grasp_type": batch.grasp_type,
            "pose": np.concatenate([hands.global_orient, hands.hand_pose], axis=1),
            "betas": hands.betas,
            "transl": hands.transl,
            "keypoints": mesh.keypoints.reshape(len(hands), 63),
        }
        for name, voxel in (("volume_5mm", 0.005), ("volume_2mm", 0.002)):
            columns[name] = 1e6 * intersection_volume(mesh.vertices, self._model.closed_faces, self._obj, voxel)
        head = {"affordance": str(batch.use.affordance), "part": batch.use.part}
        return [head | {name: column[row] for name, column in columns.items()} for row in range(len(hands))]

    def _vertices(self, hands: HandBatch) -> Array:
        return self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices


_Test = Callable[[Trials, "_Batch"], "_Batch"]
_TESTS: Mapping[Affordance, tuple[_Test, ...]] = {
    **dict.fromkeys(HOLDING, (Trials._settle, Trials._hold)),
    **dict.fromkeys(PUSHING, (Trials._push,)),
    Affordance.TWIST: (Trials._turn,),
}


@dataclass
class _Batch:
    """Candidates for ``use`` still in the running, and what is known of each; ``seed`` perturbs their tests."""

    use: Use
    seed: int
    hands: HandBatch
    grasp_type: NDArray[np.int64]  # (N,)
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, use: Use, seed: int, candidates: Candidates) -> _Batch:
        return cls(use, seed, candidates.hands, candidates.grasp_type)

    def unmoved(self) -> _Batch:
        """The same, without the motions of the articulated test."""
        nothing = np.full((len(self.hands), 6), np.nan)
        return replace(self, columns=self.columns | {"displacement": nothing, "rotation": nothing})

    def __getitem__(self, chosen: Mask) -> _Batch:
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return replace(self, hands=self.hands[chosen], grasp_type=self.grasp_type[chosen], columns=columns)
