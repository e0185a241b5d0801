"""Stamps against the ROS clock and against each other."""

import pytest

from hoi_ros.nodes.timeline import StampBackwards, Timeline
from hoi_ros.refusals import Reason, Refused

S = 1_000_000_000
NOW = 1_700_000_000 * S


def refusal(timeline: Timeline, stamp: int, now: int) -> Refused:
    with pytest.raises(Refused) as caught:
        timeline.admit(stamp, now)
    return caught.value


def test_newer_stamps_pass_and_are_no_restart() -> None:
    timeline = Timeline(0.5)
    assert [timeline.admit(NOW + i, NOW) for i in range(3)] == [False, False, False]


@pytest.mark.parametrize("back", [0, 1, S])
def test_a_late_stamp_is_refused_and_the_newest_stays_the_measure(back: int) -> None:
    timeline = Timeline(5.0)
    timeline.admit(NOW, NOW)
    refused = refusal(timeline, NOW - back, NOW)
    assert isinstance(refused, StampBackwards) and refused.reason is Reason.STAMP_BACKWARDS and not refused.restarted
    assert isinstance(refusal(timeline, NOW, NOW), StampBackwards)
    assert timeline.admit(NOW + 1, NOW) is False


def test_a_jump_back_is_a_restart_that_costs_one_input() -> None:
    timeline = Timeline(5.0)
    timeline.admit(NOW, NOW)
    refused = refusal(timeline, NOW - S - 1, NOW)
    assert isinstance(refused, StampBackwards) and refused.restarted
    assert timeline.admit(NOW - S, NOW) is False


def test_a_clock_set_back_restarts_however_little_the_stamp_falls() -> None:
    timeline = Timeline(5.0)
    timeline.admit(NOW, NOW)
    timeline.clock_jumped()
    refused = refusal(timeline, NOW - 1, NOW)
    assert isinstance(refused, StampBackwards) and refused.restarted
    assert timeline.admit(NOW, NOW) is False


def test_a_clock_that_changed_its_source_restarts_without_a_refusal() -> None:
    timeline = Timeline(5.0)
    timeline.admit(NOW, NOW)
    timeline.clock_jumped()
    assert timeline.admit(NOW + 1, NOW) is True
    assert timeline.admit(NOW + 2, NOW) is False


@pytest.mark.parametrize(
    ("stamp", "now", "hint"),
    [
        (NOW - S, NOW, "1.000 s old"),
        (NOW + S, NOW, "1.000 s in the future"),
        (0, NOW, "stamp is zero"),
        (NOW, 0, "nothing has come on /clock"),
    ],
)
def test_age_counts_both_ways_and_says_what_to_do(stamp: int, now: int, hint: str) -> None:
    refused = refusal(Timeline(0.5), stamp, now)
    assert refused.reason is Reason.STALE and hint in refused.message and "max_age is 0.5 s" in refused.message


def test_a_stale_input_leaves_no_mark() -> None:
    timeline = Timeline(0.5)
    refusal(timeline, NOW + S, NOW)
    assert timeline.admit(NOW, NOW) is False
