"""What two runs published for the same pictures: ROS against offline, and differences that were put in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from changed_bags import PICTURES, rewritten
from typer.testing import CliRunner

from hoi_ros.cli.app import app
from hoi_ros.evaluation.comparison import Change, compare, differences
from hoi_ros.evaluation.evaluate import evaluate
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import serialized
from hoi_ros.pipeline import Result, flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import published
from hoi_ros.replay.results import MessageWriter
from hoi_ros.types import HandPose, JointGoal

GOAL = JointGoal(("rh_FFJ1", "rh_FFJ2"), np.array([0.1, 0.2]), (), np.zeros(0), np.array([0, 0, 0.5, 0, 0, 0, 1.0]))
HAND = flat_hand("right")
Step = tuple[int, list[HandPose], JointGoal | None]


def written(path: Path, steps: list[Step]) -> Path:
    with MessageWriter(path) as writer:
        for stamp, hands, goal in steps:
            result = Result(hands, replace(goal, stamp_ns=stamp) if goal else None)
            for topic, kind, cdr in serialized(result, conversions.header(stamp, "c"), "some", 0.1, writer.types):
                writer.write(topic, kind, stamp, cdr)
    return path


def test_the_largest_difference_of_each_kind_is_found(tmp_path: Path):
    steps: list[Step] = [(stamp, [HAND], GOAL) for stamp in (10, 20, 30, 40)]
    off = HAND.keypoints.copy()
    off[7, 1] += 0.02
    turned = replace(GOAL, positions=GOAL.positions - np.array([0.0, 0.3]))
    back = replace(GOAL, positions=GOAL.positions[::-1], names=GOAL.names[::-1])  # joints are matched by name
    far = replace(GOAL, wrist_pose=GOAL.wrist_pose + np.array([0.0, 0.04, 0.01, 0, 0, 0, 0]))
    others: list[Step] = [
        (5, [HAND], GOAL),
        (10, [replace(HAND, keypoints=off)], back),
        (20, [], turned),
        (30, [HAND], far),
        (50, [HAND], GOAL),
    ]
    one, other = written(tmp_path / "one.mcap", steps), written(tmp_path / "other.mcap", others)
    for found in (differences(one, other), differences(other, one)):
        assert (found.keypoints, found.joints, found.wrist) == pytest.approx((0.02, 0.3, 0.04))
        assert (found.pictures, found.other_hands) == (3, 1)
    same = differences(one, one)
    assert (same.keypoints, same.joints, same.wrist, same.pictures, same.other_hands) == (0.0, 0.0, 0.0, 4, 0)


def test_nothing_in_common_has_no_difference(tmp_path: Path):
    one = written(tmp_path / "one.mcap", [(10, [HAND], GOAL)])
    other = written(tmp_path / "other.mcap", [(20, [HAND], GOAL)])
    found = differences(one, other)
    assert (found.pictures, found.keypoints, found.joints, found.wrist) == (0, None, None, None)
    assert "nothing to compare" in str(found)


def test_other_joints_are_refused_and_absent_files_named(tmp_path: Path):
    one = written(tmp_path / "one.mcap", [(10, [HAND], GOAL)])
    left = written(tmp_path / "left.mcap", [(10, [HAND], replace(GOAL, names=("lh_FFJ1", "lh_FFJ2")))])
    with pytest.raises(Refused, match="lh_FFJ1") as refused:
        differences(one, left)
    assert refused.value.reason is Reason.PARAMETER
    with pytest.raises(Refused, match=r"absent\.mcap does not exist"):
        differences(one, tmp_path / "absent.mcap")


def test_only_what_is_asked_for_is_read(tmp_path: Path):
    path = written(tmp_path / "one.mcap", [(10, [HAND], GOAL), (20, [], None), (30, [HAND, HAND], GOAL)])
    assert [(stamp, len(hands)) for stamp, hands in published.hands(path)] == [(10, 1), (20, 0), (30, 2)]
    assert [stamp for stamp, _ in published.hands(path, {30})] == [30]
    ((stamp, goal),) = published.goals(path, {30})
    assert stamp == goal.stamp_ns == 30 and goal.names == GOAL.names


@pytest.mark.parametrize(
    ("figure", "rise_is_worse"), [("hand.mpjpe_mm", True), ("hand.f_5", False), ("hand.contact_f1", False)]
)
def test_some_figures_are_better_when_larger(figure: str, rise_is_worse: bool):
    rise = Change(figure, 10, 0.5, 0.7, 0.1, 0.3)
    fall = Change(figure, 10, 0.7, 0.5, -0.3, -0.1)
    assert (rise.worse, rise.better) == (fall.better, fall.worse) == (rise_is_worse, not rise_is_worse)
    assert not Change(figure, 10, 0.5, 0.6, -0.1, 0.3).worse
    assert (rise.way, fall.way) == ("grew from 0.5 to 0.7", "fell from 0.7 to 0.5")


def scenario(bag: Path, mode: str) -> Scenario:
    return Scenario.model_validate({"version": 1, "name": "some", "bag": str(bag), "mode": mode})


def test_the_nodes_publish_what_the_pipeline_gives_offline(tmp_path: Path):
    bag = rewritten(tmp_path)
    for mode in ("offline", "lockstep"):
        evaluate(scenario(bag, mode), Path(), tmp_path / mode, lambda: None)
    found = compare(tmp_path / "lockstep", tmp_path / "offline").differences
    assert found is not None and (found.pictures, found.other_hands) == (PICTURES, 0)
    for largest in (found.keypoints, found.joints, found.wrist):
        assert largest is not None and largest <= 1e-5


def test_the_command_prints_it(tmp_path: Path):
    bag = rewritten(tmp_path, pictures=4)
    path = tmp_path / "some.yaml"
    path.write_text(f"{{version: 1, mode: offline, bag: {bag}}}")

    def run(out: str, *more: str) -> Any:
        return CliRunner().invoke(app, ["evaluate", str(path), "--out", str(tmp_path / out), "--no-report", *more])

    run("before")
    said = run("now", "--compare", str(tmp_path / "before"))
    assert (
        "largest difference of what was published: keypoints 0 m, joints 0 rad, wrist 0 m (4 pictures)" in said.stdout
    )
    (tmp_path / "before" / "results.mcap").unlink()
    said = run("now", "--compare", str(tmp_path / "before"))
    assert "what was published is not compared" in said.stdout  # and what else was is
