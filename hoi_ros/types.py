"""What travels between stages: plain dataclasses of NumPy arrays.

Metres, radians, pixels; quaternions xyzw; camera optical frame (x right, y down, z forward). Keypoints are K21:
wrist, thumb, index, middle, ring, little, each base to tip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Side = Literal["left", "right"]

KEYPOINT_NAMES = (
    "wrist",
    *(f"thumb_{j}" for j in ("cmc", "mcp", "ip", "tip")),
    *(f"{f}_{j}" for f in ("index", "middle", "ring", "little") for j in ("mcp", "pip", "dip", "tip")),
)


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera without distortion, pixels."""

    fx: float
    fy: float
    cx: float
    cy: float

    @property
    def matrix(self) -> Array:
        """Camera matrix, (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: Array) -> Array:
        """Pixels (..., 2) of points (..., 3) in the camera frame, m."""
        xy = points[..., :2] / points[..., 2:3]
        return xy * np.array([self.fx, self.fy]) + np.array([self.cx, self.cy])


@dataclass(frozen=True)
class CameraFrame:
    """One picture, with depth where the camera has it. Depth is registered to the colour picture."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    intrinsics: Intrinsics
    depth: NDArray[np.float32] | None = None  # (H, W), m; 0 or NaN where unknown
    stamp_ns: int = 0
    frame_id: str = ""


@dataclass(frozen=True)
class HandPose:
    """One hand as MANO parameters with what follows from them, in the camera frame.

    A left hand carries the parameters of the left model (the right one mirrored in x).
    """

    side: Side
    score: float  # 0..1
    global_orient: Array  # (3,) axis-angle, about J0(betas)
    hand_pose: Array  # (45,) axis-angle, zero is the flat hand
    betas: Array  # (10,)
    transl: Array  # (3,) m
    keypoints: Array  # (21, 3) m
    wrist_pose: Array  # (7,) xyz m + xyzw: position of J0, orientation of global_orient
    keypoints_2d: Array  # (21, 2) px, projection of `keypoints`
    confidence: Array = field(default_factory=lambda: np.ones(21))  # (21,) 0..1
    track_id: int = 0
    stamp_ns: int = 0
    frame_id: str = ""
    refinement: str = ""  # the refiner that moved it, or "unchanged: " and why; empty before any
    change: float = 0.0  # m, by which its keypoints were moved on average
    deviation: Array = field(default_factory=lambda: np.zeros(21))  # (21,) m, of keypoints; 0 where nobody tells


@dataclass(frozen=True)
class HandBatch:
    """Right hands as MANO parameters in one frame, usually an object's."""

    global_orient: Array  # (N, 3) axis-angle, about J0(betas)
    hand_pose: Array  # (N, 45) axis-angle, zero is the flat hand
    betas: Array  # (N, 10)
    transl: Array  # (N, 3) m

    @classmethod
    def of(cls, hands: Sequence[HandPose]) -> HandBatch:
        """Hands one after another."""
        return cls(*(np.array([getattr(hand, each.name) for hand in hands]) for each in fields(cls)))

    def __len__(self) -> int:
        return len(self.transl)

    def __getitem__(self, chosen: Any) -> HandBatch:
        """The hands a slice, mask or index array (not a single number) chooses."""
        return HandBatch(self.global_orient[chosen], self.hand_pose[chosen], self.betas[chosen], self.transl[chosen])


@dataclass(frozen=True)
class JointGoal:
    """Joint angles of a robot hand inside its limits, with where its wrist should be."""

    names: tuple[str, ...]  # (J,) as the robot names them
    positions: Array  # (J,) rad
    actuator_names: tuple[str, ...]  # (A,) the coupled view: J0 = J1 + J2
    actuator_positions: Array  # (A,) rad
    wrist_pose: Array  # (7,) xyz m + xyzw
    clamped: dict[str, int] = field(default_factory=dict)  # joint -> 1 where the goal lies on a limit the hand exceeds
    error: float = 0.0  # m, mean distance of the objective's vectors or points
    stamp_ns: int = 0
    frame_id: str = ""


@dataclass(frozen=True)
class GraspGoals:
    """What a robot hand does for one grasp: it stands opened before the object, closes around it, squeezes."""

    pre_grasp: JointGoal
    grasp: JointGoal
    squeeze: JointGoal  # its motors aim inside the object


@dataclass(frozen=True)
class ObjectCloud:
    """Points of one object, m."""

    points: Array  # (N, 3)
    normals: Array | None = None  # (N, 3) unit
    stamp_ns: int = 0
    frame_id: str = ""
    viewpoint: Array | None = None  # (3,) m, where it was seen from, if from one place


@dataclass(frozen=True)
class ObjectState:
    """One object as it was found in a picture, or as it truly is."""

    pose: Array  # (7,) xyz m + xyzw, of the object's frame in `frame_id`
    points: Array  # (N, 3) m, its completed surface in `frame_id`; N may be 0
    caption: str = ""
    score: float = 1.0  # 0..1
    stamp_ns: int = 0
    frame_id: str = ""


@dataclass(frozen=True)
class Grasp:
    """One grasp in the frame of the object's cloud."""

    hand: HandPose
    affordance: str
    part: str
    score: float  # 0..1, probability of holding
    quality: dict[str, float] = field(default_factory=dict)
