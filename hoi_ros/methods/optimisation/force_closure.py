"""How far a set of contacts is from holding an object: a small convex programme for each hand, solved in batches.

Contacts push with forces inside their friction pyramids. Fingers that close always press, each along its normal with a
share of one squeeze; on top of it the contacts may add what they need. The residual is what remains of the wrench of the
squeeze and of gravity in six directions. It is zero where the grasp holds, and where the fingers push the object out it
is as large as the push, which plain force closure does not see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FRICTION = 0.4  # of the pyramids; grasps are tested at 0.6
SQUEEZE = 3.0  # total force of the closing fingers, in weights of the object
MOST = 8.0  # force that one pyramid's edge may add at a full contact, in weights
_EDGES = 6
_DIRECTIONS = torch.cat([torch.eye(3), -torch.eye(3)])
_ANGLES = torch.arange(_EDGES) * (2.0 * np.pi / _EDGES)
_RIDGE = 2e-3  # of the added forces: prefers small ones, and makes them unique


@dataclass
class ForceClosure:
    """Residuals of batches of contacts. It remembers the last forces as the start of the next solution."""

    friction: float = FRICTION
    iterations: int = 10
    _forces: Tensor | None = None

    def residual(self, points: Tensor, normals: Tensor, weights: Tensor, squeezing: Tensor, length: float) -> Tensor:
        """Root mean square wrench (N,) that is left over the six load cases, in weights of the object.

        Contact points (N, K, 3) m from the centre of mass, outward surface normals (N, K, 3), ``weights`` (N, K) in
        0..1 of how far each is in contact, and ``squeezing`` (K,) 1 for contacts that press by themselves. Torques are
        divided by ``length``, m. Differentiable in points, normals and weights: by the envelope theorem the optimal forces
        count as constants.
        """
        wrenches, squeeze = self._wrenches(points, normals, weights, squeezing, length)
        forces = self._solve(wrenches.detach(), squeeze.detach())
        left = forces @ wrenches + squeeze
        return (left.square().sum(-1).mean(-1) + 1e-6).sqrt()

    def select(self, rows: Tensor) -> None:
        """Keep the remembered forces of these rows only, in their order."""
        if self._forces is not None:
            self._forces = self._forces[rows]

    def _wrenches(
        self, points: Tensor, normals: Tensor, weights: Tensor, squeezing: Tensor, length: float
    ) -> tuple[Tensor, Tensor]:
        """Wrenches of the pyramids' edges (N, K * edges, 6) and of squeeze and load (N, 6 cases, 6)."""
        count, contacts = weights.shape
        one, two = tangents(normals)
        around = _ANGLES.cos()[:, None] * one[:, :, None] + _ANGLES.sin()[:, None] * two[:, :, None]
        edges = -normals[:, :, None] + self.friction * around
        arms = points / length
        torques = torch.linalg.cross(arms[:, :, None].expand_as(edges), edges)
        wrenches = weights[:, :, None, None] * torch.cat([edges, torques], dim=-1)
        pressing = weights * squeezing
        share = SQUEEZE * pressing / (pressing.sum(1, keepdim=True) + 0.5)
        push = torch.cat([-normals, torch.linalg.cross(arms, -normals)], dim=-1)
        squeeze = (share[:, :, None] * push).sum(1, keepdim=True)
        load = torch.cat([_DIRECTIONS, torch.zeros(6, 3)], dim=1)
        return wrenches.reshape(count, contacts * _EDGES, 6), squeeze + load

    @torch.no_grad()
    def _solve(self, wrenches: Tensor, squeeze: Tensor) -> Tensor:
        """Forces (N, 6 cases, K * edges) along the edges, by accelerated projected gradient."""
        across = wrenches.transpose(1, 2)
        step = 1.0 / ((across @ wrenches).flatten(1).norm(dim=1) + _RIDGE)[:, None, None]
        shape = (len(wrenches), 6, wrenches.shape[1])
        forces = self._forces if self._forces is not None and self._forces.shape == shape else torch.zeros(shape)
        ahead = forces
        for k in range(self.iterations):
            slope = (ahead @ wrenches + squeeze) @ across + _RIDGE * ahead
            following = (ahead - step * slope).clamp_(0.0, MOST)
            ahead = following + k / (k + 3.0) * (following - forces)
            forces = following
        self._forces = forces
        return forces


def tangents(normals: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors (..., 3) that complete unit normals to right-handed frames, without a jump but at -z."""
    x, y, z = normals.unbind(-1)
    a = -1.0 / (1.0 + z).clamp(min=1e-3)
    b = x * y * a
    one = torch.stack([1.0 + x * x * a, b, -x], dim=-1)
    two = torch.stack([b, 1.0 + y * y * a, -y], dim=-1)
    return one, two
