"""A person's hand in the simulation, compiled once and posed anew for every grasp.

Each finger joint is a body whose zero is the grasp itself: its frame takes the grasp's rotation, and its hinges turn
about the axes in which the anatomical angles (``hand.limits``) move there. The posed hand is therefore exact, and the
hinges are the 26 anatomical degrees of freedom to first order around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.hand import rotations
from hoi_ros.hand.kinematics import PARENTS
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.physics.hand_body import HandBody
from hoi_ros.physics.simulation import HAND, TIMESTEP, Simulation, add_piece, add_servo, wxyz
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

TORQUE = 0.5  # Nm, at most, of each servo
_DAMPING = 0.06  # Nm s/rad, about critical with the armature
_ARMATURE = 3e-4  # kg m2
_SIDEWAYS = 300.0  # N/m, what holds a pushing wrist across its path
_BRACED = 1000.0  # N/m, what holds a turning wrist in its place: an arm that is tensed
_ARM_DAMPING = 20.0  # N s/m
_TURN_DAMPING = 0.05  # Nm s/rad
_ZERO = np.zeros(3)


class Wrist(Enum):
    """How the wrist moves in a world."""

    STANDS = auto()
    SLIDES = auto()  # along a line, held across by springs
    TURNS = auto()  # about a line, held in place by springs


@dataclass(frozen=True)
class Build:
    """Which world is compiled."""

    fingers: bool = True  # they move, on servos
    wrist: Wrist = Wrist.STANDS
    eroded: float = 0.0  # m off the skin of the hand
    mass: float | None = 0.1  # kg of the object; None: fixed in the world
    timestep: float = TIMESTEP  # s


class HumanHand(Simulation):
    """One person's hand, ``betas`` (10,), and one object."""

    def __init__(self, hand: HandModel, betas: Array, obj: ObjectModel, build: Build) -> None:
        self.build, self.limits = build, Limits(hand.kinematics)
        body = HandBody(hand, betas, build.eroded)
        self.rest_wrist = body.rest_joints[0]
        servos = self.limits.size if build.fingers else 0
        super().__init__(_spec(body, self.limits, build), servos, obj, build.mass, build.timestep)
        self.bodies = np.array([self.model.body(f"hand{joint}").id for joint in range(16)])
        self._hinges = self.model.actuator_trnid[:servos, 0]

    def pose(
        self, grasp: HandBatch, row: int, shift: Array = _ZERO, turn: Array = _ZERO, angles: Array | float = 0.0
    ) -> None:
        """Put the hand ``row`` of ``grasp`` and the object in place, at rest.

        The object is moved by ``shift`` (3,) m and turned by ``turn`` (3,) rad, the fingers by ``angles`` (26,) rad.
        """
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        hand_pose = grasp.hand_pose[row] + self.limits.to_pose(np.broadcast_to(angles, self.limits.size))
        local, jacobian = rotations.exp_and_jacobian(hand_pose.reshape(15, 3))
        model.body_quat[self.bodies[1:]] = wxyz(local)
        if self.build.fingers:
            self._set_hinges(hand_pose, jacobian)
        wrist, orient = self.rest_wrist + grasp.transl[row], wxyz(rotations.exp(grasp.global_orient[row]))
        if self.build.wrist is Wrist.STANDS:
            data.mocap_pos[0], data.mocap_quat[0] = wrist, orient
        else:
            model.body_pos[self.bodies[0]], model.body_quat[self.bodies[0]] = wrist, orient
        self.place_object(shift, turn)

    def slide_along(self, direction: Array) -> None:
        """Let the wrist go along ``direction`` (3,) unit, and hold it by springs across."""
        axes = Rotation.align_vectors([direction], [[1.0, 0.0, 0.0]])[0].as_matrix().T
        self.model.jnt_axis[:3] = axes @ self.data.xmat[self.bodies[0]].reshape(3, 3)
        mujoco.mj_forward(self.model, self.data)

    def push(self, force: Array) -> None:
        """Push the wrist with ``force`` (3,) N from now on."""
        self.data.xfrc_applied[self.bodies[0], :3] = force

    def turn_about(self, axis: Array, centre: Array) -> None:
        """Let the wrist turn about ``axis`` (3,) unit through ``centre`` (3,) m, and hold it there by springs."""
        rotation, origin = self.data.xmat[self.bodies[0]].reshape(3, 3), self.data.xpos[self.bodies[0]]
        self.model.jnt_axis[3], self.model.jnt_pos[3] = axis @ rotation, (centre - origin) @ rotation
        mujoco.mj_forward(self.model, self.data)

    def turn(self, torque: float) -> None:
        """Turn the wrist about its axis with ``torque`` Nm from now on."""
        self.data.qfrc_applied[3] = torque

    def turned(self) -> float:
        """How far the wrist has turned about its axis, rad."""
        return float(self.data.qpos[3])

    def wrist(self) -> Array:
        """Where the wrist is now (3,) m."""
        return self.data.xpos[self.bodies[0]].copy()

    def hand_on_object(self) -> tuple[Array, Array, Array]:
        """MANO's root orientation (3,), finger pose (45,) and translation (3,) m now, in the object's frame."""
        world = self.data.xmat[self.bodies].reshape(16, 3, 3)
        origin, turn = self.object_frame()
        local = np.concatenate([turn.T @ world[:1], world[PARENTS[1:]].swapaxes(1, 2) @ world[1:]])
        vectors = Rotation.from_matrix(local).as_rotvec()
        pose = self.limits.clamp(vectors[1:].reshape(45))
        return vectors[0], pose, turn.T @ (self.wrist() - origin) - self.rest_wrist

    def _set_hinges(self, hand_pose: Array, jacobian: Array) -> None:
        """Axes and ranges of the hinges about ``hand_pose``, with the right Jacobian (15, 3, 3) of its rotations."""
        limits, model = self.limits, self.model
        axes = (jacobian[limits.joint - 1] @ limits.columns[..., None])[..., 0]
        angles = limits.to_angles(hand_pose)
        self.axis_lengths = np.linalg.norm(axes, axis=1)  # rad of a hinge for a rad of its angle
        model.jnt_axis[self._hinges] = axes / self.axis_lengths[:, None]
        model.jnt_range[self._hinges, 0] = np.minimum(limits.lower - angles, -1e-3)
        model.jnt_range[self._hinges, 1] = np.maximum(limits.upper - angles, 1e-3)


