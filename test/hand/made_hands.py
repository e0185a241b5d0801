"""Hands whose parameters are known, for the tests of the solver."""

from __future__ import annotations

import numpy as np

from hoi_ros.hand import HandFit, HandSolver, load_hand_model
from hoi_ros.types import Array, Intrinsics

CAMERA = Intrinsics(600.0, 610.0, 320.0, 240.0)
MODEL = load_hand_model()
SOLVER = HandSolver(MODEL)


def hands(count: int, seed: int = 0) -> dict[str, Array]:
    """Random hands in front of a camera, with their keypoints."""
    rng = np.random.default_rng(seed)
    made = {
        "global_orient": rng.normal(0.0, 1.2, (count, 3)),
        "hand_pose": SOLVER.limits.sample(rng, count),
        "betas": rng.normal(0.0, 1.0, (count, 10)),
        "transl": rng.uniform([-0.1, -0.1, 0.5], [0.1, 0.1, 0.7], (count, 3)),
    }
    return {**made, "keypoints": MODEL.joints(**made)}


def errors(fit: HandFit, keypoints: Array) -> Array:
    return np.linalg.norm(fit.keypoints - keypoints, axis=-1).mean(axis=-1)
