"""Pictures of refinements: a noisy hand, what became of it, and the true one, coloured where they touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array
from hoi_ros.view import pictures
from hoi_ros.view.grasps import PART_COLOURS, across, in_parts
from hoi_ros.view.render import Mesh, Picture, framing, picture

TILE = (240, 240)  # H, W of each of the three
COLUMNS = 3
TOUCH = np.array([0.85, 0.15, 0.1])  # the colour of skin that touches
FADE = 0.004  # m beyond which nothing of it is left


@dataclass(frozen=True)
class Shown:
    """One case: hands (3, 778, 3), m, noisy, refined and true.

    ``distances`` (3, 778), m, of their vertices to the object, and ``frames`` (3, 3, 3): columns across the palm, along
    the fingers and out of the back of each hand.
    """

    obj: ObjectModel
    hands: Array
    distances: Array
    frames: Array
    title: str


def sheet(cases: Sequence[Shown], faces: NDArray[np.int32]) -> Picture:
    """The cases one after another, each from the same side of its true hand; below, what the palms touch."""
    return pictures.grid([pictures.titled(_tile(case, faces), case.title) for case in cases], COLUMNS)


def _tile(case: Shown, faces: NDArray[np.int32]) -> Picture:
    obj = case.obj
    thing = in_parts(obj) if len(obj.part_names) > 1 else Mesh(obj.vertices, obj.faces, PART_COLOURS[0])
    view = across(case.hands[2].mean(axis=0) - obj.vertices.mean(axis=0))
    seen = [case.hands.reshape(-1, 3) @ view.T]
    near = obj.vertices[np.linalg.norm(obj.vertices - case.hands[2].mean(axis=0), axis=1) < 0.15]
    camera, shift = framing(np.concatenate([*seen, near @ view.T]), TILE)
    corners = Mesh(thing.vertices @ view.T + shift, thing.faces, thing.colour)
    above, below = [], []
    for hand, distance, frame in zip(case.hands, case.distances, case.frames, strict=True):
        share = np.clip(1.0 - distance / FADE, 0.0, 1.0)[:, None]
        colour = (1.0 - share) * pictures.SKIN["right"] + share * TOUCH
        skin = Mesh(hand @ view.T + shift, faces, colour)
        above.append(picture([corners, skin], camera, pictures.paper(TILE)))
        palm = hand @ frame * [1.0, -1.0, 1.0]
        palm = palm if np.linalg.det(frame) < 0.0 else palm * [-1.0, 1.0, 1.0]
        closer, moved = framing(palm, TILE)
        below.append(picture([Mesh(palm + moved, faces, colour)], closer, pictures.paper(TILE)))
    return np.vstack([np.hstack(above), np.hstack(below)])
