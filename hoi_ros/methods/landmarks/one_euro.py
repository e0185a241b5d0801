"""The One Euro filter (Casiez, Roussel, Vogel, CHI 2012) on the parameters of a hand.

A first-order low-pass whose cut-off rises with speed: still hands do not jitter, fast ones do not lag.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.types import Array

SPEED_CUTOFF = 1.0  # Hz, of the speed estimate, as in the paper


@dataclass
class OneEuro:
    """One filter for one hand: 16 rotations on the rotation group and the wrist's position.

    Each rotation has its own speed, rad/s; the position's is in ``reach`` per second, the length that turns a radian
    into the same movement of a fingertip, so that one ``beta`` fits both.
    """

    min_cutoff: float  # Hz
    beta: float  # Hz per rad/s
    reach: float = 0.1  # m
    _rotations: Rotation | None = field(default=None, init=False)
    _wrist: Array = field(default_factory=lambda: np.zeros(3), init=False)
    _rotation_speed: Array = field(default_factory=lambda: np.zeros((16, 3)), init=False)
    _wrist_speed: Array = field(default_factory=lambda: np.zeros(3), init=False)

    def reset(self) -> None:
        """Forget the past: the next values pass as they are."""
        self._rotations = None

    def __call__(self, rotations: Array, wrist: Array, dt: float) -> tuple[Array, Array]:
        """Filter rotation vectors (16, 3) rad and the wrist (3,) m that come ``dt`` s after the last."""
        measured = Rotation.from_rotvec(rotations)
        if self._rotations is None or dt <= 0.0:
            self._rotations, self._wrist = measured, wrist
            self._rotation_speed, self._wrist_speed = np.zeros((16, 3)), np.zeros(3)
            return rotations, wrist
        keep = _share(SPEED_CUTOFF, dt)
        turn = (self._rotations.inv() * measured).as_rotvec()
        self._rotation_speed = self._rotation_speed + keep * (turn / dt - self._rotation_speed)
        share = _share(self.min_cutoff + self.beta * np.linalg.norm(self._rotation_speed, axis=1, keepdims=True), dt)
        self._rotations = self._rotations * Rotation.from_rotvec(share * turn)
        move = (wrist - self._wrist) / self.reach
        self._wrist_speed = self._wrist_speed + keep * (move / dt - self._wrist_speed)
        share = _share(self.min_cutoff + self.beta * float(np.linalg.norm(self._wrist_speed)), dt)
        self._wrist = self._wrist + share * self.reach * move
        return self._rotations.as_rotvec(), self._wrist


def _share(cutoff: Array | float, dt: float) -> Array:
    """Share of the new value that a low-pass of ``cutoff`` Hz takes after ``dt`` s."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * np.pi * np.asarray(cutoff) * dt)))
