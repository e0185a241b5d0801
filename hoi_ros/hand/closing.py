"""Watertight faces for a surface with holes, such as MANO's open wrist: volumes and inside tests need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Faces = NDArray[np.int32]


def boundary_loops(faces: Faces) -> list[list[int]]:
    """Vertex loops around the holes of ``faces`` (F, 3), each in the direction that its missing faces run."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    present = set(map(tuple, edges.tolist()))
    following = {b: a for a, b in present if (b, a) not in present}
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(loop)
    return loops


def close(faces: Faces) -> Faces:
    """``faces`` (F, 3) with every hole filled on the same vertices, turned the same way out; a closed surface as it is.

    A loop is filled by a strip that zigzags across it, which leaves fewer slivers than a fan.
    """
    filled = [faces]
    for loop in boundary_loops(faces):
        low, high = 0, len(loop) - 1
        while high - low > 1:
            filled.append(np.array([[loop[low], loop[low + 1], loop[high]]], dtype=np.int32))
            low += 1
            if high - low > 1:
                filled.append(np.array([[loop[low], loop[high - 1], loop[high]]], dtype=np.int32))
                high -= 1
    return np.concatenate(filled)
