"""``hoi refine``: the file it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import made_prior
import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from hoi_ros import stages
from hoi_ros.cli.app import app
from hoi_ros.hand import load_hand_model
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import files
from hoi_ros.types import KEYPOINT_NAMES, Array, HandBatch, HandPose, Side

MODEL = load_hand_model()


def hoi(*arguments: object) -> dict[str, Any]:
    """The answer of the command; a refusal comes out as it is raised."""
    result = CliRunner().invoke(app, ["refine", *map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def hand_at(place: Array, side: Side = "right") -> HandPose:
    hand = flat_hand(side)
    shift = np.asarray(place) - hand.keypoints[9]
    return replace(hand, keypoints=hand.keypoints + shift, transl=hand.transl + shift, stamp_ns=5)


@pytest.fixture(scope="module")
def can(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("can") / "can.obj"
    trimesh.creation.cylinder(0.033, 0.12, sections=32).export(path)
    return path


@pytest.fixture(scope="module")
def grasps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hands beside the can, and one a metre away; with a column of somebody's own."""
    path = tmp_path_factory.mktemp("grasps") / "grasps.npz"
    hands = [hand_at(place) for place in ([0.0, 0.06, 0.0], [0.0, 0.05, 0.02], [1.0, 0.0, 0.0])]
    points = np.array([hand.keypoints for hand in hands])
    files.save_grasps(path, HandBatch.of(hands), points, ["Handle-grasp"] * 3, np.array([0.1, 0.2, 0.3]))
    with np.load(path) as file:
        np.savez(path, own=np.arange(3), **file)
    return path


