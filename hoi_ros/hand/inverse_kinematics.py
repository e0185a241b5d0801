"""From keypoints to MANO parameters: a closed-form start, then damped least squares inside anatomical limits.

The unknowns are the root rotation, the wrist position, the anatomical angles (``limits.Limits``) and the shape. Each
step solves the normal equations of all residual terms with Levenberg-Marquardt damping and an active set on the limits,
so limits bind the solve itself. Everything runs on a leading batch axis; one hand is a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand import rotations
from hoi_ros.hand.least_squares import BETAS_RANGE, Problem, State, descend
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.mirror import mirror_axis_angle, mirror_points
from hoi_ros.hand.model import HandModel
from hoi_ros.hand.observations import Observation, Points, Relative, Term
from hoi_ros.hand.start import Start, guessed_points
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, Side


@dataclass(frozen=True)
class HandFit:
    """MANO parameters of one hand, or of a batch with a leading axis on every field."""

    global_orient: Array  # (3,) axis-angle, rad
    hand_pose: Array  # (45,) axis-angle, rad, inside the limits
    betas: Array  # (10,)
    transl: Array  # (3,) m
    keypoints: Array  # (21, 3) m
    residual: Array  # () root mean square of the known residuals, in standard deviations
    iterations: NDArray[np.int64]  # ()

    def __getitem__(self, row: int) -> HandFit:
        """One hand of a batch."""
        return HandFit(**{f.name: getattr(self, f.name)[row] for f in fields(self)})


@dataclass(frozen=True)
class Priors:
    """What is believed of a hand before it is seen, as standard deviations; infinite for nothing."""

    pose: float = 3.0  # of an angle about the middle of its range, in half ranges
    betas: float = 1.0  # of a shape coefficient about the mean hand
    pose_change: float = np.inf  # of an angle since ``initial``, rad
    betas_change: float = np.inf  # of a shape coefficient since ``initial``


class HandSolver:
    """Fits a hand model to observations of its keypoints. It keeps no state between solves."""

    def __init__(self, model: HandModel, *, priors: Priors | None = None, iterations: int = 30) -> None:
        self.model = model
        self.limits = Limits(model.kinematics)
        self.priors = priors or Priors()
        self.iterations = iterations
        self._start = Start(model.kinematics, self.limits, self.priors.betas)

    def solve(
        self,
        keypoints: Array | None = None,
        *,
        confidence: Array | None = None,
        observations: Sequence[Observation] = (),
        initial: HandFit | None = None,
        fit_shape: bool = True,
        betas: Array | None = None,
        side: Side = "right",
    ) -> HandFit:
        """Fit one hand, or a batch.

        The cost is the sum, over all observations, of squared residuals in standard deviations (or their robust loss),
        plus the priors'. ``keypoints`` (21, 3) or (B, 21, 3) m with ``confidence`` is short for
        ``observations=[Points(keypoints, confidence)]``. Kinds of observations, which may be given together:

        - ``Points``: in space, m, with a sigma for each keypoint and axis, or covariances;
        - ``Relative``: in space up to translation (``scale_free``: and scale), e.g. MediaPipe's world landmarks;
        - ``Pixels``: in a picture, with intrinsics;
        - ``Depths``: z only, absolute or ``relative`` (up to one offset).

        A cold start needs Points, or Relative, or Pixels with Depths. With ``initial``, a fit of the same hand shortly
        before, the solve starts there, and the change priors pull towards it. ``betas`` (10,) or (B, 10) is the mean of
        the shape prior (default: the mean hand) and, without ``fit_shape``, the shape to keep (default: that of
        ``initial``, else the mean hand).
        ``side="left"`` takes observations of a left hand and gives (and takes) fits of the left model.

        Raises Refused(KEYPOINTS) for observations that are malformed, not finite, too few or collapsed to a point.
        """
        given = list(observations)
        if keypoints is not None:
            given.append(Points(keypoints, confidence))
        if side == "left":
            given = [observation.mirrored() for observation in given]
            initial = None if initial is None else _mirrored(initial)
        terms = [Term(observation) for observation in given]
        _refuse_collapsed(terms)
        count = max(len(term.target) for term in terms)
        mean = np.zeros((1, 10)) if betas is None else np.atleast_2d(betas)
        state = _widened(
            self._cold(terms, mean, fit_shape and betas is None)
            if initial is None
            else self._warm(initial, None if fit_shape or betas is None else mean),
            count,
        )
        problem = Problem(
            self.model.kinematics, self.limits, terms, *self._prior(state, mean, initial is not None), fit_shape
        )
        state, iterations = descend(problem, state, self.iterations)
        fit = self._fit(problem, state, terms, iterations)
        if side == "left":
            fit = _mirrored(fit)
        return fit[0] if all(term.single for term in terms) else fit

    def _cold(self, terms: list[Term], betas: Array, shape_free: bool) -> State:
        points, confidence = guessed_points(terms, self._start.lengths)
        known = None if shape_free else np.broadcast_to(betas, (len(points), 10))
        return self._start.state(points, confidence, known)

    def _warm(self, initial: HandFit, betas: Array | None) -> State:
        shape = np.atleast_2d(initial.betas)
        wrist = self.model.kinematics.rest_joints(shape)[:, 0] + np.atleast_2d(initial.transl)
        root = rotations.exp(np.atleast_2d(initial.global_orient))
        angles = np.clip(self.limits.to_angles(np.atleast_2d(initial.hand_pose)), self.limits.lower, self.limits.upper)
        shape = np.broadcast_to(shape if betas is None else betas, (len(wrist), 10))
        return State(root, wrist, np.concatenate([angles, np.clip(shape, -BETAS_RANGE, BETAS_RANGE)], axis=1))

    def _prior(self, state: State, betas: Array, warm: bool) -> tuple[Array, Array]:
        """Mean and precision (B, D + 10): the product of what is believed of any hand and of change."""
        limits, priors = self.limits, self.priors
        half = 0.5 * (limits.upper - limits.lower)
        count, size = state.values.shape
        rest = np.concatenate(
            [np.broadcast_to(limits.lower + half, (count, limits.size)), np.broadcast_to(betas, (count, 10))], axis=1
        )
        precision = np.concatenate([1.0 / (priors.pose * half) ** 2, np.full(10, 1.0 / priors.betas**2)])
        if not warm:
            return rest, np.broadcast_to(precision, (count, size))
        change = np.repeat([priors.pose_change, priors.betas_change], [limits.size, 10]) ** -2.0
        total = precision + change
        mean = (precision * rest + change * state.values) / np.where(total > 0.0, total, 1.0)
        return mean, np.broadcast_to(total, (count, size))

    def _fit(self, problem: Problem, state: State, terms: list[Term], iterations: NDArray[np.int64]) -> HandFit:
        at = problem.evaluate(state)
        square = sum(np.einsum("bpk,bpk->b", r, r) for r in at.residuals)
        known = sum((term.confidence > 0.0).sum(axis=1) * term.target.shape[2] for term in terms)
        dofs = self.limits.size
        betas = state.values[:, dofs:]
        fit = HandFit(
            global_orient=rotations.log(state.root),
            hand_pose=self.limits.to_pose(state.values[:, :dofs]),
            betas=betas,
            transl=state.wrist - self.model.kinematics.rest_joints(betas)[:, 0],
            keypoints=at.posed.keypoints,
            residual=np.sqrt(square / known),
            iterations=iterations,
        )
        if not all(np.isfinite(getattr(fit, f.name)).all() for f in fields(fit)):
            raise Refused(Reason.NOT_FINITE, "the fit of the hand did not stay finite")
        return fit


def _refuse_collapsed(terms: list[Term]) -> None:
    """Raises Refused(KEYPOINTS) unless every cloud of keypoints has the size of a hand, within a factor of four."""
    if not terms:
        raise Refused(Reason.KEYPOINTS, "nothing was observed")
    for term in terms:
        if not isinstance(term.kind, Points | Relative):
            continue
        weights = (term.confidence > 0.0) / (term.confidence > 0.0).sum(axis=1, keepdims=True)
        centred = term.target - (weights[:, None] @ term.target)
        size = np.sqrt((weights * np.square(centred).sum(axis=2)).sum(axis=1))
        least, most = (1e-9, np.inf) if getattr(term.kind, "scale_free", False) else (0.015, 0.3)
        bad = (size < least) | (size > most)
        if bad.any():
            worst = size[np.argmax(bad)]
            raise Refused(
                Reason.KEYPOINTS, f"keypoints lie {worst:.3g} m about their mean; those of a hand about 0.06 m"
            )


def _widened(state: State, count: int) -> State:
    return State(*(np.broadcast_to(a, (count, *a.shape[1:])) for a in (state.root, state.wrist, state.values)))


def _mirrored(fit: HandFit) -> HandFit:
    pose = fit.hand_pose
    return replace(
        fit,
        global_orient=mirror_axis_angle(fit.global_orient),
        hand_pose=mirror_axis_angle(pose.reshape(*pose.shape[:-1], 15, 3)).reshape(pose.shape),
        transl=mirror_points(fit.transl),
        keypoints=mirror_points(fit.keypoints),
    )
