"""Where a hand touches a part, followed while it pushes or turns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.physics.human_hand import HumanHand
from hoi_ros.types import Array


class Touch:
    """Where the hand touches a part, followed as places on the skin."""

    def __init__(self, hand: HumanHand, pieces: NDArray[np.int64]) -> None:
        found = hand.contacts()
        contacts = found[np.isin(found.pieces, pieces)]
        self._hand, self._bodies = hand, contacts.bodies
        self._points, self._normals = contacts.points, contacts.normals
        rotations, origins = self._frames()
        self._local = np.einsum("kji,kj->ki", rotations, self._points - origins)

    def __bool__(self) -> bool:
        return len(self._points) > 0

    def slip(self) -> float:
        """Largest motion along the surface since, m."""
        rotations, origins = self._frames()
        motion = np.einsum("kij,kj->ki", rotations, self._local) + origins - self._points
        along = motion - self._normals * (motion * self._normals).sum(axis=1, keepdims=True)
        return float(np.linalg.norm(along, axis=1).max())

    def _frames(self) -> tuple[Array, Array]:
        data = self._hand.data
        return data.xmat[self._bodies].reshape(-1, 3, 3).copy(), data.xpos[self._bodies].copy()
