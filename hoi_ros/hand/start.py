"""Closed-form start of the inverse kinematics: shape from bone lengths, palm by alignment, fingers bone by bone."""

from __future__ import annotations

from typing import cast

import numpy as np

from hoi_ros.hand import rotations
from hoi_ros.hand.kinematics import K21, Kinematics
from hoi_ros.hand.least_squares import State
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.observations import Depths, Pixels, Points, Relative, Term
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

BONES = np.array([0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
"""Parent keypoint of keypoints 1..20."""

_BASES = np.array([5, 9, 17, 13, 1])  # keypoints of the finger bases in MANO order
_PALM = np.full(21, 1e-3)
_PALM[[0, 5, 9, 13, 17]] = 1.0
_PALM[1] = 0.3


class Start:
    """Closed-form starts for one hand model."""

    def __init__(self, kinematics: Kinematics, limits: Limits, shape_sigma: float) -> None:
        self._kinematics, self._limits = kinematics, limits
        rest = kinematics.rest_points(np.zeros((1, 10)))[0]
        shape = np.concatenate([kinematics.rest_shape, kinematics.tips_shape])[K21]
        bones = rest[1:] - rest[BONES]
        self.lengths = np.linalg.norm(bones, axis=1)
        self._length_shape = np.einsum("ni,nik->nk", bones / self.lengths[:, None], shape[1:] - shape[BONES])
        # A bone length is about as well known as two keypoints, here 5 mm; shape_sigma is in standard shapes.
        self._ridge = (0.007 / min(shape_sigma, 100.0)) ** 2 * np.eye(10)

    def state(self, points: Array, confidence: Array, betas: Array | None) -> State:
        """Start for keypoints (B, 21, 3) m with confidences (B, 21); shape as given (B, 10), else from bone lengths."""
        shape = self.shape(points, confidence) if betas is None else betas
        rest = self._kinematics.rest_points(shape)
        root, _ = rotations.align(rest, points, confidence * _PALM + 1e-12)
        weights = (confidence * _PALM)[..., None] + 1e-12
        offset = points - (rest - rest[:, :1]) @ root.swapaxes(1, 2)
        wrist = (weights * offset).sum(axis=1) / weights.sum(axis=1)
        return State(root, wrist, np.concatenate([self._fingers(points, confidence, root), shape], axis=1))

    def shape(self, points: Array, confidence: Array) -> Array:
        """Betas (B, 10) whose flat hand has the bone lengths seen, by ridge regression; within two standard shapes."""
        lengths = np.linalg.norm(points[:, 1:] - points[:, BONES], axis=2)
        weights = confidence[:, 1:] * confidence[:, BONES]
        weighted = self._length_shape.T * weights[:, None]
        right = weighted @ (lengths - self.lengths)[..., None]
        betas: Array = np.linalg.solve(weighted @ self._length_shape + self._ridge, right)[..., 0]
        return np.clip(betas, -2.0, 2.0)

    def _fingers(self, points: Array, confidence: Array, root: Array) -> Array:
        """Angles (B, D) that swing each bone onto its seen direction: no twist, and hinges turn about their hinge."""
        limits = self._limits
        middle = 0.5 * (limits.lower + limits.upper)
        frames = limits.frames.reshape(5, 3, 3, 3)
        swings = np.full((len(points), 16, 3), np.nan)
        parent = root[:, None]
        for level in range(3):
            joint, frame = np.arange(5) * 3 + 1 + level, frames[:, level]
            seen = points[:, _BASES + level + 1] - points[:, _BASES + level]
            local = (seen[:, :, None] @ parent @ frame)[:, :, 0]  # along flexion, abduction, twist axes
            swing = np.zeros_like(local)
            if level == 0:
                sine = np.linalg.norm(local[..., :2], axis=-1)
                scale = np.arctan2(sine, local[..., 2]) / np.maximum(sine, 1e-12)
                swing[..., 0], swing[..., 1] = -scale * local[..., 1], scale * local[..., 0]
            else:
                swing[..., 0] = np.arctan2(-local[..., 1], local[..., 2])
            known = confidence[:, _BASES + level + 1] * confidence[:, _BASES + level] > 0.0
            swings[:, joint] = np.where(known[..., None], swing, np.nan)
            angles = swings[:, limits.joint, limits.axis]
            angles = np.clip(np.where(np.isnan(angles), middle, angles), limits.lower, limits.upper)
            parent = parent @ rotations.exp(limits.to_pose(angles).reshape(-1, 15, 3)[:, joint - 1])
        return angles


def guessed_points(terms: list[Term], lengths: Array) -> tuple[Array, Array]:
    """Keypoints in space (B, 21, 3) m that the observations suggest, with confidences (B, 21).

    In this order: points as seen; relative points placed by pixels and depths where given; pixels lifted by depths.
    ``lengths`` (20,) m are those of the model's bones, for what the observations leave open in scale.
    Raises Refused(KEYPOINTS) where they leave a hand open in space.
    """
    found = {type(term.kind): term for term in terms}
    if Points in found:
        return found[Points].target, found[Points].confidence
    pixels, depths = found.get(Pixels), found.get(Depths)
    if Relative in found:
        return _placed(found[Relative], pixels, depths, lengths)
    if pixels is not None and depths is not None:
        return _lifted(pixels, depths, lengths)
    raise Refused(
        Reason.KEYPOINTS, "pixels or depths alone leave the hand open in space; give points or an initial fit"
    )


def _rays(pixels: Term) -> Array:
    """Points (B, 21, 3) at unit depth."""
    camera = cast(Pixels, pixels.kind).intrinsics
    flat = (pixels.target - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    return np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)


def _placed(relative: Term, pixels: Term | None, depths: Term | None, lengths: Array) -> tuple[Array, Array]:
    points, confidence = relative.target, relative.confidence
    if cast(Relative, relative.kind).scale_free:
        seen = np.linalg.norm(points[:, 1:] - points[:, BONES], axis=2)
        weights = confidence[:, 1:] * confidence[:, BONES]
        points = points * ((weights @ lengths) / np.maximum((weights * seen).sum(axis=1), 1e-9))[:, None, None]
    # Linear in the translation: a ray through (x, y) demands X + tx = x (Z + tz), and so for y; a depth, Z + tz = z.
    rows, right = np.zeros((*points.shape[:2], 3, 3)), np.zeros((*points.shape[:2], 3))
    weights = np.zeros((*points.shape[:2], 3))
    if pixels is not None:
        rays = _rays(pixels)
        rows[..., :2, :2] = np.eye(2)
        rows[..., :2, 2] = -rays[..., :2]
        right[..., :2] = rays[..., :2] * points[..., 2:] - points[..., :2]
        weights[..., :2] = (pixels.confidence * confidence)[..., None]
    if depths is not None and not cast(Depths, depths.kind).relative:
        rows[..., 2, 2] = 1.0
        right[..., 2] = (depths.target - points[..., 2:])[..., 0]
        weights[..., 2] = depths.confidence * confidence
    weighted = weights[..., None] * rows
    normal = np.einsum("bpki,bpkj->bij", weighted, rows) + 1e-9 * np.eye(3)
    shift = np.linalg.solve(normal, np.einsum("bpki,bpk->bi", weighted, right)[..., None])[..., 0]
    return points + shift[:, None], confidence


def _lifted(pixels: Term, depths: Term, lengths: Array) -> tuple[Array, Array]:
    rays, confidence = _rays(pixels), pixels.confidence * depths.confidence
    if not cast(Depths, depths.kind).relative:
        return rays * depths.target, confidence
    # The offset at which bones have the model's lengths in the mean: |offset a + b| = length, by Newton from far away.
    lifted = rays * depths.target
    across, bones = rays[:, 1:] - rays[:, BONES], lifted[:, 1:] - lifted[:, BONES]
    weights = confidence[:, 1:] * confidence[:, BONES]
    offset = np.full(len(rays), 1.0)
    for _ in range(20):
        vectors = offset[:, None, None] * across + bones
        norms = np.maximum(np.linalg.norm(vectors, axis=2), 1e-6)
        slopes = np.einsum("bni,bni->bn", vectors, across) / norms
        error = (weights * slopes * (norms - lengths)).sum(axis=1)
        offset = np.clip(offset - error / np.maximum((weights * slopes**2).sum(axis=1), 1e-9), 0.05, 10.0)
    return rays * (offset[:, None, None] + depths.target), confidence
