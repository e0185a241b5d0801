"""Which detection is which hand."""

from dataclasses import replace

import numpy as np

from hoi_ros.methods.landmarks.detector import Detection, to_the_end, without_duplicates
from hoi_ros.methods.landmarks.one_euro import OneEuro
from hoi_ros.methods.landmarks.tracks import MISSES, Tracker

SHAPE = np.random.default_rng(1).uniform(0.0, 100.0, (21, 2))


def detection(x: float, side="right", score=0.9) -> Detection:
    return Detection(side, score, SHAPE + np.array([x, 0.0]), np.zeros((21, 3)))


def tracker() -> Tracker:
    return Tracker(lambda: OneEuro(1.0, 1.0))


def numbers(tracks) -> list[int]:
    return [track.number for track in tracks]


def test_hands_keep_their_numbers_whatever_the_order():
    hands = tracker()
    assert numbers(hands.update([detection(0), detection(300)])[0]) == [1, 2]
    assert numbers(hands.update([detection(310), detection(10)])[0]) == [2, 1]


def test_crossing_hands_are_told_apart_by_their_sides():
    hands = tracker()
    hands.update([detection(0, "right"), detection(60, "left")])
    assert numbers(hands.update([detection(30, "left"), detection(28, "right")])[0]) == [2, 1]


def test_a_hand_far_from_all_others_is_new():
    hands = tracker()
    hands.update([detection(0)])
    seen, lost = hands.update([detection(500)])
    assert (numbers(seen), numbers(lost)) == ([2], [1])


def test_a_lost_hand_comes_back_soon_or_ends():
    hands = tracker()
    hands.update([detection(0)])
    for _ in range(MISSES):
        assert numbers(hands.update([])[1]) == [1]
    assert numbers(hands.update([detection(0)])[0]) == [1]
    for _ in range(MISSES + 1):
        _, lost = hands.update([])
    assert lost == []
    assert numbers(hands.update([detection(0)])[0]) == [2]


def test_one_wrong_side_does_not_turn_a_hand_around_but_many_do():
    hands = tracker()
    for _ in range(5):
        hands.update([detection(0, "right")])
    sides = [hands.update([detection(0, "left", 0.8)])[0][0].side for _ in range(12)]
    assert sides[0] == "right"
    assert sides[-1] == "left"


def test_a_hand_that_turns_out_the_other_starts_anew():
    hands = tracker()
    (track,), _ = hands.update([detection(0, "right", 0.5)])
    track.fit = object()
    (track,), _ = hands.update([detection(0, "left", 0.99)])
    assert track.side == "left"
    assert track.fit is None


def test_reset_counts_from_one():
    hands = tracker()
    hands.update([detection(0)])
    hands.reset()
    assert numbers(hands.update([detection(0)])[0]) == [1]


def test_a_hand_seen_twice_is_one_the_better():
    twice = [detection(0, "left", 0.6), detection(3, "right", 0.9), detection(90, "left", 0.8)]
    assert [(d.side, d.score) for d in without_duplicates(twice)] == [("right", 0.9), ("left", 0.8)]


def test_fingertips_move_outwards_only():
    points = np.zeros((21, 2))
    points[3], points[4] = [1.0, 0.0], [1.76, 0.0]
    np.testing.assert_allclose(to_the_end(points)[4], [2.0, 0.0])
    np.testing.assert_array_equal(np.delete(to_the_end(points), 4, axis=0), np.delete(points, 4, axis=0))


def test_size_is_that_of_the_box():
    assert replace(detection(0), pixels=np.r_[[[0.0, 0.0], [3.0, 4.0]], np.ones((19, 2))]).size == 5.0
