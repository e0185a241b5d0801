"""The page of an evaluation: what it says, that it is whole in itself, and how a browser shows it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hoi_ros.demo
from hoi_ros.evaluation.comparison import Change, Comparison
from hoi_ros.evaluation.figures import FIGURES
from hoi_ros.evaluation.scenario import Scenario, Threshold
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import serialized
from hoi_ros.pipeline import Result, flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.results import MessageWriter
from hoi_ros.retargeting.shadow_hand import NAMES
from hoi_ros.types import JointGoal
from hoi_ros.view import evaluation_page, worst

HOSTILE = "<script>alert('x')</script>\"><img src=//evil.example/x>"
COUNT = 12
REFUSED, WITHOUT_GOAL = 4, 7
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LINKS = ("src", "srcset", "href", "xlink:href", "action", "data", "poster")
VOID = {"meta", "link", "img", "wbr", "br"}


def line(index: int, stamp: int, truth: bool) -> dict[str, Any]:
    """A made-up line of ``result.jsonl``; the error grows with the index."""
    figures = {"latency.total_ms": 20.0 + index, "latency.pose_estimation_ms": 15.0, "age_ms": 0.0}
    if truth:
        figures |= {"hand.hidden": 0.05 * (index % 3)} | {
            f"hand.{name}mpjpe_mm": error + index for name, error in (("", 9.0), ("r_", 8.0), ("pa_", 4.0))
        }
    line = {"index": index, "stamp_ns": stamp, "verdict": "pass", "reasons": [], "figures": figures}
    if index == REFUSED:
        line |= {"verdict": "refused", "reasons": [f"pose_estimation: no_hand: {HOSTILE}"], "figures": {"age_ms": 0.0}}
    return line


def conditions(name: str, pictures: int) -> dict[str, Any]:
    scenario = Scenario(
        version=1, name=name, bag="some/hand.mcap", mode="offline", frame_thresholds={"age_ms": Threshold(max=9)}
    )
    machine = {"system": "Linux", "python": "3.11", "cores": 2, "versions": {"numpy": "1.26.4"}}
    return {
        "scenario": scenario.model_dump(mode="json"),
        "bag": {
            "path": "some/hand.mcap",
            "sha256": "ab" * 32,
            "pictures": pictures,
            "topics": {"image": "/a", "depth": ""},
        },
        "started": "2026-01-01T00:00:00+00:00",
        "environment": {"machine": machine, "weights": {"some_weights": "0123456789ab"}, "git": "0123456+"},
        "hand_model": "embedded 0123",
        "lacking": "hand.mcap was cut off",
    }


def write_result(out: Path, lines: list[dict[str, Any]], figures: dict[str, float], name: str = HOSTILE) -> None:
    """The files of a result but the recorded outputs."""
    out.mkdir(exist_ok=True)
    made = conditions(name, len(lines))
    (out / "result.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [{"conditions": made}, *lines]))
    verdicts = {v: sum(each["verdict"] == v for each in lines) for v in ("pass", "fail", "refused", "unanswered")}
    checks = [
        {"figure": "frames", "asked": "at least 1", "value": figures["frames"], "passed": bool(lines)},
        {"figure": "hand.auc", "asked": "at least 0.5", "value": None, "passed": False},
    ]
    summary = {
        "name": name, "passed": False, "faults": ["hands look mirrored: off by 40 mm"], "figures": figures,
        "checks": checks, "verdicts": verdicts, "refusals": {"no_hand": 1} if lines else {}, "conditions": made,
    }  # fmt: skip
    (out / "summary.json").write_text(json.dumps(summary | {"reasons": []}))


def write_outputs(out: Path, stamps: list[int]) -> None:
    """Hands and goals as the offline player writes them; a goal's bend tells its picture."""
    with MessageWriter(out / "results.mcap") as writer:
        for index, stamp in enumerate(stamps):
            goal = JointGoal(NAMES, np.full(len(NAMES), 0.01 * index), (), np.zeros(0), np.eye(7)[6], stamp_ns=stamp)
            hands = [] if index == REFUSED else [flat_hand("right")]
            result = Result(hands, None if index in (REFUSED, WITHOUT_GOAL) else goal, {}, {})
            for topic, kind, cdr in serialized(result, conversions.header(stamp, "camera"), "", 0.1, writer.types):
                writer.write(topic, kind, stamp, cdr)


