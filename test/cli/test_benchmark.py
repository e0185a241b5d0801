"""``hoi benchmark``: a table beside the JSON, and what a person reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hoi_ros.benchmarks import inverse_kinematics, message_conversion
from hoi_ros.cli.app import app


def test_a_table_is_written_beside_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    short = message_conversion.run
    monkeypatch.setattr(message_conversion, "run", lambda data: short(rounds=1, size=(6, 8)))
    monkeypatch.setattr(inverse_kinematics, "run", lambda data: {"poses": 3, "clean_error_mm": 0.5})
    out, table = tmp_path / "deep" / "result.json", tmp_path / "wide" / "table.md"
    names = ["message_conversion", "inverse_kinematics"]
    done = CliRunner().invoke(app, ["benchmark", *names, "--out", str(out), "--markdown", str(table)])
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert list(result) == names
    rows = [line for line in table.read_text().splitlines() if line.startswith("|")]
    assert len(rows) == 2 + sum(len(row["peers"]) for row in result["message_conversion"]["comparisons"])
    assert "inverse_kinematics.clean_error_mm: 0.5" in done.output
    assert "message_conversion: rgb8 picture to array: conversions.rgb: " in done.output
    assert "machine" not in done.output


def test_help_says_what_a_ratio_is():
    command = [sys.executable, "-m", "hoi_ros.cli", "benchmark", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0
    assert "--markdown" in done.stdout and "how many times" in done.stdout
