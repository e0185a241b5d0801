"""``hoi grasp`` with a made-up synthesizer: the files it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from hoi_ros import stages
from hoi_ros.cli.app import app
from hoi_ros.hand import load_hand_model
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import files
from hoi_ros.retargeting import ShadowHand

NODES = Path(__file__).parents[1] / "nodes"
GRIP = ("--text", "Grip the handle of the mug")


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(NODES)
    monkeypatch.setitem(stages.REGISTRY, "synthesizer", {"affordgrasp": "made_synthesizer:build"})


@pytest.fixture(scope="module")
def can(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("can") / "can.obj"
    trimesh.creation.cylinder(0.03, 0.12, sections=32).export(path)
    return path


def hoi(*arguments: object) -> str:
    """What the command prints; a refusal comes out as it is raised."""
    result = CliRunner().invoke(app, ["grasp", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_sentence_and_a_mesh_give_grasps_goals_and_a_picture(can: Path, tmp_path: Path) -> None:
    out, goals, picture = tmp_path / "grasps.npz", tmp_path / "goals.npz", tmp_path / "grasps.png"
    printed = hoi(can, *GRIP, "--count", 2, "--out", out, "--goals", goals, "--picture", picture, "--json")
    answer = json.loads(printed.splitlines()[-1])
    assert [row["affordance"] for row in answer["grasps"]] == ["Handle-grasp"] * 2
    hands, arrays = files.load_grasps(out)
    assert len(hands) == 2 and list(arrays["score"]) == [row["score"] for row in answer["grasps"]]
    joints = load_hand_model().joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
    np.testing.assert_allclose(arrays["keypoints"], joints, atol=1e-6)
    assert arrays["keypoints"][:, 0, 2] == pytest.approx(0.06 + 0.02, abs=1e-3)  # over the top of the can
    robot, written = ShadowHand.embedded("right"), files.load_goals(goals)
    assert tuple(written["names"]) == robot.names and written["wrist_pose"].shape == (2, 7)
    assert (written["positions"] >= robot.lower - 1e-6).all() and (written["positions"] <= robot.upper + 1e-6).all()
    assert cv2.imread(str(picture)).std() > 5


def test_the_same_seed_gives_the_same_file_and_another_another(can: Path, tmp_path: Path) -> None:
    def keypoints(name: str, seed: int) -> np.ndarray:
        hoi(can, *GRIP, "--count", 2, "--seed", seed, "--out", tmp_path / name)
        return files.load_grasps(tmp_path / name)[1]["keypoints"]

    first = keypoints("a.npz", 1)
    assert (first == keypoints("b.npz", 1)).all() and (first != keypoints("c.npz", 2)).any()


def test_a_cloud_in_another_frame_comes_back_in_it(tmp_path: Path) -> None:
    points, _ = trimesh.sample.sample_surface(trimesh.creation.cylinder(0.03, 0.12), 3000, seed=0)
    np.save(tmp_path / "down.npy", points * [1.0, -1.0, -1.0])
    hoi(tmp_path / "down.npy", *GRIP, "--set", "up=0 0 -1", "--out", tmp_path / "grasps.npz")
    assert files.load_grasps(tmp_path / "grasps.npz")[1]["keypoints"][:, 0, 2] == pytest.approx(-0.08, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "reason", "said"),
    [
        (("--text", ""), Reason.INSTRUCTION, "empty"),
        (("--text", "the quick brown fox"), Reason.INSTRUCTION, "nothing known"),
        (("--text", "Grasp it " * 200), Reason.INSTRUCTION, "at most 1000"),
        (("--text", "Grasp nothing"), Reason.NO_GRASP, "no grasp"),
        (("--text", "Grasp nan"), Reason.NOT_FINITE, "quality"),
        ((*GRIP, "--count", 0), Reason.PARAMETER, "count is 0"),
        ((*GRIP, "--count", 1000), Reason.PARAMETER, "between 1 and 256"),
        ((*GRIP, "--synthesizer", "none"), Reason.PARAMETER, "choose one of: affordgrasp"),
        ((*GRIP, "--set", "up=0 0 0"), Reason.PARAMETER, "up is '0 0 0'"),
        ((*GRIP, "--set", "robot_hand=shadow_left"), Reason.PARAMETER, "right hands"),
        ((*GRIP, "--set", "segment_scene=true"), Reason.CLOUD, "table"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    can: Path, tmp_path: Path, arguments: tuple[object, ...], reason: Reason, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        hoi(can, "--out", tmp_path / "grasps.npz", *arguments)
    assert refused.value.reason is reason and not (tmp_path / "grasps.npz").exists()
