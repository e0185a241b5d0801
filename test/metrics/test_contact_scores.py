"""Contact maps of small surfaces counted by hand, and scores of maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoi_ros.metrics.contact import contact_maps, map_scores
from hoi_ros.refusals import Reason, Refused

TRIANGLE = 0.01 * np.array([[[0.0, 0, 0], [4, 0, 0], [0, 4, 0]]])  # twice subdivided: 15 points 1 cm apart
FACE = np.array([[0, 1, 2]], np.int32)
maps = arrays(np.bool_, (2, 6, 9), elements=st.booleans())


def test_a_triangle_has_15_points_and_each_is_touched_by_its_own():
    assert contact_maps(TRIANGLE, FACE, np.array([[1.0, 0, 0]])).shape == (1, 15)
    lattice = 0.01 * np.array([[x, y, 0.1] for x in range(5) for y in range(5) if x + y <= 4])  # 1 mm above
    assert contact_maps(TRIANGLE, FACE, lattice).all()
    for count in (1, 4, 15):
        assert contact_maps(TRIANGLE, FACE, lattice[:count]).sum() == count


def test_contact_reaches_2_mm_and_no_further():
    above = np.array([[0.01, 0.01, 0.0]])
    for height, touching in ((0.0, 1), (0.0019, 1), (0.002, 1), (0.0021, 0), (0.0035, 0), (-0.002, 1)):
        assert contact_maps(TRIANGLE, FACE, above + np.array([0.0, 0.0, height])).sum() == touching


def test_hands_are_mapped_each_by_itself():
    hands = np.concatenate([TRIANGLE, TRIANGLE + np.array([0.0, 0.0, 0.01])])
    found = contact_maps(hands, FACE, np.array([[0.0, 0.0, 0.0], [0.04, 0.0, 0.01]]))
    np.testing.assert_array_equal(found.sum(axis=1), [1, 1])
    assert (found[0] != found[1]).sum() == 2


def test_scores_by_hand():
    """Three touch, four should, two do both."""
    predicted = np.array([[1, 1, 1, 0, 0, 0]], bool)
    true = np.array([[1, 1, 0, 1, 1, 0]], bool)
    scores = map_scores(predicted, true)
    assert (scores.precision[0], scores.recall[0], scores.f1[0]) == pytest.approx((2 / 3, 2 / 4, 4 / 7))


def test_empty_maps():
    nothing, something = np.zeros((1, 4), bool), np.eye(1, 4, dtype=bool)
    for predicted, true, expected in ((nothing, nothing, 1.0), (nothing, something, 0.0), (something, nothing, 0.0)):
        scores = map_scores(predicted, true)
        assert (scores.precision[0], scores.recall[0], scores.f1[0]) == (expected,) * 3


@given(maps)
def test_what_scores_keep(pair):
    scores, back = map_scores(*pair), map_scores(*pair[::-1])
    np.testing.assert_array_equal(scores.precision, back.recall)
    np.testing.assert_allclose(scores.f1, back.f1)
    for values in (scores.precision, scores.recall, scores.f1):
        assert (values >= 0.0).all() and (values <= 1.0).all()
    hits, all_marks = (pair[0] & pair[1]).sum(axis=1), pair.sum(axis=(0, 2))
    some = all_marks > 0
    np.testing.assert_allclose(scores.f1[some], 2.0 * hits[some] / all_marks[some])  # Dice
    np.testing.assert_array_equal(scores.f1 == 1.0, (pair[0] == pair[1]).all(axis=1))


def test_what_has_no_map():
    with pytest.raises(Refused, match="vertices are not finite") as refusal:
        contact_maps(np.full_like(TRIANGLE, np.nan), FACE, np.zeros((1, 3)))
    assert refusal.value.reason is Reason.NOT_FINITE
    with pytest.raises(Refused, match="0 points of the object"):
        contact_maps(TRIANGLE, FACE, np.zeros((0, 3)))
