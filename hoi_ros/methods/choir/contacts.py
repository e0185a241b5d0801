"""Contacts as 32 Gaussians, one about each anchor (choir 3.1.b)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from hoi_ros.hand.anchors import Anchors
from hoi_ros.hand.model import HandModel
from hoi_ros.types import Array

REACH = 0.004  # m: object points this near to a vertex count [lambda of eq. 4]
GIVE = 0.002  # m that they may lie behind the skin: what flesh gives way [choir fig. 3]
LEAST = 4  # vertices of a contact; fewer are none [code]
FARTHEST = 0.02  # m from an anchor to the middle of its contact [code]
NUGGET = 1e-8  # m^2, added to variances [code]
TOUCHES = 0.0007  # m: a Gaussian with less deviation than this in its mean is no contact
LOWER = ((0, 1, 1, 2, 2, 2), (0, 0, 1, 0, 1, 2))  # rows and columns of the six numbers of a lower triangle


@dataclass(frozen=True)
class Gaussians:
    """Contacts of hands: means relative to the anchors (B, 32, 3), m, and lower triangles (B, 32, 3, 3), m.

    No contact is a triangle of zeros.
    """

    means: Tensor
    triangles: Tensor

    @property
    def touches(self) -> Tensor:
        """Which anchors have a contact (B, 32)."""
        deviation = self.triangles.diagonal(dim1=-2, dim2=-1).clamp(min=0.0).mean(-1)
        return deviation > TOUCHES

    def numbers(self) -> Tensor:
        """As a network has them (B, 288): nine for each anchor (choir eq. 7)."""
        lower = self.triangles[..., LOWER[0], LOWER[1]]
        return torch.cat([self.means, lower], dim=-1).flatten(1)

    @classmethod
    def of(cls, numbers: Tensor) -> Gaussians:
        """Of what a network gives (B, 288); diagonals below zero are zero."""
        values = numbers.view(len(numbers), -1, 9)
        triangles = values.new_zeros(*values.shape[:2], 3, 3)
        triangles[..., LOWER[0], LOWER[1]] = values[..., 3:]
        diagonal = triangles.diagonal(dim1=-2, dim2=-1)
        return cls(values[..., :3], triangles - torch.diag_embed(diagonal.clamp(max=0.0)))

    def turned(self, rotations: Tensor) -> Gaussians:
        """In axes turned by rotations (B, 3, 3): the triangles are those of the turned covariances."""
        turned = rotations[:, None] @ self.triangles
        covariance = turned @ turned.transpose(-1, -2) + NUGGET * torch.eye(3).to(turned)
        triangles = torch.linalg.cholesky(covariance) * self.touches[..., None, None]
        return Gaussians((rotations[:, None] @ self.means[..., None])[..., 0], triangles)

    def density(self, vertices: Tensor, anchors: Tensor, cells: Tensor) -> Tensor:
        """Of vertices (B, V, 3), m, under the Gaussian of their cell's (V,) anchor of anchors (B, 32, 3): (B, V).

        Relative to its peak, 0..1, so that small contacts count as much as large ones; 0 without a contact. In the
        axes of the Gaussians.
        """
        triangles = self.triangles + NUGGET**0.5 * torch.eye(3).to(self.triangles)
        off = vertices - (anchors + self.means)[:, cells]
        white = torch.linalg.solve_triangular(triangles[:, cells], off[..., None], upper=False)[..., 0]
        return torch.exp(-0.5 * white.square().sum(-1)) * self.touches[:, cells]


def contact_weights(vertices: Array, normals: Array, tree: cKDTree) -> Array:
    """How many of an object's points each vertex (V, 3) of a hand with outward normals (V, 3) touches: (V,).

    Those within ``REACH`` on its outer side, less what flesh gives way. The cone of 4/3 pi holds all directions.
    """
    weights = np.zeros(len(vertices))
    for number, near in enumerate(tree.query_ball_point(vertices, REACH)):
        if near:
            outwards = (tree.data[near] - vertices[number]) @ normals[number]
            weights[number] = (outwards >= -GIVE).sum()
    return weights


def fit(vertices: Tensor, weights: Tensor, anchors: Tensor, cells: Tensor) -> Gaussians:
    """The likeliest Gaussians of vertices (B, V, 3), m, each counted ``weights`` (B, V) times, by cells (V,).

    Differentiable in the vertices and the anchors (B, 32, 3) (choir eq. 6).
    """
    member = torch.nn.functional.one_hot(cells, anchors.shape[1]).to(vertices)  # (V, 32)
    total = weights @ member
    share = weights[..., None] * member / total.clamp(min=1e-9)[:, None]  # (B, V, 32)
    means = share.transpose(1, 2) @ vertices
    off = vertices - means[:, cells]
    products = (off[..., :, None] * off[..., None, :]).flatten(2)
    covariance = (share.transpose(1, 2) @ products).view(*means.shape, 3) + NUGGET * torch.eye(3).to(vertices)
    count = (weights > 0.0).to(vertices) @ member
    away = (means - anchors).norm(dim=-1)
    found = (count >= LEAST) & (away <= FARTHEST)
    eye = torch.eye(3).to(vertices)
    triangles = torch.linalg.cholesky(torch.where(found[..., None, None], covariance, eye))
    return Gaussians(
        torch.where(found[..., None], means - anchors, 0.0),
        torch.where(found[..., None, None], triangles, 0.0),
    )


def cells_of(model: HandModel, anchors: Anchors) -> NDArray[np.int64]:
    """The nearest anchor of each vertex (778,) on the flat hand: fingers that lie on each other do not mix."""
    away = np.linalg.norm(model.v_template[:, None] - anchors.points(model.v_template), axis=2)
    return np.asarray(away.argmin(axis=1))
