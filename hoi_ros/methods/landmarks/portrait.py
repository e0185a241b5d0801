"""A picture of the hand model's palm, for MediaPipe to load its models on: it loads the last ones at its first hand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import HandModel

FIELD = 0.24  # m, across the picture
SKIN = np.array([225.0, 180.0, 150.0])
BACKGROUND = 110


def portrait(model: HandModel, size: int = 256) -> NDArray[np.uint8]:
    """The flat right hand seen by its palm, fingers up, as an rgb picture (size, size, 3)."""
    picture = np.full((size, size, 3), BACKGROUND, np.uint8)
    vertices = model.v_template - model.v_template.mean(axis=0)
    pixels = 0.5 * size + vertices[:, [2, 0]] * (size / FIELD)
    corners = vertices[model.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = -normals[:, 1] / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    for face in np.argsort(-corners[:, :, 1].mean(axis=1)):
        if towards[face] > 0.0:
            outline = np.rint(16.0 * pixels[model.faces[face]]).astype(np.int32)
            colour = SKIN * (0.4 + 0.6 * towards[face])
            cv2.fillConvexPoly(picture, outline, colour.tolist(), cv2.LINE_AA, 4)
    return picture
