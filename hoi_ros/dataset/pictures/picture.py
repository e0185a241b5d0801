"""One RGB-D picture of a grasp, and its way to disk and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandBatch, Intrinsics

# Bits of ``Picture.masks``.
HAND, OBJECT, WHOLE_HAND, WHOLE_OBJECT = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8)


@dataclass(frozen=True)
class Picture:
    """What a camera sees of a hand on an object, and what is true of it, in the camera optical frame.

    ``masks`` is a bit field: HAND and OBJECT where they are seen, WHOLE_HAND and WHOLE_OBJECT where they are, whatever
    lies before them (amodal, within the picture).
    """

    rgb: NDArray[np.uint8]  # (H, W, 3)
    depth: NDArray[np.uint16]  # (H, W) mm as a sensor gives it, 0 where unknown
    true_depth: NDArray[np.float32]  # (H, W) m along z without noise, 0 where there is nothing
    masks: NDArray[np.uint8]  # (H, W)
    intrinsics: Intrinsics
    object_pose: Array  # (7,) xyz m + xyzw: the object's frame in the camera's
    hand: HandBatch  # one hand
    keypoints: Array  # (21, 3) m, K21
    visible: NDArray[np.bool_]  # (21,) keypoints that are seen, see ``scene.sight``
    kind: str  # "egocentric" or "third_person"
    view: int  # pictures of one view differ in size alone

    def mask(self, bit: np.uint8) -> NDArray[np.bool_]:
        """Pixels (H, W) with a bit: HAND, OBJECT, WHOLE_HAND or WHOLE_OBJECT."""
        return (self.masks & bit) != 0

    @property
    def hand_occlusion(self) -> float:
        """Occlusion of the hand: 1 - (visible + 1) / (amodal + 1) pixels (TIGeR; methods.md section 2)."""
        return _occlusion(self.mask(HAND), self.mask(WHOLE_HAND))

    @property
    def object_occlusion(self) -> float:
        """Occlusion of the object, by the same definition."""
        return _occlusion(self.mask(OBJECT), self.mask(WHOLE_OBJECT))


def encode_colour(rgb: NDArray[np.uint8]) -> bytes:
    """JPEG of a colour picture (H, W, 3), as cameras send it: a sixth of its PNG."""
    return bytes(cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def encode(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """PNG of a colour picture (H, W, 3) RGB uint8, masks (H, W) uint8 or depth (H, W) uint16. Lossless."""
    ordered = image[..., ::-1] if image.ndim == 3 else image
    packed = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    return bytes(packed.tobytes())


def decode(data: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The picture of ``encode`` or ``encode_colour``. Raises Refused(PICTURE_DATA) where the bytes are no picture."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        raise Refused(Reason.PICTURE_DATA, f"{len(data)} bytes that are not a picture")
    return np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image


def _occlusion(seen: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(1.0 - (seen.sum() + 1.0) / (whole.sum() + 1.0))
