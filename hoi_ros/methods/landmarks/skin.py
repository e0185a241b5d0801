"""Where a depth camera should see the skin over the skeleton, and how far off the depth is from that.

The hand is probed at its joints and halfway along its bones. From each probe the model's own mesh tells how far the
skin is in any direction, so the offset of joint and skin is not one number: 6 mm on a finger, 20 mm at the wrist.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand.kinematics import K21
from hoi_ros.hand.model import HandModel
from hoi_ros.hand.observations import Observation
from hoi_ros.hand.start import BONES
from hoi_ros.types import Array, Intrinsics

PARENT = np.concatenate([[0], BONES])
"""The keypoint before each keypoint."""

JOINTS = np.ones(21)
"""Probes at the keypoints themselves."""

MIDDLES = np.where(np.arange(21) % 4 == 0, 0.6, 0.5)
"""Probes along the bones; at the ends a little farther out, for a fingertip keypoint lies on the skin."""

_DIRECTIONS = np.array([d for d in product((-1.0, 0.0, 1.0), repeat=3) if any(d)])
_DIRECTIONS /= np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
_THICKEST = 0.025  # m: beyond, a ray runs along a finger or across to the next
_SHARPNESS = 16  # of the blend between the 26 directions, which are some 45 degrees apart


class Probes:
    """21 places inside a hand model, ``share`` (21,) of the way from each keypoint's parent (0) to itself (1)."""

    def __init__(self, model: HandModel, share: Array) -> None:
        self.share = share[:, None]
        rest = model.kinematics.rest_points(np.zeros((1, 10)))[0]
        exits = _exits(self.centres(rest), model.v_template[model.closed_faces])
        self._table = np.minimum(exits, _THICKEST)  # (21, 26) m to the skin
        self._carrier = K21[PARENT]  # the joint whose bone holds the probe

    @property
    def least(self) -> Array:
        """Distance (21,) m to the nearest skin."""
        return self._table.min(axis=1)

    def centres(self, points: Array) -> Array:
        """Probes (..., 21, 3) of keypoints (..., 21, 3), or the same mean of their derivatives."""
        return self.share * points + (1.0 - self.share) * points[..., PARENT, :]

    def thickness(self, points: Array, rotations: Array) -> Array:
        """Depth (21,) m of the probes behind the skin, for keypoints (21, 3) and joint rotations (16, 3, 3)."""
        centres = self.centres(points)
        rays = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        local = -np.einsum("kji,kj->ki", rotations[self._carrier], rays)
        blend = np.maximum(local @ _DIRECTIONS.T, 0.0) ** _SHARPNESS
        thickness: Array = (blend * self._table).sum(axis=1) / blend.sum(axis=1) * rays[:, 2]
        return thickness


@dataclass(frozen=True, kw_only=True)
class Skin(Observation):
    """The skin over 21 probes against a depth picture: how far it should lie behind the model's, m; targets are zero.

    What the camera sees clearly in front of a probe is another part of the hand, what it sees clearly behind is the
    background: neither pulls. ``thickness`` (21,) m is the skin's offset from the probes along the optical axis.
    """

    probes: Probes
    thickness: Array
    depth: NDArray[np.float32]
    intrinsics: Intrinsics
    front: float = 0.012  # m, about a finger's thickness: nearer than this is another finger
    back: float = 0.04  # m
    flipped: bool = False  # the hand lives in the mirror image of the picture
    _last: dict[str, Array] = field(default_factory=dict, init=False, repr=False)

    dimensions: ClassVar[int] = 1

    def predict(self, points: Array) -> Array:
        """Gaps (B, 21, 1), cut off where they do not belong to the probe."""
        return np.clip(self.gaps(points), -self.front, self.back)[..., None]

    def derive(self, points: Array, jacobian: Array) -> Array:
        """Derivative of the gaps for a skin that is flat around the probe."""
        gaps = self.gaps(points)
        near = ((gaps > -self.front) & (gaps < self.back))[..., None, None]
        return np.where(near, -self.probes.centres(jacobian[..., 2, :])[..., None, :], 0.0)

    def mirrored(self) -> Self:
        """The same with the picture mirrored."""
        return replace(self, flipped=not self.flipped)

    def gaps(self, points: Array) -> Array:
        """Seen minus expected depth of the skin (B, 21) m; ``back`` where no depth is known."""
        if self._last.get("points") is not points:  # a residual and its derivative are taken at the same points
            self._last.update(points=points, gaps=self._gaps(points))
        return self._last["gaps"]

    def _gaps(self, points: Array) -> Array:
        centres = self.probes.centres(points)
        if self.flipped:
            centres = centres * np.array([-1.0, 1.0, 1.0])
        expected = centres[..., 2] - self.thickness
        pixels = self.intrinsics.project(np.maximum(centres, [-np.inf, -np.inf, 0.01]))
        seen = sample_depth(self.depth, pixels, expected)
        return np.where(np.isfinite(seen), seen - expected, self.back)


def sample_depth(depth: NDArray[np.float32], pixels: Array, expected: Array, reach: float = 0.15) -> Array:
    """Depth (...) m of the surface at pixels (..., 2), NaN where none lies within ``reach`` m of ``expected`` (...).

    Of the known depths in a window of 5 x 5 the near surface counts (a finger's edge, not the background): the median
    of what lies within 10 mm of the window's lower fifth (holes and single flying pixels do not matter).
    """
    height, width = depth.shape
    around = np.arange(-2, 3)
    centre = np.rint(np.clip(pixels, -1e4, 1e5)).astype(np.int64)
    columns = centre[..., 0, None, None] + around
    rows = centre[..., 1, None, None] + around[:, None]
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    window = depth[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)].astype(np.float64)
    near = np.abs(window - expected[..., None, None]) < reach
    window = np.where(inside & (window > 0.0) & near, window, np.inf).reshape(*expected.shape, 25)
    window.sort(axis=-1)
    known = np.isfinite(window).sum(axis=-1)
    lower = np.take_along_axis(window, (known // 5)[..., None], axis=-1)
    count = (window <= lower + 0.01).sum(axis=-1)
    middle = np.take_along_axis(window, np.minimum(count // 2, 24)[..., None], axis=-1)[..., 0]
    return np.where(known > 0, middle, np.nan)


def _exits(origins: Array, triangles: Array) -> Array:
    """Distance (N, 26) from points (N, 3) inside a closed mesh (F, 3, 3) to its nearest wall along each direction.

    Moeller and Trumbore, Journal of Graphics Tools 1997.
    """
    corner, first, second = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    exits = np.full((len(origins), len(_DIRECTIONS)), np.inf)
    for d, direction in enumerate(_DIRECTIONS):
        across = np.cross(direction, second)
        determinant = np.einsum("fi,fi->f", first, across)
        scale = 1.0 / np.where(np.abs(determinant) < 1e-15, np.inf, determinant)
        offset = origins[:, None] - corner
        u = np.einsum("nfi,fi->nf", offset, across) * scale
        turned = np.cross(offset, first)
        v = turned @ direction * scale
        distance = np.einsum("nfi,fi->nf", turned, second) * scale
        hit = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (distance > 0.0)
        exits[:, d] = np.where(hit, distance, np.inf).min(axis=1)
    return exits
