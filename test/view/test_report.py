"""The page of a run: everything inside one file, nothing fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hoi_ros.demo
from hoi_ros.parameters import Parameters
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.results import Results
from hoi_ros.replay.summary import summarize
from hoi_ros.retargeting import build
from hoi_ros.types import HandPose
from hoi_ros.view import report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of three pictures on which a made-up hand was found."""
    out = tmp_path_factory.mktemp("report")
    results = Results(hand_model="embedded <test>")
    parameters = Parameters()
    retargeter = build(parameters)
    with Bag(hoi_ros.demo.BAG) as bag:
        for _, frame in zip(range(3), bag.frames(), strict=False):
            results.add_picture(frame)
            hand = HandPose(
                side="right", score=0.9, global_orient=np.zeros(3), hand_pose=np.zeros(45), betas=np.zeros(10),
                transl=np.array([0.0, 0.0, 0.5]), keypoints=frame.truth, wrist_pose=np.zeros(7),
                keypoints_2d=np.zeros((21, 2)), stamp_ns=frame.image.stamp_ns,
            )  # fmt: skip
            results.hands.append(hand)
            results.goals.append(retargeter.retarget(hand))
        summary = summarize(bag, parameters, "offline", results)
        rows: list[None] = []
        written = report.write(bag, parameters, results, summary, out, lambda: rows.append(None))
        assert len(rows) == report.rows_to_draw(results) == 6
        return written


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href", "action")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_nothing_is_fetched(page: Path):
    text, links = page.read_text(), Links()
    links.feed(text)
    assert len(links.sources) == 4 and links.open == []
    assert all(source.startswith("data:image/") for source in links.sources)
    assert not re.search(r"https?://|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    assert "<script" not in text


def test_phone_and_dark_mode_and_escapes(page: Path):
    text = page.read_text()
    assert "width=device-width" in text and "color-scheme: light dark" in text
    assert "embedded &lt;test&gt;" in text and "embedded <test>" not in text


def test_pictures_lie_beside_it(page: Path):
    with Image.open(page.with_name("hands.webp")) as film:
        assert film.n_frames == 3
    assert {path.name for path in page.parent.iterdir()} == {
        "hands.webp", "overview.png", "joints.png", "errors.png", "report.html",
    }  # fmt: skip
