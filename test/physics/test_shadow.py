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


def closed(angle: float) -> np.ndarray:
    """Four fingers bent at J3 and J2 alike, the thumb across the palm."""
    angles = {name: angle for name in NAMES if name[:2] in ("FF", "MF", "RF", "LF") and name[-1] in "123"}
    angles |= {"THJ4": 1.2, "THJ5": 0.3, "THJ2": 0.3}
    return np.array([[angles.get(name, 0.0) for name in NAMES]])


def test_a_fist_holds_a_bar_and_an_open_hand_does_not() -> None:
    bar = box((0.2, 0.03, 0.03), (0.0, -0.032, 0.105))  # under the knuckles, across the palm
    world = ShadowWorld(bar)
    palm = np.eye(4)[None]
    assert world.articulated(closed(1.25), palm).reason == ("held",)
    assert not world.articulated(np.zeros((1, 24)), palm).held[0]
    assert not world.articulated(closed(1.25), palm, friction=0.0).held[0]


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(Refused):
        ShadowWorld(box((0.02, 0.02, 0.02))).articulated(np.full((1, 24), np.nan), np.eye(4)[None])


def test_grasps_that_held_in_another_simulator_hold_here(shared_data: Path) -> None:
    path = next((shared_data / "dexgraspnet").glob("sem-Bottle*.npz"))
    grasps = load_grasps(path)
    grasps = grasps[grasps.scale == 0.1][:20]
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
