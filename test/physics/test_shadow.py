from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_scenes import box

from hoi_ros.benchmarks.dexgraspnet import load_grasps, scaled
from hoi_ros.physics.shadow import ShadowWorld
from hoi_ros.refusals import Refused
from hoi_ros.retargeting.shadow_hand import NAMES
from hoi_ros.scene.meshes import load_mesh
from hoi_ros.scene.object_model import ObjectModel, Piece


def test_a_plate_between_two_fingers_is_held_by_friction_alone() -> None:
    """Between the first bones of index and middle finger, 22 mm apart and 18 mm thick."""
    straight, palm = np.zeros((1, 24)), np.eye(4)[None]
    world = ShadowWorld(box((0.005, 0.016, 0.02), (0.022, 0.0, 0.12)))
    held = world.articulated(straight, palm)
    assert held.reason == ("held",) and held.displacement.max() < 0.002
    assert not world.articulated(straight, palm, friction=0.0).held[0]
    apart = np.where(np.array(NAMES) == "FFJ4", -0.34, 0.0)[None]
    assert not world.articulated(apart, palm).held[0]


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(Refused):
        ShadowWorld(box((0.02, 0.02, 0.02))).articulated(np.full((1, 24), np.nan), np.eye(4)[None])


def test_grasps_that_held_in_another_simulator_hold_here(shared_data: Path) -> None:
    path = next((shared_data / "dexgraspnet").glob("sem-Bottle*.npz"))
    grasps = load_grasps(path)
    grasps = grasps[np.isclose(grasps.scale, 0.1)][:20]
    mesh = load_mesh(path.with_suffix(".obj"))
    pieces = tuple(Piece(np.array(part.convex_hull.vertices), 0) for part in mesh.split(only_watertight=False))
    bottle = ObjectModel(
        "bottle",
        "bottle",
        np.array(mesh.vertices),
        np.array(mesh.faces, dtype=np.int32),
        np.zeros(len(mesh.faces), dtype=np.int32),
        ("body",),
        pieces,
    )
    world = ShadowWorld(scaled(bottle, 0.1))
    assert world.articulated(grasps.positions, grasps.palm, friction=3.0).held.mean() >= 0.75  # theirs
    assert world.articulated(grasps.positions, grasps.palm, friction=0.6).held.mean() >= 0.4
    backwards = grasps.palm @ np.diag([-1.0, -1.0, 1.0, 1.0])
    assert world.articulated(grasps.positions, backwards, friction=3.0).held.mean() < 0.3
