"""``hoi simulate`` on grasps whose figures are known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from hoi_ros.cli.app import app
from hoi_ros.hand import load_hand_model
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import files
from hoi_ros.types import HandBatch

MODEL = load_hand_model()


def hoi(*arguments: object) -> str:
    """What the command prints; a refusal comes out as it is raised."""
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def save(path: Path, hands: HandBatch) -> None:
    keypoints = MODEL.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
    files.save_grasps(path, hands, keypoints, ["Lift"] * len(hands), np.ones(len(hands)))


@pytest.fixture(scope="module")
def can(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("can") / "can.obj"
    trimesh.creation.cylinder(0.03, 0.12, sections=32).export(path)
    return path


@pytest.fixture(scope="module")
def grasps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flat hand half a metre away, one whose middle finger's base joint lies on the can's axis, the first again.

    The second belongs to another person.
    """
    path = tmp_path_factory.mktemp("grasps") / "grasps.npz"
    betas = np.array([np.zeros(10), np.eye(10)[0], np.zeros(10)])
    zero = np.zeros((3, 45))
    knuckle = MODEL.mesh(zero[:, :3], zero, betas).joints[:, 4]
    transl = np.array([[0.5, 0, 0], [0, 0, 0], [0.5, 0, 0]]) - knuckle
    save(path, HandBatch(zero[:, :3], zero, betas, transl))
    return path


def test_figures_of_known_grasps(grasps: Path, can: Path, tmp_path: Path):
    """Free fall for 35/240 s is 10.4 cm, of which SD counts 10; nothing holds what it does not touch."""
    summary = json.loads(hoi(grasps, "--object", can, "--out", tmp_path / "out", "--json").splitlines()[-1])
    assert summary["grasps"] == 3 and summary["articulated"] == 0.0
    assert summary["contact_grasptta"] == summary["contact_fastgrasp"] == pytest.approx(1 / 3)
    assert summary["sd_cm"]["median"] == 10.0
    away, through, again = json.loads((tmp_path / "out" / "simulation.json").read_text())["by_grasp"]
    assert away == again
    assert away["hand_in_object_mm"] == away["object_in_hand_mm"] == away["iv_2mm_cm3"] == 0.0
    assert not any(away[name] for name in ("contact_grasptta", "articulated", "fixed", "fixed_no_squeeze"))
    assert through["hand_in_object_mm"] > 20.0 and through["object_in_hand_mm"] > 5.0
    assert through["iv_2mm_cm3"] > 50.0 and through["iv_5mm_cm3"] == pytest.approx(through["iv_2mm_cm3"], rel=0.05)
    assert through["sd_cm"] < 5.0
    assert cv2.imread(str(tmp_path / "out" / "grasps.png")).std() > 10.0


def test_lifts_of_known_grasps(grasps: Path, can: Path, tmp_path: Path):
    """A hand half a metre away has nothing in it."""
    told = hoi(grasps, "--object", can, "--shadow", "--out", tmp_path / "out")
    assert "lifted 10 cm by a Shadow Hand and held 3 s: 0 %" in told
    away, _, again = json.loads((tmp_path / "out" / "simulation.json").read_text())["by_grasp"]
    assert away == again
    assert away["shadow_outcome"] in ("missed", "not raised") and abs(away["shadow_raised_cm"]) < 12.0
    assert cv2.imread(str(tmp_path / "out" / "lifts.png")).std() > 10.0


def test_a_person_reads_names_of_definitions(grasps: Path, can: Path):
    told = hoi(grasps, "--object", can, "--friction", "0.3", "--mass", "0.2")
    for words in ("IV, 5 mm voxels, wrist closed", "SD in MuJoCo, 1 kg, friction 3", "control: no squeeze", "GraspTTA"):
        assert words in told


def test_what_is_no_file_of_grasps_is_refused(grasps: Path, can: Path, tmp_path: Path):
    with np.load(grasps) as file:
        arrays = dict(file)
    broken = tmp_path / "broken.npz"
    changes = {
        "lacks betas": {"betas": None},
        "3 of 3 hands are not finite": {"pose": np.full((3, 48), np.nan)},
        "differ in length": {"score": np.ones(2)},
        r"must be \(N, 3\)": {"transl": np.ones((3, 2))},
        "holds no grasps": {key: values[:0] for key, values in arrays.items()},
    }
    for sentence, change in changes.items():
        np.savez(broken, **{key: values for key, values in (arrays | change).items() if values is not None})
        with pytest.raises(Refused, match=sentence):
            hoi(broken, "--object", can)
    with pytest.raises(Refused, match="does not exist"):
        hoi(tmp_path / "none.npz", "--object", can)
    with pytest.raises(Refused, match=r"is not an \.npz file"):
        hoi(can, "--object", can)


def test_what_is_no_solid_is_refused(grasps: Path, tmp_path: Path):
    open_end = trimesh.creation.cylinder(0.03, 0.12, sections=32)
    open_end.update_faces(open_end.face_normals[:, 2] < 0.9)
    open_end.export(tmp_path / "open.obj")
    with pytest.raises(Refused, match="watertight") as refusal:
        hoi(grasps, "--object", tmp_path / "open.obj")
    assert refusal.value.reason == Reason.MESH
    with pytest.raises(Refused, match=r"none\.obj"):
        hoi(grasps, "--object", tmp_path / "none.obj")


def test_grasps_come_back(grasps: Path, tmp_path: Path):
    hands, arrays = files.load_grasps(grasps)
    again = tmp_path / "again.npz"
    files.save_grasps(again, hands, arrays["keypoints"], arrays["affordance"].tolist(), arrays["score"])
    with np.load(grasps) as one, np.load(again) as other:
        assert one.files == other.files
        for key in one.files:
            np.testing.assert_array_equal(one[key], other[key])
