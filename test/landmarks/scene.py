"""The made camera of these tests, and a hand before it."""

import numpy as np

from hoi_ros.types import Intrinsics

CAMERA = Intrinsics(500.0, 500.0, 320.0, 240.0)  # 640 x 480
PALM_TO_CAMERA = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # fingers up, a right thumb right
