"""A hand and an object in MuJoCo: what every test needs of them, whatever hand it is.

World frame = the object's frame when it is placed. Nothing weighs: the weight of the object is an external force, so
that it pulls in any direction and never at the hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import mujoco
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

GRAVITY = 9.81  # m/s2
TIMESTEP = 0.004  # s
STIFFNESS = 3.0  # Nm/rad of the servos
HAND, OBJECT = 1, 2  # kinds of geoms: hands meet objects only, not themselves

_CONTACT = (0.01, 1.0)  # s, time constant and damping ratio of contacts
_TORSION = 0.005  # m, friction against spinning, as of soft patches of about this radius
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
_ZERO = np.zeros(3)


@dataclass(frozen=True)
class Contacts:
    """Contacts between hand and object: points (K, 3) m, unit normals (K, 3) out of the object."""

    points: Array
    normals: Array
    distances: Array  # (K,) m, negative where they overlap
    bodies: NDArray[np.int64]  # (K,) body of the hand
    pieces: NDArray[np.int64]  # (K,) piece of the object

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Contacts:
        """Those that a mask (K,) chooses."""
        return Contacts(*(getattr(self, field.name)[chosen] for field in fields(self)))


class Simulation:
    """A compiled world.

    ``spec`` holds the hand, its geoms of kind HAND; its ``servos`` hinges have the first actuators. The object is
    added to it, with ``mass`` kg and the inertia of its solid, or fixed in the world with mass None.
    """

    def __init__(self, spec: mujoco.MjSpec, servos: int, obj: ObjectModel, mass: float | None, timestep: float) -> None:
        self.servos, self.mass = servos, mass
        option = spec.option
        option.timestep, option.gravity = timestep, np.zeros(3)
        option.cone, option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 10.0
        option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        _add_object(spec, obj, mass)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.object_body = int(self.model.body("object").id)
        self._first_piece = int(self.model.body_geomadr[self.object_body])
        self._driven = self.model.jnt_dofadr[self.model.actuator_trnid[:servos, 0]]
        self._start = self.object_pose()

    def set_friction(self, friction: float) -> None:
        """Coefficient of sliding friction of all contacts."""
        self.model.geom_friction[:, 0] = friction

    def place_object(self, shift: Array = _ZERO, turn: Array = _ZERO) -> None:
        """Put the object at its own frame moved by ``shift`` (3,) m and turned by ``turn`` (3,) rad; all posed now."""
        if self.mass is not None:
            self.data.joint("object").qpos = np.concatenate([shift, wxyz(Rotation.from_rotvec(turn).as_matrix())])
        mujoco.mj_forward(self.model, self.data)
        self._start = self.object_pose()

    def squeeze(self, torques: Array) -> None:
        """Aim the servos so far beyond where the fingers were posed that they would start with ``torques`` Nm."""
        self.data.ctrl[: self.servos] = self._posed() + torques / STIFFNESS

    def levers(self, contacts: Contacts) -> Array:
        """How each servo's hinge moves the hand at each contact: (K, servos, 3) m/rad."""
        levers = np.empty((len(contacts.points), self.servos, 3))
        jacobian = np.empty((3, self.model.nv))
        for row, (point, body) in enumerate(zip(contacts.points, contacts.bodies, strict=True)):
            mujoco.mj_jac(self.model, self.data, jacobian, None, point, body)
            levers[row] = jacobian[:, self._driven].T
        return levers

    def pull(self, force: Array) -> None:
        """Pull at the object's centre of mass with ``force`` (3,) N from now on."""
        self.data.xfrc_applied[self.object_body, :3] = force

    def step(self, count: int) -> None:
        """Simulate ``count`` steps."""
        mujoco.mj_step(self.model, self.data, count)

    def run(self, duration: float) -> None:
        """Simulate ``duration`` s."""
        self.step(self.steps(duration))

    def steps(self, duration: float) -> int:
        """Number of steps in ``duration`` s."""
        return round(duration / self.model.opt.timestep)

    def state(self) -> Array:
        """All that the simulation goes on from."""
        state = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, state, _STATE)
        return state

    def restore(self, state: Array) -> None:
        """Go back to a ``state``."""
        mujoco.mj_setState(self.model, self.data, state, _STATE)

    def object_pose(self) -> tuple[Array, Array]:
        """Centre of mass (3,) m and rotation (3, 3) of the object."""
        return self.data.xipos[self.object_body].copy(), self.data.xmat[self.object_body].reshape(3, 3).copy()

    def object_frame(self) -> tuple[Array, Array]:
        """Origin (3,) m and rotation (3, 3) of the object's own frame."""
        return self.data.xpos[self.object_body].copy(), self.object_pose()[1]

    def motion(self) -> tuple[float, float]:
        """How far the object's centre of mass is (m) and how much it is turned (rad) since it was placed."""
        (start, before), (centre, now) = self._start, self.object_pose()
        cosine = (np.trace(before.T @ now) - 1.0) / 2.0
        return float(np.linalg.norm(centre - start)), float(np.arccos(np.clip(cosine, -1.0, 1.0)))

    def touching(self) -> bool:
        """Whether hand and object touch."""
        return self.data.ncon > 0

    def contacts(self, within: float = 0.0) -> Contacts:
        """Contacts now; with ``within`` m also where hand and object are only that near."""
        model, data = self.model, self.data
        if within > 0.0:
            model.geom_margin[self._first_piece :] = model.geom_gap[self._first_piece :] = within
            mujoco.mj_forward(model, data)
            model.geom_margin[:] = model.geom_gap[:] = 0.0
        geoms, rows = data.contact.geom, np.arange(data.ncon)
        second = self._object_second()
        return Contacts(
            data.contact.pos.copy(),
            data.contact.frame[:, :3] * np.where(second, -1.0, 1.0)[:, None],
            data.contact.dist.copy(),
            model.geom_bodyid[geoms[rows, np.where(second, 0, 1)]].astype(np.int64),
            geoms[rows, np.where(second, 1, 0)].astype(np.int64) - self._first_piece,
        )

    def contact_forces(self) -> Array:
        """Force (K, 3) N of the hand on the object at each of ``contacts()``."""
        forces, wrench = np.empty((self.data.ncon, 3)), np.empty(6)
        for number in range(self.data.ncon):
            mujoco.mj_contactForce(self.model, self.data, number, wrench)
            forces[number] = wrench[:3] @ self.data.contact.frame[number].reshape(3, 3)
        return forces * np.where(self._object_second(), 1.0, -1.0)[:, None]

    def _object_second(self) -> NDArray[np.bool_]:
        """(K,) whether the object is the second of a contact's geoms, to which the normal points."""
        second: NDArray[np.bool_] = self.model.geom_bodyid[self.data.contact.geom[:, 1]] == self.object_body
        return second

    def _posed(self) -> Array | float:
        """Angles (servos,) at which the fingers were posed, rad."""
        return 0.0


