"""Hands through a refiner: the same over DDS and without, beside a cloud that comes, goes stale and comes again."""

from __future__ import annotations

import json
from pathlib import Path

import made_prior
import numpy as np
import pytest
from conftest import PICTURES
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import PointCloud2, PointField

from hoi_ros import stages
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import as_bytes
from hoi_ros.parameters import Parameters
from hoi_ros.replay.bag import Bag, Frame
from hoi_ros.replay.clouds import KnownCloud, ObjectClouds
from hoi_ros.replay.files import load_hands
from hoi_ros.replay.run import Schedule, run_nodes, run_offline
from hoi_ros.types import HandPose

SEEN = (2, 6)  # pictures before which a cloud is recorded
MAX_AGE = 0.08  # s: less than three pictures
CHOSEN = Parameters(refiner="choir", refiner_reach=0.15, cloud_max_age=MAX_AGE)


def cloud_of(frame: Frame) -> PointCloud2:
    """A cylinder 6 cm thick beside the true hand, in its camera's frame."""
    turn, height = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False), np.linspace(-0.08, 0.08, 30))
    points = np.stack([0.03 * np.cos(turn), height, 0.03 * np.sin(turn)], -1).reshape(-1, 3)
    points = (points + frame.truth.mean(0) + [0.0, 0.0, 0.05]).astype(np.float32)
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    head = conversions.header(frame.image.stamp_ns, frame.image.message.header.frame_id)
    shape = {"height": 1, "width": len(points), "point_step": 12, "row_step": 12 * len(points)}
    return PointCloud2(header=head, fields=fields, data=points.tobytes(), **shape)


