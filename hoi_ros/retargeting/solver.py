"""Damped Gauss-Newton for hands: five independent fingers that share a few variables (the wrist).

The normal equations are an arrow: a block per finger and a border for what is shared, solved by Schur complement, so
one step costs five 5x5 systems for each hand. Limits and J1 <= J2 are an active set inside the step: a variable on its
limit that the cost pushes outwards is taken out, and where J1 has caught up with J2 both move as one. A step is taken
only where it lowers the cost (Levenberg-Marquardt with projected Newton steps, Bertsekas 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hoi_ros.retargeting.kinematics import DEPTH, J1, J2, Fingers, finger_index
from hoi_ros.retargeting.shadow_hand import COUPLED, FINGERS, ShadowHand
from hoi_ros.types import Array

FAR = 0.02  # m, where the cost of a distance turns from square to linear
QUICK = 0.01  # rad, where the cost of a change does
DAMPING = 1e-6  # first and least damping of the normal equations
REJECTED = 1e-4  # least damping after a step that raised the cost
MOST_DAMPING = 1e6
# m/rad^2, pull of J5 .. J1 to the middle of their range. It decides where the targets do not, mostly for J5.
RELAX = np.array([3e-3, 2e-4, 2e-4, 2e-4, 2e-4])


class Shared(Protocol):
    """What all fingers share: the wrist's joints, or the pose of the palm."""

    def targets(self, state: Array, targets: Array) -> tuple[Array, Array]:
        """Targets (N, 3, P) in the palm's frame and minus their derivatives, (N, S, 3, P)."""
        ...

    def change(self, state: Array, start: Array) -> Array:
        """How far (N, S) the state has come from ``start``, in the units of a step."""
        ...

    def free(self, state: Array, gradient: Array) -> Array:
        """1 where a variable may move, 0 where it is held by its limit; (N, S)."""
        ...

    def retract(self, state: Array, step: Array) -> Array:
        """The state after ``step`` (N, S), inside its limits."""
        ...


@dataclass(frozen=True)
class Effort:
    """How hard to solve: what staying at the start is worth, and when to stop."""

    stay: float  # m/rad: what a radian of change of one joint may cost in summed, weighted distance
    iterations: int
    tolerance: float  # m: a step that promises less is not worth taking


@dataclass
class Solution:
    """Angles (N, 5, 5) by finger and hinge, shared state (N, ...), distances (N, 5, K) to the targets."""

    angles: Array
    shared: Array
    distances: Array
    iterations: int = 0

    def put(self, rows: NDArray[np.intp], angles: Array, shared: Array, distances: Array) -> None:
        """Keep the result of some hands."""
        self.angles[rows], self.shared[rows], self.distances[rows] = angles, shared, distances


class _Problem(NamedTuple):
    targets: Array  # (N, 3, 5 K)
    weights: Array  # (N, 5, K)
    angles: Array  # (N, 5, 5) to stay at
    shared: Array


class _Evaluation(NamedTuple):
    system: Array  # (N, 5, M, M): weighted normal equations of finger and shared variables, gradient in the last column
    change: Array  # (N, S) of the shared variables
    distances: Array  # (N, 5, K)
    cost: Array  # (N,)


