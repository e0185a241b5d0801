"""Many recordings: a folder of scenarios, scenarios of a folder of recordings, over processes or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoi_ros import workers
from hoi_ros.evaluation.evaluate import Evaluation, evaluate
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.refusals import Reason, Refused


@dataclass(frozen=True)
class Task:
    """One recording by one scenario."""

    scenario: Scenario  # of this recording alone
    folder: Path  # where its paths begin
    out: Path


@dataclass(frozen=True)
class Done:
    """What became of a task: an evaluation, or why its input was refused."""

    task: Task
    evaluation: Evaluation | None
    refusal: str = ""


def tasks(path: Path, out: Path, instead: dict[str, Any]) -> list[Task]:
    """Those of a scenario or of every ``.yaml`` of a folder, each with its own folder in ``out`` where there are more.

    ``instead``: values that replace those of the scenarios. Raises Refused(FILE), for two of one name too.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise Refused(Reason.FILE, f"{path} holds no scenario (.yaml)")
    found = []
    for file in files:
        scenario = Scenario.load(file, instead)
        for bag in bags(file.parent / scenario.bag):
            several = bag != file.parent / scenario.bag
            name = f"{scenario.name}/{bag.stem}" if several else scenario.name
            own = scenario.model_copy(update={"bag": str(bag.resolve()), "name": name})
            found.append(Task(own, file.parent, out / name))
    names = [task.scenario.name for task in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(Reason.FILE, f"two recordings would be '{twice[0]}'; rename one")
    return found if len(found) > 1 else [Task(found[0].scenario, found[0].folder, out)]


def bags(path: Path) -> list[Path]:
    """The recordings of a folder: ``.mcap`` files and rosbag2 folders; the path itself where it is one recording.

    Raises Refused(FILE) for a folder without any.
    """
    if not path.is_dir() or (path / "metadata.yaml").exists():
        return [path]
    found = [*path.glob("*.mcap"), *(each.parent for each in path.glob("*/metadata.yaml"))]
    if not found:
        raise Refused(Reason.FILE, f"{path} holds no recording (.mcap, or rosbag2 folders)")
    return sorted(found)


def run(
    asked: Sequence[Task], count: int, ray: str, done: Callable[[Done], None], lost: Callable[[str], None]
) -> list[Done]:
    """Every task once, in the order of ``asked``; one that a dead worker had is run again, others go on."""
    found = {}
    for each in workers.run(_evaluated, list(asked), count, ray, lost):
        done(each)
        found[each.task.out] = each
    return [found[task.out] for task in asked]


def _evaluated(task: Task) -> Done:
    try:
        return Done(task, evaluate(task.scenario, task.folder, task.out, lambda: None))
    except Refused as refused:
        return Done(task, None, f"{refused.reason.name.lower()}: {refused.message}")
