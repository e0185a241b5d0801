"""The losses of the Distribution Adjustment Module (affordgrasp 12, eq. 22 to 30; FastGrasp)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hoi_ros.methods.affordgrasp.hand_surface import Hands

CONTACT = 0.005  # m: object points this near to the hand are its contact region [tau of eq. 27, unpublished]
THICK = 0.02  # m: flesh is nowhere thicker, so what lies farther behind a vertex lies outside, past an edge
TINY = 1e-4  # m, where the root of the penetration begins to bend
REACH = 0.01  # m: pads pull at object points they are this near to already [FastGrasp]


@dataclass(frozen=True)
class Weights:
    """How much each term counts; lengths in m.

    FastGrasp's for OakInk (1, 10, 1000, 5, 10), but where a term had no say: at those values the parameters, whose best
    guess is a mean hand, outweigh all others. Of the penetration each hand counts by its root: the square grows a
    thousandfold from a touch to a hand inside, and a few of those lead all others astray.
    """

    chamfer: float = 100.0
    parameters: float = 2.0
    contact: float = 1000.0
    penetration: float = 5.0
    consistency: float = 10.0


@dataclass(frozen=True)
class Nearness:
    """Distance (B, N), m, of object points from the nearest vertex of a hand, and whether they are inside it."""

    distance: Tensor
    inside: Tensor


def nearness(points: Tensor, vertices: Tensor, normals: Tensor) -> Nearness:
    """Of object points (B, N, 3) to hands (B, V, 3) with outward vertex normals (B, V, 3).

    Inside is what lies behind the nearest vertex, against its normal, and within ``THICK`` of it.
    """
    near = torch.cdist(points, vertices).argmin(2)
    rows = near[..., None].expand(-1, -1, 3)
    offset = points - vertices.gather(1, rows)
    distance = offset.square().sum(-1).add(1e-12).sqrt()
    inside = ((offset * normals.gather(1, rows)).sum(-1) < 0.0) & (distance < THICK)
    return Nearness(distance, inside)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Outward unit normals (B, V, 3) of hands (B, V, 3) with faces (F, 3), weighted by area."""
    corners = vertices[:, faces]
    cross = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    sums = torch.zeros_like(vertices)
    for corner in range(3):
        sums = sums.index_add(1, faces[:, corner], cross)
    return functional.normalize(sums, dim=-1)


def adjustment_losses(
    hands: Hands,
    true: Hands,
    vertices: Tensor,
    true_vertices: Tensor,
    points: Tensor,
    faces: Tensor,
    pads: Tensor,
    weights: Weights,
) -> dict[str, Tensor]:
    """Terms for hands and true hands with their vertices (B, 778, 3), m, at object points (B, N, 3), m.

    ``faces`` (F, 3) of the closed hand, ``pads`` (P,) the vertices that should touch when they nearly do. Each vertex
    has its counterpart, so the distance between counterparts stands for the chamfer distance.
    """
    here = nearness(points, vertices, vertex_normals(vertices, faces))
    there = nearness(points, true_vertices, vertex_normals(true_vertices, faces))
    touched = (there.distance < CONTACT).to(points)
    reach = torch.cdist(vertices[:, pads], points).amin(2)
    pulled = (reach < REACH).to(points)
    return {
        "chamfer": weights.chamfer * (vertices - true_vertices).square().sum(-1).mean(),
        "parameters": weights.parameters
        * (
            functional.mse_loss(hands.pose, true.pose)
            + functional.mse_loss(hands.orient, true.orient)
            + functional.mse_loss(hands.transl, true.transl)
        ),
        "contact": weights.contact * (pulled * reach.square()).sum() / pulled.sum().clamp(min=1.0),
        "penetration": weights.penetration * ((here.inside * here.distance).square().sum(1) + TINY**2).sqrt().mean()
        - weights.penetration * TINY,
        "consistency": weights.consistency
        * (touched * (here.distance - there.distance).abs()).sum()
        / touched.sum().clamp(min=1.0),
    }
