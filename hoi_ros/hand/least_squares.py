"""Levenberg-Marquardt with bounds for a batch of hands, each with its own damping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import rotations
from hoi_ros.hand.kinematics import Kinematics, Posed
from hoi_ros.hand.limits import Limits
from hoi_ros.types import Array

BETAS_RANGE = 4.0
"""Shape coefficients stay within this many standard shapes."""

_AT_REST = 5e-5  # m: a step that moves no keypoint further ends the solve
_LEAST_GAIN = 1e-4  # and so does one that lowers the cost by a smaller share
_PIVOTS = 8  # changes of the set of limits that bind a step
_PIECE = 32  # hands of a batch solved together


class Term(Protocol):
    """Part of the cost of a batch: a function of the points of a kinematics, and its derivative."""

    def residual(self, points: Array, /) -> Array:
        """Residuals (B, R, K), in standard deviations, of points (B, P, 3) m."""

    def derivative(self, points: Array, jacobian: Array, /) -> Array:
        """Derivative (B, R, K, N) of the residuals, from that of the points (B, P, 3, N)."""

    def loss(self, residual: Array, /) -> tuple[Array, Array | None]:
        """Cost (B,), and the weight (B, R) of each residual in the least squares problem with its gradient."""

    def take(self, rows: NDArray[np.int64], /) -> Term:
        """The same term for some hands of the batch."""


@dataclass(frozen=True)
class State:
    """The unknowns of a batch: root rotation (B, 3, 3), wrist (B, 3) m, angles (rad) and betas (B, D + 10)."""

    root: Array
    wrist: Array
    values: Array

    def moved(self, step: Array, lower: Array, upper: Array) -> State:
        """After a step (B, 6 + D) or (B, 6 + D + 10): rotation vector, metres, angles, betas."""
        values = self.values.copy()
        values[:, : step.shape[1] - 6] += step[:, 6:]
        # The step ends on a bound only up to rounding.
        values = np.clip(values, lower, upper)
        return State(rotations.exp(step[:, :3]) @ self.root, self.wrist + step[:, 3:6], values)

    def where(self, taken: NDArray[np.bool_], other: State) -> State:
        """``other`` for the hands that are ``taken`` (B,), this for the rest."""
        return State(
            np.where(taken[:, None, None], other.root, self.root),
            np.where(taken[:, None], other.wrist, self.wrist),
            np.where(taken[:, None], other.values, self.values),
        )

    def take(self, rows: NDArray[np.int64]) -> State:
        """Some hands of the batch."""
        return State(self.root[rows], self.wrist[rows], self.values[rows])

    def put(self, rows: NDArray[np.int64], part: State) -> None:
        """Replace some hands of the batch."""
        self.root[rows], self.wrist[rows], self.values[rows] = part.root, part.wrist, part.values


@dataclass(frozen=True)
class Evaluation:
    """The cost (B,) of a state, and what its derivative needs."""

    posed: Posed
    right_jacobians: Array  # (B, 15, 3, 3)
    residuals: list[Array]
    weights: list[Array | None]
    cost: Array


class Problem:
    """Residual terms and a quadratic prior ``precision (values - mean)^2`` (B, D + 10) on one hand model."""

    def __init__(
        self, kinematics: Kinematics, limits: Limits, terms: Sequence[Term], mean: Array, precision: Array, shape: bool
    ) -> None:
        self._kinematics, self._limits, self._terms, self._shape = kinematics, limits, terms, shape
        self._mean, self._precision = mean, precision
        edge = np.full(10, BETAS_RANGE)
        self.lower = np.concatenate([limits.lower, -edge])
        self.upper = np.concatenate([limits.upper, edge])
        self._unknowns = limits.size + (10 if shape else 0)

    def evaluate(self, state: State) -> Evaluation:
        """Pose the hands and measure them."""
        count, dofs = len(state.wrist), self._limits.size
        vectors = self._limits.to_pose(state.values[:, :dofs]).reshape(count, 15, 3)
        turns, right_jacobians = rotations.exp_and_jacobian(vectors)
        local = np.concatenate([state.root[:, None], turns], axis=1)
        posed = self._kinematics.forward(local, state.values[:, dofs:], state.wrist)
        error = state.values - self._mean
        cost = (self._precision * error * error).sum(axis=1)
        residuals, weights = [], []
        for term in self._terms:
            residual = term.residual(posed.keypoints)
            part, weight = term.loss(residual)
            cost = cost + part
            residuals.append(residual)
            weights.append(weight)
        return Evaluation(posed, right_jacobians, residuals, weights, cost)

    def normal_equations(self, state: State, at: Evaluation) -> tuple[Array, Array, Array]:
        """Gauss-Newton matrix (B, N, N), gradient (B, N), and the points' Jacobian (B, 3 P, N)."""
        limits = self._limits
        count = len(state.wrist)
        axes = (at.right_jacobians[:, limits.joint - 1] @ limits.columns[..., None])[..., 0]
        jacobian = self._kinematics.jacobian(at.posed, axes, limits.joint, self._shape)
        size = jacobian.shape[-1]
        normal, gradient = np.zeros((count, size, size)), np.zeros((count, size))
        for term, residual, weight in zip(self._terms, at.residuals, at.weights, strict=True):
            derived = term.derivative(at.posed.keypoints, jacobian)
            weighted = derived if weight is None else derived * weight[..., None, None]
            weighted = weighted.reshape(count, -1, size).swapaxes(1, 2)
            normal += weighted @ derived.reshape(count, -1, size)
            gradient += (weighted @ residual.reshape(count, -1, 1))[..., 0]
        used = self._unknowns
        gradient[:, 6:] += (self._precision * (state.values - self._mean))[:, :used]
        diagonal = np.arange(6, size)
        normal[:, diagonal, diagonal] += self._precision[:, :used]
        return normal, gradient, jacobian.reshape(count, -1, size)

    def room(self, state: State) -> tuple[Array, Array]:
        """The least and the most (B, N) that a step may be."""
        free = np.full((len(state.wrist), 6), np.inf)
        values, used = state.values, self._unknowns
        below, above = (self.lower - values)[:, :used], (self.upper - values)[:, :used]
        return np.concatenate([-free, below], axis=1), np.concatenate([free, above], axis=1)

    def take(self, rows: NDArray[np.int64]) -> Problem:
        """The same problem for some hands of the batch."""
        terms = [term.take(rows) for term in self._terms]
        return Problem(self._kinematics, self._limits, terms, self._mean[rows], self._precision[rows], self._shape)


