"""Scenarios from file to verdict, on recordings with and without faults."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from changed_bags import PICTURES, TRUTH, Change, kept, rewritten, shift_stamp
from typer.testing import CliRunner

import hoi_ros.demo
from hoi_ros.cli.app import app
from hoi_ros.evaluation import junit
from hoi_ros.evaluation.comparison import compare
from hoi_ros.evaluation.evaluate import Evaluation, evaluate
from hoi_ros.evaluation.figures import FRAME_FIGURES
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.evaluation.scoring import Scorer
from hoi_ros.evaluation.whole import whole
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.results import Answer, Results


def scenario(bag: Path, **content: Any) -> Scenario:
    return Scenario.model_validate({"version": 1, "name": "some", "bag": str(bag), "mode": "offline"} | content)


def run(folder: Path, change: Change = kept, **content: Any) -> Evaluation:
    bag = rewritten(folder, change)
    return evaluate(scenario(bag, **content), Path(), folder / "out", lambda: None)


def lines_of(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    first, *rest = map(json.loads, (folder / "out" / "result.jsonl").read_text().splitlines())
    return first, rest


def test_a_good_recording_passes_and_is_written_down(tmp_path: Path):
    asked = {"answered": {"min": 1.0}, "hand.pa_mpjpe_mm": {"max": 15.0}, "hand.found": {"min": 1.0}}
    result = run(tmp_path, thresholds=asked, frame_thresholds={"hand.r_mpjpe_mm": {"max": 50.0}})
    assert result.passed and not result.reasons
    assert result.verdicts == {"pass": PICTURES, "fail": 0, "refused": 0, "unanswered": 0}
    first, lines = lines_of(tmp_path)
    assert first["conditions"]["bag"]["pictures"] == PICTURES and first["conditions"]["environment"]["weights"]
    assert [line["index"] for line in lines] == list(range(PICTURES))
    mean = sum(line["figures"]["hand.pa_mpjpe_mm"] for line in lines) / PICTURES
    assert result.figures["hand.pa_mpjpe_mm"] == pytest.approx(mean)
    with (tmp_path / "out" / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PICTURES and set(FRAME_FIGURES) < set(rows[0])
    assert float(rows[3]["hand.mpjpe_mm"]) == lines[3]["figures"]["hand.mpjpe_mm"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["passed"] and summary["figures"] == dict(result.figures)


def scaled(factors: tuple[float, float, float]) -> Change:
    def change(topic: str, message: Any, time_ns: int) -> list[tuple[Any, int]]:
        if topic == TRUTH:
            for pose in message.poses:
                pose.position.x *= factors[0]
                pose.position.y *= factors[1]
                pose.position.z *= factors[2]
        return [(message, time_ns)]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (scaled((1e3, 1e3, 1e3)), "metres for millimetres"),  # the truth is too large, so hands are too small
        (scaled((-1.0, 1.0, 1.0)), "hands look mirrored"),
    ],
)
def test_a_fault_turns_the_verdict_red_and_is_named(tmp_path: Path, change: Change, said: str):
    result = run(tmp_path, change)
    assert not result.passed and any(said in reason for reason in result.reasons)


def every_third_lost() -> Change:
    seen: dict[str, int] = {}

    def change(topic: str, message: Any, time_ns: int) -> list[tuple[Any, int]]:
        seen[topic] = seen.get(topic, 0) + 1
        return [] if seen[topic] % 3 == 2 else [(message, time_ns)]

    return change


def test_lost_pictures_are_counted_and_named(tmp_path: Path):
    result = run(tmp_path, every_third_lost(), thresholds={"missing": {"max": 0.0}})
    sent = result.figures["frames"]
    assert result.figures["missing"] == pytest.approx((PICTURES - sent) / PICTURES, abs=0.1)
    assert not result.passed and "missing is" in result.reasons[0]


def test_truth_with_gaps_is_scored_where_it_is(tmp_path: Path):
    seen = []

    def change(topic: str, message: Any, time_ns: int) -> list[tuple[Any, int]]:
        if topic == TRUTH:
            seen.append(topic)
            return [(message, time_ns)] if len(seen) > PICTURES // 2 else []
        return [(message, time_ns)]

    result = run(tmp_path, change)
    _, lines = lines_of(tmp_path)
    assert sum("hand.mpjpe_mm" in line["figures"] for line in lines) == PICTURES - PICTURES // 2
    assert result.figures["frames"] == PICTURES


def test_figures_without_data_fail(tmp_path: Path):
    result = run(
        tmp_path, lambda topic, m, t: [] if topic == TRUTH else [(m, t)], thresholds={"hand.found": {"min": 0}}
    )
    assert not result.passed and result.reasons == ["hand.found has no data, at least 0 is asked"]


def test_too_few_pictures_are_no_data(tmp_path: Path):
    result = run(tmp_path, least_frames=PICTURES + 1)
    assert not result.passed and result.reasons[0].startswith(f"no data: {PICTURES} pictures")


def test_a_picture_that_breaks_its_threshold_fails_with_its_reason(tmp_path: Path):
    result = run(tmp_path, frame_thresholds={"hand.pa_mpjpe_mm": {"max": 0.001}}, thresholds={"failed": {"max": 0.0}})
    _, lines = lines_of(tmp_path)
    assert {line["verdict"] for line in lines} == {"fail"}
    assert "hand.pa_mpjpe_mm is" in lines[0]["reasons"][0] and "at most 0.001 is asked" in lines[0]["reasons"][0]
    assert result.figures["failed"] == 1.0 and not result.passed


def test_a_clock_that_jumps_back_is_counted(tmp_path: Path):
    def change(topic: str, message: Any, time_ns: int) -> list[tuple[Any, int]]:
        back = 0 if time_ns < 1_700_000_000_500_000_000 else -2_000_000_000
        return [(shift_stamp(message, back), time_ns)]

    result = run(tmp_path, change)
    assert result.figures["backwards"] == 1.0


def test_pictures_without_a_camera_are_refused_with_the_reason(tmp_path: Path):
    result = run(tmp_path, lambda topic, m, t: [] if topic.endswith("camera_info") else [(m, t)])
    assert result.refusals == {"no_camera_info": PICTURES} and result.figures["refused"] == 1.0


def test_a_recording_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path: Path):
    whole = rewritten(tmp_path)
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[: round(0.6 * whole.stat().st_size)])
    result = evaluate(scenario(cut), Path(), tmp_path / "out", lambda: None)
    assert 0 < result.figures["frames"] < PICTURES
    assert "cut.mcap was cut off" in result.conditions["lacking"] and "% of the file" in result.conditions["lacking"]


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"no bag" * 99)])
def test_what_is_no_recording_is_refused(tmp_path: Path, make: Callable[[Path], Any]):
    make(tmp_path / "bad.mcap")
    with pytest.raises(Refused) as refused:
        evaluate(scenario(tmp_path / "bad.mcap"), Path(), tmp_path / "out", lambda: None)
    assert refused.value.reason is Reason.FILE


def test_an_empty_recording_is_refused(tmp_path: Path):
    bag = rewritten(tmp_path, lambda *_: [])
    with pytest.raises(Refused, match="no colour pictures"):
        evaluate(scenario(bag), Path(), tmp_path / "out", lambda: None)


def test_a_topic_that_is_not_there_is_named(tmp_path: Path):
    asked = scenario(rewritten(tmp_path), truth={"joint_goal": "/nowhere"})
    with pytest.raises(Refused, match="no topic '/nowhere'; it has: /camera"):
        evaluate(asked, Path(), tmp_path / "out", lambda: None)


def test_a_sentence_needs_a_cloud_or_depth(tmp_path: Path):
    bag = rewritten(tmp_path, lambda topic, m, t: [] if "depth" in topic else [(m, t)])
    with pytest.raises(Refused, match=r"neither an object cloud .* nor depth"):
        evaluate(scenario(bag, instructions=[{"text": "Grip it."}]), Path(), tmp_path / "out", lambda: None)


def test_two_results_compare_picture_by_picture(tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, smoothing in ((here, False), (there, True)):
        folder.mkdir()
        run(folder, parameters={"smoothing": smoothing})
    same = compare(here / "out", here / "out")
    assert not same.worse and all(change.low == change.high == 0.0 for change in same.changes)
    found = compare(here / "out", there / "out")
    assert "the parameters differ" in found.notes
    error = next(change for change in found.changes if change.figure == "hand.mpjpe_mm")
    assert error.pictures == PICTURES and error.low <= error.after - error.before <= error.high
    assert compare(here / "out", there / "out") == found  # resampled alike
    with pytest.raises(Refused, match="holds no result"):
        compare(here / "out", tmp_path)


def test_junit_has_a_case_for_each_threshold(tmp_path: Path):
    asked = {"answered": {"min": 1.0}, "hand.pa_mpjpe_mm": {"max": 0.001}}
    junit.write([run(tmp_path, thresholds=asked)], tmp_path / "junit.xml")
    (suite,) = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    (failure,) = suite.iter("failure")
    assert "at most 0.001 is asked" in failure.get("message", "")


def cli(tmp_path: Path, **content: Any) -> Any:
    path = tmp_path / "some.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "bag": str(hoi_ros.demo.BAG), "mode": "offline"} | content))
    return CliRunner().invoke(app, ["evaluate", str(path), "--out", str(tmp_path / "out"), "--json", "--no-report"])


def test_the_command_tells_by_its_exit(tmp_path: Path):
    bag = str(rewritten(tmp_path))
    passed = cli(tmp_path, bag=bag)
    assert passed.exit_code == 0 and json.loads(passed.stdout.splitlines()[-1])["passed"]
    failed = cli(tmp_path, bag=bag, thresholds={"hand.mpjpe_mm": {"max": 0.001}})
    assert failed.exit_code == 1 and "hand.mpjpe_mm is" in failed.stdout


def test_what_nodes_replaced_is_not_lost():
    """Of four pictures one is replaced on its way in, the hands of one are, one is lost, one is refused."""
    results = Results(stamps=[1, 2, 3, 4])
    for node, stamp, reason in (
        ("pose_estimation", 1, Reason.REPLACED),
        ("pose_estimation", 2, Reason.NONE),
        ("retargeting", 2, Reason.REPLACED),
        ("pose_estimation", 3, Reason.NONE),
        ("pose_estimation", 4, Reason.STALE),
    ):
        results.answers.append(Answer(node, stamp, reason, "why", 0.001 if reason else 0.02, 0.0))
    scorer = Scorer(results, {}, realtime=True)
    lines = scorer.take(ended=True)
    assert [line.verdict for line in lines] == ["unanswered", "unanswered", "unanswered", "refused"]
    assert lines[0].reasons == ("pose_estimation: replaced: why",)
    assert "latency.pose_estimation_ms" not in lines[0].figures
    assert lines[1].reasons == ("retargeting: replaced: why",)
    assert "pose_estimation answered, and no goal came" in lines[2].reasons[0]
    found = whole(scorer.kept, results)
    assert found["lost"] == 1.0 and found["refused"] == 0.25 and scorer.kept.reasons == {"stale": 1}