@pytest.fixture(scope="session")
def bag_with_clouds(short_bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The short bag, with a cloud just before some of its pictures."""
    path, types = tmp_path_factory.mktemp("refined") / "clouds", get_typestore(Stores.LATEST)
    with Bag(short_bag) as bag:
        frames = [frame for number, frame in enumerate(bag.frames()) if number in SEEN]
    with Reader(short_bag) as reader, Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        added = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=types) for c in reader.connections}
        clouds = writer.add_connection("/object_cloud", "sensor_msgs/msg/PointCloud2", typestore=types)
        for connection, time_ns, raw in reader.messages():
            while frames and frames[0].time_ns <= time_ns:
                frame = frames.pop(0)
                writer.write(clouds, frame.time_ns - 1, as_bytes(cloud_of(frame), types)[1])
            writer.write(added[connection.id], time_ns, raw)
    return path / "clouds.mcap"


@pytest.fixture(scope="session")
def offline(bag_with_clouds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("offline")
    with Bag(bag_with_clouds) as bag:
        run_offline(bag, CHOSEN, out, lambda: None)
    return out


@pytest.fixture(scope="session")
def lockstep(bag_with_clouds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lockstep")
    with Bag(bag_with_clouds) as bag:
        run_nodes(bag, CHOSEN, out, Schedule(), lambda: None)
    return out


def recorded(folder: Path) -> list[HandPose]:
    """Every refined hand on record."""
    with AnyReader([folder / "results.mcap"]) as reader:
        connections = [c for c in reader.connections if c.topic == "/hands_refined"]
        arrays = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(connections)]
    return [conversions.hand_pose(hand) for array in arrays for hand in array.hands]


def refined(folder: Path) -> list[tuple[int, str, float]]:
    """Stamp, mark and change of each."""
    return [(hand.stamp_ns, hand.refinement, hand.change) for hand in recorded(folder)]


@pytest.mark.parametrize("run", ["offline", "lockstep"])
def test_hands_are_refined_while_a_cloud_is_fresh_and_pass_otherwise(run: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(run)
    found = refined(folder)
    stamps = np.array([stamp for stamp, _, _ in found])
    assert len(found) == PICTURES and (np.diff(stamps) > 0).all()
    ages = np.array([min([(s - stamps[n]) / 1e9 for n in SEEN if stamps[n] <= s], default=9.0) for s in stamps])
    fresh = ages <= MAX_AGE
    assert 4 <= fresh.sum() < PICTURES - 2
    assert [mark for _, mark, _ in found] == ["choir" if f else "unchanged: no object is known" for f in fresh]
    assert ([change > 0.001 for _, _, change in found] == fresh).all()
    before, after = (load_hands(folder / f"{name}.npz") for name in ("hands", "hands_refined"))
    moved = np.linalg.norm(after["keypoints"] - before["keypoints"], axis=-1).mean(1)
    np.testing.assert_allclose(moved, [change for _, _, change in found], atol=1e-6)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["refined"]["hands"] == {"choir": fresh.sum(), "unchanged": (~fresh).sum()}
    assert summary["goals"] == PICTURES and summary["unheard"] == 0 and "refinement" in summary["node_latency_ms"]


def test_lockstep_equals_offline(lockstep: Path, offline: Path) -> None:
    for name in ("hands", "hands_refined", "goals"):
        with np.load(lockstep / f"{name}.npz") as one, np.load(offline / f"{name}.npz") as other:
            for key in one.files:
                if one[key].dtype.kind == "f":
                    np.testing.assert_allclose(one[key], other[key], atol=1e-5, rtol=0, err_msg=f"{name} {key}")
                else:
                    np.testing.assert_array_equal(one[key], other[key])
    assert [mark for _, mark, _ in refined(lockstep)] == [mark for _, mark, _ in refined(offline)]


def test_goals_are_those_of_the_refined_hands(offline: Path) -> None:
    with np.load(offline / "goals.npz") as file:
        wrists = file["wrist_pose"][:, :3]
    after = load_hands(offline / "hands_refined.npz")["keypoints"][:, 0]
    before = load_hands(offline / "hands.npz")["keypoints"][:, 0]
    moved = np.linalg.norm(after - before, axis=1) > 0.01
    assert moved.any()
    near = np.linalg.norm(wrists - after, axis=1)[moved].mean()
    assert near < np.linalg.norm(wrists - before, axis=1)[moved].mean()


def test_a_cloud_of_no_use_is_refused_and_moves_nothing(bag_with_clouds: Path, tmp_path: Path) -> None:
    """A table scene is asked for where there is one object."""
    chosen = Parameters(refiner="choir", refiner_reach=0.15, cloud_max_age=MAX_AGE, segment_scene=True)
    with Bag(bag_with_clouds) as bag:
        results, summary = run_offline(bag, chosen, tmp_path, lambda: None)
    refused = [answer for answer in results.answers if answer.reason.name == "CLOUD"]
    assert refused and {answer.node for answer in refused} == {"refinement"}
    assert summary["goals"] == PICTURES - len(refused) and summary["unheard"] == 0
    assert not {answer.stamp_ns for answer in refused} & {goal.stamp_ns for goal in results.goals}


def test_clouds_are_given_once_and_anew_from_the_start(bag_with_clouds: Path) -> None:
    with Bag(bag_with_clouds) as bag:
        times = [frame.time_ns for frame in bag.frames()]
        clouds = ObjectClouds(bag)
        for _ in range(2):
            given = [clouds.until(time_ns) for time_ns in times]
            assert [number for number, cloud in enumerate(given) if cloud is not None] == [*SEEN]
        assert clouds.until(times[0]) is None and clouds.until(times[-1]).stamp_ns == given[SEEN[1]].stamp_ns


def test_hands_of_a_bag_that_nothing_tells_of_stay(
    short_bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cloud or a sentence the prior knows nothing of what is held; that is on record beside the hands."""
    monkeypatch.setitem(stages.REGISTRY["refiner"], made_prior.NAME, made_prior.FACTORY)
    with Bag(short_bag) as bag:
        results, summary = run_offline(bag, Parameters(refiner=made_prior.NAME), tmp_path, lambda: None)
    assert summary["goals"] == PICTURES == sum(summary["refined"]["hands"].values())
    said = {"unchanged: nothing tells what it holds", "unchanged: all joints are seen"}
    assert {hand.refinement for hand in results.refined} <= said
    for hand, other in zip(results.refined, recorded(tmp_path), strict=True):
        assert hand.refinement == other.refinement
        assert not hand.change and not hand.deviation.any() and not other.deviation.any()


def test_a_bag_without_clouds_knows_no_object(short_bag: Path) -> None:
    with Bag(short_bag) as bag:
        known = KnownCloud(5.0)
        known.hear(ObjectClouds(bag).until(2**62))
    assert known.at(0) is None
