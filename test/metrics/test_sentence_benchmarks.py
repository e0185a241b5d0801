"""What the benchmarks of sentences call a handle, a cap or a rim is one; where scenes put an object, it is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoi_ros.benchmarks import grasp_speed, ycb_sentences
from hoi_ros.benchmarks.ycb_sentences import LYING, PARTS, SCENES, SENTENCES, Scene, parts_of
from hoi_ros.language.request import parse
from hoi_ros.methods.affordgrasp import synthesizer
from hoi_ros.scene.clouds import Cloud
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.meshes import load_mesh
from hoi_ros.scene.segmentation import segment
from hoi_ros.types import Array


def places(data: Path, mesh_name: str, part: str) -> Array:
    """Corners (N, 3), m, of the faces of a part."""
    mesh = load_mesh(data / "dexycb_grasps" / "meshes" / f"{mesh_name}.obj")
    number = ("body", *PARTS[mesh_name]).index(part)
    corners: Array = mesh.triangles[parts_of(mesh, mesh_name) == number].reshape(-1, 3)
    return corners


def test_without_data_a_note_is_left(tmp_path: Path):
    assert "is not there" in ycb_sentences.run(data=str(tmp_path))["skipped"]


@pytest.mark.parametrize("sentence", [s for two in SENTENCES.values() for s in two], ids=lambda s: s.text)
def test_sentences_ask_for_what_they_are_scored_by(sentence):
    assert parse(sentence.text).affordance in (sentence.affordance, None)


def test_handles_are_narrow_and_stand_off(shared_data: Path):
    """A rule that took some of the wall, the battery or the motor along would find something wider."""
    mug = places(shared_data, "025_mug", "handle")
    assert np.ptp(mug[:, 1]) < 0.03
    assert mug[:, 0].max() > 0.06
    pitcher = places(shared_data, "019_pitcher_base", "handle") @ np.array([1.0, -1.0, 0.0]) / np.sqrt(2.0)
    assert np.ptp(pitcher) < 0.04
    drill = places(shared_data, "035_power_drill", "handle")
    assert np.ptp(drill[:, 2]) < 0.05


def test_the_drill_stands_with_its_motor_on_top(shared_data: Path):
    handle, chuck, body = (
        places(shared_data, "035_power_drill", part) @ LYING["035_power_drill"].T
        for part in ("handle", "chuck", "body")
    )
    assert handle[:, 2].mean() < chuck[:, 2].mean()
    assert body[:, 2].min() < handle[:, 2].min() + 0.005  # the battery
    assert np.ptp(chuck[:, 1:], axis=0).max() < 0.06  # a nose of 5 cm


def test_scissors_rings_are_thicker_than_blades(shared_data: Path):
    assert np.ptp(places(shared_data, "037_scissors", "handle")[:, 0]) > 0.07  # two rings side by side
    assert np.ptp(places(shared_data, "024_bowl", "rim")[:, 0]) > 0.15
    assert np.ptp(places(shared_data, "021_bleach_cleanser", "cap")[:, 2]) < 0.04


@pytest.mark.parametrize(("frame", "name", "number"), SCENES)
def test_scenes_show_the_mesh_where_they_say(frame, name, number, shared_data: Path):
    scene = Scene.read(shared_data / "ycb_scenes", frame)
    mesh = load_mesh(shared_data / "dexycb_grasps" / "meshes" / f"{name}.obj")
    seen = scene.in_mesh(scene.points[scene.labels == number][::20], number)
    off = SignedDistance(mesh.vertices, mesh.faces).distance(seen)
    assert np.median(np.abs(off)) < 0.007
    object_alone = scene.cut(number, segment(scene.points).plane).points
    off = np.abs(object_alone - np.median(object_alone, axis=0)).max(axis=1)
    assert np.quantile(off, 0.99) < 0.2  # some pixels of its rim show what is behind it
    assert len(object_alone) > 1000


def test_steps_are_timed_only_inside():
    times: grasp_speed.Times = {step: [] for step in grasp_speed.STEPS}
    thinning = synthesizer.prepare
    rng = np.random.default_rng(0)
    with grasp_speed._timed_steps(times):
        synthesizer.prepare(Cloud(rng.random((500, 3))), 64)
    assert len(times["thinning"]) == 1
    assert times["generator"] == []
    assert synthesizer.prepare is thinning


def test_spread_of_known_times():
    found = grasp_speed._spread([(0.001 * wall, 0.002) for wall in range(1, 102)])
    assert found == pytest.approx({"p50_ms": 51.0, "p95_ms": 96.0, "cpu_p50_ms": 2.0})
