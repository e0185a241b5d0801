"""``hoi data`` for real: a small dataset built, read, looked at and tested again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from hoi_ros.dataset.engine import Job, build
from hoi_ros.dataset.pictures import HAND, OBJECT, decode
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.dataset.trials import DEPTH
from hoi_ros.hand import Limits, load_hand_model

CATEGORIES = ("bottle", "dispenser")


def hoi(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("hoi")  # not ``-m``: workers import the program they were started from
    command = [sys.executable, str(program), "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def answered(*arguments: object) -> dict[str, Any]:
    done = hoi(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two objects, by two workers."""
    folder = tmp_path_factory.mktemp("data") / "tiny"
    chosen = [argument for category in CATEGORIES for argument in ("--category", category)]
    manifest = answered("build", "--preset", "tiny", "--out", folder, "--workers", 2, *chosen)
    assert manifest["counts"]["objects"] == 2
    return folder


def test_one_worker_makes_the_same(folder: Path, tmp_path: Path) -> None:
    manifest = build(tmp_path / "again", Job("tiny", 0, CATEGORIES))
    assert manifest["content_hash"] == Dataset(folder).manifest["content_hash"]


def test_grasps_are_what_they_must_be(folder: Path) -> None:
    dataset = Dataset(folder)
    dataset.verify()
    grasps = dataset.table("grasps")
    assert grasps.num_rows >= 3
    assert max(column(grasps, "hand_in_object").max(), column(grasps, "object_in_hand").max()) <= DEPTH
    model = load_hand_model()
    pose = column(grasps, "pose").astype(np.float64)
    assert Limits(model.kinematics).violation(pose[:, 3:]).max() < 1e-5
    mesh = model.mesh(pose[:, :3], pose[:, 3:], column(grasps, "betas"), column(grasps, "transl"))
    np.testing.assert_allclose(mesh.keypoints.reshape(-1, 63), column(grasps, "keypoints"), atol=1e-5)
    for row in grasps.to_pylist():
        assert len(set(row["instructions"])) == len(row["instructions"])
        assert not set(row["instructions"]) & set(row["held_out_instructions"])


def test_pictures_show_hand_and_object(folder: Path) -> None:
    pictures = Dataset(folder).table("pictures").to_pylist()
    assert {(row["width"], row["height"]) for row in pictures} == {(256, 256), (640, 480)}
    for row in pictures:
        rgb, masks = decode(row["rgb"]), decode(row["masks"])
        assert rgb.shape == (row["height"], row["width"], 3)
        true, depth = decode(row["true_depth"]) / 1e4, decode(row["depth"]) / 1e3
        seen = ((masks & (HAND | OBJECT)) != 0) & (depth > 0)
        assert seen.sum() > 100
        assert np.median(np.abs(true - depth)[seen]) < 0.005


def test_a_finished_build_is_left_as_it_is(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.arrow")}
    answered("build", "--preset", "tiny", "--out", folder, *[f"--category={category}" for category in CATEGORIES])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.arrow")} == before


def test_inspect_draws_sheets(folder: Path, tmp_path: Path) -> None:
    summary = answered("inspect", folder, "--out", tmp_path, "--verify")
    assert summary["by_category"].keys() == set(CATEGORIES)
    assert summary["two_way_depth_mm"]["p100"] <= 3.0
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert {"distributions.png", "category_bottle.png", "affordance_Wrap-grasp.png"} <= drawn


def test_retest_passes_most_again(folder: Path) -> None:
    shares = answered("retest", folder, "--count", 4)
    assert shares["again"] >= 0.5
    assert set(shares) == {"grasps", "again", "slippery", "fixed", "fixed_no_squeeze", "fixed_eroded_3mm"}


def test_own_meshes_with_labels(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    trimesh.creation.cylinder(radius=0.025, height=0.16, sections=24).export(meshes / "rod.obj")
    manifest = build(tmp_path / "out", Job("tiny", 0, pictures=False, meshes=meshes))
    assert manifest["counts"]["grasps"] >= 1
    assert Dataset(tmp_path / "out").object("rod").category == "object"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--category", "mugg"), "category 'mugg' is not known"),
        (("--preset", "medium"), "preset 'medium' is not known; choose one of: tiny, small, full"),
    ],
)
def test_unknown_names_list_the_known(tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    done = hoi("build", "--out", tmp_path / "d", *arguments)
    assert done.returncode == 2
    assert line in done.stderr and "Traceback" not in done.stderr


def test_a_mesh_in_millimetres_is_refused_with_a_hint(tmp_path: Path) -> None:
    trimesh.creation.box((60.0, 60.0, 120.0)).export(tmp_path / "box.obj")
    done = hoi("build", "--preset", "tiny", "--meshes", tmp_path, "--out", tmp_path / "d", "--workers", 1)
    assert done.returncode == 2
    assert "0.001" in done.stderr and "Traceback" not in done.stderr
