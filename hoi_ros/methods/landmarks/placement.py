"""From one detection to a metric hand: the hand model fitted to pixels, relative 3D and, where there is one, depth.

Everything here is a right hand in the camera frame; a left one comes mirrored (``flipped``). Each constant is the
standard deviation of something that can be measured, not a weight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.hand import Depths, HandFit, HandModel, HandSolver, Pixels, Priors, Relative, rotations
from hoi_ros.hand.observations import Observation
from hoi_ros.methods.landmarks.detector import Detection
from hoi_ros.methods.landmarks.skin import JOINTS, MIDDLES, Probes, Skin, sample_depth
from hoi_ros.types import Array, CameraFrame, Intrinsics

PIXEL_SIGMA = 0.02  # of the hand's size in the picture, an axis: MediaPipe's own error, some 5 px on a hand of 250 px
PIXEL_OUTLIER = 3.0  # sigmas, beyond which a pixel is taken for a mix-up of fingers
OUTSIDE_CONFIDENCE = 0.1  # of pixels that MediaPipe guesses beyond the picture's edge
RELATIVE_SIGMA = 0.02  # m: MediaPipe's world landmarks, once their tilt is known
# They tilt by up to 20 degrees, again 20 mm at the ends of a hand. That error is common to all, so 21 keypoints tell no
# more than three do: it counts sqrt(21 / 3) times.
TILT_SIGMA = 0.02 * np.sqrt(7.0)
DEPTH_SIGMA = 0.006  # of the range: noise of depth cameras, 3 mm at arm's length
THICKNESS_SIGMA = 0.4  # of the thickness of the flesh: how much people differ, and how it bulges when the hand closes
PALM_SIGMA = 0.01  # m: where the palm's joints lie, while nothing is known of its pose
FINGERTIPS = np.arange(4, 21, 4)
PALM = np.array([0, 1, 5, 9, 13, 17])
# Of the range at which a mean hand would look as large: from a child's hand to more than the largest. Depth farther off
# is the background of a hand that the depth camera does not see.
RANGE = (0.5, 1.4)

POSE_SIGMA = 0.7  # half ranges: angles are spread over their anatomical ranges, which hold +-1.4 sigma of them
SHAPE_SIGMA = 1.0  # standard shapes
# How a hand at work moves: fingers 12 rad/s at their quickest, the palm 0.2 m/s along the optical axis. Without the
# latter a single picture cannot tell a near small hand from a far large one.
FINGER_SPEED = 12.0  # rad/s
PALM_SPEED = 0.2  # m/s
SHAPE_CHANGE = 0.5  # standard shapes a picture: a hand keeps its shape, but the flesh that shows it does not
FRAME_TIME = 1.0 / 30.0  # s, for which the change of the pose is believed
# A followed fit is stuck in a wrong pose when its pixels are off by this many sigmas in the mean, or when the depth
# shows the skin of fewer joints than this where it should be.
MOST_MISS = 3.0
LEAST_TOUCHED = 5
LONGEST_STEP = 0.1  # s: after a longer gap nothing is said about motion


@dataclass(frozen=True)
class Past:
    """The last fit of a hand."""

    fit: HandFit
    dt: float  # s since ``fit``


class Placement:
    """Fits one hand model; keeps nothing between fits."""

    def __init__(self, model: HandModel) -> None:
        self._model = model
        self._joints, self._middles = Probes(model, JOINTS), Probes(model, MIDDLES)
        still = Priors(pose=POSE_SIGMA, betas=SHAPE_SIGMA)
        moving = replace(still, pose_change=FINGER_SPEED * FRAME_TIME, betas_change=SHAPE_CHANGE)
        self._free = HandSolver(model, priors=still)
        self._tracking = HandSolver(model, priors=moving, iterations=4)

    def fit(self, detection: Detection, frame: CameraFrame, past: Past | None, flipped: bool) -> HandFit:
        """Parameters of the right hand model for ``detection``; ``flipped`` where that mirrors ``frame``.

        Raises Refused(KEYPOINTS) for keypoints that are no hand, Refused(NOT_FINITE).
        """
        seen = _seen(detection, frame, flipped)
        if past is None:
            return self._refined(self._first(detection, frame, seen, flipped), seen, frame, flipped)
        if not 0.0 < past.dt <= LONGEST_STEP:
            return self._refined(past.fit, seen, frame, flipped)
        palm = np.isin(np.arange(21), PALM).astype(float)
        # Six keypoints say together what one speed does.
        slow = Depths(past.fit.keypoints[:, 2], palm, PALM_SPEED * past.dt * np.sqrt(len(PALM)))
        surface = self._surface(past.fit, frame, flipped)
        known = _upright(seen, past.fit) if surface else seen
        fit = self._tracking.solve(observations=[*known, *surface, slow], initial=past.fit)
        if not self._stuck(fit, detection, frame, flipped):
            return fit
        fresh = self.fit(detection, frame, None, flipped)
        return fresh if fresh.residual < fit.residual else fit

    def touched(self, fit: HandFit, frame: CameraFrame, flipped: bool) -> Array:
        """Whether (21,) the depth shows the skin over each keypoint of ``fit`` where it should be."""
        if frame.depth is None:
            return np.zeros(21, dtype=bool)
        joints, middles = self._surface(fit, frame, flipped)
        gaps = joints.gaps(fit.keypoints[None])[0]
        gaps[FINGERTIPS] = middles.gaps(fit.keypoints[None])[0, FINGERTIPS]
        touched: Array = np.abs(gaps) < joints.front
        return touched

    def _stuck(self, fit: HandFit, detection: Detection, frame: CameraFrame, flipped: bool) -> bool:
        miss = np.linalg.norm(frame.intrinsics.project(fit.keypoints) - detection.pixels, axis=1).mean()
        if miss > MOST_MISS * PIXEL_SIGMA * detection.size:
            return True
        return frame.depth is not None and self.touched(fit, frame, flipped).sum() < LEAST_TOUCHED

    def _first(self, detection: Detection, frame: CameraFrame, seen: list[Observation], flipped: bool) -> HandFit:
        """A fit without fingers in the depth: which of them is seen where is known only once the pose is."""
        fit = self._free.solve(observations=seen)
        palm = None if frame.depth is None else self._palm(fit, detection, frame, seen, flipped)
        return fit if palm is None else self._free.solve(observations=[*seen, palm])

    def _palm(
        self, fit: HandFit, detection: Detection, frame: CameraFrame, seen: list[Observation], flipped: bool
    ) -> Depths | None:
        """Depth of the palm's keypoints where the camera sees them, less what does not fit the others or ``fit``."""
        assert frame.depth is not None
        pixels = _unflipped(detection, frame, flipped)
        skin = sample_depth(frame.depth, pixels, np.zeros(21), reach=np.inf)
        depths = skin + self._joints.least
        offset = depths - seen[1].target[:, 2]
        nearest, farthest = (share * fit.keypoints[:, 2] for share in RANGE)
        known = np.isin(np.arange(21), PALM) & (depths > nearest) & (depths < farthest)
        if known.sum() < 3:
            return None
        known &= np.abs(offset - np.median(offset[known])) < 4.0 * PALM_SIGMA
        return None if known.sum() < 3 else Depths(depths, known.astype(float), PALM_SIGMA)

    def _refined(self, fit: HandFit, seen: list[Observation], frame: CameraFrame, flipped: bool) -> HandFit:
        """``fit`` with all of the depth."""
        surface = self._surface(fit, frame, flipped)
        known = _upright(seen, fit) if surface else seen
        return self._free.solve(observations=[*known, *surface], initial=fit, betas=fit.betas)

    def _surface(self, fit: HandFit, frame: CameraFrame, flipped: bool) -> list[Skin]:
        """The skin around a pose near ``fit`` against the depth."""
        if frame.depth is None:
            return []
        local = rotations.exp(np.concatenate([fit.global_orient, fit.hand_pose]).reshape(1, 16, 3))
        posed = self._model.kinematics.forward(local, fit.betas[None], fit.keypoints[:1])
        parts = []
        for probes, unused in ((self._joints, FINGERTIPS), (self._middles, [0])):
            thickness = probes.thickness(fit.keypoints, posed.rotations[0])
            noise = DEPTH_SIGMA * np.abs(fit.keypoints[:, 2])
            parts.append(
                Skin(
                    target=np.zeros((21, 1)),
                    confidence=np.where(np.isin(np.arange(21), unused), 0.0, 1.0),
                    sigma=np.hypot(noise, THICKNESS_SIGMA * thickness),
                    probes=probes,
                    thickness=thickness,
                    depth=frame.depth,
                    intrinsics=frame.intrinsics,
                    flipped=flipped,
                )
            )
        return parts


