"""What makes a camera frame unusable, each with its typed reason."""

from __future__ import annotations

import numpy as np

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import CameraFrame

# In sizes of the picture: focal lengths of real lenses, from fish-eye to telescope, and how far a crop can lie from the
# optical axis.
LEAST_FOCAL, MOST_FOCAL, FARTHEST_CENTRE = 0.05, 100.0, 100.0


def check_frame(frame: CameraFrame) -> None:
    """Raise Refused(PICTURE_SIZE, PICTURE_DATA, INTRINSICS, DEPTH_SIZE, DEPTH_VALUES) for an unusable frame."""
    shape = frame.rgb.shape
    if frame.rgb.size == 0:
        raise Refused(Reason.PICTURE_SIZE, f"the picture has {' x '.join(map(str, shape))} values; it is empty")
    if len(shape) != 3 or shape[2] != 3 or frame.rgb.dtype != np.uint8:
        raise Refused(Reason.PICTURE_DATA, f"the picture is {frame.rgb.dtype} {shape}; (H, W, 3) of uint8 is needed")
    camera, size = frame.intrinsics, max(shape[:2])
    focal = np.array([camera.fx, camera.fy])
    values = np.array([*focal, camera.cx, camera.cy])
    real = np.isfinite(values).all() and ((focal >= LEAST_FOCAL * size) & (focal <= MOST_FOCAL * size)).all()
    if not real or np.abs(values[2:]).max() > FARTHEST_CENTRE * size:
        numbers = ", ".join(f"{name}={value:g}" for name, value in zip(("fx", "fy", "cx", "cy"), values, strict=True))
        raise Refused(Reason.INTRINSICS, f"{numbers} is no camera with a picture of {shape[1]} x {shape[0]}")
    if frame.depth is None:
        return
    if frame.depth.shape != shape[:2]:
        raise Refused(Reason.DEPTH_SIZE, f"the depth is {frame.depth.shape}, the picture {shape[:2]} (rows, columns)")
    if not (np.isfinite(frame.depth) & (frame.depth > 0.0)).any():
        raise Refused(Reason.DEPTH_VALUES, f"none of {frame.depth.size} depth values is positive and finite")
