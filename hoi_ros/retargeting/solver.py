"""Damped Gauss-Newton for hands: five independent fingers that share a few variables (the wrist).

The normal equations are an arrow: a block per finger and a border for what is shared, solved by Schur complement, so
one step costs five 5x5 systems for each hand. Limits and J1 <= J2 are an active set inside the step: a variable on its
limit that the cost pushes outwards is taken out, and where J1 has caught up with J2 both move as one. A step is taken
only where it lowers the cost (Levenberg-Marquardt with projected Newton steps, Bertsekas 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hoi_ros.retargeting.kinematics import DEPTH, J1, J2, Fingers, finger_index
from hoi_ros.retargeting.shadow_hand import COUPLED, FINGERS, ShadowHand
from hoi_ros.types import Array

HUBER = 0.02  # m, where the cost of a distance turns from square to linear
DAMPING = 1e-6  # first and least damping of the normal equations
MOST_DAMPING = 1e6
BENT = 0.3  # rad, angle of all hinges of a hand to start from


class Shared(Protocol):
    """What all fingers share: the wrist's joints, or the pose of the palm."""

    def targets(self, state: Array, targets: Array) -> tuple[Array, Array]:
        """Targets (N, 5, 3, K) in the palm's frame and -d/dstate of them, (N, 5, S, 3, K)."""
        ...

    def free(self, state: Array, gradient: Array) -> Array:
        """1 where a variable may move, 0 where it is held by its limit; (N, S)."""
        ...

    def retract(self, state: Array, step: Array) -> Array:
        """The state after ``step`` (N, S), inside its limits."""
        ...


@dataclass
class Solution:
    """Angles (N, 5, 5) by finger and hinge, shared variables (N, S), distances (N, 5, K) to the targets."""

    angles: Array
    shared: Array
    distances: Array
    iterations: int


