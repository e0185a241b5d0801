"""Fast kinematics of the hand for the solve: five fingers of up to five hinges, as one padded batch.

In each joint's frame the axis is turned onto z, so axes and positions of all joints are columns of the running product,
and a joint's transform is ``F + B cos q + C sin q`` with constant matrices.
"""

from __future__ import annotations

import numpy as np

from hoi_ros.retargeting.shadow_hand import FINGERS, NAMES, Joint, ShadowHand, Vector, transform
from hoi_ros.types import Array

DEPTH = 5  # hinges of the longest finger, J5 to J1; shorter ones begin with hinges that do not turn
J2, J1 = 3, 4
PADDING = len(NAMES)  # index of a joint that does not exist

# vectors (..., 3) @ SKEW -> the nine entries of their cross product matrices
SKEW = np.zeros((3, 9))
SKEW[0, [5, 7]], SKEW[1, [6, 2]], SKEW[2, [1, 3]] = (-1, 1), (-1, 1), (-1, 1)


def onto_z(axis: Vector) -> Array:
    """A rotation (3, 3) whose third column is ``axis``."""
    unit = np.array(axis) / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(unit))]
    x = np.cross(helper, unit)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(unit, x), unit], axis=1)


class Hinges:
    """Transforms of a row of hinges from their angles: ``still + cos q * cos + sin q * sin``, each (n, 4, 4)."""

    def __init__(self, joints: list[Joint | None]) -> None:
        before, frames = np.eye(4), []
        for joint in joints:
            after = before if joint is None else transform(onto_z(joint.axis), np.zeros(3))
            frames.append(np.eye(4) if joint is None else np.linalg.inv(before) @ joint.origin @ after)
            before = after
        self.last = before  # of the last joint's frame in its link
        fixed = np.array(frames)
        self.still, self.cos, self.sin = fixed.copy(), np.zeros_like(fixed), np.zeros_like(fixed)
        self.still[..., :2] = 0.0
        self.cos[..., :2] = fixed[..., :2]
        self.sin[..., 0], self.sin[..., 1] = fixed[..., 1], -fixed[..., 0]


class Fingers:
    """Positions of points on the fingers, in the palm's frame, with their Jacobians.

    ``points`` names what to follow on every finger as (hinge index, offsets (5, 3) in that hinge's link).
    """

    def __init__(self, hand: ShadowHand, points: list[tuple[int, Array]]) -> None:
        rows = [[hand.joints[i] if i < PADDING else None for i in row] for row in finger_index()]
        hinges = [Hinges(row) for row in rows]
        self._still, self._cos, self._sin = (
            np.stack([getattr(row, part) for row in hinges]) for part in ("still", "cos", "sin")
        )
        self._frames = [frame for frame, _ in points]
        self._offsets = np.ones((len(FINGERS), len(points), 4, 1))
        for k, (frame, offsets) in enumerate(points):
            turns = [onto_z(row[frame].axis) for row in rows]  # type: ignore[union-attr]  # J3 to J1 all fingers have
            self._offsets[:, k, :3, 0] = np.einsum("fji,fj->fi", np.array(turns), offsets)

    def __call__(self, angles: Array) -> tuple[Array, Array]:
        """Points (N, 5, 3, K), m, and Jacobians (N, 5, 5, 3, K), m/rad, by finger and hinge, of angles (N, 5, 5)."""
        n, k = len(angles), len(self._frames)
        turned = angles[..., None, None]
        local = np.cos(turned) * self._cos
        local += self._still
        local += np.sin(turned) * self._sin
        for joint in range(1, DEPTH):
            np.matmul(local[:, :, joint - 1], local[:, :, joint], out=local[:, :, joint])
        points = (local[:, :, self._frames, :3] @ self._offsets)[..., 0].swapaxes(-1, -2)
        cross = (local[..., :3, 2].reshape(-1, 3) @ SKEW).reshape(n, len(FINGERS), 3 * DEPTH, 3)
        ends = np.concatenate([points, local[..., :3, 3].swapaxes(-1, -2)], axis=-1)
        moments = (cross @ ends).reshape(n, -1, DEPTH, 3, k + DEPTH)
        jacobian = moments[..., :k] - np.einsum("nfjij->nfji", moments[..., k:])[..., None]
        for point, frame in enumerate(self._frames):
            jacobian[:, :, frame + 1 :, :, point] = 0.0
        return points, jacobian


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
        self._still, self._cos, self._sin = (part[:, :3, :3] for part in (hinges.still, hinges.cos, hinges.sin))
        self._last = hinges.last[:3, :3].T
        rest = self._still + self._cos
        self._rest = (rest[0] @ rest[1] @ self._last).T

    def __call__(self, angles: Array) -> tuple[Array, Array]:
        """Rotations (N, 3, 3) from the palm's frame to the palm's frame at zero, and the axes (N, 3, 2) in the palm."""
        turned = angles[..., None, None]
        local = self._still + np.cos(turned) * self._cos + np.sin(turned) * self._sin
        last = local[:, 0] @ local[:, 1]
        palm = last @ self._last
        axes = palm.swapaxes(-1, -2) @ np.stack([local[:, 0, :, 2], last[:, :, 2]], axis=-1)
        return self._rest @ palm, axes
