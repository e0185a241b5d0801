"""One refiner after another: hidden fingers first, then the hand as a whole by the object near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hoi_ros.types import HandPose, ObjectCloud

if TYPE_CHECKING:
    from hoi_ros.parameters import Parameters
    from hoi_ros.stages import Refiner


@dataclass(frozen=True)
class InTurn:
    """A refiner made of others."""

    refiners: tuple[Refiner, ...]

    def refine_all(
        self, hands: Sequence[HandPose], cloud: ObjectCloud | None, instruction: str = "", seed: int = 0
    ) -> list[HandPose]:
        """Hands after all of them; ``refinement`` tells what each did. Raises Refused as they do."""
        found = list(hands)
        for refiner in self.refiners:
            better = refiner.refine_all(found, cloud, instruction, seed)
            found = [_both(old, new) for old, new in zip(found, better, strict=True)]
        return [
            replace(hand, change=_distance(hand, first)) if hand.change else hand
            for hand, first in zip(found, hands, strict=True)
        ]

    def reset(self) -> None:
        """Of all."""
        for refiner in self.refiners:
            refiner.reset()


def build(parameters: Parameters) -> InTurn:
    """The affordance-guided prior, then CHOIR. Raises Refused as they do."""
    from hoi_ros.stages import build as stage

    return InTurn(tuple(stage("refiner", name, parameters) for name in ("affordance_prior", "choir")))


def _both(old: HandPose, new: HandPose) -> HandPose:
    """What the later one made of it; a hand that either has moved is moved."""
    if not old.refinement:
        return new
    said = f"{old.refinement}; {new.refinement}"
    if not old.change and not new.change:
        return replace(new, refinement=said)
    moved = [each.refinement for each in (old, new) if each.change]
    return replace(new, refinement="; ".join(moved), change=old.change + new.change)


def _distance(hand: HandPose, first: HandPose) -> float:
    return float(np.linalg.norm(hand.keypoints - first.keypoints, axis=1).mean())
