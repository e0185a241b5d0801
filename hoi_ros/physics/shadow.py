"""The six-direction test for a Shadow Hand: joint angles, the palm's pose, an object."""

from __future__ import annotations

import mujoco
import numpy as np

from hoi_ros.physics.holding import Held, six_directions
from hoi_ros.physics.simulation import HAND, TIMESTEP, Simulation, add_servo, collision, wxyz
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.mjcf import TORQUE, mjcf
from hoi_ros.retargeting.shadow_hand import ROOT, ShadowHand
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

_DAMPING = 0.06  # Nm s/rad of the finger servos
_ARM = (ROOT, "wrist")  # links that do not collide: what carries the palm is not part of the test


class ShadowWorld:
    """The tests of a Shadow Hand on one object, compiled once. The hand is held by its palm.

    Unlike the motors of ``mjcf``, every joint of the fingers has a servo of its own, so that angles outside the
    coupling J1 <= J2 of the real hand can be tested too, such as those of DexGraspNet.
    """

    def __init__(self, obj: ObjectModel, hand: ShadowHand | None = None, mass: float = 0.1) -> None:
        self.hand = hand or ShadowHand.embedded()
        self._simulation = _ShadowSimulation(self.hand, obj, mass)

    def articulated(self, positions: Array, palm_pose: Array, *, friction: float = 0.6) -> Held:
        """Whether closing fingers hold the object in six directions, the palm fixed, as ``GraspWorld.articulated``.

        ``positions`` (N, 24) rad in the order of ``hand.names`` (those of the wrist do not matter), ``palm_pose``
        (N, 4, 4) of the palm link in the object's frame. Raises Refused(NOT_FINITE).
        """
        if not (np.isfinite(positions).all() and np.isfinite(palm_pose).all()):
            raise Refused(Reason.NOT_FINITE, "a robot hand to be simulated has values that are not finite")
        simulation = self._simulation
        simulation.set_friction(friction)
        forearm = palm_pose @ np.linalg.inv(self.hand.link_poses(np.zeros((1, 24)))["palm"])
        return six_directions(
            simulation, len(positions), lambda row: simulation.pose(positions[row], forearm[row]), friction
        )


class _ShadowSimulation(Simulation):
    def __init__(self, hand: ShadowHand, obj: ObjectModel, mass: float) -> None:
        self._fingers = np.array(["WR" not in name for name in hand.names])
        super().__init__(_spec(hand), int(self._fingers.sum()), obj, mass, TIMESTEP)
        self._angles = self.model.jnt_qposadr[self.model.actuator_trnid[: self.servos, 0]]
        self._aim = np.zeros(self.servos)

    def pose(self, positions: Array, forearm: Array) -> None:
        """Place the hand, ``positions`` (24,) rad and ``forearm`` (4, 4), and the object, at rest."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.mocap_pos[0], self.data.mocap_quat[0] = forearm[:3, 3], wxyz(forearm[:3, :3])
        self._aim = positions[self._fingers]
        self.data.qpos[self._angles] = self._aim
        self.place_object()

    def _posed(self) -> Array:
        return self._aim


def _spec(hand: ShadowHand) -> mujoco.MjSpec:
    """The hand of ``mjcf``, placed by its forearm, with a servo for each finger joint and no wrist."""
    spec = mujoco.MjSpec.from_string(mjcf(hand))
    for element in [*spec.actuators, *spec.tendons, *spec.excludes]:
        spec.delete(element)
    for name in hand.names:
        joint = spec.joint(name)
        if "WR" in name:
            spec.delete(joint)
            continue
        joint.stiffness = np.zeros(3)
        add_servo(spec, name, TORQUE.get(name.removeprefix(hand.prefix)[:2], TORQUE[""]), _DAMPING)
    spec.body(hand.prefix + ROOT).mocap = True
    for geom in spec.geoms:
        for key, value in collision(HAND).items():
            setattr(geom, key, value)
        if geom.parent.name.removeprefix(hand.prefix) in _ARM:
            geom.contype = geom.conaffinity = 0
    return spec
