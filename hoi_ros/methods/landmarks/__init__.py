"""Hands from landmarks: MediaPipe finds them, the hand model makes them metric. See ``estimator``."""

from hoi_ros.methods.landmarks.estimator import LandmarksEstimator, build

__all__ = ["LandmarksEstimator", "build"]