def _spec(body: HandBody, limits: Limits, build: Build) -> mujoco.MjSpec:
    """The hand: a wrist that is posed (or slides, or turns) and 15 bones, in MANO's tree."""
    spec = mujoco.MjSpec()
    root = spec.worldbody.add_body(name="hand0", mocap=build.wrist is Wrist.STANDS)
    if build.wrist is not Wrist.STANDS:
        for number, axis in enumerate(np.eye(3)):
            root.add_joint(
                name=f"slide{number}",
                type=mujoco.mjtJoint.mjJNT_SLIDE,
                axis=axis,
                stiffness=_BRACED if build.wrist is Wrist.TURNS else _SIDEWAYS if number else 0.0,
                damping=_ARM_DAMPING,
            )
    if build.wrist is Wrist.TURNS:
        root.add_joint(name="turn", type=mujoco.mjtJoint.mjJNT_HINGE, damping=_TURN_DAMPING)
    links = [root]
    for joint in range(1, 16):
        parent = int(PARENTS[joint])
        offset = body.rest_joints[joint] - body.rest_joints[parent]
        links.append(links[parent].add_body(name=f"hand{joint}", pos=offset))
    for number, piece in enumerate(body.pieces):
        add_piece(spec, links[piece.joint], f"skin{number}", piece.vertices, HAND)
    if build.fingers:
        for number, (joint, axis) in enumerate(zip(limits.joint, limits.columns, strict=True)):
            name = f"dof{number}"
            links[joint].add_joint(name=name, axis=axis, limited=True, range=(-1.0, 1.0), armature=_ARMATURE)
            add_servo(spec, name, TORQUE, _DAMPING)
    return spec
