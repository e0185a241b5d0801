"""Scenarios are read strictly, and what is wrong with one is said with its place and the nearest right word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

from hoi_ros.evaluation.scenario import Scenario, Threshold, schema
from hoi_ros.refusals import Reason, Refused

LEAST = {"version": 1, "bag": "a.mcap"}
SHIPPED = sorted((Path(__file__).parents[1] / "scenarios").glob("*.yaml"))


def written(folder: Path, **content: object) -> Path:
    path = folder / "some.yaml"
    path.write_text(yaml.safe_dump(LEAST | content))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(Refused) as refused:
        Scenario.load(path)
    assert refused.value.reason is Reason.FILE
    return refused.value.message


def test_a_scenario_needs_little(tmp_path: Path):
    scenario = Scenario.load(written(tmp_path))
    assert (scenario.name, scenario.mode) == ("some", "lockstep")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"treshold": {}}, "key 'treshold' is not known; did you mean 'thresholds'?"),
        ({"topics": {"imge": "/a"}}, "key 'topics.imge' is not known; did you mean 'image'?"),
        ({"truth": {"hand": "/a"}}, "key 'truth.hand' is not known; did you mean 'hands'?"),
        ({"thresholds": {"hand.mpjpe": {"max": 1}}}, "did you mean 'hand.mpjpe_mm'?"),
        (
            {"thresholds": {"frames": {"maximum": 1}}},
            "key 'thresholds.frames.maximum' is not known; did you mean 'max'?",
        ),
        ({"thresholds": {"frames": {}}}, "give min, max or both"),
        ({"thresholds": {"frames": {"min": 2, "max": 1}}}, "min 2 is above max 1"),
        ({"frame_thresholds": {"frames": {"min": 2}}}, "figure 'frames' is not known"),
        ({"parameters": {"max_hand": 1}}, "did you mean 'max_hands'?"),
        ({"parameters": {"max_hands": "two"}}, "max_hands is 'two'; it must be a int"),
        ({"parameters": {"smoothing": 1}}, "smoothing is 1; it must be a bool"),
        ({"parameters": {"max_hands": True}}, "max_hands is True"),
        ({"parameters": {"max_hands": 99}}, "max_hands is 99; it must be between"),
        ({"mode": "fast"}, "mode: Input should be 'lockstep', 'realtime', 'offline' or 'recorded'"),
        ({"rate": 30.0}, "rate is for mode realtime, not lockstep"),
        ({"outputs": "results.mcap"}, "outputs is for mode recorded, not lockstep"),
        ({"version": 2}, "version: Input should be 1"),
        ({"least_frames": 0}, "least_frames"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: dict[str, object], said: str):
    path = written(tmp_path, **content)
    message = refusal(path)
    assert said in message and str(path) in message


def test_no_yaml_and_no_mapping_are_refused(tmp_path: Path):
    for text, said in (("a: [", "cannot be read as YAML"), ("- 1", "no mapping"), ("", "no mapping")):
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        assert said in refusal(path)
    assert "cannot be read" in refusal(tmp_path / "absent.yaml")


def test_yaml_builds_no_objects(tmp_path: Path):
    path = tmp_path / "bad.yaml"
    path.write_text("!!python/object/apply:os.system ['true']")
    assert "cannot be read as YAML" in refusal(path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_fit_model_and_schema(path: Path):
    Scenario.load(path)
    Draft202012Validator(schema()).validate(yaml.safe_load(path.read_text()))


def test_a_threshold_tells_in_pythons_own_words():
    """What numpy says cannot be written as JSON."""
    assert Threshold(min=15.0).holds(np.float64(1.6)) is False and Threshold(max=2.0).holds(np.float64(1.6)) is True


def test_the_schema_is_as_strict():
    validator = Draft202012Validator(schema())
    assert validator.is_valid(LEAST)
    assert not validator.is_valid(LEAST | {"treshold": {}})
    assert not validator.is_valid({"version": 1})
