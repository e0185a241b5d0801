"""Does a hand hold a free object? Closing without gravity, and six directions of gravity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoi_ros.physics.human_hand import HumanHand
from hoi_ros.physics.simulation import GRAVITY, Simulation
from hoi_ros.physics.squeeze import squeeze
from hoi_ros.types import Array, HandBatch

FARTHEST, TURNED = 0.05, np.radians(15.0)  # m, rad: beyond these the object is not held (DexGraspBench)
DIRECTIONS = np.concatenate([np.eye(3), -np.eye(3)])
"""Of gravity, in the object's frame (6, 3)."""

_CLOSING, _SETTLING, _PULLING = 0.1, 0.2, 0.5  # s
_WATCHED = 0.1  # s between looks
_SD_STEPS, _SD_FAILED = 35, 0.1  # steps, m (GraspTTA)
_PERTURBED = 0.001, np.radians(1.0), np.radians(1.0)  # m, rad, rad: rms of the object's place, its turn, the fingers


@dataclass(frozen=True)
class Settled:
    """What closing the hand without gravity does: how far the object moved, and whether the hand keeps it."""

    moved: Array  # (N,) m, centre of mass
    turned: Array  # (N,) rad
    kept: NDArray[np.bool_]  # (N,) within 5 cm and 15 degrees, and touched
    hands: HandBatch  # the closed hands in the frame of the moved object


@dataclass(frozen=True)
class Held:
    """Outcome of six directions of gravity; after the first failure the rest stay NaN."""

    held: NDArray[np.bool_]  # (N,)
    displacement: Array  # (N, 6) m, centre of mass, since before the hand closed
    rotation: Array  # (N, 6) rad
    reason: tuple[str, ...]  # (N,) "held", or why not: "settle", "moved", "turned" or "lost"


def settle(hand: HumanHand, grasps: HandBatch, friction: float, seed: int | None) -> Settled:
    """Close each hand on the object where nothing weighs."""
    count = len(grasps)
    moved, turned, kept = np.empty(count), np.empty(count), np.zeros(count, dtype=bool)
    orient, pose, transl = np.empty((count, 3)), np.empty((count, 45)), np.empty((count, 3))
    for row in range(count):
        place(hand, grasps, row, seed)
        moved[row], turned[row], kept[row] = _close(hand, friction)
        orient[row], pose[row], transl[row] = hand.hand_on_object()
    return Settled(moved, turned, kept, HandBatch(orient, pose, grasps.betas, transl))


def six_directions(simulation: Simulation, count: int, put: Callable[[int], None], friction: float) -> Held:
    """Close each hand, then pull at the object with its weight in each direction; stops at the first failure.

    ``put`` poses the hand of a row, and the object.
    """
    displacement, rotation = np.full((count, 6), np.nan), np.full((count, 6), np.nan)
    reasons = []
    for row in range(count):
        put(row)
        kept = _close(simulation, friction)[2]
        reasons.append(_pull(simulation, displacement[row], rotation[row]) if kept else "settle")
    return Held(np.array([reason == "held" for reason in reasons], dtype=bool), displacement, rotation, tuple(reasons))


def displacement(simulation: Simulation, gravity: Array) -> float:
    """How far the object's centre of mass moves in 35 steps under ``gravity`` (3,) unit, at most 0.1 m (SD)."""
    simulation.pull(_weight(simulation) * gravity)
    simulation.step(_SD_STEPS)
    moved = simulation.motion()[0]
    return min(moved, _SD_FAILED) if np.isfinite(moved) else _SD_FAILED


def place(hand: HumanHand, grasps: HandBatch, row: int, seed: int | None) -> None:
    """Pose hand and object, perturbed where there is a seed."""
    if seed is None:
        hand.pose(grasps, row)
        return
    rng = np.random.default_rng([seed, row])
    moved, turned, bent = _PERTURBED
    shift, turn = rng.normal(size=(2, 3)) * np.array([[moved], [turned]]) / np.sqrt(3.0)
    hand.pose(grasps, row, shift, turn, bent * rng.normal(size=hand.limits.size))


def _close(simulation: Simulation, friction: float) -> tuple[float, float, bool]:
    """Squeeze and settle: how far the object moved (m) and turned (rad), and whether it is kept."""
    torques, steps = squeeze(simulation, friction), simulation.steps(_CLOSING)
    for step in range(steps):
        simulation.squeeze(torques * (step + 1) / steps)
        simulation.step(1)
    simulation.run(_SETTLING)
    moved, turned = simulation.motion()
    return moved, turned, moved <= FARTHEST and turned <= TURNED and simulation.touching()


def _pull(simulation: Simulation, displacement: Array, rotation: Array) -> str:
    """Pull in each direction from the settled state; fills the rows, and says how it ended."""
    start = simulation.state()
    for number, direction in enumerate(DIRECTIONS):
        simulation.restore(start)
        simulation.pull(_weight(simulation) * direction)
        for _ in range(round(_PULLING / _WATCHED)):
            simulation.run(_WATCHED)
            displacement[number], rotation[number] = simulation.motion()
            if displacement[number] > FARTHEST:
                return "moved"
            if rotation[number] > TURNED:
                return "turned"
        if not simulation.touching():
            return "lost"
    return "held"


def _weight(simulation: Simulation) -> float:
    """N."""
    return GRAVITY * float(simulation.model.body_mass[simulation.object_body])
