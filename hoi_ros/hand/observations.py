"""What may be known of a hand's 21 keypoints, as residual terms of the solver.

An observation says where keypoints were seen and how well: ``target`` (21, K) for one hand, (B, 21, K) for a batch, and

- ``confidence`` (21,) or (B, 21), 0..1: divides the variance; at 0 the target is not looked at and may be NaN,
- ``sigma``: standard deviation at confidence 1, in the target's unit: one number, (21,) or (21, K),
- ``covariance`` (21, K, K) or (B, 21, K, K): instead of ``sigma`` where a keypoint's errors hang together,
- ``outlier``: distance in standard deviations from which a keypoint's pull fades; infinite for plain least squares,
- ``kernel``: how it fades: ``huber`` keeps a constant pull, ``geman`` lets go of the keypoint.

A further kind is a subclass with ``predict``, ``derive`` and ``mirrored``.

All are checked when a solve begins: Refused(KEYPOINTS) for wrong shapes, for non-finite targets of positive confidence,
for confidences outside 0..1, for sigmas that are not positive and for fewer than three known keypoints (depths: none).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, Intrinsics

_FARTHEST = 1e5  # m or px
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Observation:
    """Base of all observations; see the module for the fields."""

    target: Array
    confidence: Array | None = None
    sigma: float | Array = 0.005
    covariance: Array | None = None
    outlier: float = np.inf
    kernel: Literal["huber", "geman"] = "huber"

    dimensions: ClassVar[int] = 3
    least_known: ClassVar[int] = 3

    def predict(self, points: Array) -> Array:
        """What would be seen (B, 21, K) of keypoints (B, 21, 3) m."""
        return points

    def derive(self, points: Array, jacobian: Array) -> Array:  # noqa: ARG002
        """Derivative (B, 21, K, N) of what would be seen, from that of the keypoints (B, 21, 3, N)."""
        return jacobian

    def mirrored(self) -> Self:
        """The same observation of the scene mirrored in x."""
        covariance = self.covariance
        if covariance is not None:
            covariance = covariance * np.outer(_MIRROR, _MIRROR)
        return replace(self, target=self.target * _MIRROR, covariance=covariance)


@dataclass(frozen=True)
class Points(Observation):
    """Keypoints in space (21, 3), m."""

    sigma: float | Array = 0.001


@dataclass(frozen=True)
class Relative(Observation):
    """Keypoints in space (21, 3), m, known up to a translation, and up to scale with ``scale_free``.

    Translation and scale are solved for in closed form within every residual (variable projection), so neither is an
    unknown of the solve. The axes must be those of the camera.
    """

    scale_free: bool = False


@dataclass(frozen=True)
class Pixels(Observation):
    """Keypoints in a picture (21, 2), px, of a pinhole camera."""

    sigma: float | Array = 4.0
    intrinsics: Intrinsics = field(kw_only=True)

    dimensions: ClassVar[int] = 2

    def predict(self, points: Array) -> Array:
        """Projections; a keypoint behind the camera is held just in front of it."""
        return self.intrinsics.project(_in_front(points))

    def derive(self, points: Array, jacobian: Array) -> Array:
        """Derivative of the projection."""
        focal = np.array([[self.intrinsics.fx], [self.intrinsics.fy]])
        points = _in_front(points)
        depth = points[..., 2, None, None]
        slope = (points[..., :2] / points[..., 2:])[..., None]
        return focal * (jacobian[..., :2, :] - slope * jacobian[..., 2:, :]) / depth

    def mirrored(self) -> Self:
        """Mirrored about the principal point."""
        target = np.array(self.target, dtype=np.float64)
        target[..., 0] = 2.0 * self.intrinsics.cx - target[..., 0]
        covariance = None if self.covariance is None else self.covariance * np.outer(_MIRROR[:2], _MIRROR[:2])
        return replace(self, target=target, covariance=covariance)


@dataclass(frozen=True)
class Depths(Observation):
    """Depth z of keypoints (21,) or (21, 1), m; up to one common offset with ``relative``."""

    relative: bool = False

    dimensions: ClassVar[int] = 1
    least_known: ClassVar[int] = 0

    def predict(self, points: Array) -> Array:
        """The keypoints' z."""
        return points[..., 2:]

    def derive(self, points: Array, jacobian: Array) -> Array:  # noqa: ARG002
        """The z rows."""
        return jacobian[..., 2:, :]

    def mirrored(self) -> Self:
        """Unchanged."""
        return self


