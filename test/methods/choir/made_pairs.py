"""Hands on a cylinder, and small networks."""

from __future__ import annotations

import numpy as np
import trimesh

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.methods.choir.pairs import Pairs
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface, surface_of
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.clouds import farthest_points, sample_surface
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import HandBatch


def cylinder() -> ObjectModel:
    """6 cm across, 16 cm long, along z."""
    mesh = trimesh.creation.cylinder(radius=0.03, height=0.16, sections=48)
    faces = np.array(mesh.faces, np.int32)
    parts = np.zeros(len(faces), np.int32)
    vertices = np.array(mesh.vertices)
    return ObjectModel("cylinder", "object", vertices, faces, parts, ("body",), (Piece(vertices, 0),))


def cloud(count: int = 1500) -> CloudSurface:
    """Points of all of it."""
    points, normals, _ = sample_surface(cylinder(), 8000, np.random.default_rng(0))
    chosen = farthest_points(points, count)
    return surface_of(points[chosen], normals[chosen])


def hands(count: int = 6, seed: int = 0) -> HandBatch:
    """Half closed hands beside it, their palms within centimetres."""
    rng = np.random.default_rng(seed)
    model = load_hand_model()
    limits = Limits(model.kinematics)
    bent = np.clip(
        limits.to_angles(np.zeros(45)) + rng.uniform(0.0, 0.6, (count, limits.size)), limits.lower, limits.upper
    )
    return HandBatch(
        rng.normal(0.0, 0.4, (count, 3)),
        limits.to_pose(bent),
        rng.normal(0.0, 0.3, (count, 10)),
        rng.normal((-0.09, 0.0, 0.04), 0.03, (count, 3)),
    )


def grips() -> HandBatch:
    """Three hands around it, by the engine's own synthesis."""
    use = Use(Affordance.WRAP_GRASP, "body", (GraspType.LARGE_DIAMETER,), axis=np.array([0.0, 0.0, 1.0]))
    return GraspOptimiser(load_hand_model()).synthesize(cylinder(), use, 3, 0, np.zeros(10)).hands


def pairs(count: int = 6) -> Pairs:
    """All of them."""
    return Pairs.of_objects(hands(count), ("cylinder",), np.zeros(count, np.int64), [cylinder()], 0, lambda: None)
