"""The .npz files: what is written comes back, and what is not such a file is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import files
from hoi_ros.types import HandBatch, HandPose, JointGoal


def hand(rng: np.random.Generator, stamp: int) -> HandPose:
    keypoints = rng.normal(size=(21, 3))
    return HandPose(
        side="left" if stamp % 2 else "right",
        score=float(rng.random()),
        global_orient=np.array([0.3, -0.2, 0.1]) * stamp,
        hand_pose=rng.normal(size=45),
        betas=rng.normal(size=10),
        transl=rng.normal(size=3),
        keypoints=keypoints,
        wrist_pose=np.concatenate([keypoints[0], [0, 0, 0, 1]]),
        keypoints_2d=rng.normal(size=(21, 2)),
        confidence=rng.random(21),
        stamp_ns=stamp,
    )


def test_hands_come_back(tmp_path: Path):
    rng = np.random.default_rng(0)
    hands = [hand(rng, stamp) for stamp in range(1, 5)]
    files.save_hands(tmp_path / "hands.npz", hands)
    back = files.hand_poses(files.load_hands(tmp_path / "hands.npz"))
    for one, other in zip(hands, back, strict=True):
        assert (one.side, one.score, one.stamp_ns) == (other.side, other.score, other.stamp_ns)
        for name in ("global_orient", "hand_pose", "betas", "transl", "keypoints", "keypoints_2d", "confidence"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_shapes_are_as_documented(tmp_path: Path):
    rng = np.random.default_rng(0)
    files.save_hands(tmp_path / "hands.npz", [hand(rng, 1)], images=["a.png"])
    with np.load(tmp_path / "hands.npz", allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
    assert shapes == {
        "image": (1,), "side": (1,), "score": (1,), "pose": (1, 48), "betas": (1, 10), "transl": (1, 3),
        "keypoints": (1, 21, 3), "keypoints_2d": (1, 21, 2), "confidence": (1, 21),
    }  # fmt: skip
    names = tuple(f"j{i}" for i in range(24))
    goal = JointGoal(names, np.arange(24.0), (), np.zeros(0), np.arange(7.0), stamp_ns=5)
    files.save_goals(tmp_path / "goals.npz", [goal, goal])
    goals = files.load_goals(tmp_path / "goals.npz")
    assert goals["names"].tolist() == list(names)
    assert goals["positions"].shape == (2, 24) and goals["wrist_pose"].shape == (2, 7)


@pytest.mark.parametrize("kind", ["hands", "grasps"])
def test_what_a_refiner_did_comes_back(tmp_path: Path, kind: str):
    """Refined twice: the file of refined hands is one of hands."""
    rng = np.random.default_rng(0)
    hands = [replace(hand(rng, stamp), side="right") for stamp in range(1, 4)]
    path, refined = tmp_path / f"{kind}.npz", tmp_path / "refined.npz"
    if kind == "hands":
        files.save_hands(path, hands)
        load = files.load_hands
    else:
        points = np.array([each.keypoints for each in hands])
        files.save_grasps(path, HandBatch.of(hands), points, ["Lift-use"] * 3, np.ones(3))
        load = lambda path: files.load_grasps(path)[1]  # noqa: E731
    deviation = rng.uniform(0.0, 0.02, (3, 21))
    told = [replace(h, refinement=f"made {n}", change=0.01 * n, deviation=deviation[n]) for n, h in enumerate(hands)]
    for given in (path, refined):
        files.save_refined(refined, load(given), told)
    arrays = load(refined)
    np.testing.assert_array_equal(arrays["deviation"], deviation)
    assert arrays["refinement"].tolist() == ["made 0", "made 1", "made 2"]
    if kind == "hands":
        np.testing.assert_array_equal([each.deviation for each in files.hand_poses(arrays)], deviation)
        assert not any(each.deviation.any() for each in files.hand_poses(load(path)))


@pytest.mark.parametrize(
    ("values", "reason", "said"),
    [
        (np.zeros((2, 20)), Reason.FILE, r"must be \(N, 21\)"),
        (np.zeros(21), Reason.FILE, r"must be \(N, 21\)"),
        (np.zeros((1, 21)), Reason.FILE, "1 hands"),
        (np.full((2, 21), "a"), Reason.FILE, "numbers are wanted"),
        (np.full((2, 21), np.nan), Reason.KEYPOINTS, "42 numbers of {}"),
    ],
)
@pytest.mark.parametrize("key", ["confidence", "deviation"])
def test_what_is_not_told_of_keypoints_is_refused(
    tmp_path: Path, key: str, values: np.ndarray, reason: Reason, said: str
):
    rng, path = np.random.default_rng(0), tmp_path / "hands.npz"
    files.save_hands(path, [hand(rng, 1), hand(rng, 2)])
    with np.load(path) as arrays:
        np.savez(path, **(dict(arrays) | {key: values}))
    with pytest.raises(Refused, match=said.replace("{}", key)) as caught:
        files.load_hands(path)
    assert caught.value.reason is reason


def test_a_file_of_before_tells_of_no_keypoint(tmp_path: Path):
    """Files of other programs, or from before confidences were kept: all keypoints are as sure."""
    path = tmp_path / "hands.npz"
    files.save_hands(path, [hand(np.random.default_rng(0), 1)])
    with np.load(path) as arrays:
        np.savez(path, **{key: values for key, values in arrays.items() if key != "confidence"})
    (back,) = files.hand_poses(files.load_hands(path))
    np.testing.assert_array_equal(back.confidence, np.ones(21))


def test_nothing_found_is_still_a_file(tmp_path: Path):
    files.save_hands(tmp_path / "hands.npz", [])
    files.save_goals(tmp_path / "goals.npz", [])
    assert files.load_hands(tmp_path / "hands.npz")["pose"].shape == (0, 48)
    assert files.load_goals(tmp_path / "goals.npz")["positions"].shape == (0, 0)


def test_keypoints_under_either_name(tmp_path: Path):
    points = np.random.default_rng(0).normal(size=(3, 21, 3))
    for key in ("joints", "keypoints"):
        np.savez(tmp_path / "k.npz", **{key: points.astype(np.float32)})
        np.testing.assert_allclose(files.load_keypoints(tmp_path / "k.npz"), points, atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"joints": np.zeros((2, 20, 3))}, Reason.FILE),
        ({"joints": np.zeros((21, 3))}, Reason.FILE),
        ({"other": np.zeros((2, 21, 3))}, Reason.FILE),
        ({"joints": np.full((2, 21, 3), np.nan)}, Reason.KEYPOINTS),
        ({"joints": np.array([[["a"] * 3] * 21])}, Reason.FILE),
        ({"joints": np.array([{"a": 1}], dtype=object)}, Reason.FILE),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, arrays: dict, reason: Reason):
    np.savez(tmp_path / "k.npz", **arrays)
    with pytest.raises(Refused, match=r"k\.npz") as caught:
        files.load_keypoints(tmp_path / "k.npz")
    assert caught.value.reason is reason


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY torn", b"text", b"\x80\x04K\x01."])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "k.npz").write_bytes(content)
    with pytest.raises(Refused, match=r"k\.npz") as caught:
        files.load_keypoints(tmp_path / "k.npz")
    assert caught.value.reason is Reason.FILE


def test_a_truncated_file_is_refused(tmp_path: Path):
    path = tmp_path / "k.npz"
    np.savez(path, joints=np.random.default_rng(0).normal(size=(50, 21, 3)))
    whole = path.read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(Refused):
            files.load_keypoints(path)
