"""Hands as the networks have them, and their skin: some or all of a MANO hand's vertices, differentiable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import smplx
import torch
from numpy.typing import NDArray
from smplx.lbs import batch_rodrigues, lbs
from torch import Tensor
from torch.nn import functional

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.scene.clouds import farthest_points

SEEN = 256  # vertices of a hand that networks look at
UNIT = 10.0  # per m: networks read and place in decimetres
SIZES = (6, 45, 10, 3)  # orientation as two columns, pose, betas, translation


@dataclass(frozen=True)
class Hands:
    """MANO parameters of a batch: orientation (B, 3, 3), pose (B, 45) rad, betas (B, 10), translation (B, 3) m."""

    orient: Tensor
    pose: Tensor
    betas: Tensor
    transl: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Hands:
        """Of what a decoder answers with, (B, 64)."""
        columns, pose, betas, transl = values.split(SIZES, dim=1)
        return cls(rotation(columns), pose, betas, transl / UNIT)

    def __getitem__(self, rows: Tensor | NDArray[np.int64] | slice) -> Hands:
        return Hands(*(values[rows] for values in vars(self).values()))

    def to(self, device: torch.device | str) -> Hands:
        """The same on another device."""
        return Hands(*(values.to(device) for values in vars(self).values()))


def rotation(columns: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) from their first two columns (B, 6), which need be neither unit nor perpendicular."""
    one = functional.normalize(columns[:, :3], dim=1)
    two = functional.normalize(columns[:, 3:] - (one * columns[:, 3:]).sum(1, keepdim=True) * one, dim=1)
    return torch.stack([one, two, torch.linalg.cross(one, two)], dim=2)


class Skin:
    """Some vertices of a MANO layer, in the order of their rows; the joints come along as vertices of their own."""

    def __init__(self, layer: smplx.MANO, rows: Tensor) -> None:
        count = len(layer.lbs_weights)
        joints = layer.J_regressor
        bends = layer.posedirs.view(-1, count, 3)
        self.rows = len(rows)
        self._template = torch.cat([layer.v_template[rows], joints @ layer.v_template])
        self._shapes = torch.cat([layer.shapedirs[rows], torch.einsum("jv,vik->jik", joints, layer.shapedirs)])
        still = bends.new_zeros(len(bends), len(joints), 3)
        self._bends = torch.cat([bends[:, rows], still], dim=1).flatten(1)
        self._regressor = torch.cat([joints.new_zeros(len(joints), len(rows)), torch.eye(len(joints)).to(joints)], 1)
        self._weights = torch.cat([layer.lbs_weights[rows], torch.eye(len(joints)).to(joints)])
        self._parents = layer.parents

    def to(self, device: torch.device | str) -> Skin:
        """Moved to a device."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def surface(self, hands: Hands) -> Tensor:
        """Vertices (B, V, 3), m."""
        return self.pose(hands)[0]

    def pose(self, hands: Hands) -> tuple[Tensor, Tensor]:
        """Vertices (B, V, 3) and joints (B, 16, 3), m."""
        count = len(hands.pose)
        turns = batch_rodrigues(hands.pose.reshape(-1, 3)).view(count, 15, 3, 3)
        vertices: Tensor
        vertices, _ = lbs(
            hands.betas,
            torch.cat([hands.orient[:, None], turns], dim=1),
            self._template,
            self._shapes,
            self._bends,
            self._regressor,
            self._parents,
            self._weights,
            pose2rot=False,
        )
        vertices = vertices + hands.transl[:, None]
        return vertices[:, : self.rows], vertices[:, self.rows :]

    def wrists(self, betas: Tensor) -> Tensor:
        """Wrists (B, 3), m, of people at rest: the places that orientations turn about."""
        return self._template[self.rows] + torch.einsum("ik,bk->bi", self._shapes[self.rows], betas)


def hand_order(model: HandModel) -> NDArray[np.intp]:
    """The vertices (``SEEN``,) of a hand that are looked at, farthest first on the flat hand."""
    return farthest_points(model.v_template, SEEN)


def hand_skin() -> Skin:
    """Those of the embedded hand."""
    model = load_hand_model()
    return Skin(model.smplx(), torch.from_numpy(hand_order(model)))
