"""Tests of grasps by simulation: does the hand hold the object, does it push or turn the part?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.physics import holding, pushing, turning
from hoi_ros.physics.holding import Held, Settled
from hoi_ros.physics.human_hand import Build, HumanHand, Wrist
from hoi_ros.physics.pushing import Pushed
from hoi_ros.physics.turning import Turned
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

_DOWN = np.array([0.0, 0.0, -1.0])


class GraspWorld:
    """The tests of one person's hand, ``betas`` (10,), on one object; each world is compiled when it is first needed.

    All hands given must be of that person, in the object's frame. Every test is deterministic. A ``seed`` moves the
    object by 1 mm and turns it by 1 degree (rms) and bends the fingers by 1 degree each before the hand closes, by
    the hand's row in the batch; None: nothing moves. Tests raise Refused: PARAMETER for another person's hand or a use
    without force, NOT_FINITE for a hand that is not.
    """

    def __init__(self, model: HandModel, betas: Array, obj: ObjectModel) -> None:
        self.model, self.betas, self.obj = model, np.asarray(betas, dtype=np.float64), obj
        self._simulations: dict[Build, HumanHand] = {}

    def settle(self, hands: HandBatch, *, friction: float = 0.6, mass: float = 0.1, seed: int | None = None) -> Settled:
        """Close the hands on the object where nothing weighs."""
        return holding.settle(self._simulation(hands, Build(mass=mass), friction), hands, friction, seed)

    def articulated(
        self,
        hands: HandBatch,
        *,
        friction: float = 0.6,
        mass: float = 0.1,
        eroded: float = 0.0,
        seed: int | None = 0,
    ) -> Held:
        """Whether closing fingers hold the object against its weight in six directions, the wrist fixed.

        The fingers squeeze with forces that balance on the object (``squeeze``) for 0.3 s without gravity, then each
        direction pulls for 0.5 s. Contacts have friction against spinning as of patches of 5 mm; fingers do not
        collide with each other. Failure: 5 cm or 15 degrees away from where the object was before the hand closed, or
        no contact left. ``eroded`` (m) thins the hand, as a control.
        Six directions, their limits, 0.1 kg and friction 0.6: DexGraspBench (Chen et al., 2025).
        """
        return self._six_directions(hands, Build(eroded=eroded, mass=mass), friction, seed)

    def fixed(
        self,
        hands: HandBatch,
        *,
        squeeze: float = 0.0,
        eroded: float = 0.0,
        friction: float = 0.6,
        mass: float = 0.1,
        seed: int | None = 0,
    ) -> Held:
        """The same six directions with a hand that cannot move, as in the literature: a permissive test.

        ``squeeze`` (rad) bends the finger joints further into the object first, ``eroded`` (m) thins the hand. A grasp
        that holds with no squeeze and fails on the eroded hand is held by hidden overlap, not by a grip.
        """
        bent = self._bent(hands, squeeze)
        return self._six_directions(bent, Build(fingers=False, eroded=eroded, mass=mass), friction, seed)

    def push(self, hands: HandBatch, use: Use, *, friction: float = 0.6) -> Pushed:
        """Whether the hands push the part of ``use`` along its force; see ``pushing``."""
        if use.force is None:
            raise Refused(Reason.PARAMETER, f"{use.affordance} of the {use.part} has no force to push along")
        simulation = self._simulation(hands, Build(wrist=Wrist.SLIDES, mass=None), friction)
        return pushing.push(simulation, hands, use.force, self._pieces(use), friction)

    def turn(self, hands: HandBatch, use: Use, *, friction: float = 0.6) -> Turned:
        """Whether the hands turn the part of ``use`` about its force; see ``turning``."""
        if use.force is None:
            raise Refused(Reason.PARAMETER, f"{use.affordance} of the {use.part} has no axis to turn about")
        simulation = self._simulation(hands, Build(wrist=Wrist.TURNS, mass=None), friction)
        hubs = turning.find_hubs(self.obj, self.obj.part(use.part), use.force)
        return turning.turn(simulation, hands, use.force, hubs, self._pieces(use), friction)

    def displacement_sd(self, hands: HandBatch, *, gravity: Array = _DOWN) -> Array:
        """Simulation displacement (N,) m after GraspTTA, in MuJoCo: methods.md 2, SD.

        A free object of 1 kg with friction 3 falls along ``gravity`` (3,) unit for 35 steps of 1/240 s onto a hand that
        cannot move; shift of its centre of mass, 0.1 m where the simulation fails. MuJoCo's contacts are soft and have
        no restitution, and the hand is convex pieces, so figures compare with each other and not with PyBullet's.
        """
        simulation = self._simulation(hands, Build(fingers=False, mass=1.0, timestep=1.0 / 240.0), 3.0)
        moved = np.empty(len(hands))
        for row in range(len(hands)):
            simulation.pose(hands, row)
            moved[row] = holding.displacement(simulation, gravity)
        return moved

    def _pieces(self, use: Use) -> NDArray[np.int64]:
        """Numbers of the pieces of the part of ``use``."""
        part = self.obj.part(use.part)
        return np.flatnonzero([piece.part == part for piece in self.obj.pieces])

    def _six_directions(self, hands: HandBatch, build: Build, friction: float, seed: int | None) -> Held:
        simulation = self._simulation(hands, build, friction)
        return holding.six_directions(
            simulation, len(hands), lambda row: holding.place(simulation, hands, row, seed), friction
        )

    def _simulation(self, hands: HandBatch, build: Build, friction: float) -> HumanHand:
        if not np.allclose(hands.betas, self.betas):
            raise Refused(Reason.PARAMETER, "a world is of one person, but the hands have other betas")
        if not all(np.isfinite(values).all() for values in (hands.global_orient, hands.hand_pose, hands.transl)):
            raise Refused(Reason.NOT_FINITE, "a hand to be simulated has parameters that are not finite")
        if build not in self._simulations:
            self._simulations[build] = HumanHand(self.model, self.betas, self.obj, build)
        simulation = self._simulations[build]
        simulation.set_friction(friction)
        return simulation

    def _bent(self, hands: HandBatch, angle: float) -> HandBatch:
        limits = Limits(self.model.kinematics)
        bend = limits.to_pose(np.where(limits.axis == 0, angle, 0.0))
        return HandBatch(hands.global_orient, limits.clamp(hands.hand_pose + bend), hands.betas, hands.transl)