class Term:
    """A checked observation of a batch, with residuals in standard deviations.

    ``target`` (B, 21, K), ``confidence`` (B, 21); ``single`` says that it was given without a batch axis.
    """

    def __init__(self, kind: Observation) -> None:
        self.kind = kind
        self.target, self.confidence, self.single = _checked(kind)
        self._whitening = _whitening(kind)
        self._whitening = np.sqrt(self.confidence)[..., None, None] * self._whitening
        self._centred = isinstance(kind, Relative) or (isinstance(kind, Depths) and kind.relative)
        # Weight of each keypoint in the common offset that a relative observation leaves open.
        share = np.einsum("bpkl,bpkl->bp", self._whitening, self._whitening)
        total = share.sum(axis=1, keepdims=True)
        self._share = (share / np.where(total > 0.0, total, 1.0))[:, None]
        if self._centred:
            self.target = self.target - (self._share @ self.target)
        self._ray: Array | None = None
        if isinstance(kind, Relative) and kind.scale_free:
            ray = (self._whitening @ self.target[..., None])[..., 0]
            self._ray = ray / np.linalg.norm(ray, axis=(1, 2), keepdims=True)

    def take(self, rows: NDArray[np.int64]) -> Term:
        """The same term for some hands of the batch."""
        part = copy(self)
        for name in ("target", "confidence", "_whitening", "_share", "_ray"):
            array = getattr(self, name)
            setattr(part, name, array[rows] if array is not None and len(array) > 1 else array)
        return part

    def residual(self, points: Array) -> Array:
        """Residuals (B, 21, K) of keypoints (B, 21, 3)."""
        seen = self.kind.predict(points)
        if self._centred:
            seen = seen - self._share @ seen
        if self._ray is None:
            return (self._whitening @ (seen - self.target)[..., None])[..., 0]
        seen = (self._whitening @ seen[..., None])[..., 0]
        return seen - self._ray * np.einsum("bpk,bpk->b", self._ray, seen)[:, None, None]

    def derivative(self, points: Array, jacobian: Array) -> Array:
        """Derivative (B, 21, K, N) of the residuals, from that of the keypoints (B, 21, 3, N)."""
        derived = self.kind.derive(points, jacobian)
        if self._centred:
            count, _, dimensions, unknowns = derived.shape
            mean = self._share @ derived.reshape(count, 21, -1)
            derived = derived - mean.reshape(count, 1, dimensions, unknowns)
        derived = self._whitening @ derived
        if self._ray is not None:
            along = np.einsum("bpk,bpkn->bn", self._ray, derived)
            derived = derived - self._ray[..., None] * along[:, None, None]
        return derived

    def loss(self, residual: Array) -> tuple[Array, Array | None]:
        """Cost (B,), and the weight (B, 21) of each keypoint in the least squares problem that has its gradient."""
        square = np.einsum("bpk,bpk->bp", residual, residual)
        if not np.isfinite(self.kind.outlier):
            return square.sum(axis=1), None
        limit = self.kind.outlier**2
        if self.kind.kernel == "geman":
            weight = limit / (limit + square)
            return (weight * square).sum(axis=1), weight**2
        far = square > limit
        distance = np.sqrt(np.where(far, square, limit))
        cost = np.where(far, 2.0 * self.kind.outlier * distance - limit, square)
        return cost.sum(axis=1), self.kind.outlier / distance


def _checked(kind: Observation) -> tuple[Array, Array, bool]:
    """Target and confidence with a batch axis, zeros where nothing is known; whether the axis is new."""
    target = np.asarray(kind.target, dtype=np.float64)
    if kind.dimensions == 1 and target.shape[-1:] == (21,):
        target = target[..., None]
    if target.ndim not in (2, 3) or target.shape[-2:] != (21, kind.dimensions) or target.size == 0:
        raise Refused(Reason.KEYPOINTS, f"keypoints have shape {target.shape}; (21, {kind.dimensions}) is needed")
    single = target.ndim == 2
    target = target.reshape(-1, 21, kind.dimensions)
    given = np.ones(21) if kind.confidence is None else np.asarray(kind.confidence, dtype=np.float64)
    if given.shape not in ((21,), (len(target), 21)):
        raise Refused(Reason.KEYPOINTS, f"confidences have shape {given.shape}; one for each of 21 keypoints is needed")
    if not ((given >= 0.0) & (given <= 1.0)).all():
        raise Refused(Reason.KEYPOINTS, f"confidences run from {given.min():.3g} to {given.max():.3g}, not within 0..1")
    confidence = np.broadcast_to(given, (len(target), 21))
    known = confidence > 0.0
    bad = known & ~np.isfinite(target).all(axis=2)
    if bad.any():
        hand, keypoint = np.argwhere(bad)[0]
        raise Refused(Reason.KEYPOINTS, f"{bad.sum()} keypoints are not finite, first {keypoint} of hand {hand}")
    target = np.where(known[..., None], target, 0.0)
    if np.abs(target).max() > _FARTHEST:
        raise Refused(Reason.KEYPOINTS, f"a keypoint lies at {np.abs(target).max():.3g}; no camera sees one so far off")
    fewest = known.sum(axis=1).min()
    if fewest < kind.least_known:
        raise Refused(
            Reason.KEYPOINTS, f"only {fewest} of 21 keypoints have a confidence above 0; {kind.least_known} are needed"
        )
    return target, confidence, single


def _whitening(kind: Observation) -> Array:
    """Matrices (1 or B, 21, K, K) that turn errors into standard deviations."""
    if kind.covariance is None:
        sigma = np.asarray(kind.sigma, dtype=np.float64)
        sigma = np.broadcast_to(sigma[:, None] if sigma.ndim == 1 else sigma, (21, kind.dimensions))
        if not (np.isfinite(sigma) & (sigma > 0.0)).all():
            raise Refused(Reason.KEYPOINTS, f"sigma {sigma.min():.3g} is not positive and finite")
        return (np.eye(kind.dimensions) / sigma[..., None])[None]
    try:
        whitening: Array = np.linalg.inv(np.linalg.cholesky(np.asarray(kind.covariance, dtype=np.float64)))
    except np.linalg.LinAlgError as error:
        raise Refused(Reason.KEYPOINTS, "a keypoint's covariance is not positive definite") from error
    if not np.isfinite(whitening).all():
        raise Refused(Reason.KEYPOINTS, "a keypoint's covariance is not finite")
    return whitening.reshape(-1, 21, kind.dimensions, kind.dimensions)


def _in_front(points: Array) -> Array:
    return np.concatenate([points[..., :2], np.maximum(points[..., 2:], 0.01)], axis=-1)