def stamps_of_demo(count: int) -> list[int]:
    with Bag(hoi_ros.demo.BAG) as bag:
        return [frame.image.stamp_ns for _, frame in zip(range(count), bag.frames(), strict=False)]


def page_of(out: Path, comparison: Comparison | None = None) -> Path:
    with Bag(hoi_ros.demo.BAG) as bag:
        return evaluation_page.write(out, bag, comparison)


COMPARISON = Comparison(
    (Change("age_ms", 12, 2.0, 1.0, -1.5, -0.5), Change("hand.mpjpe_mm", 12, 5.0, 9.0, 3.0, 5.0)),
    {"pass": (12, 11), "fail": (0, 0), "refused": (0, 1), "unanswered": (0, 0)},
    ("the machines differ",),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of twelve pictures with truth, one refused and one without a goal, beside another result."""
    out = tmp_path_factory.mktemp("page")
    stamps = stamps_of_demo(COUNT)
    lines = [line(index, stamp, truth=True) for index, stamp in enumerate(stamps)]
    figures = {name: 10.0 + row for row, name in enumerate(FIGURES) if name != "hand.auc"}
    write_result(out, lines, figures | {"frames": float(COUNT)})
    write_outputs(out, stamps)
    return page_of(out, COMPARISON)


class Read(HTMLParser):
    """A page's elements with their attributes, its headings and its text; every element is closed in order."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.headings: list[tuple[int, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page.read_text())
        self.close()
        self.text = " ".join(self.text.split())
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in HEADINGS:
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if any(tag in HEADINGS for tag in self._open):
            level, text = self.headings[-1]
            self.headings[-1] = level, " ".join((text + data).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def read(page: Path) -> Read:
    return Read(page)


def test_the_verdict_comes_first_and_the_rest_in_order(read: Read):
    assert read.headings[0] == (1, f"FAILED {HOSTILE}")
    assert [text for level, text in read.headings if level == 2] == [
        "Figures", "Pictures", "Time lines", "Error by occlusion", "Distributions", "Worst pictures", "Environment",
        "Comparison with the other result",
    ]  # fmt: skip
    before = read.text[: read.text.index("Figures Pictures")]
    faults, broken = "hands look mirrored: off by 40 mm.", "hand.auc has no data, at least 0.5 is asked."
    assert 0 < before.index(faults) < before.index(broken)


def test_no_level_of_headings_is_left_out(read: Read):
    levels = [level for level, _ in read.headings]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_figure_is_there_with_what_it_means(read: Read):
    for name, meaning in FIGURES.items():
        assert name in read.text and meaning in read.text
    assert "no data at least 0.5 NO" in read.text and "12 at least 1 ok" in read.text


def test_figures_stand_in_groups_by_their_first_name(read: Read):
    """The group with the broken threshold comes first, then that of which something is asked, then the others."""
    asked, plain = " Figure Value Asked ", " Figure Value "
    places = [read.text.index(name + head) for name, head in (("hand", asked), ("recording", asked), ("goal", plain))]
    assert places == sorted(places)
    of_hands = read.text[places[0] : places[1]]
    assert all(name in of_hands for name in FIGURES if name.startswith("hand."))
    assert "goal." not in of_hands and "latency." not in of_hands
    assert of_hands.index("hand.auc") < of_hands.index("hand.mpjpe_mm")
    assert "Of every picture is asked: age_ms at most 9." in read.text


def test_pictures_refusals_and_environment_are_there(read: Read):
    for said in ("pass 11 91.7 %", "refused 1 8.3 %", "no_hand 1", "ab" * 32, "0123456+", "embedded 0123",
                 "some_weights 0123456789ab", "numpy 1.26.4", "topic of image /a", "mode offline"):  # fmt: skip
        assert said in read.text
    assert "topic of depth" not in read.text


def test_nothing_is_fetched_and_nothing_runs(page: Path, read: Read):
    links = [(name, value) for _, attrs in read.elements for name, value in attrs.items() if name in LINKS]
    assert len(links) > 20
    assert all(value.startswith(("data:", "#")) for _, value in links)
    assert not re.search(r"@import|url\((?!#)|<script", page.read_text())
    assert not any(name.startswith("on") for _, attrs in read.elements for name in attrs)


def test_what_a_scenario_says_stays_text(read: Read):
    assert read.text.count(HOSTILE) >= 3  # title, heading, reason of a picture
    assert read.all("script") == [] and all("evil" not in image["src"] for image in read.all("img"))


def test_ids_are_unique_and_lead_somewhere(read: Read):
    ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in read.elements:
        for value in (attrs.get("aria-labelledby"), attrs.get("href"), attrs.get("xlink:href")):
            if value and not value.startswith("data:"):
                assert value.removeprefix("#") in ids


def test_tables_and_pictures_say_what_they_are(read: Read):
    images = read.all("img")
    assert len(images) == 4 * 3 + 2 * 2  # two of the six have no goal, so no robot hand
    assert all(image["alt"] for image in images)
    assert len({image["alt"] for image in images}) == len(images)
    assert len(read.all("caption")) == len(read.all("table"))
    assert all(head["scope"] in ("col", "row") for head in read.all("th"))
    assert len([attrs for attrs in read.all("svg") if attrs.get("role") == "img" and attrs.get("aria-label")]) == 3


def test_the_worst_pictures_are_those_refused_and_of_the_largest_error(read: Read):
    shown = [text.split(",")[0] for level, text in read.headings if level == 3]
    assert shown == [f"Picture {index}" for index in (4, 11, 10, 9, 8, 7)]
    assert "no hand was found" in read.text and "No goal was made from this picture." in read.text


def test_changes_are_listed_worst_first(read: Read):
    part = read.text[read.text.rindex("Comparison with the other result") :]
    assert "hand.mpjpe_mm grew from 5 to 9 (by 3 to 5, 95% sure)." in part
    assert part.index("hand.mpjpe_mm 12 5 9 +3 to +5 worse") < part.index("age_ms 12 2 1 -1.5 to -0.5 better")
    assert "The two differ: the machines differ." in part
    assert "1 thing got worse" in read.text


def test_without_truth_the_slowest_pictures_are_shown(tmp_path: Path):
    stamps = stamps_of_demo(COUNT)
    write_result(tmp_path, [line(i, stamp, truth=False) for i, stamp in enumerate(stamps)], {"frames": float(COUNT)})
    write_outputs(tmp_path, stamps)
    read = Read(page_of(tmp_path))
    assert [text.split(",")[0] for level, text in read.headings if level == 3][:2] == ["Picture 4", "Picture 11"]
    assert "No picture has both a true hand and depth" in read.text
    assert "of the largest latency.total_ms" in read.text
    assert "Comparison" not in read.text and "hand.pa_mpjpe_mm" not in read.text


def test_no_pictures_at_all_is_a_page_too(tmp_path: Path):
    write_result(tmp_path, [], {"frames": 0.0})
    read = Read(page_of(tmp_path))
    assert read.headings[0][1].startswith("FAILED") and read.all("img") == [] and read.all("svg") == []
    assert "0 pictures of hand.mcap" in read.text


@pytest.mark.parametrize("file", ["summary.json", "result.jsonl"])
def test_half_a_result_is_refused(tmp_path: Path, file: str):
    write_result(tmp_path, [], {"frames": 0.0})
    (tmp_path / file).write_text("")
    with pytest.raises(Refused, match=file) as refused:
        page_of(tmp_path)
    assert refused.value.reason is Reason.FILE


# --- what is behind it ------------------------------------------------------------------------------------------


def test_goals_are_those_of_their_pictures(tmp_path: Path):
    stamps = [1_700_000_000_000_000_000 + 66_666_667 * index for index in range(COUNT)]
    write_outputs(tmp_path, stamps)
    given = worst.given(tmp_path / "results.mcap", {stamps[i] for i in (2, REFUSED, WITHOUT_GOAL, 9)})
    assert {stamp: goal.positions[0] for stamp, goal in given.goals.items()} == {
        stamps[2]: pytest.approx(0.02), stamps[9]: pytest.approx(0.09)
    }  # fmt: skip
    assert {stamp: len(hands) for stamp, hands in given.hands.items() if hands} == {
        stamps[i]: 1 for i in (2, WITHOUT_GOAL, 9)
    }


# --- in a browser -----------------------------------------------------------------------------------------------

CONTRASTS = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(c => c / 255).map(
    c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const behind = e => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0.99) return c; } return [255, 255, 255]; };
  const faint = e => { let o = 1; for (; e; e = e.parentElement) o *= Number(getComputedStyle(e).opacity); return o; };
  const texts = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && [...e.childNodes].some(
    n => n.nodeType === 3 && n.textContent.trim()));
  return texts.map(e => { const style = getComputedStyle(e), back = behind(e), share = faint(e);
    const ink = channels(e.closest('svg') ? style.fill : style.color).map((c, i) => share * c + (1 - share) * back[i]);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 40)]; });
}"""


NUMBERED = """() => { const all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')];
  const seen = all.filter(e => e.checkVisibility());
  seen.forEach((e, i) => e.dataset.row = i);
  return seen.length; }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, where playwright and a Chromium are."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright here; pip install playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    with api.sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("no Chromium here; apt-get install chromium, or playwright install chromium")
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(params=["light", "dark"])
def shown(request: pytest.FixtureRequest, browser: Any, page: Path) -> Iterator[Any]:
    """The page on a phone, in each colour scheme; what the console says is an error, and so is any request."""
    complaints: list[str] = []
    tab = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda sent: sent.url.startswith(("file:", "data:")) or complaints.append(sent.url))
    tab.goto(page.as_uri())
    yield tab
    tab.close()
    assert complaints == []


