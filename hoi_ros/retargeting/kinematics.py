"""Fast kinematics of the hand for the solve: five fingers of up to five hinges, as one padded batch.

In each joint's frame the axis is turned onto z, so axes and positions of all joints are columns of the running product,
and a joint's transform is ``F + B cos q + C sin q`` with constant matrices.
"""

from __future__ import annotations

import numpy as np

from hoi_ros.retargeting.shadow_hand import FINGERS, NAMES, Joint, ShadowHand, transform
from hoi_ros.types import Array

DEPTH = 5  # hinges of the longest finger, J5 to J1; shorter ones begin with hinges that do not turn
J2, J1 = 3, 4
PADDING = len(NAMES)  # index of a joint that does not exist

# vectors (..., 3) @ SKEW -> the nine entries of their cross product matrices
SKEW = np.zeros((3, 9))
SKEW[0, [5, 7]], SKEW[1, [6, 2]], SKEW[2, [1, 3]] = (-1, 1), (-1, 1), (-1, 1)


def _onto_z(axis: Array) -> Array:
    """A rotation (3, 3) whose third column is ``axis``."""
    unit = axis / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(unit))]
    x = np.cross(helper, unit)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(unit, x), unit], axis=1)


class Hinges:
    """Transforms of a row of hinges from their angles."""

    def __init__(self, joints: list[Joint | None]) -> None:
        fixed, before = [], np.eye(4)
        for joint in joints:
            if joint is None:
                fixed.append(np.eye(4))
                continue
            after = transform(_onto_z(np.array(joint.axis)), np.zeros(3))
            fixed.append(np.linalg.inv(before) @ joint.origin @ after)
            before = after
        frames = np.array(fixed)
        self.last = before  # of the last joint's frame in its link: link = frame @ last.T
        self._still, self._cos, self._sin = frames.copy(), np.zeros_like(frames), np.zeros_like(frames)
        self._still[..., :2] = 0.0
        self._cos[..., :2] = frames[..., :2]
        self._sin[..., 0], self._sin[..., 1] = frames[..., 1], -frames[..., 0]

    @property
    def matrices(self) -> tuple[Array, Array, Array]:
        """Constant, cosine and sine part (n, 4, 4) each."""
        return self._still, self._cos, self._sin


class Fingers:
    """Positions of points on the fingers, in the palm's frame, with their Jacobians.

    ``points`` names what to follow on every finger as (hinge index, offsets (5, 3) in that hinge's link).
    """

    def __init__(self, hand: ShadowHand, points: list[tuple[int, Array]]) -> None:
        self.index = finger_index()
        rows = [[hand.joints[i] if i < PADDING else None for i in row] for row in self.index]
        hinges = [Hinges(row) for row in rows]
        parts = zip(*(row.matrices for row in hinges), strict=True)
        self._still, self._cos, self._sin = (np.stack(part) for part in parts)
        self._frames = [frame for frame, _ in points]
        self._offsets = np.zeros((len(FINGERS), len(points), 4, 1))
        self._offsets[..., 3, 0] = 1.0
        for k, (frame, offsets) in enumerate(points):
            turns = [_onto_z(np.array(row[frame].axis)) for row in rows if (row[frame] is not None)]
            self._offsets[:, k, :3, 0] = np.einsum("fji,fj->fi", np.array(turns), offsets)
        self._moves = (np.arange(DEPTH)[:, None] <= np.array(self._frames)).astype(float)[:, None, :]

    def __call__(self, angles: Array) -> tuple[Array, Array]:
        """Points (N, 5, 3, K), m, and Jacobians (N, 5, 5, 3, K), m/rad, by finger and hinge, of angles (N, 5, 5)."""
        n, k = len(angles), len(self._frames)
        turned = angles[..., None, None]
        local = self._still + np.cos(turned) * self._cos + np.sin(turned) * self._sin
        for joint in range(1, DEPTH):
            np.matmul(local[:, :, joint - 1], local[:, :, joint], out=local[:, :, joint])
        points = (local[:, :, self._frames, :3] @ self._offsets)[..., 0].swapaxes(-1, -2)
        axes, positions = local[..., :3, 2], local[..., :3, 3]
        cross = (axes @ SKEW).reshape(n, len(FINGERS), 3 * DEPTH, 3)
        ends = np.concatenate([points, positions.swapaxes(-1, -2)], axis=-1)
        moments = (cross @ ends).reshape(n, -1, DEPTH, 3, k + DEPTH)
        own = np.einsum("nfjij->nfji", moments[..., k:])
        return points, (moments[..., :k] - own[..., None]) * self._moves


def finger_index() -> Array:
    """Indices (5, 5) into the 24 joints by finger and hinge, PADDING where there is none."""
    index = np.full((len(FINGERS), DEPTH), PADDING)
    for row, finger in zip(index, FINGERS, strict=True):
        for j in range(DEPTH):
            name = f"{finger}J{DEPTH - j}"
            row[j] = NAMES.index(name) if name in NAMES else PADDING
    return index


class Wrist:
    """Orientation of the palm under WRJ2 and WRJ1, relative to where both are zero."""

    def __init__(self, hand: ShadowHand) -> None:
        hinges = Hinges(list(hand.joints[:2]))
        self._still, self._cos, self._sin = (part[:, :3, :3] for part in hinges.matrices)
        self._last = hinges.last[:3, :3]
        rest = self._still + self._cos
        self._rest = (rest[0] @ rest[1] @ self._last.T).T

    def __call__(self, angles: Array) -> tuple[Array, Array]:
        """Rotation (N, 3, 3) from the palm's frame to the palm's frame at zero, and the axes (N, 3, 2) in the palm."""
        turned = angles[..., None, None]
        local = self._still + np.cos(turned) * self._cos + np.sin(turned) * self._sin
        last = local[:, 0] @ local[:, 1]
        palm = last @ self._last.T
        axes = palm.swapaxes(-1, -2) @ np.stack([local[:, 0, :, 2], last[:, :, 2]], axis=-1)
        return self._rest @ palm, axes
