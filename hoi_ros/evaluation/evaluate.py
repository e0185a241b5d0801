"""One scenario: its recording is played, scored, judged, and written to files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoi_ros.evaluation.environment import environment
from hoi_ros.evaluation.figures import FRAME_FIGURES
from hoi_ros.evaluation.grasps import GraspJudge, load_solid
from hoi_ros.evaluation.hands import Surfaces
from hoi_ros.evaluation.objects import TrueObject
from hoi_ros.evaluation.scenario import Scenario, Threshold
from hoi_ros.evaluation.scoring import Line, Scorer
from hoi_ros.evaluation.whole import whole
from hoi_ros.hand import load_hand_model
from hoi_ros.replay.bag import Topics
from hoi_ros.replay.recorded import Outputs, opened_outputs, play_recorded
from hoi_ros.replay.rescue import opened
from hoi_ros.replay.results import Results
from hoi_ros.replay.run import Schedule, play

RESULT, SUMMARY, TABLE = "result.jsonl", "summary.json", "frames.csv"


@dataclass(frozen=True)
class Check:
    """A threshold of the scenario and what came out."""

    figure: str
    asked: str
    value: float | None  # None: no data, which fails
    passed: bool
    note: str = ""  # how many pictures were dropped, where that is what broke it

    @property
    def sentence(self) -> str:
        """What came out against what is asked."""
        value = "has no data" if self.value is None else f"is {self.value:.4g}"
        return f"{self.figure} {value}, {self.asked} is asked" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True)
class Evaluation:
    """What became of one scenario."""

    name: str
    passed: bool
    faults: tuple[str, ...]  # too little data, and what explains the errors
    figures: Mapping[str, float]
    checks: tuple[Check, ...]
    verdicts: Mapping[str, int]  # pictures that passed, failed, were refused, were not answered
    refusals: Mapping[str, int]  # by reason
    conditions: Mapping[str, Any]  # scenario, recording, machine, versions

    @property
    def reasons(self) -> list[str]:
        """Why it did not pass: the thresholds that were broken, then the faults."""
        return [*(check.sentence for check in self.checks if not check.passed), *self.faults]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, as ``summary.json`` has it."""
        return asdict(self) | {"reasons": self.reasons}


def evaluate(scenario: Scenario, folder: Path, out: Path, on_frame: Callable[[], None]) -> Evaluation:
    """Play, score and judge; write ``result.jsonl``, ``frames.csv``, ``summary.json`` and ``results.mcap`` to ``out``.

    ``folder`` is where the scenario's paths begin. Raises Refused as `Bag` and the stages do.
    """
    results = Results()
    with opened(folder / scenario.bag, topics_of(scenario)) as (bag, lacking), _outputs(scenario, folder) as outputs:
        recorded = {"path": scenario.bag, "sha256": bag.digest, "pictures": len(bag), "topics": asdict(bag.topics)}
        given: dict[str, Any] = {"lacking": lacking, "bag": recorded}
        if outputs is not None:
            given["outputs"] = {"path": scenario.outputs or scenario.bag, "sha256": outputs.digest}
            given["lacking"] = "; ".join(filter(None, (lacking, *outputs.lacking)))
        mesh = folder / scenario.truth.mesh if scenario.truth.mesh else None
        with Session(scenario, results, out, given, mesh) as session:

            def after_picture() -> None:
                session.take()
                on_frame()

            said = bag.asked([(each.at, each.text) for each in scenario.instructions])
            if outputs is not None:
                play_recorded(bag, outputs, out, results, after_picture, said)
            else:
                play(bag, scenario.node_parameters(), out, _schedule(scenario), after_picture, results, said)
            return session.finish()


def topics_of(scenario: Scenario) -> Topics:
    """The topics that a scenario names."""
    named, truth = scenario.topics, scenario.truth
    return Topics(
        truth=truth.hands,
        true_goal=truth.joint_goal,
        true_wrist=truth.wrist_goal,
        true_object=truth.object,
        true_hands=truth.hand_poses,
        **named.model_dump(),
    )


