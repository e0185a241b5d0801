"""The paper's own way from a field to a hand: two stages of Adam (choir 3.3, eq. 9 to 12), as a reference.

Where paper and code differ, the code's values hold: it freezes the wrist in stage two and weighs contacts by 500.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import smplx
import torch
from torch import Tensor

from hoi_ros.hand import HandModel
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.methods.choir.field import hand_field, tensors
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.types import Array, HandBatch

RECONSTRUCTION, SHAPE, POSE = 1000.0, 1e-4, 1e-8  # lambda 1 to 3
CONTACT, PENETRATION = 500.0, 1000.0  # lambda 4 and 5; lambda 6 is of the wrist, which stands still
NEAREST = 5  # object points that a vertex is drawn to [eq. 10]
INWARDS = 0.003  # m that the object's points are moved in before depth counts [code]
MOST, PATIENCE, PLATEAU = 1000, 10, 1e-6  # iterations, and how many that gain less end a stage
DECIMETRE = 0.1  # m: the unit of the translation, for a rate that fits angles


class AdamFitter:
    """Fits hands one batch at a time, each with its own loss; the loss of a batch is their sum."""

    def __init__(self, model: HandModel) -> None:
        self._model = model
        self._anchors = find_anchors(model)
        self._corners = torch.from_numpy(self._anchors.corners.astype(np.int64))
        self._weights = torch.from_numpy(self._anchors.weights.astype(np.float32))
        self._basis, self._assigned = tensors()

    def fit_field(self, field: Array, start: HandBatch, most: int = MOST) -> HandBatch:
        """Stage one: hands (B,) of fields (B, 4096), m, of the scheme ``blocks``, in the frame of the grid."""
        wanted = torch.from_numpy(field.astype(np.float32))
        orient, pose, betas, place = _values(start)
        first, layer = pose.clone(), self._model.smplx(len(pose))

        def loss() -> Tensor:
            anchors = self._anchor_points(_vertices(layer, orient, pose, betas, place))
            off = (hand_field(anchors, self._basis, self._assigned) - wanted).square().mean(1)
            return RECONSTRUCTION * off + SHAPE * betas.norm(dim=1) + POSE * (pose - first).norm(dim=1)

        _descend(loss, (orient, pose, betas, place), 8e-2, (100, 0.5), most)
        return _hands(orient, pose, betas, place)

    def fit_contacts(self, hands: HandBatch, surface: CloudSurface, chance: Array, most: int = MOST) -> HandBatch:
        """Stage two: hands (B,) whose vertices are drawn to an object by ``chance`` (B, 778)."""
        likely = torch.from_numpy(chance.astype(np.float32))
        orient, pose, betas, place = _values(hands)
        layer = self._model.smplx(len(pose))

        def loss() -> Tensor:
            vertices = _vertices(layer, orient, pose, betas, place)
            near = surface.tree.query(vertices.detach().numpy().reshape(-1, 3), NEAREST, workers=-1)[1]
            points = surface.points[torch.from_numpy(near)].view(*vertices.shape[:2], NEAREST, 3)
            normals = surface.normals[torch.from_numpy(near[:, 0])].view(vertices.shape)
            drawn = (likely * (vertices[:, :, None] - points).square().sum((-1, -2))).sum(1)
            above = ((vertices - points[:, :, 0] + INWARDS * normals) * normals).sum(-1)
            depth = (-above).clamp(min=0.0).mean(1)
            return CONTACT * drawn + PENETRATION * depth + SHAPE * betas.norm(dim=1)

        _descend(loss, (pose, betas), 1e-3, (50, 0.9), most)
        return _hands(orient, pose, betas, place)

    def _anchor_points(self, vertices: Tensor) -> Tensor:
        return torch.einsum("ac,baci->bai", self._weights, vertices[:, self._corners])


def _vertices(layer: smplx.MANO, orient: Tensor, pose: Tensor, betas: Tensor, place: Tensor) -> Tensor:
    vertices: Tensor = layer(global_orient=orient, hand_pose=pose, betas=betas, transl=DECIMETRE * place).vertices
    return vertices


def _descend(
    loss: Callable[[], Tensor], values: Sequence[Tensor], rate: float, fall: tuple[int, float], most: int
) -> int:
    """Iterations until nothing is gained any more."""
    for value in values:
        value.requires_grad_()
    optimiser = torch.optim.Adam(list(values), lr=rate)
    falling = torch.optim.lr_scheduler.StepLR(optimiser, *fall)
    last, idle = np.inf, 0
    for done in range(most):
        optimiser.zero_grad()
        total = loss().sum()
        total.backward()
        optimiser.step()
        falling.step()
        now = float(total.detach())
        idle = idle + 1 if abs(last - now) < PLATEAU else 0
        last = now
        if idle >= PATIENCE:
            return done + 1
    return most


def _values(hands: HandBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    values = (hands.global_orient, hands.hand_pose, hands.betas, hands.transl / DECIMETRE)
    return tuple(torch.from_numpy(value.astype(np.float32)).clone() for value in values)  # type: ignore[return-value]


def _hands(orient: Tensor, pose: Tensor, betas: Tensor, place: Tensor) -> HandBatch:
    return HandBatch(*(v.detach().double().numpy() for v in (orient, pose, betas, DECIMETRE * place)))
