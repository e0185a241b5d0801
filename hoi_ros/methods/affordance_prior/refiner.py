"""The stage: hands with hidden fingers in, likelier ones out, with the deviation each keypoint is believed to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hoi_ros.hand import HandModel
from hoi_ros.hand.mirror import mirror_hand, mirror_points
from hoi_ros.hand.pose import refined_hand
from hoi_ros.language.encoder import Text, TextEncoder, pad
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordance_prior.describer import describe
from hoi_ros.methods.affordance_prior.evidence import Object, Witness
from hoi_ros.methods.affordance_prior.occlusion import hidden_keypoints, joints_hidden
from hoi_ros.methods.affordance_prior.prior import AffordancePrior, silence
from hoi_ros.methods.affordance_prior.refinery import PriorRefinery
from hoi_ros.scene.clouds import farthest_points
from hoi_ros.scene.nearby import ensure_usable, unchanged
from hoi_ros.types import HandBatch, HandPose, ObjectCloud, Side

NAME = "affordance_prior"
SIDES: tuple[Side, ...] = ("right", "left")
POINTS = 2048
ALL_SEEN = "all joints are seen"
UNSEEN = "no camera sees it, so nobody knows what of it is hidden"
UNTOLD = "nothing tells what it holds"


@dataclass
class AffordancePriorRefiner:
    """Corrects what a camera does not see of hands, and remembers the last cloud."""

    refinery: PriorRefinery
    encoder: TextEncoder
    _witness: Witness = field(init=False)
    _cloud: ObjectCloud | None = None
    _things: dict[Side, Object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The witness knows the same hand."""
        self._witness = Witness(self.refinery.model)

    @classmethod
    def shipped(cls, model: HandModel | None = None) -> AffordancePriorRefiner:
        """With the shipped weights; the embedded hand where no other model is given."""
        network = AffordancePrior.load(load_shipped(NAME))
        return cls(PriorRefinery(network, model), TextEncoder())

    def refine_all(
        self, hands: Sequence[HandPose], cloud: ObjectCloud | None, instruction: str = "", seed: int = 0
    ) -> list[HandPose]:
        """Likelier ``hands`` in a camera's frame, in their order; those that stay say why in ``refinement``.

        Raises Refused as `scene.nearby.ensure_usable` does, and CLOUD for points that are too few.
        """
        for hand in hands:
            ensure_usable(hand, cloud)
        found = list(hands)
        for side in SIDES:
            rows = [row for row, hand in enumerate(hands) if hand.side == side]
            if not rows:
                continue
            mirrored = [hands[row] if side == "right" else mirror_hand(hands[row]) for row in rows]
            better = self._refined(mirrored, self._thing(cloud, side), instruction, seed)
            for row, hand in zip(rows, better, strict=True):
                found[row] = hand if side == "right" else mirror_hand(hand)
        return found

    def reset(self) -> None:
        """Forget the cloud."""
        self._cloud, self._things = None, {}

    def _refined(self, hands: Sequence[HandPose], thing: Object | None, instruction: str, seed: int) -> list[HandPose]:
        """Right hands."""
        points = None if thing is None else thing.points
        model = self.refinery.model
        lost = {row: hidden_keypoints(model, hand, points) for row, hand in enumerate(hands) if hand.keypoints_2d.any()}
        found = [unchanged([hand], ALL_SEEN if row in lost else UNSEEN)[0] for row, hand in enumerate(hands)]
        rows = [row for row, hidden in lost.items() if joints_hidden(hidden).any()]
        if not rows:
            return found
        batch, hidden = HandBatch.of([hands[row] for row in rows]), np.stack([lost[row] for row in rows])
        told = [describe(each) for each in self._witness.known(batch, hidden, thing, [instruction] * len(rows))]
        for row in rows:
            found[row] = unchanged([hands[row]], UNTOLD)[0]
        of = [number for number, sentence in enumerate(told) if sentence]  # the prior knows only hands that hold
        if of:
            text = heard(self.encoder, [told[number] for number in of])
            better = self.refinery.refine(batch[of], hidden[of], text, seed=seed)
            for place, row in enumerate(rows[number] for number in of):
                moved = refined_hand(model, hands[row], better.hands[place : place + 1], NAME)
                found[row] = replace(moved, deviation=better.deviation[place])
        return found

    def _thing(self, cloud: ObjectCloud | None, side: Side) -> Object | None:
        """The object as hands of a side meet it: a left hand's is mirrored."""
        if cloud is not self._cloud:
            self._cloud, self._things = cloud, {}
        if cloud is None:
            return None
        if side not in self._things:
            points = cloud.points[farthest_points(cloud.points, min(POINTS, len(cloud.points)))]
            self._things[side] = Object.of(points if side == "right" else mirror_points(points))
        return self._things[side]


def heard(encoder: TextEncoder, sentences: Sequence[str]) -> Text:
    """Features of descriptions; nothing for empty ones."""
    return pad([encoder.encode([each])[0] if each else silence(1)[0] for each in sentences])
