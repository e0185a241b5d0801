"""The ``landmarks`` estimator: MediaPipe's landmarks, the hand model fitted to them and to depth, tracks, smoothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hoi_ros.hand import HandFit, HandModel, load_hand_model, make_hand_pose
from hoi_ros.hand.mirror import mirror_hand
from hoi_ros.methods.landmarks.detector import Detection, Detector
from hoi_ros.methods.landmarks.frame_checks import check_frame
from hoi_ros.methods.landmarks.one_euro import OneEuro
from hoi_ros.methods.landmarks.placement import PIXEL_SIGMA, Past, Placement, inside
from hoi_ros.methods.landmarks.portrait import portrait
from hoi_ros.methods.landmarks.tracks import Track, Tracker
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, CameraFrame, HandPose, Intrinsics

LEAST_INSIDE = 11  # keypoints in the picture, the greater half: with fewer there is no hand to follow
BORDER = 0.15  # of the hand's size: a hand last seen this near the picture's edge has left through it
BLIND_CONFIDENCE = 0.5  # of keypoints whose depth nothing tells: no depth, or something else in front
MIX_UP = 2.0  # sigmas of a pixel at which a keypoint is trusted by 1/e


def build(parameters: Parameters) -> LandmarksEstimator:
    """The estimator for ``parameters``. Raises Refused(FILE, FOREIGN_CLASS, HAND_MODEL) for its hand model."""
    return LandmarksEstimator(parameters, load_hand_model(parameters.hand_model_path))


class LandmarksEstimator:
    """Follows the hands in a stream of pictures, with or without depth. They come in order; `reset` before others."""

    def __init__(self, parameters: Parameters, model: HandModel) -> None:
        self._model = model
        self._smoothing = parameters.smoothing
        self._detector = Detector(parameters.max_hands, parameters.min_score, portrait(model))
        self._placement = Placement(model)
        self._tracker = Tracker(lambda: OneEuro(parameters.smoothing_min_cutoff, parameters.smoothing_beta))

    def estimate(self, frame: CameraFrame) -> list[HandPose]:
        """Every hand in ``frame``, best first; empty when there is none.

        Raises Refused: PICTURE_SIZE, PICTURE_DATA, INTRINSICS, DEPTH_SIZE, DEPTH_VALUES for a frame that cannot be
        used; HAND_LEFT_PICTURE when the only hands are mostly outside it; KEYPOINTS when what was found is no hand.
        """
        check_frame(frame)
        detections = self._detector.detect(frame.rgb)
        whole = [d for d in detections if inside(d.pixels, frame).sum() >= LEAST_INSIDE]
        followed, lost = self._tracker.update(whole)
        hands: list[HandPose] = []
        refusals: list[Refused] = []
        for track in followed:
            try:
                hands.append(self._hand(track, frame))
            except Refused as refused:
                refusals.append(refused)
                self._tracker.drop(track)
        if not hands:
            if refusals:
                raise refusals[0]
            _refuse_leaving([d for d in detections if d not in whole] + [t.detection for t in lost], frame)
        return sorted(hands, key=lambda hand: -hand.score)

    def reset(self) -> None:
        """Forget all hands, MediaPipe's memory included: the same pictures then give the same hands again."""
        self._tracker.reset()
        self._detector.reset()

    def _hand(self, track: Track, frame: CameraFrame) -> HandPose:
        """Fit and smooth one followed hand. Left hands are mirrored here, and back at the end."""
        left = track.side == "left"
        seen = _mirrored(track.detection, frame.intrinsics) if left else track.detection
        dt = 1e-9 * (frame.stamp_ns - track.stamp_ns)
        past = None if track.fit is None else Past(track.fit, dt)
        fit = self._placement.fit(seen, frame, past, left)
        track.fit, track.stamp_ns = fit, frame.stamp_ns
        confidence = self._confidence(seen, fit, frame, left)
        if self._smoothing:
            fit = self._smoothed(track, fit, dt)
        hand = make_hand_pose(
            self._model,
            fit,
            side="right",
            score=track.detection.score,
            intrinsics=frame.intrinsics,
            confidence=confidence,
            track_id=track.number,
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
        )
        if not left:
            return hand
        hand = mirror_hand(hand)
        return replace(hand, keypoints_2d=frame.intrinsics.project(hand.keypoints))

    def _smoothed(self, track: Track, fit: HandFit, dt: float) -> HandFit:
        """``fit`` after the track's One Euro filter."""
        rest = self._model.kinematics.rest_joints(fit.betas[None])[0, 0]
        vectors = np.concatenate([fit.global_orient, fit.hand_pose]).reshape(16, 3)
        turned, wrist = track.filter(vectors, rest + fit.transl, dt)
        return replace(fit, global_orient=turned[0], hand_pose=turned[1:].ravel(), transl=wrist - rest)

    def _confidence(self, seen: Detection, fit: HandFit, frame: CameraFrame, left: bool) -> Array:
        """How far (21,) each keypoint is to be trusted, 0..1.

        The fit agrees with MediaPipe's pixel (a Gaussian of their distance), and the depth shows its skin where it
        should. In the recorded hand of the README, 9 of 10 keypoints above 0.9 are within 10 mm of the truth.
        """
        miss = np.linalg.norm(frame.intrinsics.project(fit.keypoints) - seen.pixels, axis=1)
        agree = np.exp(-((miss / (MIX_UP * PIXEL_SIGMA * seen.size)) ** 2))
        confidence: Array = agree * np.where(self._placement.touched(fit, frame, left), 1.0, BLIND_CONFIDENCE)
        return confidence


def _mirrored(detection: Detection, camera: Intrinsics) -> Detection:
    """The detection in the scene mirrored in x."""
    pixels = detection.pixels * [-1.0, 1.0] + [2.0 * camera.cx, 0.0]
    return replace(detection, side="right", pixels=pixels, relative=detection.relative * [-1.0, 1.0, 1.0])


def _refuse_leaving(detections: list[Detection], frame: CameraFrame) -> None:
    """Raise Refused(HAND_LEFT_PICTURE) if one of these was last seen at the edge of the picture, or outside."""
    height, width = frame.rgb.shape[:2]
    for detection in detections:
        margin = BORDER * detection.size
        edge = (detection.pixels < margin) | (detection.pixels > [width - margin, height - margin])
        if edge.any():
            count = int(inside(detection.pixels, frame).sum())
            raise Refused(
                Reason.HAND_LEFT_PICTURE, f"the hand left the picture; {count} of 21 keypoints were last inside it"
            )
