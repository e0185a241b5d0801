"""An object that was found against the one that is truly there, and what hands touch of it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel
from hoi_ros.metrics import objects as metrics
from hoi_ros.metrics.contact import ContactMapper, map_scores
from hoi_ros.metrics.solids import surface_points
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, ObjectState

SPACING = 0.002  # m between the object's points that a hand may touch
SAMPLES = 5000  # of the true surface, that a completed cloud is compared with
MOST_VERTICES = 5000  # that a nearest one is looked for of


class TrueObject:
    """The object of a recording: a closed surface in its own frame, whose pose is known picture by picture.

    Poses are (7,), xyz m + quaternion xyzw.
    """

    def __init__(self, solid: ObjectModel, model: HandModel) -> None:
        self._vertices = solid.vertices
        self._thinned = solid.vertices[:: -(-len(solid.vertices) // MOST_VERTICES)]
        self._surface = sample_surface(solid, SAMPLES, np.random.default_rng(0))[0]
        points = surface_points(solid.vertices, solid.faces, SPACING)
        self._touched = ContactMapper(model.faces, len(model.v_template), points)

    def figures(self, found: ObjectState, pose: Array, frame_id: str) -> dict[str, float]:
        """Errors of a found object, and of its points if it has any, where the true one is at ``pose`` in a frame.

        Raises Refused(FRAME) where it was found in another frame.
        """
        if found.frame_id != frame_id:
            frames = f"were found in '{found.frame_id}', the true one is in '{frame_id}'"
            raise Refused(Reason.FRAME, f"objects {frames}: they are not compared")
        here, true = matrix(found.pose), matrix(pose)
        figures = {
            "object.oce_mm": 1e3 * float(metrics.oce(here, true)),
            "object.mce_mm": 1e3 * float(metrics.mce(here, true, self._vertices)),
            "object.add_mm": 1e3 * float(metrics.add(here, true, self._vertices)),
            "object.add_s_mm": 1e3 * float(metrics.add_s(here, true, self._thinned)),
        }
        if len(found.points):
            points = in_object(found.points, pose)
            figures["object.chamfer_cm2"] = metrics.chamfer_cm2(points, self._surface)
            _, figures["object.fs_5"], figures["object.fs_10"] = metrics.fs_at_1_5_10(points, self._surface).tolist()
        return figures

    def recalled(self, found: ObjectState, pose: Array) -> bool:
        """Whether the true object was found well enough to count [ADD-0.5D]."""
        return bool(metrics.add_05d(matrix(found.pose), matrix(pose), self._vertices))

    def contact(self, found: Array, true: Array, pose: Array) -> dict[str, float]:
        """What a found hand touches, of what the true one does, (778, 3) m both; nothing where neither touches."""
        here, there = self._touched(in_object(np.stack([found, true]), pose))
        if not (here.any() or there.any()):
            return {}
        scores = map_scores(here[None], there[None])
        return {f"contact_{name}": float(values[0]) for name, values in vars(scores).items()}


def matrix(pose: Array) -> Array:
    """(4, 4) of a pose (7,)."""
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = Rotation.from_quat(pose[3:]).as_matrix(), pose[:3]
    return made


def in_object(points: Array, pose: Array) -> Array:
    """Points (..., 3), m, in the frame of an object at ``pose`` (7,)."""
    turned: Array = (points - pose[:3]) @ Rotation.from_quat(pose[3:]).as_matrix()
    return turned
