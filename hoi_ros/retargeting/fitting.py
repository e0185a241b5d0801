"""A robot hand fitted to an object's surface: what touches in the human grasp touches, and nothing cuts through.

Damped Gauss-Newton over the palm's pose and the motors of the fingers, J1 = J2 as the motor J0 leaves them in free air,
in a batch of grasps. The cost, in m^2, is the sum of what ``_Weights`` weighs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.kinematics import DEPTH, J1, J2, PADDING, finger_index
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.spheres import PALM, VARIABLES, Spheres
from hoi_ros.retargeting.surface import CloudSurface
from hoi_ros.types import Array

_ITERATIONS = 25
_DAMPING = 1e-4  # first, m^2 by rad^2 or m^2; tenfold after a step that does not lower the cost
_HINGES = len(FINGERS) * DEPTH
_TIP, _MIDDLE = 0.1, 0.02  # weights of the human's tips and middle joints, which the posture follows
_TOUCH = np.array([0.0, 0.0, 0.1, 0.3, 1.0])  # of a link that should touch, J5 to J1
_PALM_TOUCH = 1.0
_DEPTH_WEIGHT = 3.0  # of each sphere in the object or the table
_TABLE_GAP = 0.003  # m above the table
_STAY = 2e-5  # m^2/rad^2, of the hinges to where they began
_OUTER = (J2, J1)  # hinges whose links press
_STEPS = 6  # of opening and pressing
_BENDING = 1e-4  # m^2/rad^2, what bending costs then
_FAR = 0.02  # m, where following the human turns from square to linear


@dataclass(frozen=True)
class Posture:
    """Angles (N, 5, 5) by finger and hinge, J5 to J1, and the palm's pose (N, 3, 4)."""

    angles: Array
    palm: Array

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Posture:
        return Posture(self.angles[chosen], self.palm[chosen])


@dataclass(frozen=True)
class Wanted:
    """What the fit is after: marks (N, 5, 2, 3), m, of the human hand, and which links (N, 5, 5) and palms touch."""

    marks: Array
    touching: NDArray[np.bool_]
    palm_touching: NDArray[np.bool_]  # (N,)


