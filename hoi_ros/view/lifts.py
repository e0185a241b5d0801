"""Pictures of a Shadow Hand that lifts an object: before it comes, when it has closed, and in the end."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np

from hoi_ros.physics.lifting import LIFT, ShadowLift
from hoi_ros.retargeting.postures import Plan
from hoi_ros.types import Array
from hoi_ros.view import pictures
from hoi_ros.view.grasps import across, in_parts
from hoi_ros.view.render import Mesh, Picture, framing, picture
from hoi_ros.view.robot import GLOSS, colour_of, surface

TILE = (280, 280)  # H, W of each of a lift's three pictures
COLUMNS = 2
_TABLE = np.array([0.82, 0.8, 0.76])
_KINDS = {int(mujoco.mjtGeom.mjGEOM_CAPSULE): "capsule", int(mujoco.mjtGeom.mjGEOM_BOX): "box"}
_MARGIN = 0.06  # m around the object and the palm


def sheet(world: ShadowLift, plan: Plan) -> Picture:
    """Execute ``plan`` and show each lift in three pictures under its outcome."""
    return pictures.grid([_lift(world, plan, row) for row in range(len(plan))], COLUMNS)


def _lift(world: ShadowLift, plan: Plan, row: int) -> Picture:
    palm = plan.palm[row, :3]
    taken: dict[str, Picture] = {}

    def watch(doing: str, world: ShadowLift) -> None:
        if doing in ("approaching", "lifting") and doing not in taken:
            taken[doing] = of_lift(world, palm)

    outcome = world.lift(plan[row : row + 1], watch)
    end = of_lift(world, palm)
    three = [taken["approaching"], taken.get("lifting", end), end]
    return pictures.titled(np.hstack(three), f"{row}: {outcome.reason[0]}, raised {100 * outcome.raised[0]:.0f} cm")


def of_lift(world: ShadowLift, palm: Array) -> Picture:
    """Hand, object and table as they are now, seen across the line from object to the grasp's ``palm`` (3,)."""
    obj = world.obj
    around = palm + _MARGIN * np.concatenate([np.eye(3), -np.eye(3)])
    seen = np.concatenate([obj.vertices, obj.vertices + np.array([0.0, 0.0, LIFT]), around])
    view = across(palm - obj.vertices.mean(axis=0))
    camera, shift = framing(seen @ view.T, TILE)
    meshes = [replace(mesh, vertices=mesh.vertices @ view.T + shift) for mesh in _meshes(world)]
    return picture(meshes, camera, pictures.paper(TILE))


def _meshes(world: ShadowLift) -> list[Mesh]:
    """What there is, in the world."""
    model, data = world.model, world.data
    origin, turn = world.object_frame()
    thing = in_parts(world.obj)
    meshes = [replace(thing, vertices=thing.vertices @ turn.T + origin)]
    if world.table is not None:
        centre, reach = world.obj.vertices[:, :2].mean(axis=0), np.ptp(world.obj.vertices[:, :2], axis=0).max()
        corners = centre + reach * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        table = np.column_stack([corners, np.full(4, world.table - 1e-3)])
        meshes.append(Mesh(table, np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32), _TABLE))
    for geom in range(model.ngeom):
        kind = _KINDS.get(int(model.geom_type[geom]))
        if kind is None:
            continue
        size = tuple(model.geom_size[geom][: 2 if kind == "capsule" else 3].tolist())
        vertices, faces = surface(kind, size)
        link = model.body(model.geom_bodyid[geom]).name.removeprefix(world.hand.prefix)
        placed = vertices @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
        meshes.append(Mesh(placed, faces, colour_of(link), GLOSS))
    return meshes