class Solver:
    """Least squares over finger angles and shared variables, robust in distances and in the change of each joint.

    cost = sum of weight * huber(distance, FAR) + stay * sum of huber(change from the start, QUICK)
           + sum of RELAX / 2 * (angle - middle of its range)^2

    with huber(x, d) = x^2 / 2d below d and x - d / 2 above. The second term holds still what only noise would move, and
    hardly delays what the hand means; the third decides for joints that the targets leave open, as THJ5 is while THJ4
    is stretched.
    """

    def __init__(self, hand: ShadowHand, points: list[tuple[int, Array]], shared: Shared, coupling: bool) -> None:
        self._fingers = Fingers(hand, points)
        self._shared = shared
        self._coupled = np.array([coupling and finger in COUPLED for finger in FINGERS])
        index = finger_index()
        self._lower, self._upper = np.append(hand.lower, 0.0)[index], np.append(hand.upper, 0.0)[index]
        if coupling:  # J1 <= J2 narrows J2 from below and J1 from above
            self._lower[1:, J2] = np.maximum(self._lower[1:, J2], self._lower[1:, J1])
            self._upper[1:, J1] = np.minimum(self._upper[1:, J1], self._upper[1:, J2])
        self._rest = self.project(0.5 * (self._lower + self._upper)[None])[0]

    def rest(self, count: int) -> Array:
        """The relaxed hand to start from, (count, 5, 5)."""
        return np.repeat(self._rest[None], count, axis=0)

    def project(self, angles: Array) -> Array:
        """Angles (N, 5, 5) brought inside the limits, and J1 down to J2 where it is larger."""
        angles = np.minimum(np.maximum(angles, self._lower), self._upper)
        distal = angles[..., J1]
        angles[..., J1] = np.where(self._coupled, np.minimum(distal, angles[..., J2]), distal)
        return angles

    def solve(self, targets: Array, weights: Array, angles: Array, shared: Array, effort: Effort) -> Solution:
        """Bring the points to ``targets`` (N, 3, 5 K), m, by ``weights`` (N, 5, K), from angles inside the limits."""
        result = Solution(angles.copy(), shared.copy(), np.empty(weights.shape))
        rows, damping = np.arange(len(targets)), np.full(len(targets), DAMPING)  # of the hands still moving
        problem = _Problem(targets, weights, angles, shared)
        here = self._evaluate(problem, angles, shared, effort.stay)
        for _ in range(effort.iterations):
            step, shared_step, gain = self._step(here, problem, angles, shared, damping, effort.stay)
            ended = ((gain < effort.tolerance) & (damping <= REJECTED)) | (damping > MOST_DAMPING)
            if ended.any():
                result.put(rows[ended], angles[ended], shared[ended], here.distances[ended])
                go = ~ended
                if not go.any():
                    return result
                rows, damping, angles, shared = rows[go], damping[go], angles[go], shared[go]
                step, shared_step = step[go], shared_step[go]
                problem, here = _Problem(*(part[go] for part in problem)), _Evaluation(*(part[go] for part in here))
            result.iterations += 1
            new_angles, new_shared = self.project(angles + step), self._shared.retract(shared, shared_step)
            there = self._evaluate(problem, new_angles, new_shared, effort.stay)
            better = there.cost < here.cost
            if better.all():
                angles, shared, here = new_angles, new_shared, there
            else:
                angles, shared = _choose(better, new_angles, angles), _choose(better, new_shared, shared)
                here = _Evaluation(*(_choose(better, new, old) for new, old in zip(there, here, strict=True)))
            damping = np.where(better, np.maximum(0.1 * damping, DAMPING), 10.0 * np.maximum(damping, REJECTED))
        result.put(rows, angles, shared, here.distances)
        return result

    def _evaluate(self, problem: _Problem, angles: Array, shared: Array, stay: float) -> _Evaluation:
        n, _, k = problem.weights.shape
        points, jacobian = self._fingers(angles)
        targets, shared_jacobian = self._shared.targets(shared, problem.targets)
        residual = points - targets.reshape(n, 3, -1, k).swapaxes(1, 2)
        distances = np.sqrt((residual * residual).sum(axis=2))
        near = np.minimum(distances, FAR)
        cost = (problem.weights * near * (distances - 0.5 * near)).reshape(n, -1).sum(axis=1) / FAR
        common = shared_jacobian.reshape(n, -1, 3, len(FINGERS), k).transpose(0, 3, 1, 2, 4)
        columns = np.concatenate([jacobian, common, residual[:, :, None]], axis=2)
        weighted = columns * (problem.weights / np.maximum(distances, FAR))[:, :, None, None]
        flat = (*columns.shape[:3], -1)
        system = weighted.reshape(flat) @ columns.reshape(flat).swapaxes(-1, -2)

        change = self._shared.change(shared, problem.shared)
        size = np.abs(np.concatenate([(angles - problem.angles).reshape(n, -1), change], axis=1))
        near = np.minimum(size, QUICK)
        cost += stay / QUICK * (near * (size - 0.5 * near)).sum(axis=1)
        bent = angles - self._rest
        cost += 0.5 * (bent * bent @ RELAX).sum(axis=1)
        return _Evaluation(system, change, distances, cost)

    def _step(
        self, here: _Evaluation, problem: _Problem, angles: Array, shared: Array, damping: Array, stay: float
    ) -> tuple[Array, Array, Array]:
        """Step of angles (N, 5, 5) and of shared variables (N, S), and by how much it should lower the cost (N,)."""
        n, system, change = len(angles), here.system.copy(), angles - problem.angles
        diagonal = np.einsum("nfii->nfi", system)[..., :DEPTH]
        pull = stay / np.maximum(np.abs(change), QUICK)
        diagonal += pull + RELAX
        system[..., :DEPTH, -1] += pull * change + RELAX * (angles - self._rest)
        joined = self._join(system, angles)
        slope = system[..., :DEPTH, -1]
        held = ((angles <= self._lower) & (slope > 0.0)) | ((angles >= self._upper) & (slope < 0.0))
        if joined is not None:
            held[..., J1] |= joined
        keep = np.ones(system.shape[:3])
        keep[..., :DEPTH] -= held
        system *= keep[..., None] * keep[..., None, :]
        diagonal += damping[:, None, None] + held

        border = system[..., :DEPTH, DEPTH:]  # what is shared, then the gradient
        solved = np.linalg.solve(system[..., :DEPTH, :DEPTH], border)
        flat = (n, -1, border.shape[-1])
        reduced = system[..., DEPTH:, DEPTH:].sum(axis=1)
        reduced -= border.reshape(flat).swapaxes(-1, -2) @ solved.reshape(flat)
        pull = stay / np.maximum(np.abs(here.change), QUICK)
        shared_slope = reduced[:, :-1, -1] + pull * here.change
        movable = self._shared.free(shared, shared_slope)
        matrix = reduced[:, :-1, :-1] * (movable[:, :, None] * movable[:, None, :])
        np.einsum("nii->ni", matrix)[:] += pull + damping[:, None] + (1.0 - movable)
        shared_step = -np.linalg.solve(matrix, (shared_slope * movable)[..., None])
        step = -solved[..., -1] - (solved[..., :-1] @ shared_step[:, None])[..., 0]
        shared_step = shared_step[..., 0]
        gain = -0.5 * ((slope * step).reshape(n, -1).sum(axis=1) + (shared_slope * shared_step).sum(axis=1))
        if joined is not None:
            step[..., J1] += joined * step[..., J2]
        return step, shared_step, gain

    def _join(self, system: Array, angles: Array) -> NDArray[np.bool_] | None:
        """Let J2 carry J1 in the fingers (N, 5) where they are equal and the cost pulls J1 past it; None if nowhere."""
        gradient = system[..., -1]
        joined: NDArray[np.bool_] = (
            self._coupled & (angles[..., J1] >= angles[..., J2]) & (gradient[..., J2] > gradient[..., J1])
        )
        if not joined.any():
            return None
        together = joined[..., None].astype(float)
        system[..., J2, :] += together * system[..., J1, :]
        system[..., :, J2] += together * system[..., :, J1]
        return joined


def _choose(mask: NDArray[np.bool_], new: Array, old: Array) -> Array:
    """Rows of ``new`` where ``mask``, else of ``old``."""
    return np.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)
