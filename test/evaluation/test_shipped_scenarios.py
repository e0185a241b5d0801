"""The scenarios that ship, each as a user runs it, on what recordings there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from changed_bags import ROOT, rendered_small
from typer.testing import CliRunner

from hoi_ros.cli.app import app
from hoi_ros.evaluation.evaluate import evaluate
from hoi_ros.evaluation.scenario import Scenario

SCENARIOS = ROOT / "test" / "scenarios"


def result(path: Path, out: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["evaluate", str(path), "--out", str(out), "--json", "--no-report"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small rendered recording."""
    return rendered_small(tmp_path_factory.mktemp("rendered"))


def test_the_embedded_recording_passes(tmp_path: Path):
    assert result(SCENARIOS / "demo.yaml", tmp_path)["passed"]


def test_a_real_hand_passes(tmp_path: Path, shared_data: Path):
    assert result(SCENARIOS / "hand_rgbd.yaml", tmp_path)["passed"]


def test_real_tables_without_a_hand_give_no_goal(tmp_path: Path, shared_data: Path):
    found = result(SCENARIOS / "tabletop.yaml", tmp_path)
    assert found["refusals"] == {"no_hand": 4}


@pytest.mark.parametrize("mode", ["offline", "lockstep"])
def test_the_rendered_recording_passes(rendered: Path, tmp_path: Path, mode: str):
    scenario = Scenario.load(SCENARIOS / "rendered.yaml", {"bag": str(rendered), "mode": mode})
    truth = scenario.truth.model_copy(update={"mesh": str(rendered.with_suffix(".obj"))})
    scenario = scenario.model_copy(update={"truth": truth})
    found = evaluate(scenario, Path(), tmp_path, lambda: None)
    assert found.passed, found.reasons
    assert found.figures["grasp.sentences"] == 2 and found.figures["grasp.count"] == 8
    assert len((tmp_path / "result.jsonl").read_text().splitlines()) == 1 + found.figures["frames"]
