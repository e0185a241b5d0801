"""Hands of fields, in two stages (choir 3.3), by Levenberg-Marquardt on a hand's joints instead of Adam.

Stage one needs no field once its 32 anchors are found: near them the field's error is a quadratic form of theirs
(``field.anchors_of_field``), so 96 residuals stand for 4096. Stage two closes the gaps of the skin that the contacts'
Gaussians name, and leads the skin out of the object; nearest points are looked up again at every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hoi_ros.hand import HandModel, Limits, rotations
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.hand.least_squares import BETAS_RANGE, Problem, State, descend
from hoi_ros.methods.choir.field import anchors_of_field
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.types import Array, HandBatch

ITERATIONS = 30
CONTACT_ITERATIONS = 12
STAYS = 100.0  # residuals that staying counts as, however many points there are


@dataclass(frozen=True)
class Beliefs:
    """Standard deviations of what a hand is believed to be before its field is seen."""

    anchor: float = 0.004  # m, of the anchors that a field gives
    angle: float = 0.3  # rad, of a joint about where the fit starts
    betas: float = 0.3  # of a shape coefficient about the person's


@dataclass(frozen=True)
class ContactBeliefs:
    """What stage two weighs against each other."""

    gap: float = 0.001  # m, between skin in contact and the object
    depth: float = 0.0003  # m, of skin in the object
    indent: float = 0.0005  # m, that skin in contact is pressed in
    stay: float = 0.02  # m, of the skin's middle from where stage one put it
    turn: float = 0.003  # m, of the skin about its middle: what turns and bends the hand
    angle: float = 0.1  # rad, of a joint since then
    betas: float = 0.01  # of a shape coefficient


class AnchorTerm:
    """Anchors (B, 32, 3), m, wanted with precisions (B, 32, 3, 3); the points are the corners of their faces."""

    def __init__(self, target: Array, whitening: Array, weights: Array) -> None:
        self._target, self._whitening, self._weights = target, whitening, weights

    def residual(self, points: Array) -> Array:
        """(B, 32, 3)."""
        anchors = self._anchors(points[..., None])[..., 0]
        return np.asarray((self._whitening @ (anchors - self._target)[..., None])[..., 0])

    def derivative(self, points: Array, jacobian: Array) -> Array:  # noqa: ARG002
        """(B, 32, 3, N)."""
        return np.asarray(self._whitening @ self._anchors(jacobian))

    def loss(self, residual: Array) -> tuple[Array, None]:
        """Plain squares."""
        return np.einsum("bak,bak->b", residual, residual), None

    def take(self, rows: NDArray[np.int64]) -> AnchorTerm:
        """For some hands."""
        return AnchorTerm(self._target[rows], self._whitening[rows], self._weights)

    def _anchors(self, corners: Array) -> Array:
        """(B, 32, 3, N) of corners (B, 96, 3, N)."""
        count, _, _, size = corners.shape
        flat = corners.reshape(count, 32, 3, 3 * size)
        return np.asarray(self._weights[:, None] @ flat).reshape(count, 32, 3, size)


class StayTerm:
    """Points (B, P, 3) where they were, m: their middle within ``stay`` and, about it, all of them within ``turn``."""

    def __init__(self, target: Array, stay: float, turn: float) -> None:
        self._target, self._stay, self._turn = target, stay, turn

    def residual(self, points: Array) -> Array:
        """(B, P + 1, 3), the middle last."""
        return self._split(points - self._target)

    def derivative(self, points: Array, jacobian: Array) -> Array:  # noqa: ARG002
        """(B, P + 1, 3, N)."""
        return self._split(jacobian)

    def loss(self, residual: Array) -> tuple[Array, None]:
        """Plain squares."""
        return np.einsum("bpk,bpk->b", residual, residual), None

    def take(self, rows: NDArray[np.int64]) -> StayTerm:
        """For some hands."""
        return StayTerm(self._target[rows], self._stay, self._turn)

    def _split(self, values: Array) -> Array:
        middle = values.mean(axis=1, keepdims=True)
        about = (values - middle) / (self._turn * np.sqrt(values.shape[1] / STAYS))
        return np.concatenate([about, middle * np.sqrt(STAYS) / self._stay], axis=1)


class ContactTerm:
    """Skin (B, P, 3) on an object where its contact is believed, ``chance`` (B, P), and nowhere inside it."""

    def __init__(self, surface: CloudSurface, chance: Array, beliefs: ContactBeliefs) -> None:
        self._surface, self._chance, self._beliefs = surface, chance, beliefs
        self._gradient = np.zeros(0)

    def residual(self, points: Array) -> Array:
        """(B, P, 1): gaps of what should touch, depth of all."""
        beliefs = self._beliefs
        distance, gradient = self._surface.lookup(torch.from_numpy(points.astype(np.float32)))
        above = distance.numpy().astype(np.float64)
        off = above + beliefs.indent * self._chance
        scale = np.where(off > 0.0, np.sqrt(self._chance) / beliefs.gap, 1.0 / beliefs.depth)
        self._gradient = scale[..., None] * gradient.numpy()
        return np.asarray((scale * off)[..., None])

    def derivative(self, points: Array, jacobian: Array) -> Array:  # noqa: ARG002
        """(B, P, 1, N), at the points of the last residual."""
        return np.asarray(self._gradient[:, :, None] @ jacobian)

    def loss(self, residual: Array) -> tuple[Array, Array]:
        """Squares near, straight lines beyond three deviations: a gap that cannot be closed does not tear the hand."""
        size = np.abs(residual[..., 0])
        near = np.minimum(size, 3.0)
        return (near * (2.0 * size - near)).sum(1), 3.0 / np.maximum(size, 3.0)

    def take(self, rows: NDArray[np.int64]) -> ContactTerm:
        """For some hands."""
        part = ContactTerm(self._surface, self._chance[rows], self._beliefs)
        part._gradient = self._gradient[rows] if len(self._gradient) else self._gradient
        return part


class Fitter:
    """Fits one hand model; batches of hands, each by itself."""

    def __init__(self, model: HandModel) -> None:
        self.model, self.limits = model, Limits(model.kinematics)
        self._anchors = find_anchors(model)
        self._corners = model.vertex_kinematics(self._anchors.corners.ravel().astype(np.int64))
        self._skin = model.vertex_kinematics(np.arange(len(model.v_template)))

    def fit_field(self, field: Array, assigned: NDArray[np.int64], start: HandBatch, beliefs: Beliefs) -> HandBatch:
        """Stage one: hands (B,) whose anchors fit distances (B, 4096), m, from a start and near its pose and shape.

        In the frame of the grid. ``assigned`` (4096,) names the anchors.
        """
        state = self._state(start)
        corners = self._corners.forward(*self._local(state)).keypoints.reshape(len(start), 32, 3, 3)
        first = np.einsum("ac,baci->bai", self._anchors.weights, corners)
        anchors, precision = anchors_of_field(field, assigned, first)
        return self.fit_anchors(anchors, precision, start, beliefs)

    def fit_anchors(self, anchors: Array, precision: Array, start: HandBatch, beliefs: Beliefs) -> HandBatch:
        """Hands with anchors (B, 32, 3), m, of relative precisions (B, 32, 3, 3)."""
        state = self._state(start)
        scale = np.einsum("baii->b", precision) / 96.0
        whitening = np.linalg.cholesky(precision / scale[:, None, None, None]).swapaxes(-1, -2) / beliefs.anchor
        spread = np.concatenate([np.full(self.limits.size, beliefs.angle), np.full(10, beliefs.betas)])
        problem = Problem(
            self._corners,
            self.limits,
            [AnchorTerm(anchors, whitening, self._anchors.weights)],
            state.values,
            np.broadcast_to(spread**-2.0, state.values.shape),
            shape=True,
        )
        return self._hands(descend(problem, state, ITERATIONS)[0])

    def fit_contacts(
        self, hands: HandBatch, surface: CloudSurface, chance: Array, beliefs: ContactBeliefs
    ) -> HandBatch:
        """Stage two: hands (B,) whose vertices touch the surface by ``chance`` (B, 778), and stay out of it."""
        state = self._state(hands)
        points = self._skin.forward(*self._local(state)).keypoints
        stay = StayTerm(points, beliefs.stay, beliefs.turn)
        spread = np.concatenate([np.full(self.limits.size, beliefs.angle), np.full(10, beliefs.betas)])
        problem = Problem(
            self._skin,
            self.limits,
            [ContactTerm(surface, chance, beliefs), stay],
            state.values,
            np.broadcast_to(spread**-2.0, state.values.shape),
            shape=True,
        )
        return self._hands(descend(problem, state, CONTACT_ITERATIONS)[0])

    def vertices(self, hands: HandBatch) -> Array:
        """Of hands, (B, 778, 3) m."""
        return self.model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices

    def _state(self, hands: HandBatch) -> State:
        wrist = self.model.kinematics.rest_joints(hands.betas)[:, 0] + hands.transl
        angles = np.clip(self.limits.to_angles(hands.hand_pose), self.limits.lower, self.limits.upper)
        betas = np.clip(hands.betas, -BETAS_RANGE, BETAS_RANGE)
        return State(rotations.exp(hands.global_orient), wrist, np.concatenate([angles, betas], axis=1))

    def _local(self, state: State) -> tuple[Array, Array, Array]:
        """Local rotations, betas and wrists, as a kinematics wants them."""
        size = self.limits.size
        turns = rotations.exp(self.limits.to_pose(state.values[:, :size]).reshape(-1, 15, 3))
        return np.concatenate([state.root[:, None], turns], axis=1), state.values[:, size:], state.wrist

    def _hands(self, state: State) -> HandBatch:
        size = self.limits.size
        betas = state.values[:, size:]
        return HandBatch(
            rotations.log(state.root),
            self.limits.to_pose(state.values[:, :size]),
            betas,
            state.wrist - self.model.kinematics.rest_joints(betas)[:, 0],
        )
