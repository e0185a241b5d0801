"""The program ``hoi`` as a person meets it: exit codes, one line for a refusal, JSON as the last line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import hoi_ros.demo
from hoi_ros.nodes import conversions
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.files import load_goals, load_hands
from hoi_ros.retargeting import ShadowHand

COMMANDS = ("demo", "play", "estimate", "retarget", "view", "benchmark", "simulate", "grasp", "refine")


def hoi(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hoi_ros.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def answered(*arguments: object) -> dict:
    done = hoi(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def refused(reason: str, *arguments: object) -> str:
    """The one line of a refusal; progress may stand before it."""
    done = hoi(*arguments)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert line.startswith(f"hoi: refused ({reason}): "), done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return line


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str, np.ndarray]:
    """The first picture of the demo: files of colour and depth, the camera, the true keypoints."""
    folder = tmp_path_factory.mktemp("picture")
    with Bag(hoi_ros.demo.BAG) as bag:
        frame = next(bag.frames())
    rgb = conversions.rgb(frame.image.message)
    depth = conversions.depth(frame.depth.message, (480, 640))
    camera = conversions.intrinsics(frame.camera_info.message)
    cv2.imwrite(str(folder / "hand.png"), rgb[..., ::-1])
    cv2.imwrite(str(folder / "depth.png"), np.round(depth * 1e3).astype(np.uint16))
    np.save(folder / "depth.npy", depth)
    return folder / "hand.png", folder / "depth.png", f"{camera.fx},{camera.fy},{camera.cx},{camera.cy}", frame.truth


@pytest.fixture(scope="session")
def keypoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """True keypoints of the demo."""
    path = tmp_path_factory.mktemp("keypoints") / "keypoints.npz"
    with Bag(hoi_ros.demo.BAG) as bag:
        np.savez(path, joints=np.stack([frame.truth for frame in bag.frames()]))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(command: str):
    done = hoi(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout and "Usage" in done.stdout
    assert command in hoi("--help").stdout


def test_help_loads_no_library_of_the_work():
    code = "import sys; from hoi_ros.cli.app import app; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    heavy = {"numpy", "torch", "mediapipe", "cv2", "open3d", "rclpy", "rosbags", "matplotlib", "scipy"}
    assert not heavy & set(loaded)


def test_a_wrong_option_is_two():
    assert hoi("play", "--nonsense").returncode == 2


def test_estimate_with_depth_finds_the_hand_where_it_is(picture: tuple, tmp_path: Path):
    colour, depth, camera, truth = picture
    for file in (depth, depth.with_suffix(".npy")):
        out = tmp_path / "hands.npz"
        known = ("--depth", file, "--intrinsics", camera)
        result = answered("estimate", colour, *known, "--out", out, "--pictures", tmp_path)
        assert [row["side"] for row in result["hands"]] == ["right"]
        hands = load_hands(out)
        assert hands["image"].tolist() == [str(colour)]
        assert np.linalg.norm(hands["keypoints"][0] - truth, axis=1).mean() < 0.015
    assert cv2.imread(str(tmp_path / "hand.png")).shape == (480, 640, 3)


def test_estimate_tells_what_it_assumes(picture: tuple, tmp_path: Path):
    done = hoi("estimate", picture[0], "--out", tmp_path / "hands.npz")
    assert done.returncode == 0 and "60 degrees is assumed" in done.stderr
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.zeros((48, 64, 3), np.uint8))
    assert answered("estimate", empty, "--intrinsics", "50,50,32,24")["hands"] == []


def test_estimate_refuses(picture: tuple, tmp_path: Path):
    colour, depth, camera, _ = picture
    text = tmp_path / "text.png"
    text.write_text("no picture")
    assert str(text) in refused("file", "estimate", text)
    refused("file", "estimate", tmp_path / "gone.png")
    refused("file", "estimate", colour, "--depth", colour, "--intrinsics", camera)
    refused("parameter", "estimate", colour, colour, "--depth", depth)
    refused("intrinsics", "estimate", colour, "--intrinsics", "600,600,320")
    refused("intrinsics", "estimate", colour, "--intrinsics", "0,0,0,0")
    refused("parameter", "estimate", colour, "--set", "max_hands=0")
    refused("parameter", "estimate", colour, "--set", "no_such=1")
    np.save(tmp_path / "small.npy", np.ones((10, 10), np.float32))
    refused("depth_size", "estimate", colour, "--depth", tmp_path / "small.npy")
    np.save(tmp_path / "nothing.npy", np.full((480, 640), np.nan, np.float32))
    refused("depth_values", "estimate", colour, "--depth", tmp_path / "nothing.npy")


@pytest.mark.parametrize("hand", ["shadow_right", "shadow_left"])
@pytest.mark.parametrize("objective", ["vector", "contact"])
def test_retarget_stays_inside_the_limits(keypoints: Path, tmp_path: Path, hand: str, objective: str):
    out = tmp_path / "goals.npz"
    points = np.load(keypoints)["joints"] * (np.array([-1.0, 1, 1]) if hand == "shadow_left" else 1.0)
    np.savez(tmp_path / "k.npz", joints=points)
    result = answered("retarget", tmp_path / "k.npz", "--hand", hand, "--objective", objective, "--out", out)
    goals = load_goals(out)
    robot = ShadowHand.embedded("left" if hand == "shadow_left" else "right")
    assert goals["names"].tolist() == list(robot.names)
    assert goals["positions"].shape == (result["hands"], 24) and goals["wrist_pose"].shape == (result["hands"], 7)
    assert (goals["positions"] >= robot.lower - 1e-9).all() and (goals["positions"] <= robot.upper + 1e-9).all()
    at = {name[3:]: column for name, column in zip(robot.names, goals["positions"].T, strict=True)}
    assert all((at[f"{finger}J1"] <= at[f"{finger}J2"] + 1e-9).all() for finger in ("FF", "MF", "RF", "LF"))


def test_retarget_takes_hands_of_the_robots_side(picture: tuple, tmp_path: Path):
    colour, depth, camera, _ = picture
    hands = tmp_path / "hands.npz"
    answered("estimate", colour, "--depth", depth, "--intrinsics", camera, "--out", hands)
    assert answered("retarget", hands, "--out", tmp_path / "goals.npz")["hands"] == 1
    refused("side", "retarget", hands, "--hand", "shadow_left", "--out", tmp_path / "goals.npz")


def test_retarget_refuses(keypoints: Path, tmp_path: Path):
    refused("file", "retarget", tmp_path / "gone.npz")
    refused("parameter", "retarget", keypoints, "--hand", "gripper")
    refused("parameter", "retarget", keypoints, "--objective", "wish")
    np.savez(tmp_path / "k.npz", joints=np.full((1, 21, 3), np.inf))
    refused("keypoints", "retarget", tmp_path / "k.npz", "--out", tmp_path / "goals.npz")
    assert not (tmp_path / "goals.npz").exists()


def test_view_draws_every_kind(keypoints: Path, tmp_path: Path):
    goals = tmp_path / "goals.npz"
    answered("retarget", keypoints, "--out", goals)
    for i, what in enumerate((["hand"], [goals], [keypoints], [hoi_ros.demo.BAG, keypoints])):
        out = tmp_path / f"{i}.png"
        result = answered("view", *what, "--out", out)
        assert cv2.imread(str(out)).shape == (result["height"], result["width"], 3)


def test_view_refuses(tmp_path: Path):
    refused("file", "view", tmp_path / "gone.npz", "--out", tmp_path / "x.png")
    refused("file", "view", tmp_path / "gone.mcap", "--out", tmp_path / "x.png")
    refused("parameter", "view", "hand", "--out", tmp_path / "x.pdf")
    np.savez(tmp_path / "other.npz", stuff=np.zeros(3))
    refused("file", "view", tmp_path / "other.npz", "--out", tmp_path / "x.png")


def test_play_refuses(tmp_path: Path):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(hoi_ros.demo.BAG.read_bytes()[:1000])  # not one message is whole
    assert str(cut) in refused("file", "play", cut, "--out", tmp_path / "out")
    refused("parameter", "play", hoi_ros.demo.BAG, "--out", tmp_path / "out", "--mode", "sometimes")
    refused("parameter", "play", hoi_ros.demo.BAG, "--out", tmp_path / "out", "--estimator", "wish")
    refused("file", "play", hoi_ros.demo.BAG, "--out", tmp_path / "out", "--image-topic", "/nowhere")


def test_play_uses_what_is_whole_of_a_recording_and_says_so(tmp_path: Path):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(hoi_ros.demo.BAG.read_bytes()[:100_000])
    done = hoi("play", cut, "--out", tmp_path / "out", "--offline", "--json")
    assert done.returncode == 0 and "cut.mcap was cut off" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["pictures"] >= 1


def test_a_refusal_is_json_too(tmp_path: Path):
    done = hoi("play", tmp_path / "gone.mcap", "--out", tmp_path, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout.splitlines()[-1])["refused"]["reason"] == "file"


def test_benchmark_names_those_there_are():
    assert "retargeting, inverse_kinematics, pipeline" in refused("parameter", "benchmark", "wish")
