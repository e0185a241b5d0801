"""What the benchmarks of grasps read is what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from solid_shapes import as_object, box

from hoi_ros.benchmarks import dexgraspnet, ycb_grasps
from hoi_ros.retargeting.shadow_hand import FINGERS, NAMES, ShadowHand
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.meshes import load_mesh
from hoi_ros.types import Array


@pytest.mark.parametrize("benchmark", [dexgraspnet, ycb_grasps])
def test_without_data_a_note_is_left(benchmark, tmp_path: Path):
    assert "is not there" in benchmark.run(data=str(tmp_path))["skipped"]


def test_a_scaled_object_keeps_its_shape():
    cube = as_object(box((0, 0, 0), (0.1, 0.2, 0.3)))
    half = dexgraspnet.scaled(cube, 0.5)
    np.testing.assert_allclose(np.ptp(half.vertices, axis=0), [0.05, 0.1, 0.15])


def test_carried_over_hands_touch_the_object(shared_data: Path):
    """Fingertips of the grasps end a finger's radius off the mesh; with one axis the other way round fewer do."""
    hand = ShadowHand.embedded()
    for path in sorted((shared_data / "dexgraspnet").glob("*.npz")):
        grasps, mesh = dexgraspnet.load_grasps(path), load_mesh(path.with_suffix(".obj"))
        distance = SignedDistance(mesh.vertices, mesh.faces)
        right = near_tips(hand, grasps.positions, grasps, distance)
        assert right.mean() > 0.5
        for finger, joint in (
            ("FF", "FFJ4"),
            ("MF", "MFJ4"),
            ("TH", "THJ2"),
            ("TH", "THJ1"),
            ("RF", "RFJ4"),
            ("LF", "LFJ4"),
        ):
            turned = grasps.positions.copy()
            turned[:, NAMES.index(joint)] *= -1.0
            column = FINGERS.index(finger)
            assert near_tips(hand, turned, grasps, distance)[:, column].mean() < right[:, column].mean()


def near_tips(
    hand: ShadowHand, positions: Array, grasps: dexgraspnet.ShadowGrasps, distance: SignedDistance
) -> np.ndarray:
    """Whether each fingertip (N, 5) is 4 to 12 mm off the mesh."""
    links = hand.link_poses(positions)
    place = grasps.palm @ np.linalg.inv(links["palm"])
    tips = [(place @ links[f"{f.lower()}distal"] @ np.append(hand.tips[f], 1.0))[:, :3] for f in FINGERS]
    off = grasps.scale[:, None] * distance.distance(np.stack(tips, axis=1) / grasps.scale[:, None, None])
    return (off > 0.004) & (off < 0.012)
