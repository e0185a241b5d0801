"""How well and how fast keypoints become hand parameters.

Errors are mean distances of the 21 fitted keypoints from the true ones, mm. Times are processor times of the calling
thread, so they are those of one core whatever else the machine does, per frame of a smooth motion, each frame started
from the fit before. The peer is SciPy's bounded least squares on the same kinematics with its own finite differences,
started in the same way, on the same frames by turns. Run it with ``OMP_NUM_THREADS=1``, or the waiting of BLAS threads
counts as the peer's work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from hoi_ros.benchmarks.side_by_side import comparison, result, take_turns
from hoi_ros.hand import HandModel, HandSolver, load_hand_model
from hoi_ros.types import Array

_NOISE = 0.005  # m, root mean square length of the noise on a keypoint


def run(
    count: int = 1000, frames: int = 300, seed: int = 0, hand_model_path: str = "", data: str = "", shared: int = 40
) -> dict[str, Any]:
    """Measure; ``data`` is the folder that holds ``dexycb_grasps/grasps.npz``, left out where there is none.

    The peer follows the first ``shared`` frames of the motion. Raises Refused where ``hand_model_path`` cannot be used.
    """
    model = load_hand_model(hand_model_path)
    solver = HandSolver(model)
    rng = np.random.default_rng(seed)
    poses = random_keypoints(solver, rng, count)
    noise = rng.normal(0.0, _NOISE / np.sqrt(3.0), poses.shape)
    motion = smooth_motion(solver, rng, frames)
    warm = _times(_warm(solver), motion)
    cold = _times(solver.solve, poses[:100])
    started = thread_time()
    clean = solver.solve(poses)
    batch = (thread_time() - started) / count
    noisy = solver.solve(poses + noise)
    measured = {
        "poses": count,
        "clean_error_mm": _error(clean.keypoints, poses),
        "noise_mm": float(np.linalg.norm(noise, axis=2).mean() * 1e3),
        "noisy_error_mm": _error(noisy.keypoints, poses),
        "largest_violation_rad": float(solver.limits.violation(noisy.hand_pose).max()),
        "warm_median_ms": float(np.median(warm)),
        "warm_p95_ms": float(np.percentile(warm, 95)),
        "cold_median_ms": float(np.median(cold)),
        "batch_ms": batch * 1e3,
    }
    grasps = Path(data) / "dexycb_grasps" / "grasps.npz"
    if data and grasps.exists():
        with np.load(grasps, allow_pickle=False) as file:
            recorded = file["joints_obj"]
        measured["grasps"] = len(recorded)
        measured["grasps_error_mm"] = _error(solver.solve(recorded, fit_shape=False).keypoints, recorded)
    return measured | result([_beside_scipy(model, solver, motion[:shared])], {})


def _beside_scipy(model: HandModel, solver: HandSolver, motion: Array) -> dict[str, Any]:
    """Both on each frame of the motion but the first, which nothing precedes."""

    def following(solve: Callable[[Array], Any]) -> Callable[[], Any]:
        frames = iter(motion)
        return lambda: solve(next(frames))

    works = {"HandSolver": following(_warm(solver)), "scipy.optimize.least_squares": following(_scipy(model, solver))}
    seconds = take_turns(works, len(motion), clock=thread_time)
    given = f"{len(motion)} frames of a smooth motion, each started from the fit before"
    return comparison("hand parameters of 21 keypoints", given, {name: each[1:] for name, each in seconds.items()})


def random_keypoints(solver: HandSolver, rng: np.random.Generator, count: int) -> Array:
    """Keypoints (count, 21, 3) m of hands of random shape in random poses inside the limits, within a metre."""
    orient, transl = rng.normal(0.0, 1.5, (count, 3)), rng.uniform(-0.5, 0.5, (count, 3))
    return solver.model.joints(orient, solver.limits.sample(rng, count), rng.normal(0.0, 1.0, (count, 10)), transl)


def smooth_motion(solver: HandSolver, rng: np.random.Generator, frames: int) -> Array:
    """Keypoints (frames, 21, 3) m at 30 Hz of one hand whose joints swing through most of their ranges."""
    limits = solver.limits
    time = np.arange(frames)[:, None] / 30.0

    def waves(size: int) -> Array:
        rates, phases = rng.uniform(0.1, 0.8, size), rng.uniform(0.0, 2.0 * np.pi, size)
        return np.sin(2.0 * np.pi * rates * time + phases)

    angles = 0.5 * (limits.lower + limits.upper) + 0.45 * (limits.upper - limits.lower) * waves(limits.size)
    return solver.model.joints(waves(3), limits.to_pose(angles), rng.normal(0.0, 1.0, (1, 10)), 0.1 * waves(3))


def _error(fitted: Array, true: Array) -> float:
    return float(np.linalg.norm(fitted - true, axis=2).mean() * 1e3)


def _times(solve: Callable[[Array], Any], keypoints: Array) -> Array:
    """Milliseconds (N - 1,) of all frames but the first."""
    times = []
    for points in keypoints:
        started = thread_time()
        solve(points)
        times.append((thread_time() - started) * 1e3)
    return np.array(times[1:])


def _warm(solver: HandSolver) -> Callable[[Array], Any]:
    last = None

    def solve(points: Array) -> None:
        nonlocal last
        last = solver.solve(points, initial=last)

    return solve


def _scipy(model: HandModel, solver: HandSolver) -> Callable[[Array], Any]:
    limits = solver.limits
    edges = np.concatenate([np.full(6, np.inf), np.full(10, 4.0)])
    bounds = (
        np.concatenate([-edges[:6], limits.lower, -edges[6:]]),
        np.concatenate([edges[:6], limits.upper, edges[6:]]),
    )
    start = np.concatenate([np.zeros(6), 0.5 * (limits.lower + limits.upper), np.zeros(10)])

    def solve(points: Array) -> None:
        nonlocal start

        def residual(x: Array) -> Array:
            pose = limits.to_pose(x[6:-10])
            return (model.joints(x[:3], pose, x[-10:], x[3:6])[0] - points).ravel()

        inside = np.clip(start, bounds[0] + 1e-6, bounds[1] - 1e-6)
        start = least_squares(residual, inside, bounds=bounds).x

    return solve
