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
    """A row of hinges: constant transforms between their frames, each with its axis as z, (n, 4, 4)."""

    def __init__(self, joints: list[Joint | None]) -> None:
        before, frames = np.eye(4), []
        for joint in joints:
            after = before if joint is None else transform(onto_z(joint.axis), np.zeros(3))
            frames.append(np.eye(4) if joint is None else np.linalg.inv(before) @ joint.origin @ after)
            before = after
        self.frames = np.array(frames)
        self.last = before  # of the last joint's frame in its link


class Fingers:
    """Positions of points on the fingers, in the palm's frame, with their Jacobians.

    ``points`` names what to follow on every finger as (hinge index, offsets (5, 3) in that hinge's link).
    """

    def __init__(self, hand: ShadowHand, points: list[tuple[int, Array]]) -> None:
        rows = [[hand.joints[i] if i < PADDING else None for i in row] for row in finger_index()]
        self._still = np.stack([Hinges(row).frames for row in rows], axis=1)[:, None]  # hinges, hands, fingers, 4, 4
        self._cos = self._still[..., :3, :2].copy()
        self._sin = self._cos[..., ::-1] * (1.0, -1.0)
        self._points = []
        for frame, offsets in points:
            hinges = [row[frame] for row in rows]
            turns = np.array([np.eye(3) if hinge is None else onto_z(hinge.axis) for hinge in hinges])
            self._points.append((frame, np.einsum("fji,fj->fi", turns, offsets)[..., None]))

    def __call__(self, angles: Array) -> tuple[Array, Array]:
        """Points (N, 5, 3, K), m, and Jacobians (N, 5, 5, 3, K), m/rad, by finger and hinge, of angles (N, 5, 5)."""
        n, k = len(angles), len(self._points)
        turned = angles.transpose(2, 0, 1)[..., None, None]
        frames = np.empty((DEPTH, n, len(FINGERS), 4, 4))
        frames[:] = self._still
        frames[..., :3, :2] = np.cos(turned) * self._cos + np.sin(turned) * self._sin
        for joint in range(1, DEPTH):
            frames[joint] = frames[joint - 1] @ frames[joint]
        ends = np.empty((n, len(FINGERS), 3, k + DEPTH))
        ends[..., k:] = frames[..., :3, 3].transpose(1, 2, 3, 0)
        for point, (frame, offset) in enumerate(self._points):
            ends[..., point] = (frames[frame, ..., :3, :3] @ offset)[..., 0] + ends[..., k + frame]
        cross = (frames[..., :3, 2].transpose(1, 2, 0, 3).reshape(-1, 3) @ SKEW).reshape(n, -1, 3 * DEPTH, 3)
        moments = (cross @ ends).reshape(n, -1, DEPTH, 3, k + DEPTH)
        jacobian = moments[..., :k] - np.einsum("nfjij->nfji", moments[..., k:])[..., None]
        for point, (frame, _) in enumerate(self._points):
            jacobian[:, :, frame + 1 :, :, point] = 0.0
        return ends[..., :k], jacobian


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
        first, second = hinges.frames[:, :3, :3]
        last = hinges.last[:3, :3]
        rest = first @ second @ last.T
        self._fixed = np.stack([rest.T @ first, second])
        self._last, self._first_axis, self._second_axis = last.T, rest.T @ first[:, 2], last[:, 2]

    def __call__(self, angles: Array) -> tuple[Array, Array]:
        """Rotations (N, 3, 3) from the palm's frame to the palm's frame at zero, and the axes (N, 2, 3) in the palm."""
        c, s = np.cos(angles)[..., None], np.sin(angles)[..., None]
        turned = np.empty((len(angles), 2, 3, 3))
        x, y = self._fixed[..., 0], self._fixed[..., 1]
        turned[..., 0], turned[..., 1], turned[..., 2] = c * x + s * y, c * y - s * x, self._fixed[..., 2]
        rotation = turned[:, 0] @ (turned[:, 1] @ self._last)
        axes = np.empty((len(angles), 2, 3))
        axes[:, 0], axes[:, 1] = self._first_axis @ rotation, self._second_axis
        return rotation, axes