def test_a_phone_shows_it(shown: Any, read: Read):
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    widths = shown.evaluate("[...document.images].map(image => image.complete ? image.naturalWidth : 0)")
    assert len(widths) == len(read.all("img")) and min(widths) > 0


def test_the_first_screen_says_why(shown: Any):
    reasons = shown.locator(".reasons li")
    bottoms = [reasons.nth(row).bounding_box() for row in range(reasons.count())]
    assert len(bottoms) == 2 and all(box["y"] + box["height"] < 740 for box in bottoms)


def test_text_stands_out(shown: Any):
    faint = [(round(ratio, 2), text) for ratio, text in shown.evaluate(CONTRASTS) if ratio < 4.5]
    assert faint == []


def test_the_scheme_is_the_viewers(shown: Any, request: pytest.FixtureRequest):
    background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = sum(map(int, re.findall(r"\d+", background))) > 384
    assert bright is (request.node.callspec.params["shown"] == "light")


def test_the_keyboard_reaches_everything(shown: Any):
    wanted = shown.evaluate(NUMBERED)
    reached = []
    for _ in range(wanted):
        shown.keyboard.press("Tab")
        reached.append(shown.evaluate("Number(document.activeElement.dataset.row)"))
        assert shown.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == list(range(wanted)) and wanted > 20


def test_the_keyboard_opens_what_is_closed_and_skips(shown: Any):
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.getBoundingClientRect().left") >= 0  # in sight once it has the focus
    shown.keyboard.press("Enter")
    assert shown.evaluate("location.hash") == "#main"
    shown.locator("summary").first.focus()
    shown.keyboard.press("Enter")
    assert shown.evaluate("document.querySelector('details').open")
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
