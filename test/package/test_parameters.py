"""One list of parameters: the file that users copy says what the code does."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from hoi_ros.parameters import Parameters

FILE = Path(__file__).parents[2] / "config" / "grasp_pipeline.yaml"
OF_THE_NODES = {"autostart": True}


def test_file_lists_every_parameter_with_its_default():
    content = yaml.safe_load(FILE.read_text())
    assert content == {"/**": {"ros__parameters": asdict(Parameters()) | OF_THE_NODES}}


def test_defaults_keep_their_types():
    """ROS parameters are typed: 2 where the node declares 2.0 would be refused."""
    listed = yaml.safe_load(FILE.read_text())["/**"]["ros__parameters"]
    assert {name: type(value) for name, value in listed.items() if name not in OF_THE_NODES} == {
        name: type(value) for name, value in asdict(Parameters()).items()
    }


@pytest.mark.parametrize("name", [*asdict(Parameters()), *OF_THE_NODES])
def test_every_parameter_is_commented(name: str):
    lines = [line.strip() for line in FILE.read_text().splitlines()]
    place = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
    assert lines[place - 1].startswith("# ")
    assert not lines[place - 1].startswith("# ---")
