"""Bags through the nodes, in their own process over DDS, and through the pipeline alone: the same comes out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import hoi_ros.msg
import numpy as np
import pytest
from conftest import PICTURES
from rosbags.highlevel import AnyReader

from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.results import Answer, MessageWriter, Results, typestore
from hoi_ros.replay.run import Schedule, run_nodes, run_offline
from hoi_ros.replay.summary import summarize


def hoi(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hoi_ros.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="session")
def offline(short_bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("offline")
    with Bag(short_bag) as bag:
        run_offline(bag, Parameters(), out, lambda: None)
    return out


@pytest.fixture(scope="session")
def lockstep(short_bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lockstep")
    done = hoi("play", short_bag, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["goals"] == PICTURES
    return out


def arrays(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for name in ("hands", "goals"):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            found |= {f"{name}/{key}": file[key] for key in file.files}
    return found


def test_lockstep_twice_is_identical(short_bag: Path, lockstep: Path, tmp_path: Path):
    with Bag(short_bag) as bag:
        run_nodes(bag, Parameters(), tmp_path, Schedule(), lambda: None)
    for (name, one), other in zip(arrays(lockstep).items(), arrays(tmp_path).values(), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_lockstep_equals_offline(lockstep: Path, offline: Path):
    for (name, one), other in zip(arrays(lockstep).items(), arrays(offline).values(), strict=True):
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, atol=1e-5, rtol=0, err_msg=name)
        else:
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_the_demos_hand_is_found_where_it_is(lockstep: Path):
    summary = json.loads((lockstep / "summary.json").read_text())
    assert summary["pictures"] == PICTURES and summary["refused"] == {} and summary["unheard"] == 0
    truth = summary["ground_truth"]
    assert truth["found"] == PICTURES and truth["sides"] == {"right": PICTURES}
    assert truth["mpjpe_mm"] < 12.0
    assert set(summary["picture_to_goal_ms"]) == {"p50", "p95", "p99", "max"}
    assert summary["hand_model"].startswith("embedded ")


@pytest.mark.parametrize("run", ["lockstep", "offline"])
def test_results_are_a_bag_with_our_messages(run: str, request: pytest.FixtureRequest):
    folder = request.getfixturevalue(run)
    with AnyReader([folder / "results.mcap"]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        assert counts["/hands"] == counts["/joint_goal"] == counts["/wrist_goal"] == PICTURES
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            if connection.topic == "/hands":
                assert len(message.hands) == 1 and np.isfinite(message.hands[0].hand_pose).all()
            if connection.topic == "/joint_goal":
                assert len(message.joint_names) == len(message.points[0].positions) == 24
    if run == "lockstep":
        assert counts["/status"] == 2 * PICTURES


def test_message_types_are_those_of_the_graph():
    types = typestore()
    for name in ("HandPose", "HandPoseArray", "Status"):
        fields = [field for field, _ in types.fielddefs[f"hoi_ros/msg/{name}"][1]]
        assert fields == list(getattr(hoi_ros.msg, name).get_fields_and_field_types())


def test_realtime_accounts_for_every_picture(short_bag: Path, tmp_path: Path):
    done = hoi("play", short_bag, "--out", tmp_path, "--mode", "realtime", "--loop", 3, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["pictures"] == 3 * PICTURES
    assert set(summary["refused"]) <= {"stamp_backwards", "depth_missing", "stale"}
    answered = sum(summary["refused"].values()) + summary["goals"] + sum(summary["dropped"].values())
    assert answered + summary["unheard"] == 3 * PICTURES
    stamps = arrays(tmp_path)["goals/stamp_ns"]
    assert (np.diff(stamps) > 0).all()


def test_a_hand_model_that_is_none_is_refused_by_the_nodes(short_bag: Path, tmp_path: Path):
    wrong = tmp_path / "MANO_RIGHT.npz"
    np.savez(wrong, nothing=np.zeros(3))
    done = hoi("play", short_bag, "--out", tmp_path, "--set", f"hand_model_path={wrong}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("hoi: refused (hand_model): ")
    assert "Traceback" not in done.stderr


def test_an_interrupted_play_leaves_no_process(short_bag: Path, tmp_path: Path):
    command = [sys.executable, "-m", "hoi_ros.cli", "play", str(short_bag), "--out", str(tmp_path)]
    command += ["--mode", "realtime", "--loop", "0", "--duration", "100"]

    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a script's background job ignores it, and so would its children

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as playing:
        deadline = time.monotonic() + 60
        while "active" not in _text(tmp_path / "nodes.log") and time.monotonic() < deadline:
            time.sleep(0.1)
        children = Path(f"/proc/{playing.pid}/task/{playing.pid}/children").read_text().split()
        assert children
        playing.send_signal(signal.SIGINT)
        _, stderr = playing.communicate(timeout=30)
    assert playing.returncode != 0 and "Traceback" not in stderr
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert not (tmp_path / "results.mcap").exists() and not list(tmp_path.glob(".recording*"))


@pytest.mark.parametrize(
    "wrong", [{"mode": "sometimes"}, {"mode": "realtime", "loops": 0}, {"mode": "lockstep", "duration": 3.0}]
)
def test_schedules_that_make_no_sense_are_refused(wrong: dict):
    with pytest.raises(Refused) as caught:
        Schedule(**wrong)
    assert caught.value.reason is Reason.PARAMETER


def test_a_writer_that_fails_leaves_no_file(tmp_path: Path):
    with pytest.raises(RuntimeError), MessageWriter(tmp_path / "results.mcap"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_hand_that_never_became_a_goal_is_unheard(short_bag: Path):
    """Of four pictures one is lost, one is replaced, and of the two hands found one finds no answer."""
    results = Results(stamps=[1, 2, 3, 4], dropped={"pose_estimation": 1})
    for node, stamp in (("pose_estimation", 1), ("retargeting", 1), ("pose_estimation", 2)):
        results.answers.append(Answer(node, stamp, Reason.NONE, "", 0.01, 0.01))
    results.answers.append(Answer("pose_estimation", 3, Reason.REPLACED, "", 9.0, 9.0))
    with Bag(short_bag) as bag:
        summary = summarize(bag, Parameters(), "realtime", results)
        assert summary["unheard"] == 2 and summary["refused"] == {}
        assert summary["node_latency_ms"]["pose_estimation"]["max"] == 10.0
        results.answers.append(Answer("retargeting", 2, Reason.REPLACED, "", 9.0, 9.0))
        assert summarize(bag, Parameters(), "realtime", results)["unheard"] == 1
