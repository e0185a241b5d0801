"""What a candidate must pass to become a grasp of the dataset, cheapest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import HandModel, Limits
from hoi_ros.hand.anchors import vertex_regions
from hoi_ros.methods.optimisation.optimiser import Candidates, GraspOptimiser
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.physics.world import GraspWorld
from hoi_ros.scene.affordances import HOLDING, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

if TYPE_CHECKING:
    from hoi_ros.dataset.units import Stages

DEPTH = 0.003  # m, two-way
PART_CONTACT = 0.5  # least share of the touching skin on the asked part
NEAR_CONTACT = 0.95  # on it and the parts the use allows beside it

Mask = NDArray[np.bool_]


class Trials:
    """The tests of one person's grasps of one object."""

    def __init__(self, model: HandModel, obj: ObjectModel, betas: Array, stages: Stages) -> None:
        self._model, self._obj, self._betas, self._stages = model, obj, betas, stages
        self._optimiser = GraspOptimiser(model)
        self._world = GraspWorld(model, betas, obj)
        self._limits = Limits(model.kinematics)
        self._regions = vertex_regions(model)

    def run(self, use: Use, count: int, seed: int) -> list[dict[str, Any]]:
        """Rows of the accepted ones of ``count`` new candidates."""
        with self._stages.stage("synthesis", count) as tally:
            batch = _Batch.of(self._optimiser.synthesize(self._obj, use, count, seed, self._betas))
            tally.left += len(batch.hands)
        batch = self._geometry(use, batch)
        if len(batch.hands) and use.affordance in HOLDING:
            batch = self._settle(batch)
            batch = self._hold(batch, seed) if len(batch.hands) else batch
        elif len(batch.hands):
            batch = self._push(use, batch)
        return self._rows(use, batch) if len(batch.hands) else []

    def _geometry(self, use: Use, batch: _Batch) -> _Batch:
        """Joint limits, depth both ways, contact on the asked part, shared volume."""
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

    def _hold(self, batch: _Batch, seed: int) -> _Batch:
        """The articulated test in six directions decides about a grasp that must hold."""
        with self._stages.stage("articulated", len(batch.hands)) as tally:
            outcome = self._world.articulated(batch.hands, seed=seed)
            batch.columns |= {"displacement": outcome.displacement, "rotation": outcome.rotation}
            self._stages.rejected.update(reason for reason in outcome.reason if reason != "held")
            tally.left += int(outcome.held.sum())
        return batch[outcome.held]

    def _push(self, use: Use, batch: _Batch) -> _Batch:
        """The push test decides about Press, Support and Lever."""
        with self._stages.stage("push", len(batch.hands)) as tally:
            outcome = self._world.push(batch.hands, use)
            passed = outcome.pushed
            nothing = np.full((len(passed), 6), np.nan)
            batch.columns |= {"displacement": nothing, "rotation": nothing}
            self._stages.rejected.update(reason for reason in outcome.reason if reason != "pushed")
            tally.left += int(passed.sum())
        return batch[passed]

    def _rows(self, use: Use, batch: _Batch) -> list[dict[str, Any]]:
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
        head = {"affordance": str(use.affordance), "part": use.part}
        return [head | {name: column[row] for name, column in columns.items()} for row in range(len(hands))]

    def _vertices(self, hands: HandBatch) -> Array:
        return self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices


@dataclass
class _Batch:
    """Candidates still in the running, and what is known of each."""

    hands: HandBatch
    grasp_type: NDArray[np.int64]  # (N,)
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, candidates: Candidates) -> _Batch:
        return cls(candidates.hands, candidates.grasp_type)

    def __getitem__(self, chosen: Mask) -> _Batch:
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return _Batch(self.hands[chosen], self.grasp_type[chosen], columns)