class Session:
    """What comes into ``results`` is scored, picture by picture, and written. Use as a context manager."""

    def __init__(
        self, scenario: Scenario, results: Results, out: Path, given: Mapping[str, Any], mesh: Path | None = None
    ) -> None:
        self._scenario, self._results, self._out = scenario, results, out
        model, solid = load_hand_model(scenario.node_parameters().hand_model_path), load_solid(mesh) if mesh else None
        obj = TrueObject(solid, model) if solid else None
        self._scorer = Scorer(
            results, scenario.frame_thresholds, scenario.mode == "realtime", Surfaces(model, obj), obj
        )
        self._grasps = GraspJudge(solid, model) if solid else None
        self._lines = _Lines(out)
        self._conditions = {
            **given,
            "scenario": scenario.model_dump(mode="json"),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": environment(),
        }

    def __enter__(self) -> Session:
        self._out.mkdir(parents=True, exist_ok=True)
        self._lines.__enter__()
        self._lines.begin(self._conditions)
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.__exit__(*error)

    def take(self, ended: bool = False) -> None:
        """Write the lines of the pictures that are complete; of all that are left where the run has ended."""
        self._lines.write(self._scorer.take(ended))

    def verdict(self) -> Evaluation:
        """Of what was taken so far."""
        kept = self._scorer.kept
        conditions = self._conditions | {"hand_model": self._results.hand_model}
        figures = whole(kept, self._results)
        if self._grasps is not None:
            figures |= self._grasps.figures(self._results)
            conditions["lacking"] = "; ".join(filter(None, (conditions["lacking"], self._grasps.lacking)))
        wrong = [*self._results.faults, *kept.faults.found()]
        return judge(self._scenario, figures, wrong, kept.verdicts, kept.reasons, conditions)

    def finish(self) -> Evaluation:
        """Take what is left and write ``summary.json``."""
        self.take(ended=True)
        evaluation = self.verdict()
        (self._out / SUMMARY).write_text(json.dumps(evaluation.as_dict(), indent=2, allow_nan=False) + "\n")
        return evaluation


def judge(
    scenario: Scenario,
    figures: Mapping[str, float],
    wrong: Sequence[str],
    verdicts: Mapping[str, int],
    refusals: Mapping[str, int],
    conditions: Mapping[str, Any],
) -> Evaluation:
    """The verdict on what came out: every threshold held, enough data, and nothing that is known to be ``wrong``."""
    checks = tuple(_check(name, threshold, figures) for name, threshold in scenario.thresholds.items())
    if figures["frames"] < scenario.least_frames:
        few = f"no data: {figures['frames']:.0f} pictures, at least {scenario.least_frames} are asked"
        wrong = [few, *wrong]
    counts = {name: int(verdicts.get(name, 0)) for name in ("pass", "fail", "refused", "unanswered")}
    passed = not wrong and all(check.passed for check in checks)
    return Evaluation(scenario.name, passed, tuple(wrong), dict(figures), checks, counts, dict(refusals), conditions)


def _check(name: str, threshold: Threshold, figures: Mapping[str, float]) -> Check:
    value = figures.get(name)
    passed = value is not None and threshold.holds(value)
    return Check(name, str(threshold), value, passed, "" if passed or value is None else _dropped(name, figures))


def _dropped(name: str, figures: Mapping[str, float]) -> str:
    """The pictures that a figure of dropped ones is about; "" for other figures."""
    count = round(figures["frames"])
    if name in ("answered", "unanswered"):
        return f"{round(count * figures['unanswered'])} of {count} pictures have no answer"
    if name == "lost":
        return f"{round(figures['lost'])} of {count} pictures have no answer, and no newer one took their place"
    if name == "missing":
        lost = round(count * figures["missing"] / (1.0 - figures["missing"]))
        return f"{lost} of {count + lost} pictures are missing from the recording"
    return ""


@contextmanager
def _outputs(scenario: Scenario, folder: Path) -> Iterator[Outputs | None]:
    """What was published, where it is on record."""
    if scenario.mode != "recorded":
        yield None
    else:
        with opened_outputs(folder / (scenario.outputs or scenario.bag)) as outputs:
            yield outputs


def _schedule(scenario: Scenario) -> Schedule | None:
    if scenario.mode == "offline":
        return None
    return Schedule(scenario.mode, rate=scenario.rate or 0.0)


class _Lines:
    """``result.jsonl``, conditions first, and ``frames.csv``, written as the pictures come. A context manager."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __enter__(self) -> _Lines:
        self._json = (self._out / RESULT).open("w")
        self._csv = (self._out / TABLE).open("w", newline="")
        self._table = csv.writer(self._csv)
        return self

    def __exit__(self, *_: object) -> None:
        self._json.close()
        self._csv.close()

    def begin(self, conditions: Mapping[str, Any]) -> None:
        """The first line, and the table's head."""
        self._json.write(json.dumps({"conditions": conditions}, allow_nan=False) + "\n")
        self._table.writerow(["index", "stamp_ns", "verdict", *FRAME_FIGURES, "reasons"])

    def write(self, lines: list[Line]) -> None:
        """A line for each picture."""
        for line in lines:
            self._json.write(json.dumps(asdict(replace(line, figures=dict(line.figures))), allow_nan=False) + "\n")
            values = [line.figures.get(name, "") for name in FRAME_FIGURES]
            self._table.writerow([line.index, line.stamp_ns, line.verdict, *values, "; ".join(line.reasons)])