def test_grasps_are_moved_and_keep_their_columns(can: Path, grasps: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "refined.npz", tmp_path / "picture.png"
    answer = hoi(grasps, "--object", can, "--out", out, "--picture", picture)
    (hands, after), (_, before) = files.load_grasps(out), files.load_grasps(grasps)
    joints = MODEL.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
    np.testing.assert_allclose(after["keypoints"], joints, atol=1e-6)
    moved = np.linalg.norm(after["keypoints"] - before["keypoints"], axis=-1).mean(1)
    np.testing.assert_allclose(after["change"], moved, atol=1e-9)
    assert (moved[:2] > 0.001).all() and moved[2] == 0.0
    assert after["refinement"].tolist()[:2] == ["choir"] * 2 and "cm away" in after["refinement"][2]
    for name in ("own", "score", "affordance"):
        np.testing.assert_array_equal(after[name], before[name])
    assert [row["moved_mm"] for row in answer["hands"]] == [round(1e3 * m, 3) for m in moved]
    assert answer["mean_moved_mm"] == pytest.approx(1e3 * moved[:2].mean(), abs=1e-3)
    assert answer["max_moved_mm"] == pytest.approx(1e3 * moved.max(), abs=1e-3) and answer["moved"] == 2
    shown = cv2.imread(str(picture))
    assert shown.std() > 5 and shown.shape[0] > 600  # a row before and a row after


def test_the_same_seed_gives_the_same_file(can: Path, grasps: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        hoi(grasps, "--object", can, "--out", tmp_path / name, "--seed", 3)
    one, other = (files.load_grasps(tmp_path / name)[1] for name in ("a", "b"))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_a_person_is_told_what_passed(can: Path, grasps: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["refine", str(grasps), "--object", str(can), "--out", str(tmp_path / "r.npz")])
    assert "1 of 3 hands stay as they are; the first is unchanged: the object is" in result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 4 and "choir moved it by" in lines[0] and "2 of 3 hands moved, by" in lines[-1]


@pytest.fixture
def prior(monkeypatch: pytest.MonkeyPatch) -> str:
    """A prior of random weights in place of the shipped ones."""
    monkeypatch.setitem(stages.REGISTRY["refiner"], made_prior.NAME, made_prior.FACTORY)
    return made_prior.NAME


def test_hidden_fingers_move_without_an_object(prior: str, tmp_path: Path) -> None:
    """Of a flat hand seen from its edge and of one that no picture shows."""
    hands = [flat_hand("right"), flat_hand("left"), replace(flat_hand("right"), keypoints_2d=np.zeros((21, 2)))]
    files.save_hands(tmp_path / "hands.npz", hands)
    arguments = (tmp_path / "hands.npz", "--method", prior, "--out", tmp_path / "refined.npz")
    answer = hoi(*arguments, "--text", "Press the keyboard")
    after = files.load_hands(tmp_path / "refined.npz")
    assert after["refinement"].tolist()[:2] == [prior] * 2 and after["refinement"][2].startswith("unchanged: no camera")
    assert [row["moved_mm"] > 1.0 for row in answer["hands"]] == [True, True, False] and answer["moved"] == 2
    np.testing.assert_allclose(after["keypoints"][1] * [-1.0, 1.0, 1.0], after["keypoints"][0], atol=1e-6)
    widest = [1e3 * each.max() for each in after["deviation"]]
    assert [row["widest_deviation_mm"] for row in answer["hands"]] == pytest.approx(widest, abs=1e-3)
    assert widest[0] > 1.0 and widest[2] == 0.0
    hoi(*arguments[:-1], tmp_path / "other.npz", "--text", "Grasp the mug by its handle")
    assert np.abs(files.load_hands(tmp_path / "other.npz")["keypoints"] - after["keypoints"])[:2].max() > 1e-5


def test_a_person_is_told_the_widest_deviation(prior: str, tmp_path: Path) -> None:
    files.save_hands(tmp_path / "hands.npz", [flat_hand("right")])
    arguments = ["refine", str(tmp_path / "hands.npz"), "--method", prior, "--out", str(tmp_path / "refined.npz")]
    arguments += ["--text", "Grasp the mug"]
    line = CliRunner().invoke(app, arguments).stdout.splitlines()[0]
    deviation = files.load_hands(tmp_path / "refined.npz")["deviation"][0]
    name = KEYPOINT_NAMES[int(deviation.argmax())]
    assert line.endswith(f"mm, deviation up to {1e3 * deviation.max():.1f} mm ({name})")
    assert name.endswith("_tip")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "choir fits hands to an object: give its mesh or cloud with --object"),
        (("--method", "affordance_prior+choir"), "choir fits hands to an object"),
        (("--method", "affordance_prior", "--picture", "picture.png"), "the picture shows hands on an object"),
    ],
)
def test_without_an_object_some_things_are_refused(
    grasps: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        hoi(grasps, "--out", tmp_path / "refined.npz", *arguments)
    assert refused.value.reason is Reason.PARAMETER and not (tmp_path / "refined.npz").exists()


def test_left_hands_are_moved_as_their_mirror_images(tmp_path: Path) -> None:
    """On a cloud that is its own mirror image, point by point, and too coarse to be thinned."""
    turn, height = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 44, endpoint=False), np.arange(-0.06, 0.06, 0.0045))
    wall = np.stack([0.033 * np.cos(turn), 0.033 * np.sin(turn), height], -1).reshape(-1, 3)
    outward = np.stack([np.cos(turn), np.sin(turn), 0.0 * turn], -1).reshape(-1, 3)
    np.savez(tmp_path / "cloud.npz", points=wall, normals=outward)
    hands = [hand_at([0.02, 0.06, 0.0]), hand_at([-0.02, 0.06, 0.0], "left")]
    files.save_hands(tmp_path / "hands.npz", hands)
    answer = hoi(tmp_path / "hands.npz", "--object", tmp_path / "cloud.npz", "--out", tmp_path / "refined.npz")
    assert [row["side"] for row in answer["hands"]] == ["right", "left"]
    after = files.load_hands(tmp_path / "refined.npz")
    right, left = after["keypoints"]
    # Which points are chosen is not mirrored with them: as far apart as they lie.
    np.testing.assert_allclose(left * [-1.0, 1.0, 1.0], right, atol=0.005)
    assert after["stamp_ns"].tolist() == [5, 5] and after["keypoints_2d"].shape == (2, 21, 2)


