"""The build without its expensive work: same content however it is spread, nothing lost, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fake_work
import numpy as np
import pytest

from hoi_ros.dataset import engine, shards
from hoi_ros.dataset.engine import Job, Watcher, build
from hoi_ros.dataset.manifest import Record, read_records, table_path
from hoi_ros.dataset.presets import UNSEEN, split_of
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.refusals import Reason, Refused

TINY = Job(preset="tiny", categories=("mug", "bottle"))


class Notes(Watcher):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.lines: list[str] = []

    def made(self, record: Record) -> None:
        self.names.append(record.name)

    def lost(self, line: str) -> None:
        self.lines.append(line)


def test_a_build_is_read_back(tmp_path: Path) -> None:
    manifest = build(tmp_path / "d", TINY, work=fake_work.make)
    assert manifest["counts"] == {"grasps": 6}
    dataset = Dataset(tmp_path / "d")
    dataset.verify()
    grasps = dataset.table("grasps")
    assert grasps.num_rows == 6
    poses = column(grasps, "pose")
    assert poses.shape == (6, 48)
    expected = fake_work.row(engine.Order(engine.Unit("bottle_0000", "bottle", 0), None, 0, True), 0)["pose"]  # type: ignore[arg-type]
    np.testing.assert_array_equal(poses[0], expected)


def test_the_content_does_not_depend_on_workers(tmp_path: Path) -> None:
    job = Job(preset="small", categories=("mug", "bottle"))
    hashes = {
        build(tmp_path / str(workers), Job(job.preset, 0, job.categories, workers=workers), work=fake_work.make)[
            "content_hash"
        ]
        for workers in (1, 3)
    }
    assert len(hashes) == 1
    other = build(tmp_path / "other", Job(job.preset, 1, job.categories), work=fake_work.make)
    assert other["content_hash"] not in hashes


def test_a_killed_worker_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOI_TEST_TRAP", str(tmp_path / "trap"))
    notes = Notes()
    whole = build(tmp_path / "a", TINY, work=fake_work.make)
    job = Job("tiny", 0, TINY.categories, workers=2)
    mended = build(tmp_path / "b", job, notes, work=fake_work.make_with_a_death)
    assert len(notes.lines) == 1
    assert mended["content_hash"] == whole["content_hash"]


def test_workers_that_always_die_end_the_build(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="died 3 times") as refused:
        build(tmp_path / "d", Job("tiny", 0, ("mug",), workers=2), work=fake_work.always_die)
    assert refused.value.reason == Reason.INTERNAL


def test_a_unit_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    job = Job("tiny", 0, ("mug", "jar", "bottle"))
    with pytest.raises(Refused, match=r"1 of 3 units failed, the first: mug_0000: ZeroDivisionError at fake_work\.py"):
        build(tmp_path / "d", job, work=fake_work.fail_on_mugs)
    assert set(read_records(tmp_path / "d")) == {"bottle_0000", "jar_0000"}
    assert build(tmp_path / "d", job, work=fake_work.make)["counts"] == {"grasps": 9}


def test_a_killed_build_goes_on(tmp_path: Path) -> None:
    """The writing process itself dies by SIGKILL, somewhere."""
    folder = tmp_path / "d"
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); import fake_work\n"
        "from pathlib import Path\n"
        "from hoi_ros.dataset.engine import Job, build\n"
        "slow = lambda order: (time.sleep(0.02), fake_work.make(order))[1]\n"
        "build(Path(sys.argv[1]), Job('small', 0, ('mug', 'bottle')), work=slow)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(Path(__file__).parent)])
    deadline = time.monotonic() + 60
    while len(list((folder / "units").glob("*.json"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = read_records(folder)
    assert 5 <= len(done) < 60
    notes = Notes()
    job = Job("small", 0, ("mug", "bottle"))
    manifest = build(folder, job, notes, work=fake_work.make)
    assert len(notes.names) == 60 - len(done)
    assert manifest["content_hash"] == build(tmp_path / "whole", job, work=fake_work.make)["content_hash"]


def test_a_half_written_file_is_never_read(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    build(folder, TINY, work=fake_work.make)
    path = table_path(folder, "grasps", "mug_0000")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refused, match="not a whole Arrow file"):
        Dataset(folder).table("grasps")
    with pytest.raises(Refused, match="has changed"):
        Dataset(folder).verify()
    path.unlink()
    notes = Notes()
    build(folder, TINY, notes, work=fake_work.make)
    assert notes.names == ["mug_0000"]


def test_a_full_disk_is_named_and_the_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "d"
    calls = 0

    def sync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(Refused, match="the disk is full") as refused:
        build(folder, TINY, work=fake_work.make)
    assert refused.value.reason == Reason.FILE
    assert not list(folder.rglob("*.part"))
    monkeypatch.undo()
    assert build(folder, TINY, work=fake_work.make)["counts"] == {"grasps": 6}


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (Job(preset="tiny", categories=("mugg",)), "category 'mugg' is not known; known: .*mug"),
        (Job(preset="huge"), "preset 'huge' is not known; choose one of: tiny, small, full"),
        (Job(preset="tiny", seed=5, categories=("mug", "bottle")), "another dataset .*seed 0 there, 5 asked"),
    ],
)
def test_what_cannot_be_built(tmp_path: Path, job: Job, line: str) -> None:
    build(tmp_path / "d", TINY, work=fake_work.make)
    with pytest.raises(Refused, match=line):
        build(tmp_path / "d", job, work=fake_work.make)


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="is not empty and holds no dataset"):
        build(tmp_path, TINY, work=fake_work.make)
    with pytest.raises(Refused, match="holds no dataset; make one"):
        Dataset(tmp_path)


def test_splits_are_disjoint_and_whole() -> None:
    splits = [split_of("mug", index) for index in range(30)]
    assert {name: splits.count(name) for name in ("train", "val", "test")} == {"train": 24, "val": 3, "test": 3}
    assert {split_of(category, index) for category in UNSEEN for index in range(30)} == {"unseen"}


def test_equal_rows_give_equal_bytes_and_others_do_not() -> None:
    order = engine.Order(engine.Unit("mug_0000", "mug", 0), None, 0, True)  # type: ignore[arg-type]
    rows: list[Any] = [fake_work.row(order, 0)]
    assert shards.encode("grasps", rows) == shards.encode("grasps", rows)
    assert shards.encode("grasps", rows) != shards.encode("grasps", [fake_work.row(order, 1)])


def test_the_manifest_is_strict_json(tmp_path: Path) -> None:
    manifest = build(tmp_path / "d", TINY, work=fake_work.make)
    assert json.loads((tmp_path / "d" / "manifest.json").read_text()) == manifest


def test_a_ray_cluster_makes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # where workers find fake_work
    whole = build(tmp_path / "a", TINY, work=fake_work.make)
    job = Job("tiny", 0, TINY.categories, ray="local")
    assert build(tmp_path / "b", job, work=fake_work.make)["content_hash"] == whole["content_hash"]
