"""Turns, ratios and tables on clocks and figures that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from hoi_ros.benchmarks import table
from hoi_ros.benchmarks.side_by_side import comparison, largest_difference, ratio, result, take_turns
from hoi_ros.refusals import Reason, Refused


class Machine:
    """A clock that only work moves on, and a diary of who worked."""

    def __init__(self, pace: list[float] | None = None) -> None:
        self.now, self.diary, self._pace = 0.0, "", pace or [1.0]

    def worker(self, name: str, seconds: float):
        def work() -> None:
            self.now += seconds * self._pace[self.diary.count(name) % len(self._pace)]
            self.diary += name

        return work

    def clock(self) -> float:
        return self.now


def test_contestants_take_turns_and_every_other_round_backwards():
    machine = Machine()
    works = {"a": machine.worker("a", 2.0), "b": machine.worker("b", 6.0), "c": machine.worker("c", 1.0)}
    seconds = take_turns(works, 3, clock=machine.clock)
    assert machine.diary == "abc" + "cba" + "abc"
    assert {name: values.tolist() for name, values in seconds.items()} == {
        "a": [2.0] * 3,
        "b": [6.0] * 3,
        "c": [1.0] * 3,
    }


def test_quick_work_is_repeated_and_its_warm_up_does_not_count():
    machine = Machine()
    works = {"q": machine.worker("q", 0.25), "s": machine.worker("s", 8.0)}
    seconds = take_turns(works, 1, shortest=1.0, clock=machine.clock)
    assert machine.diary == "qq" + "ss" + "qqqq" + "s"
    assert seconds["q"] == pytest.approx([0.25])
    assert seconds["s"] == pytest.approx([8.0])


def test_a_slow_spell_of_the_machine_leaves_the_ratio():
    machine = Machine(pace=[1.0, 50.0, 3.0])  # of each contestant's first, second, third call
    works = {"a": machine.worker("a", 2.0), "b": machine.worker("b", 5.0)}
    seconds = take_turns(works, 9, clock=machine.clock)
    assert ratio(seconds["b"], seconds["a"]) == pytest.approx({"median": 2.5, "q1": 2.5, "q3": 2.5})


def test_quartiles_of_known_ratios():
    ours = np.array([1.0, 2.0, 4.0, 1.0, 10.0])
    assert ratio(np.array([5.0, 4.0, 4.0, 3.0, 40.0]), ours) == {"median": 3.0, "q1": 2.0, "q3": 4.0}


def test_rounds_that_one_of_two_lost_have_no_ratio():
    lost = np.nan
    assert ratio(np.array([lost, 6.0, 8.0]), np.array([1.0, 2.0, lost])) == {"median": 3.0, "q1": 3.0, "q3": 3.0}
    assert ratio(np.array([lost, 6.0]), np.array([1.0, lost])) is None


def test_a_comparison_of_known_times():
    found = comparison("posing", "a hand", {"ours": np.array([0.001, 0.003]), "peer": np.array([0.004, 0.006])})
    assert (found["what"], found["input"], found["n"]) == ("posing", "a hand", 2)
    assert found["ours"] == pytest.approx({"name": "ours", "median_ms": 2.0, "p95_ms": 2.9})
    assert found["peers"]["peer"]["ratio"] == pytest.approx({"median": 3.0, "q1": 2.5, "q3": 3.5})


@pytest.mark.parametrize("theirs", [[1.0, 2.1], [1.0], [1.0, np.nan]])
def test_other_results_are_not_compared(theirs):
    with pytest.raises(Refused, match="peer") as refused:
        largest_difference("peer", [1.0, 2.0], theirs, 0.01)
    assert refused.value.reason is Reason.INTERNAL
    assert largest_difference("peer", [1.0, 2.0], [1.0, 2.005], 0.01) == pytest.approx(0.005)


# --- the table ------------------------------------------------------------------------------------------------------


def shown() -> dict:
    rounds = {"ours": np.array([0.002, 0.002]), "peer": np.array([0.004, 0.008]), "other": np.array([np.nan, np.nan])}
    row = comparison("a trip", "two processes", rounds)
    row["peers"]["other"]["arrived"] = 0.0
    return {
        "trips": result([row], {"third": "not installed: make peers"}),
        "real": {"skipped": "real is not there"},
        "figures": {"speed": 3.0},
    }


def test_a_row_for_each_peer_and_a_note_for_each_left_out():
    lines = table.markdown(shown()).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == 5
    assert lines[2:4] == [
        "| a trip | ours: 2 ms | peer: 6 ms | 3 [2.5..3.5] |",
        "| a trip | ours: 2 ms | other: nothing, 0 % arrived | none |",
    ]
    notes = "\n".join(lines[4:])
    assert "Left out of trips: third, not installed: make peers." in notes
    assert "Left out of real: all of it, real is not there." in notes
    assert "figures" not in notes


def test_a_person_reads_the_same():
    assert table.sentences(shown())[0] == "trips: a trip: ours: 2 ms | peer: 6 ms | ratio 3 [2.5..3.5]"
    assert table.sentences({"figures": {"speed": 3.0}}) == []
