"""How far a set of contacts is from holding an object: a small convex programme for each hand, solved in batches.

Contacts push with forces inside their friction pyramids, and together they squeeze with a fixed total. The residual is
the wrench that remains of the squeeze and of gravity in six directions, and of the squeeze that they cannot apply. It
is zero where the grasp holds; where fingers press from one side only it is as large as the push.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FRICTION = 0.4  # of the pyramids; grasps are tested at 0.6
SQUEEZE = 6.0  # sum of the normal forces, in weights of the object
_EDGES = 6
_DIRECTIONS = torch.cat([torch.eye(3), -torch.eye(3)])
_ANGLES = torch.arange(_EDGES) * (2.0 * np.pi / _EDGES)
_RIDGE = 0.002  # of the forces: shares the load among the contacts, and makes them unique


@dataclass
class ForceClosure:
    """Residuals of batches of contacts. It remembers the last forces as the start of the next solution."""

    friction: float = FRICTION
    iterations: int = 10
    _forces: Tensor | None = None

    def residual(self, points: Tensor, normals: Tensor, weights: Tensor, length: float) -> Tensor:
        """Root mean square wrench (N,) that is left over the six load cases, in weights of the object.

        Contact points (N, K, 3) m from the centre of mass, outward surface normals (N, K, 3) and ``weights`` (N, K) in
        0..1 of how far each is in contact. Torques are divided by ``length``, m. Differentiable in all three: by the
        envelope theorem the optimal forces count as constants. The ridge counts too, which prefers shared loads.
        """
        wrenches = self._wrenches(points, normals, weights, length)
        load = torch.cat([_DIRECTIONS, torch.zeros(6, 3), torch.full((6, 1), -SQUEEZE)], dim=1).to(points)
        forces = self._solve(wrenches.detach(), load)
        left = forces @ wrenches + load
        effort = _RIDGE * forces.square().sum(-1)
        return (left.square().sum(-1) + effort).mean(-1).add(1e-6).sqrt()

    def _wrenches(self, points: Tensor, normals: Tensor, weights: Tensor, length: float) -> Tensor:
        """Force, torque and normal force (N, K * edges, 7) of the pyramids' edges."""
        one, two = tangents(normals)
        angles = _ANGLES.to(points)
        around = angles.cos()[:, None] * one[:, :, None] + angles.sin()[:, None] * two[:, :, None]
        edges = -normals[:, :, None] + self.friction * around
        torques = torch.linalg.cross((points / length)[:, :, None].expand_as(edges), edges)
        rows = torch.cat([edges, torques, torch.ones_like(edges[..., :1])], dim=-1)
        return (weights[:, :, None, None] * rows).flatten(1, 2)

    @torch.no_grad()
    def _solve(self, wrenches: Tensor, load: Tensor) -> Tensor:
        """Forces (N, 6 cases, K * edges) along the edges, by accelerated projected gradient."""
        across = wrenches.transpose(1, 2)
        step = 1.0 / ((across @ wrenches).flatten(1).norm(dim=1) + _RIDGE)[:, None, None]
        shape = (len(wrenches), 6, wrenches.shape[1])
        forces = (
            self._forces
            if self._forces is not None and self._forces.shape == shape
            else torch.zeros(shape).to(wrenches)
        )
        ahead = forces
        for k in range(self.iterations):
            slope = (ahead @ wrenches + load) @ across + _RIDGE * ahead
            following = (ahead - step * slope).clamp_(min=0.0)
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
