"""Folders of scenarios and of recordings: each evaluated once, whatever becomes of a worker."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import yaml
from changed_bags import rewritten

from hoi_ros.evaluation import many
from hoi_ros.refusals import Reason, Refused

PICTURES = 3


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three recordings."""
    folder = tmp_path_factory.mktemp("recordings")
    made = rewritten(tmp_path_factory.mktemp("one"), pictures=PICTURES)
    for name in ("a", "b", "c"):
        (folder / f"{name}.mcap").write_bytes(made.read_bytes())
    return folder


def scenario(folder: Path, bag: Path, name: str = "some") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(
        yaml.safe_dump({"version": 1, "bag": str(bag), "mode": "offline", "thresholds": {"frames": {"min": 1}}})
    )
    return path


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def test_every_recording_of_a_folder_is_a_task(tmp_path: Path, recordings: Path):
    found = many.tasks(scenario(tmp_path, recordings), tmp_path / "out", {})
    assert [task.scenario.name for task in found] == ["some/a", "some/b", "some/c"]
    assert [task.out for task in found] == [tmp_path / "out" / "some" / name for name in "abc"]
    (alone,) = many.tasks(scenario(tmp_path, recordings / "a.mcap"), tmp_path / "out", {})
    assert alone.out == tmp_path / "out" and alone.scenario.name == "some"


def test_a_folder_of_scenarios_is_every_one_of_them(tmp_path: Path, recordings: Path):
    for name in ("one", "two"):
        scenario(tmp_path, recordings, name)
    names = [task.scenario.name for task in many.tasks(tmp_path, tmp_path / "out", {"mode": "lockstep"})]
    assert names == [f"{one}/{bag}" for one in ("one", "two") for bag in "abc"]


def test_two_recordings_of_one_name_are_refused(tmp_path: Path, recordings: Path):
    both = tmp_path / "both"
    (both / "a").mkdir(parents=True)
    (both / "a" / "metadata.yaml").write_text("")
    (both / "a.mcap").write_bytes(b"")
    with pytest.raises(Refused, match="two recordings would be 'some/a'; rename one"):
        many.tasks(scenario(tmp_path, both), tmp_path / "out", {})


def test_folders_with_nothing_are_refused(tmp_path: Path):
    with pytest.raises(Refused, match="holds no scenario"):
        many.tasks(tmp_path, tmp_path / "out", {})
    (tmp_path / "bags").mkdir()
    with pytest.raises(Refused, match="holds no recording") as refused:
        many.tasks(scenario(tmp_path, tmp_path / "bags"), tmp_path / "out", {})
    assert refused.value.reason is Reason.FILE


def test_a_broken_recording_does_not_end_the_others(tmp_path: Path, recordings: Path):
    folder = tmp_path / "bags"
    folder.mkdir()
    (folder / "bad.mcap").write_bytes(b"nothing")
    (folder / "good.mcap").write_bytes((recordings / "a.mcap").read_bytes())
    bad, good = many.run(
        many.tasks(scenario(tmp_path, folder), tmp_path / "out", {}), 1, "", lambda _: None, lambda _: None
    )
    assert bad.evaluation is None and bad.refusal.startswith("file: ")
    assert good.evaluation is not None and good.evaluation.passed


def test_a_killed_workers_recording_is_run_again(tmp_path: Path, recordings: Path):
    """Nothing is lost, and nothing is there twice."""
    asked = many.tasks(scenario(tmp_path, recordings), tmp_path / "out", {})
    lost: list[str] = []

    def kill() -> None:
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline:
            if (asked[0].out / "result.jsonl").exists() and (alive := children()):
                os.kill(alive[-1], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    done = many.run(asked, 2, "", lambda _: None, lost.append)
    killer.join()
    assert lost and "a worker died" in lost[0]
    assert [each.task for each in done] == asked
    for each in done:
        assert each.evaluation is not None and each.evaluation.figures["frames"] == PICTURES
        lines = (each.task.out / "result.jsonl").read_text().splitlines()
        assert len(lines) == 1 + PICTURES
        assert json.loads((each.task.out / "summary.json").read_text())["name"] == each.task.scenario.name
