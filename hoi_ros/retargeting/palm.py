"""The human palm's frame in Shadow's convention, and the check that keypoints are a hand."""

from __future__ import annotations

import numpy as np

from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.kinematics import SKEW
from hoi_ros.types import Array, HandPose, Side

PALM_LENGTHS = (0.02, 0.3)  # m, wrist to middle knuckle
REACH = 5.0  # no keypoint is further from the wrist than this many palm lengths
LEAST_SPREAD = 0.02  # sine of the angle between the index and middle knuckles, seen from the wrist


def keypoints_of(hand: HandPose, side: Side) -> Array:
    """Checked keypoints (1, 21, 3), m, of a hand. Raises Refused(SIDE) for one of the other side, and as below."""
    if hand.side != side:
        raise Refused(Reason.SIDE, f"a {hand.side} hand cannot drive a {side} robot hand")
    return checked(hand.keypoints[None])


def checked(keypoints: Array) -> Array:
    """Keypoints (N, 21, 3), m, in double precision.

    Raises Refused(KEYPOINTS) unless all are hands: finite, of a hand's size, not collapsed.
    """
    if keypoints.shape[1:] != (21, 3) or not len(keypoints):
        raise Refused(Reason.KEYPOINTS, f"keypoints have shape {keypoints.shape}; (N, 21, 3) is needed, N at least 1")
    if not np.isfinite(keypoints).all():
        frame, point = np.argwhere(~np.isfinite(keypoints))[0, :2]
        raise Refused(Reason.KEYPOINTS, f"hand {frame}: keypoint {point} is {keypoints[frame, point].tolist()}")
    with np.errstate(over="ignore", invalid="ignore"):
        rays = keypoints[:, 1:] - keypoints[:, :1]
        reach = np.sqrt(np.einsum("nki,nki->nk", rays, rays))
        index, middle, palm = rays[:, 4], rays[:, 8], reach[:, 8]
        spread = np.linalg.norm(cross(index, middle), axis=1) / np.maximum(reach[:, 4] * palm, 1e-12)
    low, high = PALM_LENGTHS
    _refuse_first(~((palm >= low) & (palm <= high)), palm, f"the palm is {{:.4g}} m long; a hand has {low} to {high} m")
    _refuse_first(~(reach.max(axis=1) <= REACH * palm), reach.max(axis=1), "a keypoint lies {:.4g} m from the wrist")
    _refuse_first(~(spread >= LEAST_SPREAD), spread, "wrist, index and middle knuckle lie on one line (sine {:.2g})")
    return keypoints.astype(np.float64, copy=False)


def _refuse_first(bad: Array, values: Array, sentence: str) -> None:
    if bad.any():
        frame = int(np.argmax(bad))
        raise Refused(Reason.KEYPOINTS, f"hand {frame}: " + sentence.format(values[frame]))


def palm_frames(keypoints: Array, side: Side) -> Array:
    """Orientations (N, 3, 3) of palms: z from the wrist to the middle knuckle, -y out of the palm, x = y cross z.

    The plane through wrist, index and middle knuckle is the palm's, as dex-retargeting has it (methods.md 1.7); through
    three points the singular value decomposition it takes is this cross product.
    """
    index, middle = keypoints[:, 5] - keypoints[:, 0], keypoints[:, 9] - keypoints[:, 0]
    back = cross(middle, index) if side == "right" else cross(index, middle)
    y = back / np.sqrt(np.einsum("ni,ni->n", back, back))[:, None]
    z = middle / np.sqrt(np.einsum("ni,ni->n", middle, middle))[:, None]
    return np.stack([cross(y, z), y, z], axis=2)


def cross(a: Array, b: Array) -> Array:
    """Cross products of vectors (N, 3); on one, a fifth of the time of numpy.cross."""
    product: Array = ((a @ SKEW).reshape(-1, 3, 3) @ b[:, :, None])[..., 0]
    return product