class Solver:
    """Least squares over finger angles and shared variables.

    cost = sum of weight * huber(distance) + stay * |angles - previous|^2
    """

    def __init__(self, hand: ShadowHand, points: list[tuple[int, Array]], shared: Shared, coupling: bool) -> None:
        self.fingers = Fingers(hand, points)
        self.shared = shared
        self.coupled = np.array([coupling and finger in COUPLED for finger in FINGERS])
        index = finger_index()
        self.lower, self.upper = np.append(hand.lower, 0.0)[index], np.append(hand.upper, 0.0)[index]
        if coupling:  # J1 <= J2 narrows J2 from below and J1 from above
            self.lower[1:, J2] = np.maximum(self.lower[1:, J2], self.lower[1:, J1])
            self.upper[1:, J1] = np.minimum(self.upper[1:, J1], self.upper[1:, J2])

    def rest(self, count: int) -> Array:
        """A slightly bent hand to start from, (count, 5, 5)."""
        return np.repeat(self.project(np.full((1, len(FINGERS), DEPTH), BENT)), count, axis=0)

    def project(self, angles: Array) -> Array:
        """The nearest angles (N, 5, 5) inside the limits, with J1 no larger than J2."""
        angles = np.minimum(np.maximum(angles, self.lower), self.upper)
        distal = angles[..., J1]
        angles[..., J1] = np.where(self.coupled, np.minimum(distal, angles[..., J2]), distal)
        return angles

    def solve(
        self,
        targets: Array,
        weights: Array,
        angles: Array,
        shared: Array,
        *,
        stay: float,
        iterations: int,
        tolerance: float,
    ) -> Solution:
        """Bring the points to ``targets`` (N, 5, 3, K), m, weighted by (5, K) or (N, 5, K).

        Starts at feasible ``angles`` (N, 5, 5) and ``shared`` (N, S); ``stay`` holds the angles there. Hands whose cost
        falls by less than ``tolerance`` in a step are done.
        """
        n = len(targets)
        weights = np.broadcast_to(weights, (n, *weights.shape[-2:]))
        result = Solution(angles.copy(), shared.copy(), np.zeros(weights.shape), 0)
        rows = np.arange(n)  # hands still moving
        start, damping = angles, np.full(n, DAMPING)
        system, distances, cost = self._evaluate(targets, weights, angles, shared, start, stay)
        for result.iterations in range(1, iterations + 1):
            step, shared_step = self._step(system, angles, shared, start, stay, damping)
            new_angles = self.project(angles + step)
            new_shared = self.shared.retract(shared, shared_step)
            trial = self._evaluate(targets, weights, new_angles, new_shared, start, stay)
            gain = cost - trial[2]
            better = gain > 0.0
            finished = (np.abs(gain) < tolerance) | (damping > MOST_DAMPING)
            if better.all():
                angles, shared, (system, distances, cost) = new_angles, new_shared, trial
            else:
                angles, shared, system, distances, cost = (
                    np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
                    for new, old in zip(
                        (new_angles, new_shared, *trial), (angles, shared, system, distances, cost), strict=True
                    )
                )
            damping = np.where(better, np.maximum(damping * 0.1, DAMPING), np.maximum(damping, 1e-4) * 10.0)
            if result.iterations == iterations or finished.any():
                ended = finished if result.iterations < iterations else np.ones(len(rows), bool)
                at = rows[ended]
                result.angles[at], result.shared[at] = angles[ended], shared[ended]
                result.distances[at] = distances[ended]
                if ended.all():
                    break
                go = ~ended
                rows, angles, shared, start, damping = rows[go], angles[go], shared[go], start[go], damping[go]
                targets, weights, system, distances, cost = (
                    part[go] for part in (targets, weights, system, distances, cost)
                )
        return result

    def _evaluate(
        self, targets: Array, weights: Array, angles: Array, shared: Array, start: Array, stay: float
    ) -> tuple[Array, Array, Array]:
        """Weighted normal equations with the gradient as last column (N, 5, M, M), distances (N, 5, K), cost (N,)."""
        points, jacobian = self.fingers(angles)
        moved, shared_jacobian = self.shared.targets(shared, targets)
        residual = points - moved
        distances = np.sqrt(np.einsum("nfik,nfik->nfk", residual, residual))
        square = np.minimum(distances, HUBER)
        cost = np.einsum("nfk,nfk->n", weights, square * (distances - 0.5 * square)) / HUBER
        change = angles - start
        cost += stay * np.einsum("nfj,nfj->n", change, change)
        columns = np.concatenate([jacobian, shared_jacobian, residual[:, :, None]], axis=2)
        weighted = columns * (weights / np.maximum(distances, HUBER))[:, :, None, None, :]
        flat = (*columns.shape[:3], -1)
        system = weighted.reshape(flat) @ columns.reshape(flat).swapaxes(-1, -2)
        return system, distances, cost

    def _step(
        self, system: Array, angles: Array, shared: Array, start: Array, stay: float, damping: Array
    ) -> tuple[Array, Array]:
        """Gauss-Newton step of angles (N, 5, 5) and shared variables (N, S)."""
        system = system.copy()
        diagonal = np.einsum("nfii->nfi", system)
        diagonal[..., :DEPTH] += 2.0 * stay
        system[..., :DEPTH, -1] += 2.0 * stay * (angles - start)
        joined = self._join(system, angles)
        slope = system[..., :DEPTH, -1]
        held = ((angles <= self.lower) & (slope > 0.0)) | ((angles >= self.upper) & (slope < 0.0))
        if joined is not None:
            held[..., J1] |= joined
        free = np.where(held, 0.0, 1.0)
        system[..., :DEPTH, :] *= free[..., None]
        system[..., :, :DEPTH] *= free[..., None, :]
        diagonal[..., :DEPTH] += damping[:, None, None] + (1.0 - free)

        blocks = system[..., :DEPTH, :DEPTH]
        border = system[..., :DEPTH, DEPTH:]  # what is shared, then the gradient
        solved = np.linalg.solve(blocks, border)
        reduced = (system[..., DEPTH:, DEPTH:] - border.swapaxes(-1, -2) @ solved).sum(axis=1)
        matrix, slope = reduced[:, :-1, :-1], reduced[:, :-1, -1]
        movable = self.shared.free(shared, slope)
        matrix = matrix * movable[:, :, None] * movable[:, None, :]
        np.einsum("nii->ni", matrix)[:] += damping[:, None] + (1.0 - movable)
        shared_step = -np.linalg.solve(matrix, (slope * movable)[..., None])
        step = -solved[..., -1] - (solved[..., :-1] @ shared_step[:, None])[..., 0]
        if joined is not None:
            step[..., J1] += joined * step[..., J2]
        return step, shared_step[..., 0]

    def _join(self, system: Array, angles: Array) -> Array | None:
        """Let J2 carry J1 in the fingers (N, 5) where they are equal and the cost pulls J1 past it; None if nowhere."""
        gradient = system[..., -1]
        joined = self.coupled & (angles[..., J1] >= angles[..., J2]) & (gradient[..., J2] > gradient[..., J1])
        if not joined.any():
            return None
        together = joined[..., None].astype(float)
        system[..., J2, :] += together * system[..., J1, :]
        system[..., :, J2] += together * system[..., :, J1]
        return joined
