"""The stage: hands near an object in, better ones out, or the same ones and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from hoi_ros.hand import HandModel
from hoi_ros.hand.mirror import mirror_hand
from hoi_ros.hand.pose import refined_hand
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.refinery import Refinery
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface, surface_of
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import Cloud, prepare
from hoi_ros.scene.nearby import UNKNOWN, ensure_usable, unchanged
from hoi_ros.types import Array, HandBatch, HandPose, ObjectCloud, Side

NAME = "choir"
SIDES: tuple[Side, ...] = ("right", "left")
POINTS = 2048
MIRROR = torch.tensor([-1.0, 1.0, 1.0])
REACH = 0.15  # m: three deviations of all of the benchmark's noise


@dataclass
class ChoirRefiner:
    """Refines hands, and remembers the last cloud's surface.

    ``reach``, m, is how far off an estimate may be: hands that are farther from the object, or would be moved farther,
    stay as they are.
    """

    refinery: Refinery
    reach: float = REACH
    _cloud: ObjectCloud | None = None
    _surface: CloudSurface | None = None

    @classmethod
    def shipped(cls, model: HandModel | None = None, reach: float = REACH) -> ChoirRefiner:
        """With the shipped weights; the embedded hand where no other model is given."""
        return cls(Refinery(JointDiffusion.load(load_shipped("choir_refinement")), model), reach)

    def refine(self, hand: HandPose, cloud: ObjectCloud | None, instruction: str = "") -> HandPose:
        """A better ``hand`` in its own frame, which must be the cloud's; the same, marked, where no object is near.

        Raises Refused: NOT_FINITE or KEYPOINTS for numbers that no hand has, FRAME for a cloud in another frame, CLOUD
        for one without an object.
        """
        return self.refine_all([hand], cloud, instruction)[0]

    def refine_all(
        self,
        hands: Sequence[HandPose],
        cloud: ObjectCloud | None,
        instruction: str = "",  # noqa: ARG002  # the network reads no words
        seed: int = 0,
    ) -> list[HandPose]:
        """The same for any number of hands, at once."""
        for hand in hands:
            ensure_usable(hand, cloud)
        if cloud is None:
            return unchanged(hands, UNKNOWN)
        surface = self._surface_of(cloud)
        away = [float(np.min(surface.tree.query(self._joints(hand))[0])) for hand in hands]
        found = [
            hand if far <= self.reach else unchanged([hand], f"the object is {100 * far:.0f} cm away")[0]
            for hand, far in zip(hands, away, strict=True)
        ]
        for side in SIDES:
            rows = [row for row, far in enumerate(away) if far <= self.reach and hands[row].side == side]
            for row, better in zip(rows, self._refined([hands[row] for row in rows], surface, seed), strict=True):
                found[row] = better if better.change <= self.reach else self._too_far(hands[row], better.change)
        return found

    def _too_far(self, hand: HandPose, change: float) -> HandPose:
        most = f"refiner_reach is {1e3 * self.reach:.0f} mm"
        return unchanged([hand], f"{NAME} would move it by {1e3 * change:.0f} mm, {most}")[0]

    def reset(self) -> None:
        """Forget the cloud."""
        self._cloud = self._surface = None

    def _refined(self, hands: Sequence[HandPose], surface: CloudSurface, seed: int) -> list[HandPose]:
        """Hands of one side."""
        if not hands:
            return []
        if hands[0].side == "left":
            mirrored = self._refined([mirror_hand(hand) for hand in hands], _mirrored(surface), seed)
            return [mirror_hand(hand) for hand in mirrored]
        level = min(self.reach / REACH, 1.0)
        batch = self.refinery.refine(HandBatch.of(hands), surface, level, seed).hands
        return [refined_hand(self.refinery.model, hand, batch[row : row + 1], NAME) for row, hand in enumerate(hands)]

    def _joints(self, hand: HandPose) -> Array:
        """(21, 3) m, by the parameters, which alone are refined."""
        pose = (hand.global_orient, hand.hand_pose, hand.betas[None], hand.transl)
        return self.refinery.model.joints(*pose, side=hand.side)[0]

    def _surface_of(self, cloud: ObjectCloud) -> CloudSurface:
        if self._surface is None or cloud is not self._cloud:
            if not np.isfinite(cloud.points).all():
                bad = (~np.isfinite(cloud.points).all(1)).sum()
                raise Refused(Reason.CLOUD, f"{bad} of {len(cloud.points)} points are not finite")
            seen = prepare(Cloud(cloud.points, cloud.normals), POINTS, viewpoint=cloud.viewpoint)
            assert seen.normals is not None
            self._cloud, self._surface = cloud, surface_of(seen.points, seen.normals)
        return self._surface


def _mirrored(surface: CloudSurface) -> CloudSurface:
    return replace(surface, points=surface.points * MIRROR, normals=surface.normals * MIRROR)
