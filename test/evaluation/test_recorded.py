"""What was published and is on record is judged as what is published now."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from changed_bags import PICTURES, STORE, changed, rewritten, shift_stamp
from mcap.reader import make_reader
from mcap.writer import Writer
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from typer.testing import CliRunner

from hoi_ros.cli.app import app
from hoi_ros.evaluation.evaluate import Evaluation, evaluate
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.recorded import KNOWN, Outputs, Published, _Goals, opened_outputs, play_recorded
from hoi_ros.replay.results import MessageWriter, Results, message_definitions

OURS = ("hand.", "goal.")


def run(bag: Path, out: Path, mode: str = "recorded", **content: Any) -> Evaluation:
    asked = Scenario.model_validate({"version": 1, "name": "some", "bag": str(bag), "mode": mode} | content)
    return evaluate(asked, Path(), out, lambda: None)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rewritten(tmp_path_factory.mktemp("bag"))


@pytest.fixture(scope="module")
def offline(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    """A run of the pipeline alone, and what it published."""
    out = tmp_path_factory.mktemp("offline")
    return run(bag, out, "offline"), out / "results.mcap"


def figures(result: Evaluation) -> dict[str, float]:
    return {name: value for name, value in result.figures.items() if name.startswith(OURS)}


def test_a_lockstep_run_is_judged_alike_from_its_record(bag: Path, tmp_path: Path):
    played = run(bag, tmp_path / "played", "lockstep")
    again = run(bag, tmp_path / "again", outputs=str(tmp_path / "played" / "results.mcap"))
    assert len(figures(played)) > 8 and figures(again) == pytest.approx(figures(played), abs=1e-9)
    assert again.verdicts == played.verdicts and again.passed
    assert again.conditions["hand_model"] == played.conditions["hand_model"]
    nodes = ("latency.pose_estimation_ms", "latency.retargeting_ms", "age_ms")
    assert [again.figures[name] for name in nodes] == [played.figures[name] for name in nodes]
    assert "latency.total_ms" not in again.figures  # nothing was sent


def test_an_offline_run_is_judged_alike_from_its_record_and_that_from_its_own(
    bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path
):
    played, outputs = offline
    for number in range(2):
        result = run(bag, tmp_path / str(number), outputs=str(outputs))
        assert figures(result) == pytest.approx(figures(played), abs=1e-6)  # confidences are published in single
        assert result.verdicts["pass"] == PICTURES and result.conditions["lacking"] == ""
        assert result.conditions["outputs"]["path"] == str(outputs)
        outputs = tmp_path / str(number) / "results.mcap"


def test_outputs_of_an_older_package_are_judged_alike(bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path):
    """Its hands know no deviation; what is copied of them can be read again."""
    played, outputs = offline
    types = get_typestore(Stores.LATEST)
    for file in message_definitions().glob("*.msg"):
        lines = [line for line in file.read_text().splitlines() if " deviation" not in line]
        types.register(get_types_from_msg("\n".join(lines), f"hoi_ros/msg/{file.stem}"))
    old = tmp_path / "old.mcap"
    with MessageWriter(old, types) as writer, AnyReader([outputs]) as reader:
        for connection, time_ns, raw in reader.messages():
            cdr = types.serialize_cdr(reader.deserialize(raw, connection.msgtype), connection.msgtype)
            writer.write(connection.topic, connection.msgtype, time_ns, bytes(cdr))
    assert old.stat().st_size < outputs.stat().st_size
    for number in range(2):
        result = run(bag, tmp_path / str(number), outputs=str(old))
        assert figures(result) == pytest.approx(figures(played), abs=1e-6)
        assert result.verdicts["pass"] == PICTURES
        old = tmp_path / str(number) / "results.mcap"


def test_refusals_and_sentences_are_on_record(bag: Path, tmp_path: Path):
    blind = changed(bag, tmp_path / "blind", lambda topic, m, t: [] if topic.endswith("camera_info") else [(m, t)])
    sentences = {"instructions": [{"text": "Sing."}], "parameters": {"up": "0 -1 0"}}
    played = run(blind, tmp_path / "played", "offline")
    again = run(blind, tmp_path / "again", outputs=str(tmp_path / "played" / "results.mcap"))
    assert again.refusals == played.refusals == {"no_camera_info": PICTURES}
    said = run(bag, tmp_path / "said", "offline", **sentences)
    heard = run(bag, tmp_path / "heard", outputs=str(tmp_path / "said" / "results.mcap"), **sentences)
    assert heard.figures["grasp.answered"] == said.figures["grasp.answered"] == 0.0
    assert heard.figures["grasp.latency_p95_ms"] == pytest.approx(said.figures["grasp.latency_p95_ms"], rel=1e-6)


def test_outputs_of_a_robot_are_found_below_its_name(bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path):
    robots = changed(offline[1], tmp_path / "robot", topic=lambda name: f"/robot/hoi{name}")
    assert run(bag, tmp_path / "out", outputs=str(robots)).verdicts["pass"] == PICTURES
    other = changed(offline[1], tmp_path / "other", topic=lambda name: f"{name}_smoothed")
    with pytest.raises(Refused, match=r"holds no outputs; .*; it has: .*/hands_smoothed \(hoi_ros/msg/HandPoseArray\)"):
        run(bag, tmp_path / "out", outputs=str(other))


def test_the_bag_may_hold_the_outputs_itself(bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path):
    both = merged(tmp_path / "both.mcap", bag, offline[1])
    assert run(both, tmp_path / "out").verdicts["pass"] == PICTURES


def test_without_status_goals_alone_tell(bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path):
    seen: list[str] = []

    def change(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        seen.append(topic)
        first = topic == "/wrist_goal" and seen.count(topic) == 1
        return [] if topic == "/status" or first else [(message, time_ns)]

    result = run(bag, tmp_path / "out", outputs=str(changed(offline[1], tmp_path / "goals", change)))
    assert result.verdicts == {"pass": PICTURES - 1, "fail": 0, "refused": 0, "unanswered": 1}
    assert "has no topic 'status'" in result.conditions["lacking"]


def test_values_that_are_none_are_a_refusal_of_their_picture(
    bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path
):
    seen: list[str] = []

    def change(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        seen.append(topic)
        if topic == "/hands" and seen.count(topic) == 2:
            message.hands[0].keypoints[0].x = math.nan
        if topic == "/status" and seen.count(topic) == 15:  # two of each picture
            message.outcome, message.reason = 1, 999
        if topic == "/joint_goal" and seen.count(topic) == 4:
            message.points[0].positions = message.points[0].positions * math.inf
        if topic == "/wrist_goal" and seen.count(topic) == 6:
            q = message.pose.orientation
            q.x = q.y = q.z = q.w = 0.0
        return [(message, time_ns)]

    result = run(bag, tmp_path / "out", outputs=str(changed(offline[1], tmp_path / "nan", change)))
    assert result.refusals == {"keypoints": 1, "not_finite": 2, "file": 1}
    assert result.verdicts["pass"] == PICTURES - 4
    lines = [json.loads(line) for line in (tmp_path / "out" / "result.jsonl").read_text().splitlines()[1:]]
    assert [line["index"] for line in lines if line["verdict"] == "refused"] == [1, 3, 5, 7]


def test_outputs_of_another_time_are_a_fault(bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path):
    def later(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        return [(shift_stamp(message, 3_000), time_ns)]

    outputs = changed(offline[1], tmp_path / "later", later)
    result = run(bag, tmp_path / "out", outputs=str(outputs))
    (reason,) = result.reasons
    assert not result.passed and result.verdicts["unanswered"] == PICTURES
    assert reason.startswith("no stamp of the outputs is one of the pictures': they go from 1700000000.000 to")


def test_outputs_that_were_cut_off_are_used_as_far_as_they_go(
    bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path
):
    whole, cut = tmp_path / "whole.mcap", tmp_path / "cut.mcap"
    with offline[1].open("rb") as source, whole.open("wb") as target:
        writer = Writer(target, chunk_size=5_000)  # of which only whole ones can be read
        writer.start(profile="ros2")
        channels: dict[str, int] = {}
        for schema, channel, message in make_reader(source).iter_messages():
            if channel.topic not in channels:
                own = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.topic] = writer.register_channel(channel.topic, channel.message_encoding, own)
            writer.add_message(channels[channel.topic], message.log_time, message.data, message.publish_time)
        writer.finish()
    cut.write_bytes(whole.read_bytes()[: round(0.6 * whole.stat().st_size)])
    result = run(bag, tmp_path / "out", outputs=str(cut), thresholds={"answered": {"min": 1.0}})
    left = result.verdicts["unanswered"]
    assert 0 < left < PICTURES and result.figures["frames"] == PICTURES
    assert "cut.mcap was cut off" in result.conditions["lacking"]
    assert result.reasons == [
        f"answered is {1 - left / PICTURES:.4g}, at least 1 is asked: {left} of {PICTURES} pictures have no answer"
    ]


def two_robots(offline: Path, folder: Path) -> Path:
    """Hands of two robots in one recording."""
    return merged(folder / "two.mcap", offline, changed(offline, folder / "other", topic=lambda name: f"/other{name}"))


def merged(target: Path, *sources: Path) -> Path:
    with MessageWriter(target) as writer:
        for source in sources:
            with AnyReader([source], default_typestore=writer.types) as reader:
                for connection, time_ns, raw in reader.messages():
                    writer.write(connection.topic, connection.msgtype, time_ns, bytes(raw))
    return target


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda offline, folder: folder / "absent.mcap", "absent.mcap does not exist"),
        (lambda offline, folder: rewritten(folder), "holds no outputs; they are: hands (hoi_ros/msg/HandPoseArray)"),
        (lambda offline, folder: changed(offline, folder / "none", lambda *_: []), "holds no outputs"),
        (two_robots, "has two topics 'hands': '/hands' and '/other/hands'; leave one out"),
    ],
    ids=["absent", "no outputs", "empty", "two robots"],
)
def test_what_holds_no_outputs_is_refused(
    bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path, make: Callable[[Path, Path], Path], said: str
):
    with pytest.raises(Refused) as refused:
        run(bag, tmp_path / "out", outputs=str(make(offline[1], tmp_path)))
    assert refused.value.reason is Reason.FILE and said in refused.value.message


def test_the_command_judges_a_record_and_draws_it(bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path):
    path = tmp_path / "some.yaml"
    content = {"version": 1, "bag": str(bag), "mode": "recorded", "outputs": str(offline[1])}
    path.write_text(yaml.safe_dump(content))
    done = CliRunner().invoke(app, ["evaluate", str(path), "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout.splitlines()[-1])["passed"]
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


# --- joint goals and their wrists ---------------------------------------------------------------------------------

KINDS = {"j": "joint_goal", "w": "wrist_goal"}


@pytest.mark.parametrize(
    ("order", "pairs"),
    [
        ("j0 w1 j30 w31 j60 w61", [(0, 1), (30, 31), (60, 61)]),
        ("w0 j1 w30 j31 w60 j61", [(1, 0), (31, 30), (61, 60)]),  # the wrong way round throughout
        ("j0 w0 w30 j30", [(0, 0), (30, 30)]),
        ("w1 j30 w31 j60 w61", [(30, 31), (60, 61)]),  # recorded from between two on
        ("j0 w1 j30 j60 w61", [(0, 1), (60, 61)]),
        ("j0 w1 w31 j60 w61", [(0, 1), (60, 61)]),
        ("j0 w1 j30 j60 j90 w91", [(0, 1), (90, 91)]),
        ("j0 j30 j60", []),
        ("w0 w30 j31", [(31, 30)]),
    ],
)
def test_goals_find_their_wrists(order: str, pairs: list[tuple[int, int]]):
    class Message:
        points = (1,)

    goals = _Goals()
    found = []
    for word in order.split():
        found += goals.take(Published(KINDS[word[0]], int(word[1:]), b"", Message()))
    found += goals.left()
    assert [(joint.time_ns, wrist.time_ns) for joint, wrist in found] == pairs
    assert all((joint.name, wrist.name) == ("joint_goal", "wrist_goal") for joint, wrist in found)


def test_outputs_of_other_pictures_do_not_fill_the_memory(
    bag: Path, offline: tuple[Evaluation, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of ten times as many outputs as there are pictures no more are held than `HELD`, and none is lost that counts."""
    from hoi_ros.replay import recorded

    def often(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        cdr = STORE.serialize_cdr(message, message.__msgtype__)
        for number in range(10):
            own = STORE.deserialize_cdr(cdr, message.__msgtype__)
            yield shift_stamp(own, number * 1000), time_ns + number * 1000

    most: list[int] = []
    real = recorded._Answers._keep

    def watched(self: Any, belonging: Any) -> None:
        real(self, belonging)
        most.append(len(self._waiting))

    monkeypatch.setattr(recorded, "HELD", 100)
    monkeypatch.setattr(recorded, "AHEAD", 200_000_000)
    monkeypatch.setattr(recorded._Answers, "_keep", watched)
    outputs = changed(offline[1], tmp_path / "often", often)
    results = Results()
    with Bag(bag) as source, opened_outputs(outputs) as given:
        play_recorded(source, given, tmp_path, results, lambda: None)
    assert max(most) == 100 and len(results.hands) == len(results.goals) == PICTURES and not results.faults


def test_every_known_topic_is_read(offline: tuple[Evaluation, Path]):
    with Outputs(offline[1]) as outputs:
        names = {each.name for each in outputs.messages()}
    assert names == {"hands", "joint_goal", "wrist_goal", "status"} < KNOWN.keys()