def descend(problem: Problem, state: State, most_iterations: int) -> tuple[State, NDArray[np.int64]]:
    """The state of least cost near ``state``, and the iterations (B,) it took.

    Large batches go in pieces that stay in the processor's cache.
    """
    count = len(state.wrist)
    state = State(state.root.copy(), state.wrist.copy(), state.values.copy())
    iterations = np.zeros(count, dtype=np.int64)
    for first in range(0, count, _PIECE):
        rows = np.arange(first, min(first + _PIECE, count))
        whole = len(rows) == count
        part = problem if whole else problem.take(rows)
        _descend(part, state, rows, np.full(len(rows), 1e-3), iterations, most_iterations)
    return state, iterations


def _descend(
    problem: Problem,
    state: State,
    rows: NDArray[np.int64],
    damping: Array,
    iterations: NDArray[np.int64],
    most_iterations: int,
) -> None:
    """Bring ``rows`` of ``state`` to rest in place; ``problem`` and ``damping`` are theirs alone."""
    here = state.take(rows)
    at = problem.evaluate(here)
    running = np.ones(len(rows), dtype=bool)
    moved = True
    while running.any() and iterations[rows].max() < most_iterations:
        if moved:
            normal, gradient, jacobian = problem.normal_equations(here, at)
            scale = np.einsum("bii->bi", normal) + 1e-6
        damped = normal.copy()
        np.einsum("bii->bi", damped)[:] += damping[:, None] * scale
        step = bounded_step(damped, gradient, *problem.room(here))
        trial = here.moved(step, problem.lower, problem.upper)
        there = problem.evaluate(trial)
        iterations[rows] += running
        better = running & (there.cost <= at.cost)
        motion = np.abs(jacobian @ step[..., None]).max(axis=(1, 2))
        resting = (motion < _AT_REST) | (better & (at.cost - there.cost < _LEAST_GAIN * at.cost))
        damping = np.where(better, np.maximum(damping * 0.1, 1e-7), damping * 8.0)
        running &= ~resting & (damping < 1e6)
        moved = bool(better.any())
        if better.all():
            here, at = trial, there
        elif moved:
            here = here.where(better, trial)
            at = problem.evaluate(here)
        if 0 < running.sum() <= len(rows) // 2:
            break
    state.put(rows, here)
    if running.any() and not running.all():
        left = np.flatnonzero(running)
        _descend(problem.take(left), state, rows[left], damping[left], iterations, most_iterations)


def bounded_step(normal: Array, gradient: Array, lower: Array, upper: Array) -> Array:
    """Minimum (B, N) of ``step normal step / 2 + gradient step`` inside a box that holds zero.

    Block principal pivoting (Judice and Pires 1994): what leaves the box is set on its side, what would rather return
    is let go, and the rest is solved again, until nothing changes.
    """
    low, high = (lower == 0.0) & (gradient > 0.0), (upper == 0.0) & (gradient < 0.0)
    for _ in range(_PIVOTS):
        fixed = low | high
        value = np.where(low, lower, np.where(high, upper, 0.0))
        pull = -gradient - (normal @ value[..., None])[..., 0]
        reduced = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, normal)
        np.einsum("bii->bi", reduced)[fixed] = 1.0
        step = np.linalg.solve(reduced, np.where(fixed, value, pull)[..., None])[..., 0]
        slope = gradient + (normal @ step[..., None])[..., 0]
        now_low = np.where(fixed, low & (slope >= 0.0), step < lower)
        now_high = np.where(fixed, high & (slope <= 0.0), step > upper)
        if np.array_equal(now_low, low) and np.array_equal(now_high, high):
            return step
        low, high = now_low, now_high
    return np.clip(step, lower, upper)
