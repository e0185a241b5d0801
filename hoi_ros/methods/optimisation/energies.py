"""The terms of a grasp's energy. Each is (N,), differentiable, and near 1 where a person would call it bad."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hoi_ros.methods.optimisation.fields import Fields
from hoi_ros.methods.optimisation.force_closure import ForceClosure
from hoi_ros.methods.optimisation.hand_layer import PATCHES, HandLayer

_SOFT = 0.002  # m, of the soft choice of a patch's touching vertex
NEAR = 0.003  # m within which skin counts as contact
_SIDE = 0.004  # m that a vertex on a finger's side is worth less than one on its pad
_FLOOR = 0.002  # m to keep off the table


@dataclass(frozen=True)
class Wish:
    """What one grasp type wants of each hand of a batch."""

    mean: Tensor  # (N, 26) rad
    deviation: Tensor  # (N, 26) rad
    patches: Tensor  # (N, 22) how much each contact patch should touch, 0..1
    faces: Tensor  # (N, 22) side of the finger that touches, of ``FACES``
    holds: bool = True  # whether the contacts must hold the object
    push: Tensor | None = None  # (3,) unit: push the part along it

    def __getitem__(self, rows: Tensor) -> Wish:
        return Wish(self.mean[rows], self.deviation[rows], self.patches[rows], self.faces[rows], self.holds, self.push)


@dataclass(frozen=True)
class Contacts:
    """The touching point of every patch."""

    points: Tensor  # (N, 22, 3) m
    distances: Tensor  # (N, 22) m, signed, to the wanted part
    normals: Tensor  # (N, 22, 3) outward unit normals of the object


def contacts(layer: HandLayer, fields: Fields, wish: Wish, skin: Tensor, distance: Tensor, normals: Tensor) -> Contacts:
    """Softly chosen nearest vertices: skin (N, V, 3) with its signed distances (N, V) and gradients (N, V, 3)."""
    rows = layer.patches
    to_part = distance_to_part(fields, skin, distance)
    skin, to_part, normals = skin[:, rows], to_part[:, rows], normals[:, rows]
    facing = layer.facing[wish.faces, torch.arange(PATCHES)]
    share = torch.softmax(-(to_part + _SIDE * (1.0 - facing)) / _SOFT, dim=-1)
    mean = (share[..., None] * normals).sum(-2)
    return Contacts(
        (share[..., None] * skin).sum(-2),
        (share * to_part).sum(-1),
        mean / (mean.norm(dim=-1, keepdim=True) + 1e-6),
    )


def distance_to_part(fields: Fields, skin: Tensor, distance: Tensor) -> Tensor:
    """Distance (N, V), m, of skin (N, V, 3) to the wanted part, signed where that is what lies nearest."""
    if fields.part is None:
        return distance
    coarse = fields.part.distance(skin)
    # There the whole object's field knows the distance better.
    return torch.where(coarse < distance.abs() + 0.003, distance, coarse)


def touch(found: Contacts, wish: Wish, indent: float) -> Tensor:
    """Wanted patches are ``indent`` m deep in the part: linear far away, square near."""
    off = (found.distances + indent) / 0.005
    return (wish.patches * ((off * off + 1.0).sqrt() - 1.0)).sum(-1)


def hold(found: Contacts, wish: Wish, fields: Fields, closure: ForceClosure, reach: float) -> Tensor:
    """Residual of force closure over the contacts there are, and the wanted ones to come: those within ``reach`` m."""
    reaches = torch.where(wish.patches > 0.0, reach, min(reach, NEAR))
    weights = torch.exp(-((found.distances.clamp(min=0.0) / reaches) ** 2))
    centre = fields.centre
    if centre is None:
        centre = (weights[..., None] * found.points).sum(1, keepdim=True).detach() / (weights.sum(1) + 1e-3)[
            :, None, None
        ]
    return closure.residual(found.points - centre, found.normals, weights, max(fields.extent, 0.02))


def press(found: Contacts, wish: Wish) -> Tensor:
    """Wanted patches touch where the surface faces against the push."""
    assert wish.push is not None
    weights = wish.patches / wish.patches.sum(-1, keepdim=True)
    return (weights * (1.0 + found.normals @ wish.push)).sum(-1)


def penetration(distance: Tensor, balls: Tensor, radii: Tensor, slack: float) -> Tensor:
    """Both ways: vertices (N, V) inside the object, and the object inside the flesh as balls' depth (N, S); mm^2."""
    skin = (-distance - slack).clamp(min=0.0) * 1e3
    flesh = (radii - balls).clamp(min=0.0) * 1e3
    return 0.02 * _huber(skin).sum(-1) + 0.1 * _huber(flesh).sum(-1)


def _huber(depth: Tensor) -> Tensor:
    """Square up to 4 mm, straight beyond: a hand that starts far inside is led out, not thrown."""
    near = depth.clamp(max=4.0)
    return near * (2.0 * depth - near)


def keep_off(fields: Fields, skin: Tensor) -> Tensor:
    """Skin near the parts that are not wanted."""
    if fields.others is None:
        return skin.new_zeros(len(skin))
    return 0.01 * ((-fields.others.distance(skin)).clamp(min=0.0) * 1e3).square().sum(-1)


def clearance(fields: Fields, skin: Tensor, forearm: Tensor, distance: Tensor, radii: Tensor) -> Tensor:
    """The forearm (N, 6, 3), at ``distance`` (N, 6), clear of the object; all of it and the hand above the table."""
    cost = ((radii - distance).clamp(min=0.0) * 100.0).square().sum(-1)
    if fields.floor:
        cost = cost + 0.01 * ((_FLOOR - skin[..., 2]).clamp(min=0.0) * 1e3).square().sum(-1)
        cost = cost + ((radii - forearm[..., 2]).clamp(min=0.0) * 100.0).square().sum(-1)
    return cost


def self_penetration(balls: Tensor, layer: HandLayer) -> Tensor:
    """Overlap of balls of different fingers beyond that of the flat hand."""
    near = balls[:, : len(layer.gaps)]
    near = near - near.mean(dim=1, keepdim=True).detach()  # float32: products of large numbers would drown the gaps
    square = near.square().sum(-1)
    gap = (square[:, :, None] + square[:, None] - 2.0 * near @ near.transpose(1, 2)).clamp(min=1e-10).sqrt()
    return 0.05 * ((layer.gaps - gap).clamp(min=0.0) * 1e3).square().sum((-2, -1))


def unnatural(angles: Tensor, wish: Wish) -> Tensor:
    """Mean squared deviation from the grasp type's shape, in its standard deviations."""
    return ((angles - wish.mean) / wish.deviation).square().mean(-1)
