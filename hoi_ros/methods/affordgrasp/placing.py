"""Where a request thinks of hands: at the middle of what is afforded, turned to a direction that the object has.

Metres about that place leave the diffusion little to learn of where an object lies and how it is turned: mugs that
differ in size and heading alone have handles at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hoi_ros.methods.affordgrasp.hand_surface import Hands, Skin

ASIDE = 0.15  # of the object's radius that the afforded part lies off its middle, to give the direction
LONG = 1.5  # ratio of variances of the afforded points over the ground, to give it


@dataclass(frozen=True)
class Places:
    """Frames (B,) of requests in the frame of their clouds: z stays up."""

    middle: Tensor  # (B, 3) m
    turn: Tensor  # (B, 3, 3) about z, from the request's frame to the cloud's

    @classmethod
    def of(cls, points: Tensor, affordance: Tensor) -> Places:
        """Of clouds (B, N, 3), m, with probabilities (B, N); where none reaches one half, all points count.

        The direction is that from the object's middle to the afforded part's; where they are too near to each other,
        the long side of the afforded points over the ground; where that is round, none.
        """
        weights = (affordance - 0.5).clamp(min=0.0)
        weights = torch.where(weights.sum(1, keepdim=True) > 0.0, weights, torch.ones_like(weights))
        weights = (weights / weights.sum(1, keepdim=True))[..., None]
        middle = (weights * points).sum(1)
        whole = points.mean(1)
        aside = (middle - whole)[:, :2]
        far = aside.norm(dim=1) > ASIDE * (points - whole[:, None]).norm(dim=2).amax(1)
        around = (points - middle[:, None])[..., :2]
        variances, axes = torch.linalg.eigh((weights * around).transpose(1, 2) @ around)
        long = variances[:, 1] > LONG * variances[:, 0].clamp(min=1e-9)
        ahead = torch.where(long[:, None], axes[..., 1], torch.tensor([1.0, 0.0]).to(points))
        ahead = torch.where(far[:, None], aside, ahead)
        cosine, sine = (ahead / ahead.norm(dim=1, keepdim=True)).unbind(1)
        turn = torch.zeros(len(points), 3, 3).to(points)
        turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1], turn[:, 2, 2] = cosine, -sine, sine, cosine, 1.0
        return cls(middle, turn)

    def enter(self, points: Tensor) -> Tensor:
        """Points (B, N, 3) of the clouds' frame in the requests'."""
        return (points - self.middle[:, None]) @ self.turn

    def leave(self, points: Tensor) -> Tensor:
        """Points (B, N, 3) of the requests' frame in the clouds'."""
        return points @ self.turn.transpose(1, 2) + self.middle[:, None]

    def enter_hands(self, skin: Skin, hands: Hands) -> Hands:
        """Hands of the clouds' frame in the requests'; the orientation turns about the wrist, given by ``skin``."""
        wrist = skin.wrists(hands.betas)
        back = self.turn.transpose(1, 2)
        moved = (back @ (wrist + hands.transl - self.middle)[..., None])[..., 0]
        return Hands(back @ hands.orient, hands.pose, hands.betas, moved - wrist)

    def leave_hands(self, skin: Skin, hands: Hands) -> Hands:
        """Hands of the requests' frame in the clouds'."""
        wrist = skin.wrists(hands.betas)
        moved = (self.turn @ (wrist + hands.transl)[..., None])[..., 0] + self.middle
        return Hands(self.turn @ hands.orient, hands.pose, hands.betas, moved - wrist)

    def repeat(self, count: int) -> Places:
        """Each ``count`` times, one after the other."""
        return Places(self.middle.repeat_interleave(count, 0), self.turn.repeat_interleave(count, 0))
