"""Scores of affordance maps against values worked out by hand, and scikit-learn's AUC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from hoi_ros.metrics.affordance import affordance_scores

TRUE = np.array([[1.0, 1.0, 0.0, 0.0]])


def test_a_perfect_map() -> None:
    scores = affordance_scores(TRUE, TRUE)
    # At the threshold 0 all four points count, two of them rightly; at the other 19 the map is the mask.
    assert scores.iou[0] == pytest.approx((0.5 + 19.0) / 20.0)
    assert (scores.auc[0], scores.sim[0], scores.mae[0]) == (1.0, 1.0, 0.0)


def test_a_map_worked_out_by_hand() -> None:
    scores = affordance_scores(np.array([[0.8, 0.4, 0.6, 0.2]]), TRUE)
    assert scores.auc[0] == pytest.approx(3.0 / 4.0)
    assert scores.sim[0] == pytest.approx(0.4 + 0.2)
    assert scores.mae[0] == pytest.approx((0.2 + 0.6 + 0.6 + 0.2) / 4.0)
    # Thresholds k / 19: all four to k = 3, then three to 7, then two (one right) to 11, then one (right) to 15.
    assert scores.iou[0] == pytest.approx((4 * 2 / 4 + 4 * 2 / 3 + 4 * 1 / 3 + 4 * 1 / 2) / 20.0)


def test_empty_maps_have_no_score_but_their_error() -> None:
    scores = affordance_scores(np.array([[0.5, 0.0]]), np.zeros((1, 2)))
    assert np.isnan([scores.iou[0], scores.auc[0], scores.sim[0]]).all()
    assert scores.mae[0] == 0.25


@given(
    arrays(float, (3, 12), elements=st.integers(0, 4).map(lambda n: n / 4.0)),
    arrays(float, (3, 12), elements=st.sampled_from([0.0, 1.0])),
)
def test_auc_is_scikit_learns(predicted: np.ndarray, true: np.ndarray) -> None:
    true[:, 0], true[:, 1] = 1.0, 0.0
    expected = [roc_auc_score(mask, values) for values, mask in zip(predicted, true, strict=True)]
    np.testing.assert_allclose(affordance_scores(predicted, true).auc, expected)