def test_hands_of_a_camera_are_refined_in_its_frame(tmp_path: Path) -> None:
    points, _ = trimesh.sample.sample_surface(trimesh.creation.cylinder(0.033, 0.12), 3000, seed=0)
    np.save(tmp_path / "cloud.npy", np.asarray(points)[:, [0, 2, 1]] + [0.0, 0.0, 0.5])
    files.save_hands(tmp_path / "hands.npz", [hand_at([0.0, 0.0, 0.56])], ["picture.png"])
    for more in (["--picture", tmp_path / "picture.png"], ["--set", "up=0 -1 0"]):
        arguments = ("--object", tmp_path / "cloud.npy", "--out", tmp_path / "refined.npz")
        reach = ("--set", "refiner_reach=0.15")
        assert hoi(tmp_path / "hands.npz", *arguments, *reach, *more)["moved"] == 1
        assert files.load_hands(tmp_path / "refined.npz")["image"].tolist() == ["picture.png"]


def cloud_file(folder: Path, points: Array) -> Path:
    np.save(folder / "cloud.npy", points)
    return folder / "cloud.npy"


BALL = np.random.default_rng(0).standard_normal((2000, 3))
BALL = 0.04 * BALL / np.linalg.norm(BALL, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("points", "reason", "said"),
    [
        (1000.0 * BALL, Reason.CLOUD, "millimetres"),
        (0.01 * BALL, Reason.CLOUD, "not 0.005 to 1 m"),
        (BALL[:20], Reason.CLOUD, "20 points"),
        (np.full((100, 3), np.nan), Reason.CLOUD, "none of its 100 points"),
        (np.zeros((0, 3)), Reason.CLOUD, "none of its 0 points"),
    ],
)
def test_an_object_of_no_use_is_refused(grasps: Path, tmp_path: Path, points: Array, reason: Reason, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        hoi(grasps, "--object", cloud_file(tmp_path, points), "--out", tmp_path / "refined.npz")
    assert refused.value.reason is reason and not (tmp_path / "refined.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "reason", "said"),
    [
        (("--method", "magic"), Reason.PARAMETER, "one of: none, choir"),
        (("--method", "none"), Reason.PARAMETER, "nothing would be corrected"),
        (("--set", "up=0 0 0"), Reason.PARAMETER, "up is '0 0 0'"),
        (("--set", "segment_scene=true"), Reason.CLOUD, "table"),
    ],
)
def test_what_cannot_be_done_is_refused(
    can: Path, grasps: Path, tmp_path: Path, arguments: tuple[str, ...], reason: Reason, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        hoi(grasps, "--object", can, "--out", tmp_path / "refined.npz", *arguments)
    assert refused.value.reason is reason and not (tmp_path / "refined.npz").exists()


@pytest.mark.parametrize("name", ["pose", "betas", "transl"])
def test_hands_that_are_not_finite_are_refused(can: Path, tmp_path: Path, name: str) -> None:
    files.save_hands(tmp_path / "hands.npz", [hand_at([0.0, 0.06, 0.0])])
    with np.load(tmp_path / "hands.npz") as file:
        arrays = dict(file)
    arrays[name][0, 0] = np.nan
    np.savez(tmp_path / "hands.npz", **arrays)
    with pytest.raises(Refused, match="not finite") as refused:
        hoi(tmp_path / "hands.npz", "--object", can, "--out", tmp_path / "refined.npz")
    assert refused.value.reason is Reason.NOT_FINITE


def test_a_file_without_hands_is_refused(can: Path, tmp_path: Path) -> None:
    files.save_hands(tmp_path / "hands.npz", [])
    np.savez(tmp_path / "other.npz", stuff=np.zeros(3))
    for name, said in (("hands", "holds no hands"), ("other", "lacks pose"), ("gone", "does not exist")):
        with pytest.raises(Refused, match=said) as refused:
            hoi(tmp_path / f"{name}.npz", "--object", can, "--out", tmp_path / "refined.npz")
        assert refused.value.reason is Reason.FILE
