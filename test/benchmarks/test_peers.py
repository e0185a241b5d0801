"""Benchmarks beside a peer: what a short run gives; both sides compute the same; absent peers are left out."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from hoi_ros.benchmarks import dds, hand_model, inverse_kinematics, landmarks, message_conversion, retargeting
from hoi_ros.benchmarks.dds import Ends
from hoi_ros.nodes import conversions, transport
from hoi_ros.refusals import Reason, Refused

ROW = {"what", "input", "n", "ours", "peers"}
SMALL = (6, 8)


def comparisons(found: dict, peers: int) -> list[dict]:
    """The comparisons of a result that JSON can hold, each with finite times and so many peers."""
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"comparisons", "skipped", "machine"} <= found.keys()
    for row in found["comparisons"]:
        assert row.keys() >= ROW and len(row["peers"]) == peers and row["n"] > 0
        for side in (row["ours"], *row["peers"].values()):
            assert 0.0 < side["median_ms"] <= side["p95_ms"]
        for peer in row["peers"].values():
            assert 0.0 < peer["ratio"]["q1"] <= peer["ratio"]["median"] <= peer["ratio"]["q3"]
    return found["comparisons"]


# --- hand model -----------------------------------------------------------------------------------------------------


def test_hand_model_is_the_same_hand():
    rows = comparisons(hand_model.run(rounds=2, batches=(1, 3)), peers=2)
    assert len(rows) == 4  # two batches, with and without the mesh
    for row in rows:
        for peer in row["peers"].values():
            assert 0.0 < peer["largest_difference_m"] < peer["tolerance_m"] <= 1e-6  # float32 is never quite float64


def test_another_hand_is_not_compared(monkeypatch: pytest.MonkeyPatch):
    wrong = np.roll(hand_model.K21, 1)
    monkeypatch.setattr(hand_model, "K21", wrong)
    with pytest.raises(Refused, match="smplx") as refused:
        hand_model.run(rounds=1, batches=(1,))
    assert refused.value.reason is Reason.INTERNAL


def test_without_smplx_a_note_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hand_model, "find_spec", lambda name: None)
    found = hand_model.run(rounds=1, batches=(1,))
    assert "not installed" in found["skipped"]["smplx"]
    comparisons(found, peers=0)


# --- messages -------------------------------------------------------------------------------------------------------


def test_conversions_are_the_same():
    rows = comparisons(message_conversion.run(rounds=1, size=SMALL), peers=2)
    assert [row["input"].split(",")[0] for row in rows] == [
        "rgb8 picture",
        "bgr8 picture",
        "16UC1 depth",
        "xyzrgb cloud",
    ]


def test_a_cloud_is_the_depth_seen_through_a_pinhole():
    """Every pixel of known depth comes back to where it was seen, at its depth, in the order of rows."""
    depth = message_conversion.depth_image(SMALL, np.random.default_rng(1))
    metres = message_conversion.depth_buffer(depth)
    points = conversions.object_cloud(message_conversion.cloud(metres, np.random.default_rng(1))).points
    known = np.argwhere(metres > 0.0)
    assert len(known) < metres.size  # some is unknown
    np.testing.assert_allclose(points[:, 2], metres[metres > 0.0], rtol=1e-6)
    pixels = points[:, :2] / points[:, 2:] * message_conversion.FOCAL + [SMALL[1] / 2, SMALL[0] / 2]
    np.testing.assert_allclose(pixels[:, ::-1], known, atol=1e-3)


def test_a_wrong_conversion_is_not_compared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(message_conversion, "bgr_buffer", message_conversion.rgb_buffer)
    with pytest.raises(Refused, match="careful differs"):
        message_conversion.run(rounds=1, size=SMALL)


# --- the estimator, inverse kinematics, retargeting -----------------------------------------------------------------


def test_the_embedded_recording_shows_what_is_ours(tmp_path: Path):
    found = landmarks.run(data=str(tmp_path), pictures=3)
    (row,) = comparisons(found, peers=1)
    assert row["n"] == 3
    assert row["share_of_ours"] == 1.0 - row["peers"][landmarks.PEER]["ratio"]["median"]
    assert all(count > 0 for count in row["pictures_with_hands"].values())


def test_scipy_follows_the_same_frames():
    found = inverse_kinematics.run(count=2, frames=4, shared=4)
    (row,) = comparisons(found, peers=1)
    assert row["n"] == 3  # nothing precedes the first
    assert found["clean_error_mm"] < 1.0


def test_without_data_or_dex_retargeting_notes_are_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(retargeting, "find_spec", lambda name: None)
    monkeypatch.setattr(retargeting, "PEERS", tmp_path / "python")
    found = retargeting.run(data=str(tmp_path))
    assert found["skipped"][retargeting.PEER] == "not installed: make peers"
    assert "is not there" in found["skipped"]["hand_video"]
    assert found["comparisons"] == []


def test_retargeting_without_its_peer_is_measured_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_data: Path
):
    monkeypatch.setattr(retargeting, "find_spec", lambda name: None)
    monkeypatch.setattr(retargeting, "PEERS", tmp_path / "python")
    with np.load(shared_data / "hand_video" / "joints.npz") as file:
        (tmp_path / "hand_video").mkdir()
        np.savez(tmp_path / "hand_video" / "joints.npz", joints=file["joints"][:3])
    found = retargeting.run(data=str(tmp_path), repeats=2)
    assert [row["n"] for row in comparisons(found, peers=0)] == [6, 6]


# --- DDS ------------------------------------------------------------------------------------------------------------


def test_trips_over_dds():
    """Grasps fit into any transport; pictures arrive with ours."""
    found = dds.run(rounds=2, loads=("grasps",))
    (row,) = comparisons(found, peers=1)
    assert row["ours"]["arrived"] == row["peers"][dds.PEER]["arrived"] == 1.0
    ours, theirs = found["profiles"].values()
    assert ours in {path.name for path in transport.PROFILES.iterdir()}
    assert theirs == "none"
    with Ends("package") as ends:
        trips = [ends.trip("rgbd_best_effort") for _ in range(5)]
    assert any(math.isfinite(seconds) for seconds in trips)


def test_an_end_that_cannot_start_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(os.environ, "RMW_IMPLEMENTATION", "rmw_of_nobody")
    with pytest.raises(Refused, match="a process of the round trip ended"), Ends("package"):
        pass


def test_trips_that_were_lost_count_as_such():
    row = dds._row("grasps", {dds.OURS: np.array([0.002, 0.004]), dds.PEER: np.array([np.nan, 0.008])})
    assert row["ours"]["arrived"] == 1.0
    assert row["peers"][dds.PEER]["arrived"] == 0.5
    assert row["peers"][dds.PEER]["ratio"]["median"] == 2.0
    nothing = dds._row("grasps", {dds.OURS: np.array([0.002]), dds.PEER: np.array([np.nan])})
    assert nothing["peers"][dds.PEER] == {"median_ms": None, "p95_ms": None, "ratio": None, "arrived": 0.0}
