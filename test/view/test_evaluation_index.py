"""The page of many evaluations: what passed, why the others did not, and the way to each one's own page."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml
from rosbags.highlevel import AnyReader
from test_evaluation_page import LINKS, Read, browser  # noqa: F401 - the browser is a fixture

import hoi_ros.demo
from hoi_ros.cli.evaluate import evaluate
from hoi_ros.evaluation.figures import FIGURES
from hoi_ros.replay.results import MessageWriter

PICTURES = 2
STRICT = {name: {"max": -1.0} for name in ("frames", "answered", "failed", "missing", "lost")}  # what nothing can be


def recording(path: Path) -> Path:
    """The demo's first pictures."""
    with AnyReader([Path(hoi_ros.demo.BAG)]) as reader, MessageWriter(path) as writer:
        left = PICTURES * len(reader.connections)
        for (connection, time_ns, cdr), _ in zip(reader.messages(), range(left), strict=False):
            writer.write(connection.topic, connection.msgtype, time_ns, bytes(cdr))
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a scenario that passes, one that fails in five ways and has a space in its name, and one that is refused."""
    folder = tmp_path_factory.mktemp("scenarios")
    bag = str(recording(folder / "some.mcap"))
    (folder / "broken.mcap").write_bytes(b"nothing")
    contents: dict[str, dict[str, Any]] = {
        "fine": {"bag": bag, "thresholds": {"frames": {"min": PICTURES}}},
        "too strict": {"bag": bag, "thresholds": STRICT},
        "unreadable": {"bag": "broken.mcap"},
    }
    for name, content in contents.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"version": 1, "mode": "offline"} | content))
    out = folder / "out"
    with pytest.raises(typer.Exit) as ended:
        evaluate(folder, out, mode="", compare=None, junit=None, workers=1, report=True, ray="", schema=False)
    assert ended.value.exit_code == 2
    return out / "index.html"


@pytest.fixture(scope="module")
def read(index: Path) -> Read:
    return Read(index)


def test_those_that_did_not_pass_come_first_with_their_reasons(read: Read):
    assert read.headings == [(1, "FAILED 3 recordings")]
    assert "1 refused, 1 failed, 1 passed." in read.text
    places = [read.text.index(said) for said in ("unreadable REFUSED", "too strict FAILED", "fine PASSED")]
    assert places == sorted(places)
    refused, failed, passed = (read.text[a:b] for a, b in zip(places, [*places[1:], None], strict=True))
    assert "file: " in refused and "broken.mcap cannot be read as a bag" in refused
    assert "frames is 2, at most -1 is asked." in failed and "and 2 more." in failed
    assert passed.startswith(f"fine PASSED {PICTURES} 1 ")


def test_every_page_is_reached(index: Path, read: Read):
    links = [attrs["href"] for attrs in read.all("a") if not attrs["href"].startswith("#")]
    assert links == ["too%20strict/report.html", "fine/report.html"]
    for link in links:
        assert Read(index.parent / unquote(link)).headings[0][1].endswith(unquote(link).split("/")[0])


def test_nothing_else_is_fetched_and_figures_say_what_they_mean(index: Path, read: Read):
    values = [value for _, attrs in read.elements for name, value in attrs.items() if name in LINKS]
    assert all(value.startswith(("data:", "#")) or value.endswith("/report.html") for value in values)
    assert "<script" not in index.read_text()
    assert FIGURES["answered"] in read.text and "grasp.answered" not in read.text  # no sentence was said


def test_a_phone_leads_to_the_pages(index: Path, browser: Any):  # noqa: F811
    tab = browser.new_page(viewport={"width": 360, "height": 740})
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.goto(index.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    box = tab.get_by_text("frames is 2, at most -1 is asked.").bounding_box()
    assert box["y"] + box["height"] < 740 and box["x"] + box["width"] < 360
    tab.get_by_role("link", name="too strict").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/too%20strict/report.html")
    assert tab.title() == "FAILED: too strict" and complaints == []
    tab.close()
