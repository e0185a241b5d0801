"""Grasps against the object as it truly is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.hand import load_hand_model
from hoi_ros.metrics.contact import contact_parts, touches
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.replay.results import Results
from hoi_ros.scene.meshes import check_mesh, load_mesh
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, Grasp

DEEP = 0.005  # m


def load_solid(path: Path) -> ObjectModel:
    """The closed mesh of a file, as one part. Raises Refused(FILE, MESH)."""
    read = load_mesh(path)
    mesh = check_mesh(read.vertices, read.faces)
    faces = np.array(mesh.faces, np.int32)
    return ObjectModel(
        path.stem, "object", np.array(mesh.vertices), faces, np.zeros(len(faces), np.int32), ("body",), ()
    )


def grasp_figures(results: Results, obj: ObjectModel) -> dict[str, float]:
    """Figures of the right-handed grasps whose object's true pose is known; none without such a grasp."""
    poses = {each.cloud.stamp_ns: each.true_object for each in results.asked if each.true_object is not None}
    placed = [
        (g, poses[g.hand.stamp_ns]) for g in results.grasps if g.hand.stamp_ns in poses and g.hand.side == "right"
    ]
    if not placed:
        return {}
    model = load_hand_model()
    vertices = np.array([_in_object(grasp, pose) for grasp, pose in placed])
    depth = two_way_depth(vertices, model.closed_faces, obj).two_way
    return {
        "grasp.iv_cm3": 1e6 * float(intersection_volume(vertices, model.closed_faces, obj).mean()),
        "grasp.within_5mm": float((depth <= DEEP).mean()),
        "grasp.contact": float(touches(contact_parts(vertices, obj)).mean()),
    }


def _in_object(grasp: Grasp, pose: Array) -> Array:
    """Vertices (778, 3) of a grasp's hand in the frame of the object at ``pose``."""
    hand = grasp.hand
    mesh = load_hand_model().mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl)
    inside: Array = Rotation.from_quat(pose[3:]).inv().apply(mesh.vertices.reshape(-1, 3) - pose[:3])
    return inside
