"""Tests of grasps by simulation: does the hand hold the object, does it push the part?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.hand.model import HandModel
from hoi_ros.physics.simulation import GRAVITY, Build, Simulation
from hoi_ros.physics.squeeze import squeeze
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

FARTHEST, TURNED = 0.05, np.radians(15.0)  # m, rad: beyond these the object is not held (DexGraspBench)
DIRECTIONS = np.concatenate([np.eye(3), -np.eye(3)])
"""Of gravity, in the object's frame (6, 3)."""

_CLOSING, _SETTLING, _PULLING = 25, 50, 125  # steps of 4 ms
_WATCHED = 25  # steps between looks
_PERTURBED = 0.001, np.radians(1.0), np.radians(1.0)  # m, rad, rad: rms of the object's place, turn, finger angles


@dataclass(frozen=True)
class Settled:
    """What closing the hand without gravity does: how far the object moved, and whether the hand keeps it."""

    moved: Array  # (N,) m, centre of mass
    turned: Array  # (N,) rad
    kept: NDArray[np.bool_]  # (N,) within 5 cm and 15 degrees, touched
    hands: HandBatch  # the closed hands in the frame of the moved object


@dataclass(frozen=True)
class Held:
    """Outcome of six directions of gravity; after the first failure the rest stay NaN."""

    held: NDArray[np.bool_]  # (N,)
    displacement: Array  # (N, 6) m, centre of mass, since before the hand closed
    rotation: Array  # (N, 6) rad
    reason: tuple[str, ...]  # (N,) "held", "settle", "moved", "turned" or "lost"


class GraspWorld:
    """The tests of one person's hand, ``betas`` (10,), on one object. All hands given must be of that person."""

    def __init__(self, model: HandModel, betas: Array, obj: ObjectModel) -> None:
        self.model, self.betas, self.obj = model, np.asarray(betas, dtype=np.float64), obj
        self._simulations: dict[Build, Simulation] = {}

    def settle(self, hands: HandBatch, *, friction: float = 0.6, mass: float = 0.1, seed: int | None = None) -> Settled:
        """Close the hand on the object where nothing weighs."""
        self._check(hands)
        simulation = self._simulation(Build())
        simulation.load(mass, friction)
        count = len(hands)
        moved, turned, kept = np.empty(count), np.empty(count), np.zeros(count, dtype=bool)
        closed = []
        for row in range(count):
            moved[row], turned[row], kept[row] = _close(simulation, hands, row, friction, seed)
            closed.append(_hand_on_object(simulation))
        orient, pose, wrist = (np.array(values).reshape(count, -1) for values in zip(*closed, strict=True))
        rest = self.model.kinematics.rest_joints(self.betas[None])[0, 0]
        return Settled(moved, turned, kept, HandBatch(orient, pose, hands.betas, wrist - rest))

    def articulated(self, hands: HandBatch, *, friction: float = 0.6, mass: float = 0.1, seed: int | None = 0) -> Held:
        """Whether closing fingers hold the object against its weight in six directions, the wrist fixed."""
        self._check(hands)
        simulation = self._simulation(Build())
        simulation.load(mass, friction)
        displacement, rotation = np.full((len(hands), 6), np.nan), np.full((len(hands), 6), np.nan)
        reasons = []
        for row in range(len(hands)):
            if not _close(simulation, hands, row, friction, seed)[2]:
                reasons.append("settle")
                continue
            reasons.append(_six_directions(simulation, mass, displacement[row], rotation[row]))
        return Held(np.array([reason == "held" for reason in reasons]), displacement, rotation, tuple(reasons))

    def _simulation(self, build: Build) -> Simulation:
        if build not in self._simulations:
            self._simulations[build] = Simulation(self.model, self.betas, self.obj, build)
        return self._simulations[build]

    def _check(self, hands: HandBatch) -> None:
        if not np.allclose(hands.betas, self.betas):
            raise Refused(Reason.PARAMETER, "a world is of one person, but the hands have other betas")
        values = (hands.global_orient, hands.hand_pose, hands.transl)
        if not all(np.isfinite(value).all() for value in values):
            raise Refused(Reason.NOT_FINITE, "a hand to be simulated has parameters that are not finite")


def _close(
    simulation: Simulation, hands: HandBatch, row: int, friction: float, seed: int | None
) -> tuple[float, float, bool]:
    """Pose, squeeze and settle: how far the object moved (m) and turned (rad), and whether it is kept."""
    _place(simulation, hands, row, seed)
    torques = squeeze(simulation, friction)
    for step in range(_CLOSING):
        simulation.squeeze(torques * (step + 1) / _CLOSING)
        simulation.step(1)
    simulation.step(_SETTLING)
    moved, turned = simulation.motion()
    kept = moved <= FARTHEST and turned <= TURNED and simulation.data.ncon > 0
    return moved, turned, kept


def _place(simulation: Simulation, hands: HandBatch, row: int, seed: int | None) -> None:
    """Pose hand and object, perturbed where there is a seed."""
    if seed is None:
        simulation.pose(hands, row)
        return
    rng = np.random.default_rng([seed, row])
    place, turn, angle = _PERTURBED
    shift, rotation = (rng.normal(size=(2, 3)) * np.array([[place], [turn]])) / np.sqrt(3.0)
    simulation.pose(hands, row, shift, rotation, angle * rng.normal(size=26))


def _six_directions(simulation: Simulation, mass: float, displacement: Array, rotation: Array) -> str:
    """Pull in each direction from the settled state; fills the rows and stops at the first failure."""
    start = simulation.state()
    for number, direction in enumerate(DIRECTIONS):
        simulation.restore(start)
        simulation.pull(mass * GRAVITY * direction)
        for _ in range(_PULLING // _WATCHED):
            simulation.step(_WATCHED)
            displacement[number], rotation[number] = simulation.motion()
            if displacement[number] > FARTHEST:
                return "moved"
            if rotation[number] > TURNED:
                return "turned"
        if simulation.data.ncon == 0:
            return "lost"
    return "held"


def _hand_on_object(simulation: Simulation) -> tuple[Array, Array, Array]:
    """Root orientation (3,), finger pose (45,) and wrist (3,) m of the hand now, in the object's frame."""
    local, wrist = simulation.hand_pose()
    origin, turn = simulation.object_frame()
    vectors = Rotation.from_matrix(np.concatenate([turn.T @ local[:1], local[1:]])).as_rotvec()
    pose = simulation.limits.clamp(vectors[1:].reshape(45))
    return vectors[0], pose, turn.T @ (wrist - origin)
