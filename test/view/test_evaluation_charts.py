"""What the page of an evaluation makes of many pictures: the worst of them, groups, curves."""

from __future__ import annotations

import numpy as np

from hoi_ros.view import charts, worst
from hoi_ros.view.evaluation_data import Series, occlusion


def numbers(count: int, **figures: np.ndarray) -> Series:
    stamps = 33_333_333 * np.arange(count)
    named = {name.replace("__", "."): values for name, values in figures.items()}
    return Series(stamps, np.full(count, "pass"), named)


def test_the_worst_are_far_from_each_other():
    error = np.zeros(1600)
    error[1000:1010], error[1050], error[300] = 50.0, 40.0, 30.0
    chosen = worst.chosen_of(numbers(1600, hand__r_mpjpe_mm=error))
    assert chosen[:2] == [1000, 300] and len(chosen) == 6
    assert min(abs(a - b) for a in chosen for b in chosen if a != b) >= 100


def test_errors_by_occlusion():
    hidden = np.array([0.0, 0.0, 0.1, 0.3, 0.21, 1.0, np.nan])
    error = np.array([2.0, 4.0, 6.0, 8.0, np.nan, np.nan, 99.0])
    groups = occlusion(numbers(7, hand__hidden=hidden, hand__mpjpe_mm=error, hand__r_mpjpe_mm=error / 2))
    assert [(group.label, group.pictures, group.found) for group in groups] == [
        ("nothing hidden", 2, 1.0), ("0 to 10 %", 1, 1.0), ("20 to 30 %", 2, 0.5), ("90 to 100 %", 1, 0.0),
    ]  # fmt: skip
    assert [group.errors.get("hand.mpjpe_mm") for group in groups] == [3.0, 6.0, 8.0, None]
    assert groups[0].errors["hand.r_mpjpe_mm"] == 1.5


def test_a_long_recording_is_drawn_as_small_as_a_short_one():
    """Of 36000 pictures as many points are drawn as of 2000, and one that sticks out still does."""
    rng = np.random.default_rng(0)
    long, short = rng.uniform(1.0, 9.0, 36_000), rng.uniform(1.0, 9.0, 2_000)
    drawn = charts.time_lines(numbers(len(long), hand__mpjpe_mm=long))
    assert len(drawn) < 1.3 * len(charts.time_lines(numbers(len(short), hand__mpjpe_mm=short)))
    long[20_000] = 50_000.0
    assert ">40000</text>" in charts.time_lines(numbers(len(long), hand__mpjpe_mm=long))
    assert ">40000</text>" not in drawn


def test_stamps_that_go_backwards_are_drawn_by_index():
    some = numbers(3, hand__mpjpe_mm=np.ones(3))
    back = Series(some.stamps[[0, 2, 1]], some.verdicts, some.figures)
    assert "stamps go backwards" in charts.time_lines(back) and "stamps go" not in charts.time_lines(some)