def inside(pixels: Array, frame: CameraFrame) -> Array:
    """Which pixels (21, 2) lie in the picture."""
    height, width = frame.rgb.shape[:2]
    return ((pixels >= -0.5) & (pixels <= [width - 0.5, height - 0.5])).all(axis=1)


def _seen(detection: Detection, frame: CameraFrame, flipped: bool) -> list[Observation]:
    """Pixels and relative 3D as MediaPipe gives them."""
    confidence = np.where(inside(_unflipped(detection, frame, flipped), frame), 1.0, OUTSIDE_CONFIDENCE)
    sigma = PIXEL_SIGMA * detection.size
    pixels = Pixels(detection.pixels, confidence, sigma, outlier=PIXEL_OUTLIER, intrinsics=frame.intrinsics)
    relative = detection.relative @ _towards(detection.pixels.mean(axis=0), frame.intrinsics).T
    return [pixels, Relative(relative, sigma=TILT_SIGMA, outlier=PIXEL_OUTLIER)]


def _upright(seen: list[Observation], fit: HandFit) -> list[Observation]:
    """Pixels, and the relative 3D turned so that its palm lies as that of ``fit``, where the depth tells the tilt."""
    pixels, relative = seen
    palm = np.isin(np.arange(21), PALM).astype(float)[None]
    turn, _ = rotations.align(relative.target[None], fit.keypoints[None], palm)
    return [pixels, replace(relative, target=relative.target @ turn[0].T, sigma=RELATIVE_SIGMA)]


def _unflipped(detection: Detection, frame: CameraFrame, flipped: bool) -> Array:
    """The detection's pixels (21, 2) in the picture as it is."""
    return detection.pixels * [-1.0, 1.0] + [2.0 * frame.intrinsics.cx, 0.0] if flipped else detection.pixels


def _towards(pixel: Array, camera: Intrinsics) -> Array:
    """Rotation (3, 3) of the optical axis onto the ray of ``pixel``: MediaPipe looks straight at every hand."""
    ray = np.array([(pixel[0] - camera.cx) / camera.fx, (pixel[1] - camera.cy) / camera.fy, 1.0])
    axis = np.cross([0.0, 0.0, 1.0], ray)
    length = np.linalg.norm(axis)
    angle = np.arctan2(length, ray[2])
    turn: Array = Rotation.from_rotvec(axis / max(length, 1e-12) * angle).as_matrix()
    return turn
