"""A Shadow Hand executes a plan: it comes, closes by its 20 motors, lifts the object 10 cm and holds it for 3 s.

The object stands on a table under its lowest point, with its weight. What its family centres in height (a hammer, a
knife) has no table: a holder keeps it in place until the hand has closed, and then lets go. The forearm is carried by
three position servos, a robot arm that keeps its orientation; the motors' springs and limits are those of ``mjcf``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.physics.simulation import GRAVITY, HAND, OBJECT, Simulation, collision, wxyz
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.mjcf import mjcf
from hoi_ros.retargeting.postures import Plan
from hoi_ros.retargeting.shadow_hand import ROOT, ShadowHand
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

LIFT, HOLD = 0.1, 3.0  # m, s
LEAST = 0.08  # m that the object's centre of mass must be raised in the end
FARTHEST = 0.05  # m that it may be from where the lift should have carried it (UniDexGrasp's goal)
REASONS = ("lifted", "blocked", "knocked over", "missed", "not raised", "dropped")

_TIMESTEP = 0.004  # s
_SETTLE, _APPROACH, _CLOSE, _SQUEEZE, _RAISE = 0.1, 1.0, 0.7, 0.5, 1.0  # s
_WATCHED = 0.04  # s between pictures
_ARM = {"kp": 2e4, "kv": 600.0}  # N/m, Ns/m of the forearm's servos
_ARM_FORCE = 200.0  # N
_ASTRAY = 0.015  # m: a forearm that far from its goal has run into something
_KNOCKED = 0.03, np.radians(30.0)  # m, rad: an object that moved more before it was grasped
_UNDER_HAND = -0.001  # m: an object that reaches lower is not one that stands on z = 0

_SLIDES = ("arm_x", "arm_y", "arm_z")

Watch = Callable[[str, "ShadowLift"], None]


@dataclass(frozen=True)
class Lifted:
    """Outcome of N lifts."""

    lifted: NDArray[np.bool_]  # (N,)
    reason: tuple[str, ...]  # (N,) of REASONS
    raised: Array  # (N,) m, centre of mass, at the end
    strayed: Array  # (N,) m, from where the lift should have carried it


def table_under(obj: ObjectModel) -> float | None:
    """Height of the table an object stands on, m; None for a tool that its family centres in height."""
    lowest = float(obj.vertices[:, 2].min())
    return lowest if lowest >= _UNDER_HAND else None


class ShadowLift(Simulation):
    """The world of one object, compiled once."""

    def __init__(
        self, obj: ObjectModel, hand: ShadowHand | None = None, mass: float = 0.1, friction: float = 0.6
    ) -> None:
        self.hand = hand or ShadowHand.embedded()
        self.table = table_under(obj)
        super().__init__(_spec(self.hand, self.table), 0, obj, mass, _TIMESTEP)
        self._holder = self.model.neq - 1
        self.model.opt.gravity[2] = -GRAVITY
        self.set_friction(friction)
        self._joints = np.array([self.model.joint(name).qposadr[0] for name in self.hand.names])
        self._forearm = int(self.model.body(self.hand.prefix + ROOT).id)
        self._motors = len(self.hand.actuator_names)

    def lift(self, plan: Plan, watch: Watch | None = None) -> Lifted:
        """Execute each grasp of ``plan``; ``watch`` is called with what the hand does now, every 40 ms.

        Success: after the hold the centre of mass is raised by LEAST at least, and FARTHEST at most from where the
        lift should have carried it, and the hand is what holds it. Raises Refused(NOT_FINITE).
        """
        numbers = (plan.pre_grasp, plan.grasp, plan.squeeze, plan.pre_palm, plan.palm)
        if not all(np.isfinite(values).all() for values in numbers):
            raise Refused(Reason.NOT_FINITE, "a plan to be executed has values that are not finite")
        results = [self._one(plan, row, watch) for row in range(len(plan))]
        reasons = tuple(reason for reason, _, _ in results)
        raised, strayed = np.array([numbers for _, *numbers in results]).reshape(-1, 2).T
        return Lifted(np.array([reason == "lifted" for reason in reasons]), reasons, raised, strayed)

    def _one(self, plan: Plan, row: int, watch: Watch | None) -> tuple[str, float, float]:
        """How one lift ends, how far the object is raised, and how far it is from where it should be, m."""
        back = plan.pre_palm[row, :3] - plan.palm[row, :3]
        self._place(plan, row, back)
        opened, closed, squeezed = (
            self.hand.actuators(positions[row]) for positions in (plan.pre_grasp, plan.grasp, plan.squeeze)
        )
        up, zero = np.array([0.0, 0.0, LIFT]), np.zeros(3)
        self._move("opened", _SETTLE, (back, back), (opened, opened), watch)
        self._move("approaching", _APPROACH, (back, zero), (opened, opened), watch)
        if self._astray(zero) > _ASTRAY:
            return self._ended("blocked")
        moved, turned = self.motion()
        if moved > _KNOCKED[0] or turned > _KNOCKED[1]:
            return self._ended("knocked over")
        self._move("closing", _CLOSE, (zero, zero), (opened, closed), watch)
        self._move("squeezing", _SQUEEZE, (zero, zero), (closed, squeezed), watch)
        if not self.touching():
            return self._ended("missed")
        self.data.eq_active[self._holder] = False
        self._move("lifting", _RAISE, (zero, up), (squeezed, squeezed), watch)
        if self._raised() < LEAST:
            return self._ended("not raised")
        self._move("holding", HOLD, (up, up), (squeezed, squeezed), watch)
        _, raised, strayed = self._ended("")
        held = raised >= LEAST and strayed <= FARTHEST and self.touching() and np.isfinite(raised)
        return "lifted" if held else "dropped", raised, strayed

    def _place(self, plan: Plan, row: int, back: Array) -> None:
        """Hand opened and drawn back by ``back`` (3,) m, object at its place, all at rest."""
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        positions = plan.pre_grasp[row]
        palm = np.eye(4)
        palm[:3, :3], palm[:3, 3] = Rotation.from_quat(plan.palm[row, 3:]).as_matrix(), plan.palm[row, :3]
        forearm = palm @ np.linalg.inv(self.hand.link_poses(positions[None])["palm"][0])
        model.jnt_axis[:3] = forearm[:3, :3]  # the world's axes in the forearm
        model.body_pos[self._forearm], model.body_quat[self._forearm] = forearm[:3, 3], wxyz(forearm[:3, :3])
        data.qpos[self._joints] = positions
        data.qpos[:3] = back
        data.eq_active[self._holder] = self.table is None
        self.place_object()

    def _move(
        self, doing: str, duration: float, places: tuple[Array, Array], aims: tuple[Array, Array], watch: Watch | None
    ) -> None:
        """Carry the forearm and aim the motors from the first to the second, smoothly."""
        steps, every = self.steps(duration), self.steps(_WATCHED)
        for step in range(steps):
            share = (step + 1) / steps
            share = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)  # of least jerk
            self.data.ctrl[: self._motors] = (1.0 - share) * aims[0] + share * aims[1]
            self.data.ctrl[self._motors :] = (1.0 - share) * places[0] + share * places[1]
            self.step(1)
            if watch and step % every == 0:
                watch(doing, self)

    def _ended(self, reason: str) -> tuple[str, float, float]:
        goal = self._start[0] + np.array([0.0, 0.0, LIFT])
        return reason, self._raised(), float(np.linalg.norm(self.object_pose()[0] - goal))

    def _raised(self) -> float:
        return float(self.object_pose()[0][2] - self._start[0][2])

    def _astray(self, goal: Array) -> float:
        return float(np.linalg.norm(self.data.qpos[:3] - goal))

    def touching(self) -> bool:
        """Whether the hand touches the object."""
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        return bool(((bodies == self.object_body).any(axis=1) & (bodies != 0).all(axis=1)).any())


def _spec(hand: ShadowHand, table: float | None) -> mujoco.MjSpec:
    """The hand of ``mjcf``, its weight carried, on the three servos of an arm; and the table."""
    spec = mujoco.MjSpec.from_string(mjcf(hand))
    root = spec.body(hand.prefix + ROOT)
    for name in _SLIDES:
        root.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE)
        servo = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(**_ARM)
        servo.forcelimited, servo.forcerange = True, (-_ARM_FORCE, _ARM_FORCE)
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for geom in spec.geoms:
        for key, value in (collision(HAND) | {"conaffinity": HAND | OBJECT}).items():
            setattr(geom, key, value)
    if table is not None:
        place = {"type": mujoco.mjtGeom.mjGEOM_PLANE, "pos": (0, 0, table), "size": (1, 1, 0.1)}
        both = {"contype": HAND | OBJECT, "conaffinity": HAND | OBJECT}
        spec.worldbody.add_geom(name="table", **(collision(OBJECT) | place | both))
    holder = spec.add_equality(type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY)
    holder.name1, holder.name2 = "object", "world"
    holder.data[:10] = 0.0  # no anchor elsewhere; where the object is when the model is compiled
    holder.solref, holder.solimp = (2.0 * _TIMESTEP, 1.0), (0.99, 0.999, 0.001, 0.5, 2.0)
    return spec
