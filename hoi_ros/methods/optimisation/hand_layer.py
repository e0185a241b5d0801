"""The hand as a differentiable function of its 26 angles, for one person, posing only what the energies look at.

Three sets of points move with the bones: ``skin`` (the vertices that may touch), ``balls`` that fill the flesh (an edge
or a thin wall inside a finger is felt where no vertex is) and ``forearm`` (balls behind the wrist).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from torch import Tensor

from hoi_ros.hand.anchors import find_anchors
from hoi_ros.hand.kinematics import PARENTS
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.types import Array
from hoi_ros.view.render import vertex_normals

PALM_PATCHES = 7
PATCHES = 15 + PALM_PATCHES
"""Contact patches: one for each finger segment (regions 0-14), then seven of the palm, one round each palm anchor."""

PATCH_REGIONS = np.array([*range(15), 15, 16, 15, 15, 16, 15, 16])
"""Region of each patch, (22,)."""

FACES = ("palmar", "radial", "ulnar")
"""Sides of a finger: the pad, towards the thumb, towards the little finger."""

_PALM_ANCHORS = (5, 6, 12, 18, 19, 25, 26)
_LEVELS = (slice(1, 16, 3), slice(2, 16, 3), slice(3, 16, 3))
_LAYER = 0.0015  # m of flesh under the skin that balls may leave uncovered
_MOST_BALLS = 300
_SIZES = np.array([3.0, 4.0, 5.0, 6.0, 7.0, 8.5, 10.0, 12.0, 14.0, 17.0]) / 1e3  # m, radii of balls
_FIRST = 90  # balls, the largest ones, that fingers feel each other by
_FOREARM = tuple((0.035 + 0.035 * k, 0.028 + 0.002 * k) for k in range(6))  # m behind the wrist, radius


@dataclass(frozen=True)
class Flesh:
    """What of a hand model does not depend on the person: which vertices are posed, how the balls hang on the skin.

    ``patches`` (22, M): rows of ``skin`` in each contact patch, short ones padded with their first; ``facing``
    (3, 22, M): cosine between a vertex's normal and each of ``FACES`` of its bone.
    """

    skin: NDArray[np.int64]  # (V,) vertices of the model
    patches: NDArray[np.int64]
    facing: Array
    ball_vertices: NDArray[np.int64]  # (S, K) of the model
    ball_shares: Array  # (S, K), affine weights
    ball_weights: Array  # (S, 16) skinning

    @classmethod
    def of(cls, model: HandModel) -> Flesh:
        """Chosen by geometry on the mean hand, so that any hand of the schema has them."""
        patch_of, cosine = _patches(model)
        skin = np.flatnonzero(patch_of >= 0)
        row = {int(v): i for i, v in enumerate(skin)}
        members = [[row[int(v)] for v in np.flatnonzero(patch_of == patch)] for patch in range(PATCHES)]
        longest = max(map(len, members))
        padded = np.array([m + m[:1] * (longest - len(m)) for m in members])
        return cls(skin, padded, cosine[:, skin][:, padded], *_balls(model))


class HandLayer:
    """Poses one person's hand in torch, float32."""

    def __init__(self, model: HandModel, flesh: Flesh, betas: Array) -> None:
        limits = Limits(model.kinematics)
        template = model.v_template + model.shapedirs @ betas
        rest = model.J_regressor @ template
        balls = np.einsum("sk,ski->si", flesh.ball_shares, template[flesh.ball_vertices])
        forward = rest[4] - rest[0]
        forward = forward / np.linalg.norm(forward)
        forearm = rest[0] - np.array([back for back, _ in _FOREARM])[:, None] * forward
        self.skin_count, self.ball_count = len(flesh.skin), len(balls)
        self.patches = torch.from_numpy(flesh.patches)
        self.facing = _tensor(flesh.facing)
        self.radii = _tensor(-SignedDistance(template, model.closed_faces).distance(balls))
        self.forearm_radii = _tensor(np.array([radius for _, radius in _FOREARM]))
        self.gaps = _gaps(flesh.ball_weights.argmax(axis=1), balls, self.radii)
        self.rest = rest
        self.lower, self.upper = _tensor(limits.lower), _tensor(limits.upper)
        self._basis = _tensor(limits.to_pose(np.eye(limits.size)))
        self._rest = _tensor(rest)
        self._bones = _tensor(rest[1:] - rest[PARENTS[1:]])
        points = np.concatenate([template[flesh.skin], balls, forearm])
        wrist_only = np.zeros((len(forearm), 16))
        wrist_only[:, 0] = 1.0
        weights = np.concatenate([model.weights[flesh.skin], flesh.ball_weights, wrist_only])
        # sum_j w_j (R_j v + t_j) is linear in the stacked rows of (R_j | t_j): one product poses all points.
        extended = np.concatenate([points, np.ones((len(points), 1))], axis=1)
        self._skinning = _tensor((weights[:, :, None] * extended[:, None, :]).reshape(len(points), 64))
        self._weights = _tensor(model.weights[flesh.skin])
        self._correctives = _tensor(model.posedirs[flesh.skin].reshape(-1, 135).T)

    def pose(self, angles: Tensor, rotation: Tensor, wrist: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Skin (N, V, 3), balls (N, S, 3) and forearm (N, 6, 3), m.

        Angles (N, 26) rad as in ``Limits``, the wrist's rotation (N, 3, 3) and position (N, 3) m.
        """
        count = len(angles)
        local = rotations((angles @ self._basis).view(count, 15, 3))
        turn, place = self._forward(local, rotation, wrist)
        shift = place - (turn @ self._rest[:, :, None])[..., 0]
        transforms = torch.cat([turn.transpose(-1, -2), shift[:, :, None]], dim=2).reshape(count, 64, 3)
        points = self._skinning @ transforms
        offset = ((local - torch.eye(3)).reshape(count, 135) @ self._correctives).view(count, -1, 3)
        blended = (self._weights @ turn.reshape(count, 16, 9)).view(count, -1, 3, 3)
        skin = points[:, : self.skin_count] + (blended * offset[:, :, None]).sum(-1)
        end = self.skin_count + self.ball_count
        return skin, points[:, self.skin_count : end], points[:, end:]

    def _forward(self, local: Tensor, rotation: Tensor, wrist: Tensor) -> tuple[Tensor, Tensor]:
        """Global rotations (N, 16, 3, 3) and positions (N, 16, 3) of the joints."""
        turns, places = [rotation[:, None]], [wrist[:, None]]
        turn, place = rotation[:, None], wrist[:, None]
        for level in range(3):
            rows = slice(level, 15, 3)
            place = place + (turn @ self._bones[rows, :, None])[..., 0]
            turn = turn @ local[:, rows]
            turns.append(turn)
            places.append(place)
        order = [0, *(1 + 5 * (j % 3) + j // 3 for j in range(15))]
        return torch.cat(turns, dim=1)[:, order], torch.cat(places, dim=1)[:, order]


def rotations(vectors: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3), rad; smooth at zero."""
    square = (vectors * vectors).sum(-1) + 1e-12
    angle = square.sqrt()
    first = (angle.sin() / angle)[..., None, None]
    second = ((1.0 - angle.cos()) / square)[..., None, None]
    cross = (vectors @ _skew).view(*vectors.shape, 3)
    return torch.eye(3) + first * cross + second * (cross @ cross)


_skew = torch.zeros(3, 9)
_skew[0, 5], _skew[0, 7] = -1.0, 1.0
_skew[1, 2], _skew[1, 6] = 1.0, -1.0
_skew[2, 1], _skew[2, 3] = -1.0, 1.0


def _gaps(joint: NDArray[np.int64], balls: Array, radii: Tensor) -> Tensor:
    """Distance (B, B), m, at which two of the first balls touch; 0 for the pairs that may overlap."""
    count = min(_FIRST, len(joint))
    joint, balls = joint[:count], balls[:count]
    finger = np.where(joint == 0, -1, (joint - 1) // 3)
    first = (joint == 0) | (joint % 3 == 1)  # the palm and what springs from it
    apart = (finger[:, None] != finger) & ~(first[:, None] & first)
    reach = radii[:count, None] + radii[:count]
    gaps = torch.minimum(reach, _tensor(cdist(balls, balls))) - 0.001
    return gaps * _tensor(np.triu(apart))


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _patches(model: HandModel) -> tuple[NDArray[np.int64], Array]:
    """Patch of each vertex (778,), -1 for the back of the hand, and the cosines (3, 778) of its normal with FACES."""
    anchors, limits = find_anchors(model), Limits(model.kinematics)
    regions = anchors.vertex_regions
    joint_of_region = np.array([13, 14, 15, 1, 2, 3, 4, 5, 6, 10, 11, 12, 7, 8, 9])
    frames = limits.frames[np.append(joint_of_region, [4, 4]) - 1]
    towards = np.stack([-frames[..., 1], frames[..., 0], -frames[..., 0]])  # (3, 17, 3)
    cosine = np.einsum("vi,fvi->fv", vertex_normals(model.v_template, model.faces), towards[:, regions])
    places = anchors.points(model.v_template)[list(_PALM_ANCHORS)]
    nearest = np.linalg.norm(model.v_template[:, None] - places, axis=2).argmin(axis=1)
    patch = np.where(regions < 15, regions, 15 + nearest)
    return np.where(cosine[0] > np.where(regions < 15, -0.3, 0.2), patch, -1), cosine


def _balls(model: HandModel) -> tuple[NDArray[np.int64], Array, Array]:
    """Balls that cover the flesh but for its outermost layer: their vertices, affine and skinning weights."""
    skin = SignedDistance(model.v_template, model.closed_faces)
    vertices, faces = trimesh.remesh.subdivide(model.v_template, model.closed_faces)
    normals = vertex_normals(vertices, faces)
    shell = vertices - _LAYER * normals
    # Balls that touch the skin, of every size that fits there.
    inner = (vertices - _SIZES[:, None, None] * normals).reshape(-1, 3)
    radii = -skin.distance(inner)
    fits = radii > 0.9 * np.repeat(_SIZES, len(normals))
    inner, radii = inner[fits], radii[fits]
    centres = inner[covering_balls(inner, radii, shell, _MOST_BALLS)]
    distance = np.linalg.norm(centres[:, None] - model.v_template, axis=2)
    vertices = distance.argsort(axis=1)[:, :16]
    shares = np.empty((len(centres), 16))
    for row, (centre, near) in enumerate(zip(centres, vertices, strict=True)):
        rows = np.concatenate([model.v_template[near].T, np.ones((1, 16))])
        shares[row] = np.linalg.lstsq(rows, np.append(centre, 1.0), rcond=None)[0]
    weights = np.exp(-((distance / (distance.min(axis=1, keepdims=True) + 0.002)) ** 2)) @ model.weights
    return vertices, shares, weights / weights.sum(axis=1, keepdims=True)


def covering_balls(centres: Array, radii: Array, points: Array, most: int) -> list[int]:
    """At most ``most`` of balls (N,) about centres (N, 3), each covering most of the points (M, 3) that are left."""
    covered = cKDTree(points).query_ball_point(centres, radii)
    gain = np.array([len(rows) for rows in covered])
    columns, ends = np.concatenate(covered).astype(np.intp), np.concatenate([[0], np.cumsum(gain)])
    covers = csr_array((np.ones_like(columns), columns, ends), (len(centres), len(points)))
    left = np.ones(len(points), dtype=np.intp)
    found: list[int] = []
    while len(found) < most and gain.max() > 0:
        best = int(gain.argmax())
        found.append(best)
        new = np.zeros_like(left)
        new[covered[best]] = left[covered[best]]
        gain -= covers @ new
        left -= new
    return found
