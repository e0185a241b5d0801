"""Hand and object in MuJoCo: compiled once for a person and an object, posed anew for every grasp.

Each finger joint is a body whose zero is the grasp itself: its frame takes the grasp's rotation, and its hinges turn
about the axes in which the anatomical angles (``hand.limits``) move there. The posed hand is therefore exact, and the
hinges are the anatomical degrees of freedom to first order around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.hand import rotations
from hoi_ros.hand.kinematics import PARENTS
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.physics.hand_body import HandBody
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

GRAVITY = 9.81  # m/s2
TIMESTEP = 0.004  # s
TORQUE = 0.5  # Nm, at most, of each servo
STIFFNESS = 3.0  # Nm/rad of the servos
_DAMPING = 0.06  # Nm s/rad, about critical with the armature
_ARMATURE = 3e-4  # kg m2
_SIDEWAYS = 300.0  # N/m, what holds a pushing wrist across its path
_ARM_DAMPING = 20.0  # N s/m
_CONTACT = (0.01, 1.0)  # s, time constant and damping ratio of contacts
_TORSION = 0.005  # m, radius of a contact's patch: friction against spinning

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
_ZERO = np.zeros(3)
HAND, OBJECT = 1, 2  # kinds of geoms: a hand meets objects only


def _moves(joint: int, other: int) -> bool:
    """Whether the bone ``other`` moves with ``joint``."""
    while other > joint:
        other = int(PARENTS[other])
    return other == joint


_DESCENDS = np.array([[_moves(joint, other) for other in range(16)] for joint in range(16)])


@dataclass(frozen=True)
class Contacts:
    """Contacts between hand and object: point (K, 3) m, normal (K, 3) out of the object into the hand."""

    points: Array
    normals: Array
    distances: Array  # (K,) m, negative where they overlap
    joints: Array  # (K,) MANO joint of the touching bone
    pieces: Array  # (K,) piece of the object


@dataclass(frozen=True)
class Build:
    """Which world is compiled: do the fingers move, does the wrist slide, is the object free; how it collides."""

    fingers: bool = True
    sliding: bool = False
    free: bool = True
    eroded: float = 0.0  # m off the hand's skin
    mass: float = 0.1  # kg of the object, with the inertia of its solid
    timestep: float = TIMESTEP


class Simulation:
    """One person's hand and one object. World frame = object frame at the start of each trial; no gravity.

    ``model`` and ``data`` are MuJoCo's. The weight of the object is an external force, so that nothing pulls the hand.
    """

    def __init__(self, hand: HandModel, betas: Array, obj: ObjectModel, build: Build) -> None:
        self.build, self._obj = build, obj
        self.limits = Limits(hand.kinematics)
        self._body = HandBody(hand, betas, build.eroded)
        self.rest_wrist = self._body.rest_joints[0]
        self.model = self._spec().compile()
        self.data = mujoco.MjData(self.model)
        self.hand_bodies = np.array([self.model.body(f"hand{joint}").id for joint in range(16)])
        self.object_body = self.model.body("object").id
        self._joint_of_body = {int(body): joint for joint, body in enumerate(self.hand_bodies)}
        self._first_piece = int(self.model.body_geomadr[self.object_body])
        self._fingers = self.model.jnt("dof0").id if build.fingers else 0  # 26 hinges from here on
        if build.free:
            start = self.model.jnt("object").qposadr[0]
            self._object_qpos = slice(start, start + 7)

    def pose(
        self, grasp: HandBatch, row: int, shift: Array = _ZERO, turn: Array = _ZERO, angles: Array | None = None
    ) -> None:
        """Put the hand ``row`` of ``grasp`` and the object in place, at rest.

        The object is moved by ``shift`` (3,) m and turned by ``turn`` (3,) rad, the fingers by ``angles`` (26,) rad.
        """
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        hand_pose = grasp.hand_pose[row] + (0.0 if angles is None else self.limits.to_pose(angles))
        local, jacobian = rotations.exp_and_jacobian(hand_pose.reshape(15, 3))
        model.body_quat[self.hand_bodies[1:]] = _wxyz(local)
        if self.build.fingers:
            self._set_hinges(hand_pose, jacobian)
        wrist, orient = self.rest_wrist + grasp.transl[row], rotations.exp(grasp.global_orient[row])
        if self.build.sliding:
            model.body_pos[self.hand_bodies[0]], model.body_quat[self.hand_bodies[0]] = wrist, _wxyz(orient)
        else:
            data.mocap_pos[0], data.mocap_quat[0] = wrist, _wxyz(orient)
        if self.build.free:
            data.qpos[self._object_qpos] = np.concatenate([shift, _wxyz(rotations.exp(turn))])
        mujoco.mj_forward(model, data)
        self._start = self.object_pose()

    def _set_hinges(self, hand_pose: Array, jacobian: Array) -> None:
        """Axes and ranges of the hinges about ``hand_pose``, with the right Jacobian (15, 3, 3) of its rotations."""
        hinges = slice(self._fingers, self._fingers + self.limits.size)
        axes = (jacobian[self.limits.joint - 1] @ self.limits.columns[..., None])[..., 0]
        angles = self.limits.to_angles(hand_pose)
        self.model.jnt_axis[hinges] = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        self.model.jnt_range[hinges, 0] = np.minimum(self.limits.lower - angles, -1e-3)
        self.model.jnt_range[hinges, 1] = np.maximum(self.limits.upper - angles, 1e-3)

    def squeeze(self, torques: Array) -> None:
        """Aim the servos so far beyond where the fingers were posed that they start with ``torques`` (26,) Nm."""
        self.data.ctrl[:] = torques / STIFFNESS

    def slide_along(self, direction: Array) -> None:
        """Let the wrist go along ``direction`` (3,) unit, and hold it by springs across."""
        sideways = Rotation.align_vectors([direction], [[1.0, 0.0, 0.0]])[0].as_matrix()
        self.model.jnt_axis[:3] = sideways.T @ self.data.xmat[self.hand_bodies[0]].reshape(3, 3)
        mujoco.mj_forward(self.model, self.data)

    def push(self, force: Array) -> None:
        """Push the wrist with ``force`` (3,) N from now on."""
        self.data.xfrc_applied[self.hand_bodies[0], :3] = force

    def levers(self, contacts: Contacts) -> Array:
        """How each hinge moves each contact's place on the hand: (K, 26, 3) m/rad."""
        hinges = slice(self._fingers, self._fingers + self.limits.size)
        axes, anchors = self.data.xaxis[hinges], self.data.xanchor[hinges]
        moved = _DESCENDS[self.limits.joint][:, contacts.joints].T  # (K, 26)
        return np.cross(axes, contacts.points[:, None] - anchors) * moved[..., None]

    def state(self) -> Array:
        """All that the simulation goes on from."""
        state = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, state, _STATE)
        return state

    def restore(self, state: Array) -> None:
        """Go back to a ``state``."""
        mujoco.mj_setState(self.model, self.data, state, _STATE)

    def pull(self, force: Array) -> None:
        """Pull at the object's centre of mass with ``force`` (3,) N from now on."""
        self.data.xfrc_applied[self.object_body, :3] = force

    def steps(self, duration: float) -> int:
        """Number of steps in ``duration`` s."""
        return round(duration / self.build.timestep)

    def step(self, count: int) -> None:
        """Simulate ``count`` steps."""
        mujoco.mj_step(self.model, self.data, count)

    def object_pose(self) -> tuple[Array, Array]:
        """Centre of mass (3,) m and rotation (3, 3) of the object."""
        return self.data.xipos[self.object_body].copy(), self.data.xmat[self.object_body].reshape(3, 3).copy()

    def object_frame(self) -> tuple[Array, Array]:
        """Origin (3,) m and rotation (3, 3) of the object's own frame."""
        return self.data.xpos[self.object_body].copy(), self.object_pose()[1]

    def motion(self) -> tuple[float, float]:
        """How far the object's centre of mass is (m) and how much it is turned (rad) since it was posed."""
        (start, before), (centre, now) = self._start, self.object_pose()
        cosine = (np.trace(before.T @ now) - 1.0) / 2.0
        return float(np.linalg.norm(centre - start)), float(np.arccos(np.clip(cosine, -1.0, 1.0)))

    def contacts(self, within: float = 0.0) -> Contacts:
        """Contacts now; with ``within`` m also where hand and object are only that near."""
        model, data = self.model, self.data
        if within > 0.0:
            model.geom_margin[self._first_piece :] = model.geom_gap[self._first_piece :] = within
            mujoco.mj_forward(model, data)
            model.geom_margin[:] = model.geom_gap[:] = 0.0
        contact = data.contact
        geoms, frames = contact.geom, contact.frame
        of_object = model.geom_bodyid[geoms] == self.object_body
        second = of_object[:, 1]  # the normal points from the first geom to the second
        rows = np.arange(len(geoms))
        hand = model.geom_bodyid[geoms[rows, np.where(second, 0, 1)]]
        return Contacts(
            contact.pos.copy(),
            frames[:, :3] * np.where(second, -1.0, 1.0)[:, None],
            contact.dist.copy(),
            np.array([self._joint_of_body[int(body)] for body in hand], dtype=np.int64),
            geoms[rows, np.where(second, 1, 0)] - self._first_piece,
        )

    def contact_forces(self) -> Array:
        """Force (K, 3) N of the hand on the object at each of ``contacts()``."""
        data = self.data
        forces, wrench = np.empty((data.ncon, 3)), np.empty(6)
        second = self.model.geom_bodyid[data.contact.geom[:, 1]] == self.object_body
        for number in range(data.ncon):
            mujoco.mj_contactForce(self.model, data, number, wrench)
            forces[number] = wrench[:3] @ data.contact.frame[number].reshape(3, 3)
        return forces * np.where(second, 1.0, -1.0)[:, None]

    def hand_pose(self) -> tuple[Array, Array]:
        """Rotations (16, 3, 3), the wrist's global and the fingers' local, and the wrist's position (3,) m, now."""
        world = self.data.xmat[self.hand_bodies].reshape(16, 3, 3)
        local = world.copy()
        local[1:] = world[PARENTS[1:]].swapaxes(1, 2) @ world[1:]
        return local, self.data.xpos[self.hand_bodies[0]].copy()

    def _spec(self) -> mujoco.MjSpec:
        spec = mujoco.MjSpec()
        option = spec.option
        option.timestep, option.gravity = self.build.timestep, np.zeros(3)
        option.cone, option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 10.0
        option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        self._add_hand(spec)
        self._add_object(spec)
        return spec

    def _add_hand(self, spec: mujoco.MjSpec) -> None:
        rest = self._body.rest_joints
        root = spec.worldbody.add_body(name="hand0", mocap=not self.build.sliding)
        if self.build.sliding:
            for axis in range(3):
                root.add_joint(
                    name=f"slide{axis}",
                    type=mujoco.mjtJoint.mjJNT_SLIDE,
                    axis=np.eye(3)[axis],
                    stiffness=_SIDEWAYS if axis else 0.0,
                    damping=_ARM_DAMPING,
                )
        links = [root]
        for joint in range(1, 16):
            parent = int(PARENTS[joint])
            links.append(links[parent].add_body(name=f"hand{joint}", pos=rest[joint] - rest[parent]))
        for number, piece in enumerate(self._body.pieces):
            self._add_piece(spec, links[piece.joint], f"skin{number}", piece.vertices, HAND, OBJECT, 1000.0)
        if not self.build.fingers:
            return
        for dof, (joint, axis) in enumerate(zip(self.limits.joint, self.limits.columns, strict=True)):
            links[joint].add_joint(
                name=f"dof{dof}",
                type=mujoco.mjtJoint.mjJNT_HINGE,
                axis=axis,
                limited=True,
                range=(-1.0, 1.0),
                armature=_ARMATURE,
            )
            servo = spec.add_actuator(name=f"servo{dof}", target=f"dof{dof}", trntype=mujoco.mjtTrn.mjTRN_JOINT)
            servo.set_to_position(kp=STIFFNESS, kv=_DAMPING)
            servo.forcelimited, servo.forcerange = True, (-TORQUE, TORQUE)

    def _add_object(self, spec: mujoco.MjSpec) -> None:
        body = spec.worldbody.add_body(name="object")
        if self.build.free:
            body.add_freejoint(name="object")
            solid = trimesh.Trimesh(self._obj.vertices, self._obj.faces, process=False)
            body.explicitinertial, body.mass = True, self.build.mass
            inertia = self.build.mass * solid.moment_inertia / solid.mass
            body.ipos = solid.center_mass
            body.fullinertia = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
        for number, piece in enumerate(self._obj.pieces):
            self._add_piece(spec, body, f"piece{number}", piece.vertices, OBJECT, HAND, 0.0)

    def _add_piece(
        self,
        spec: mujoco.MjSpec,
        body: mujoco.MjsBody,
        name: str,
        vertices: Array,
        kind: int,
        meets: int,
        density: float,
    ) -> None:
        spec.add_mesh(name=name, uservert=vertices.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            contype=kind,
            conaffinity=meets,
            condim=4,
            friction=(0.6, _TORSION, 0.0),
            solref=_CONTACT,
            density=density,
        )


def _wxyz(matrices: Array) -> Array:
    """Quaternions (..., 4) in MuJoCo's order."""
    quaternions = Rotation.from_matrix(matrices).as_quat()
    return np.roll(quaternions, 1, axis=-1)
