"""The objects in a cloud, each turned so that z points up, as grasps are synthesised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene import clouds, segmentation
from hoi_ros.types import Array, ObjectCloud

EXTENT = (0.005, 1.0)  # m: what is smaller or larger is no object for one hand, or in other units
STEEPEST = np.radians(20.0)  # of a table, where up is known
ABOVE = 10.0  # m over the scene that it is looked at from, where up is known


@dataclass(frozen=True)
class Upright:
    """One object with z up, and how to get back: ``turn`` (3, 3) takes the given frame to the cloud's.

    ``table`` is the height z, m, that it stands on: that of the table, or of its lowest point where none is known.
    """

    cloud: ObjectCloud
    turn: Array
    table: float


def upright(cloud: ObjectCloud, up: ArrayLike) -> Upright:
    """A single object's cloud, m, turned by the least angle that takes ``up`` (3,), of any length, to z.

    Raises Refused(CLOUD) for non-finite points, fewer than ``clouds.MIN_POINTS``, and a size no object for a hand has.
    """
    points = _checked(cloud.points)
    extent = float(np.ptp(points, axis=0).max())
    low, high = EXTENT
    if not low <= extent <= high:
        hint = "; in millimetres? Then scale it by 0.001" if extent > 5.0 else "; a scene wants segment_scene"
        raise Refused(
            Reason.CLOUD,
            f"the object measures {extent:.4g} m, not {low:g} to {high:g} m{hint if extent > high else ''}",
        )
    turn = to_z(np.asarray(up, float))
    normals = None if cloud.normals is None else cloud.normals @ turn.T
    turned = points @ turn.T
    viewpoint = None if cloud.viewpoint is None else turn @ cloud.viewpoint
    made = replace(cloud, points=turned, normals=normals, viewpoint=viewpoint)
    return Upright(made, turn, float(turned[:, 2].min()))


def on_table(cloud: ObjectCloud, up: Array | None) -> list[Upright]:
    """Every object on the table of a scene, largest first, with the table's normal up.

    Where ``up`` (3,) is None the scene is in the frame of a camera that looks at the table from above. Raises
    Refused(CLOUD) as ``segmentation.segment`` does, and for a largest plane that is no table because it is steep.
    """
    points = _checked(cloud.points)
    above = np.zeros(3) if up is None else points.mean(0) + ABOVE * np.asarray(up, float) / np.linalg.norm(up)
    scene = segmentation.segment(points, above)
    normal = scene.plane[:3]
    if up is not None and normal @ up < np.cos(STEEPEST) * np.linalg.norm(up):
        angle = np.degrees(np.arccos(normal @ up / np.linalg.norm(up)))
        raise Refused(Reason.CLOUD, f"there is no table: the largest plane is {angle:.0f} degrees steep")
    objects = [
        replace(cloud, points=points[chosen], normals=None if cloud.normals is None else cloud.normals[chosen])
        for chosen in scene.objects
        if np.ptp(points[chosen], axis=0).max() <= EXTENT[1]
    ]
    if not objects:
        raise Refused(Reason.CLOUD, f"all {len(scene.objects)} objects on the table are larger than {EXTENT[1]:g} m")
    return [replace(upright(each, normal), table=-float(scene.plane[3])) for each in objects]


def _checked(points: Array) -> Array:
    if not np.isfinite(points).all():
        raise Refused(Reason.CLOUD, f"{(~np.isfinite(points).all(1)).sum()} of {len(points)} points are not finite")
    if len(points) < clouds.MIN_POINTS:
        raise Refused(Reason.CLOUD, f"{len(points)} points show no object; {clouds.MIN_POINTS} would")
    return points


def to_z(up: Array) -> Array:
    """Rotation (3, 3) by the least angle that takes ``up`` to z."""
    x, y, z = up / np.linalg.norm(up)
    sine = np.hypot(x, y)
    axis = np.array([y, -x, 0.0]) / sine if sine > 1e-12 else np.array([1.0, 0.0, 0.0])
    turn: Array = Rotation.from_rotvec(np.arctan2(sine, z) * axis).as_matrix()
    return turn
