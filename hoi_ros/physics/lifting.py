"""A Shadow Hand executes a plan: it comes, closes by its 20 motors, lifts the object 10 cm and holds it for 3 s.

The object stands on a table under its lowest point, with its weight. What its family centres in height (a hammer, a
knife) has no table: a holder keeps it in place until the hand has closed, and then lets go. The forearm is carried by
three position servos, a robot arm that keeps its orientation; the motors' springs and limits are those of ``mjcf``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.physics.simulation import GRAVITY, HAND, OBJECT, Simulation, collision, wxyz
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.mjcf import mjcf
from hoi_ros.retargeting.postures import Plan, Planner
from hoi_ros.retargeting.shadow_hand import ROOT, ShadowHand
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, ObjectCloud

LIFT, HOLD = 0.1, 3.0  # m, s
SHORT = 0.05  # m that the centre of mass may lack of the lift in the end, as it tilts
POINTS = 2048
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

    @classmethod
    def of(cls, ends: Sequence[tuple[str, float]]) -> Lifted:
        """Outcome of lifts that ended for a reason, the object raised so far."""
        reasons = tuple(reason for reason, _ in ends)
        lifted = np.array([reason == "lifted" for reason in reasons], dtype=bool)
        return cls(lifted, reasons, np.array([raised for _, raised in ends], dtype=np.float64))


def table_under(obj: ObjectModel) -> float | None:
    """Height of the table an object stands on, m; None for a tool that its family centres in height."""
    lowest = float(obj.vertices[:, 2].min())
    return lowest if lowest >= _UNDER_HAND else None


def sampled(obj: ObjectModel) -> ObjectCloud:
    """POINTS points of an object's surface with their normals."""
    points, normals, _ = sample_surface(obj, POINTS, np.random.default_rng(0))
    return ObjectCloud(points, normals)


def lift_success(
    obj: ObjectModel, keypoints: Array, cloud: ObjectCloud | None = None, *, mass: float = 0.1, friction: float = 0.6
) -> Lifted:
    """Plan and execute the grasps of human hands' ``keypoints`` (N, 21, 3), m, in the object's frame.

    The planner sees ``cloud`` only; without one, ``sampled`` points. 0.1 kg and friction 0.6: DexGraspBench.
    Raises Refused as ``Planner.plan`` does.
    """
    world = ShadowLift(obj, mass=mass, friction=friction)
    return world.lift(Planner(world.hand).plan(keypoints, cloud or sampled(obj), world.table))


class ShadowLift(Simulation):
    """The world of one object, compiled once."""

    def __init__(
        self, obj: ObjectModel, hand: ShadowHand | None = None, mass: float = 0.1, friction: float = 0.6
    ) -> None:
        self.hand = hand or ShadowHand.embedded()
        self.obj, self.table = obj, table_under(obj)
        super().__init__(_spec(self.hand, self.table), 0, obj, mass, _TIMESTEP)
        self._holder = self.model.neq - 1
        self.model.opt.gravity[2] = -GRAVITY
        self.set_friction(friction)
        self._joints = np.array([self.model.joint(name).qposadr[0] for name in self.hand.names])
        self._forearm = int(self.model.body(self.hand.prefix + ROOT).id)
        self._motors = len(self.hand.actuator_names)

    def lift(self, plan: Plan, watch: Watch | None = None) -> Lifted:
        """Execute each grasp of ``plan``; ``watch`` is called with what the hand does now, every 40 ms.

        Success: after the hold the centre of mass is raised by LIFT - SHORT at least, and the hand alone touches the
        object. Raises Refused(NOT_FINITE).
        """
        numbers = (plan.pre_grasp, plan.grasp, plan.squeeze, plan.pre_palm, plan.palm)
        if not all(np.isfinite(values).all() for values in numbers):
            raise Refused(Reason.NOT_FINITE, "a plan to be executed has values that are not finite")
        return Lifted.of([(self._one(plan, row, watch), self._raised()) for row in range(len(plan))])

    def _one(self, plan: Plan, row: int, watch: Watch | None) -> str:
        """How one lift ends."""
        up, zero, back = np.array([0.0, 0.0, LIFT]), np.zeros(3), plan.pre_palm[row, :3] - plan.palm[row, :3]
        self._place(plan, row, back)
        opened, closed, squeezed = (
            self.hand.actuators(positions[row]) for positions in (plan.pre_grasp, plan.grasp, plan.squeeze)
        )
        self._move("opened", _SETTLE, (back, back), (opened, opened), watch)
        self._move("approaching", _APPROACH, (back, zero), (opened, opened), watch)
        if np.linalg.norm(self.data.qpos[:3]) > _ASTRAY:
            return "blocked"
        moved, turned = self.motion()
        if moved > _KNOCKED[0] or turned > _KNOCKED[1]:
            return "knocked over"
        self._move("closing", _CLOSE, (zero, zero), (opened, closed), watch)
        self._move("squeezing", _SQUEEZE, (zero, zero), (closed, squeezed), watch)
        if not self.touching():
            return "missed"
        self.data.eq_active[self._holder] = False
        self._move("lifting", _RAISE, (zero, up), (squeezed, squeezed), watch)
        if self._raised() < LIFT - SHORT:
            return "not raised"
        self._move("holding", HOLD, (up, up), (squeezed, squeezed), watch)
        held = self._raised() >= LIFT - SHORT and self.touching() and not self.on_table()
        return "lifted" if held else "dropped"

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

    def _raised(self) -> float:
        return float(self.object_pose()[0][2] - self._start[0][2])

    def touching(self) -> bool:
        """Whether the hand touches the object."""
        return bool((self._on_object() & ~self._with_world()).any())

    def on_table(self) -> bool:
        """Whether the object touches the table."""
        return bool((self._on_object() & self._with_world()).any())

    def _on_object(self) -> NDArray[np.bool_]:
        """(K,) contacts of the object."""
        bodies: NDArray[np.bool_] = self.model.geom_bodyid[self.data.contact.geom] == self.object_body
        return bodies.any(axis=1)

    def _with_world(self) -> NDArray[np.bool_]:
        """(K,) contacts of the table."""
        bodies: NDArray[np.bool_] = self.model.geom_bodyid[self.data.contact.geom] == 0
        return bodies.any(axis=1)


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
        for key, value in {**collision(HAND), "conaffinity": HAND | OBJECT}.items():
            setattr(geom, key, value)
    if table is not None:
        both = {"contype": HAND | OBJECT, "conaffinity": HAND | OBJECT}
        plane = {"type": mujoco.mjtGeom.mjGEOM_PLANE, "pos": (0, 0, table), "size": (1, 1, 0.1)}
        spec.worldbody.add_geom(name="table", **{**collision(OBJECT), **both, **plane})
    holder = spec.add_equality(type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY)
    holder.name1, holder.name2 = "object", "world"
    holder.data[:10] = 0.0  # no anchor elsewhere; where the object is when the model is compiled
    holder.solref, holder.solimp = (2.0 * _TIMESTEP, 1.0), (0.99, 0.999, 0.001, 0.5, 2.0)
    return spec