def add_servo(spec: mujoco.MjSpec, joint: str, torque: float, damping: float) -> None:
    """A position servo on a hinge, limited to ``torque`` Nm, with ``damping`` Nm s/rad."""
    servo = spec.add_actuator(name=f"servo_{joint}", target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.set_to_position(kp=STIFFNESS, kv=damping)
    servo.forcelimited, servo.forcerange = True, (-torque, torque)


def add_piece(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, vertices: Array, kind: int) -> None:
    """The hull of ``vertices`` (K, 3) m on a body."""
    spec.add_mesh(name=name, uservert=vertices.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        density=1000.0 if kind == HAND else 0.0,
        **collision(kind),
    )


def collision(kind: int) -> Mapping[str, object]:
    """How geoms of a kind collide."""
    other = OBJECT if kind == HAND else HAND
    return {
        "contype": kind,
        "conaffinity": other,
        "condim": 4,
        "friction": (0.6, _TORSION, 0.0),
        "solref": _CONTACT,
        "margin": 0.0,
    }


def wxyz(matrices: Array) -> Array:
    """Quaternions (..., 4) in MuJoCo's order of rotation matrices (..., 3, 3)."""
    return np.roll(Rotation.from_matrix(matrices).as_quat(), 1, axis=-1)


def _add_object(spec: mujoco.MjSpec, obj: ObjectModel, mass: float | None) -> None:
    body = spec.worldbody.add_body(name="object")
    if mass is not None:
        body.add_freejoint(name="object")
        solid = trimesh.Trimesh(obj.vertices, obj.faces, process=False)
        inertia = mass / solid.mass * solid.moment_inertia
        body.explicitinertial, body.mass, body.ipos = True, mass, solid.center_mass
        body.fullinertia = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
    for number, piece in enumerate(obj.pieces):
        add_piece(spec, body, f"piece{number}", piece.vertices, OBJECT)