class Fit:
    """The fit of one robot hand."""

    def __init__(self, hand: ShadowHand) -> None:
        self.spheres = Spheres(hand)
        index = finger_index()
        self.lower, self.upper = np.append(hand.lower, 0.0)[index], np.append(hand.upper, 0.0)[index]
        self._movable = (index != PADDING).ravel()
        reduce = np.eye(VARIABLES)
        for finger in range(1, len(FINGERS)):
            j1, j2 = DEPTH * finger + J1, DEPTH * finger + J2
            reduce[j1, j2], reduce[j1, j1] = 1.0, 0.0
            self.lower[finger, [J1, J2]] = self.lower[finger, [J1, J2]].max()
            self.upper[finger, [J1, J2]] = self.upper[finger, [J1, J2]].min()
            self._movable[j1] = False
        self.reduce = reduce  # (VARIABLES, VARIABLES): hinges and twist from motors and twist

    def coupled(self, angles: Array) -> Array:
        """Angles (N, 5, 5) with J1 = J2 on the fingers, inside the limits."""
        angles = angles.copy()
        angles[:, 1:, J2] = angles[:, 1:, J1] = angles[:, 1:, [J1, J2]].mean(axis=-1)
        clipped: Array = np.clip(angles, self.lower, self.upper)
        return clipped

    def __call__(self, start: Posture, wanted: Wanted, surface: CloudSurface) -> Posture:
        """The posture of least cost found from ``start``."""
        angles, palm, n = self.coupled(start.angles), start.palm, len(start.angles)
        first, damping = angles, np.full(n, _DAMPING)
        system, cost = self._evaluate(Posture(angles, palm), first, wanted, surface)
        for _ in range(_ITERATIONS):
            step = self._step(system, angles, damping)
            tried = self._moved(Posture(angles, palm), step)
            new_system, new_cost = self._evaluate(tried, first, wanted, surface)
            better = new_cost < cost
            angles = np.where(better[:, None, None], tried.angles, angles)
            palm = np.where(better[:, None, None], tried.palm, palm)
            system, cost = np.where(better[:, None, None], new_system, system), np.where(better, new_cost, cost)
            damping = np.where(better, np.maximum(damping * 0.2, 1e-7), damping * 10.0)
        return Posture(angles, palm)

    def opened(self, grasp: Posture, surface: CloudSurface, clear: float) -> Array:
        """Angles (N, 5, 5) with every finger ``clear`` m off the object where it can be, the palm where it is.

        Each finger leaves the surface along its normals, so the straight way back to the grasp meets it from there.
        """
        angles, fingers = grasp.angles, np.flatnonzero(self.spheres.own & (self.spheres.finger != PALM))
        for step in range(_STEPS):
            centres, _, jacobian, _ = self.spheres.place(angles, grasp.palm)
            distance, normal = surface.free(centres[:, fingers])
            lacking = np.maximum(clear * (step + 1) / _STEPS - distance + self.spheres.radii[fingers], 0.0)
            angles = self._along(angles, grasp.palm, jacobian[:, fingers], normal, lacking, lacking > 0.0)
        return angles

    def pressed(
        self, grasp: Posture, surface: CloudSurface, near: float, inside: float
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Angles (N, 5, 5) that press on the object, and which fingers (N, 5) do; the palm stays.

        The outer two links of each finger that are within ``near`` m of the surface aim ``inside`` m beyond it.
        """
        spheres, rows = self.spheres, np.arange(len(grasp.angles))[:, None]
        centres = spheres.place(grasp.angles, grasp.palm)[0]
        distance, normal = surface(centres)
        gap = distance - spheres.radii
        chosen = np.stack(
            [spheres.nearest(gap, finger, hinge) for hinge in _OUTER for finger in range(len(FINGERS))], axis=1
        )
        pressing, normal = gap[rows, chosen] < near, normal[rows, chosen]
        goal = centres[rows, chosen] - (inside + gap[rows, chosen])[..., None] * normal
        angles = grasp.angles
        for _ in range(_STEPS):
            centres, _, jacobian, _ = spheres.place(angles, grasp.palm)
            lacking = np.einsum("nsi,nsi->ns", goal - centres[rows, chosen], normal)
            angles = self._along(angles, grasp.palm, jacobian[rows, chosen], normal, lacking, pressing)
        return angles, pressing.reshape(-1, len(_OUTER), len(FINGERS)).any(axis=1)

    def depth(self, posture: Posture, surface: CloudSurface) -> Array:
        """How deep (N,) the hand is in the object or the table, m."""
        centres = self.spheres.place(posture.angles, posture.palm)[0][:, self.spheres.own]
        gap = surface.free(centres)[0] - self.spheres.radii[self.spheres.own]
        depth: Array = np.maximum(-gap.min(axis=1), 0.0)
        return depth

    def _along(
        self, angles: Array, palm: Array, jacobian: Array, normal: Array, lacking: Array, on: NDArray[np.bool_]
    ) -> Array:
        """Angles whose spheres (N, S) have moved along ``normal`` (N, S, 3) by what they are ``lacking`` (N, S), m."""
        rows = np.einsum("nsi,nsiv->nsv", normal @ palm[..., :3], jacobian @ self.reduce)[..., :_HINGES] * on[..., None]
        matrix = rows.swapaxes(1, 2) @ rows + _BENDING * np.eye(_HINGES)
        turn = np.linalg.solve(matrix, rows.swapaxes(1, 2) @ lacking[..., None])[..., 0] * self._movable
        return self.coupled(angles + (turn @ self.reduce[:_HINGES, :_HINGES].T).reshape(angles.shape))

    def _moved(self, here: Posture, step: Array) -> Posture:
        full = step @ self.reduce.T
        angles = self.coupled(here.angles + full[:, :_HINGES].reshape(-1, len(FINGERS), DEPTH))
        turn = here.palm[..., :3] @ Rotation.from_rotvec(step[:, -6:-3]).as_matrix()
        place = here.palm[..., 3:] + here.palm[..., :3] @ step[:, -3:, None]
        return Posture(angles, np.concatenate([turn, place], axis=2))

    def _step(self, system: Array, angles: Array, damping: Array) -> Array:
        """The damped step (N, VARIABLES); hinges that the cost presses on a limit stay."""
        normal, gradient = system[:, :-1, :-1], system[:, :-1, -1]
        free = np.ones(gradient.shape, dtype=bool)
        flat = angles.reshape(len(angles), -1)
        pressed = ((flat <= self.lower.ravel()) & (gradient[:, :_HINGES] > 0)) | (
            (flat >= self.upper.ravel()) & (gradient[:, :_HINGES] < 0)
        )
        free[:, :_HINGES] = self._movable & ~pressed
        both = free[:, :, None] & free[:, None, :]
        matrix = np.where(both, normal, 0.0) + np.eye(VARIABLES) * np.where(free, damping[:, None], 1.0)[:, None, :]
        return np.linalg.solve(matrix, -np.where(free, gradient, 0.0)[..., None])[..., 0]

    def _evaluate(self, here: Posture, first: Array, wanted: Wanted, surface: CloudSurface) -> tuple[Array, Array]:
        """Normal equations with the gradient as last row and column (N, V + 1, V + 1), and half costs (N,)."""
        n = len(here.angles)
        centres, marks, jacobian, mark_jacobian = self.spheres.place(here.angles, here.palm)
        turn = here.palm[..., :3]
        distance, gradient = surface(centres)
        gap, rows = distance - self.spheres.radii, np.einsum("nsi,nsiv->nsv", gradient @ turn, jacobian)
        weight = np.where((gap < 0.0) & self.spheres.own, _DEPTH_WEIGHT, 0.0)
        weight += self._touching(gap, wanted)
        residuals, jacobians, weights = [gap], [rows], [weight]
        if surface.table is not None:
            height = centres[..., 2] - surface.table - self.spheres.radii - _TABLE_GAP
            up = np.broadcast_to(turn[:, None, 2], centres.shape)
            residuals.append(height)
            jacobians.append(np.einsum("nsi,nsiv->nsv", up, jacobian))
            weights.append(np.where((height < 0.0) & self.spheres.own, _DEPTH_WEIGHT, 0.0))
        off = (marks - wanted.marks).reshape(n, -1, 3) @ turn
        far = np.linalg.norm(off, axis=2)
        share = np.tile([_TIP, _MIDDLE], len(FINGERS)) / np.maximum(far / _FAR, 1.0)
        residuals.append(off.reshape(n, -1))
        jacobians.append(mark_jacobian.reshape(n, -1, VARIABLES))
        weights.append(np.repeat(share, 3, axis=1))
        bent = (here.angles - first).reshape(n, -1)
        residuals.append(bent)
        jacobians.append(np.broadcast_to(np.eye(VARIABLES)[:_HINGES], (n, _HINGES, VARIABLES)))
        weights.append(np.full_like(bent, _STAY))

        residual, weight = np.concatenate(residuals, axis=1), np.concatenate(weights, axis=1)
        columns = np.concatenate([np.concatenate(jacobians, axis=1) @ self.reduce, residual[..., None]], axis=2)
        system = (columns * weight[..., None]).swapaxes(1, 2) @ columns
        following = np.tile([_TIP, _MIDDLE], len(FINGERS)) * np.where(far > _FAR, _FAR * (2 * far - _FAR), far**2)
        own = (np.repeat(share, 3, axis=1) * off.reshape(n, -1) ** 2).sum(axis=1)
        return system, system[:, -1, -1] - own + following.sum(axis=1)

    def _touching(self, gap: Array, wanted: Wanted) -> Array:
        """Weights (N, S) of what is to be brought to the surface: the nearest sphere of each link that touches."""
        weights, rows = np.zeros_like(gap), np.arange(len(gap))
        for finger in range(len(FINGERS)):
            for hinge in np.flatnonzero(_TOUCH):
                nearest = self.spheres.nearest(gap, finger, hinge)
                weights[rows, nearest] = _TOUCH[hinge] * wanted.touching[:, finger, hinge]
        weights[rows, self.spheres.nearest(gap, PALM, PALM)] += _PALM_TOUCH * wanted.palm_touching
        return weights
