"""The slot between callback and worker."""

import threading
import time

from hoi_ros.nodes.mailbox import MOST_GOALS, GoalMailbox, Mailbox, StampedBuffer
from hoi_ros.nodes.statistics import Statistics
from hoi_ros.refusals import Reason


def test_the_newest_replaces_what_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert [mailbox.put(i) for i in range(3)] == [None, 0, 1]
    assert mailbox.wait() and mailbox.take() == 2 and mailbox.take() is None


def test_closing_ends_a_worker_that_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    answers: list[bool] = []
    worker = threading.Thread(target=lambda: answers.append(mailbox.wait()))
    worker.start()
    mailbox.close()
    worker.join(5.0)
    assert answers == [False]


def test_what_waited_is_not_taken_after_closing() -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.put(1)
    mailbox.close()
    assert mailbox.take() is None


def test_the_nearest_stamp_within_the_slop_is_found() -> None:
    buffer: StampedBuffer[str] = StampedBuffer(2)
    for stamp, item in ((100, "a"), (200, "b"), (300, "c")):
        buffer.put(stamp, item)
    assert buffer.stamps() == [200, 300]
    assert buffer.wait_for(260, 100, 0.0) == "c"
    assert buffer.wait_for(100, 99, 0.0) is None


def test_an_item_that_comes_in_time_is_waited_for() -> None:
    buffer: StampedBuffer[str] = StampedBuffer(2)
    threading.Timer(0.05, buffer.put, (7, "late")).start()
    assert buffer.wait_for(7, 0, time.monotonic() + 5.0) == "late"


def test_what_waits_is_never_more_than_one() -> None:
    mailbox: Mailbox[int] = Mailbox()
    statistics = Statistics()
    for i in range(5):
        statistics.on_received(mailbox.put(i) is not None)
    mailbox.take()
    statistics.on_taken()
    statistics.on_answer(Reason.NO_HAND, "no hand", 0.01, 0.02)
    values, recent = statistics.report()
    assert values["queue high-water mark"] == "1" and values["replaced by newer"] == "4"
    assert (
        values["refused: no_hand"] == "1" and values["latency p95 (ms)"] == "10.0" and values["age p50 (ms)"] == "20.0"
    )
    assert recent == {Reason.NO_HAND: "no hand"} and statistics.report()[1] == {}


def test_goals_wait_in_order_before_the_slot_and_nothing_replaces_them() -> None:
    box: GoalMailbox[int] = GoalMailbox()
    assert box.put(100) is None
    assert [box.put_goal(n) for n in range(MOST_GOALS + 1)] == [True] * MOST_GOALS + [False]
    assert box.put(101) == 100
    assert [box.take() for _ in range(MOST_GOALS + 2)] == [*range(MOST_GOALS), 101, None]


def test_what_nobody_took_is_left_when_it_is_closed() -> None:
    box: GoalMailbox[int] = GoalMailbox()
    box.put(100)
    box.put_goal(1)
    assert box.wait()
    box.close()
    assert not box.wait() and box.take() is None and not box.put_goal(2)
    assert box.left() == [1, 100] and box.left() == []
