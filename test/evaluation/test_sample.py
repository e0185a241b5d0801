"""Samples of numbers: whole while they are few, fair when they are many."""

from __future__ import annotations

import numpy as np
import pytest

from hoi_ros.evaluation import sample
from hoi_ros.evaluation.sample import Sample


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST", 1000)


def test_few_numbers_are_all_there_in_their_order():
    found = Sample()
    assert not found and len(found) == 0
    found.append(3.0)
    found.extend(np.array([[1.0, 2.0], [5.0, np.nan]]))
    assert np.array_equal(found, [3.0, 1.0, 2.0, 5.0, np.nan], equal_nan=True)
    assert np.nanmean(found) == 2.75


def test_many_numbers_are_sampled_evenly():
    """Of 0 to 99,999 the sample's quantiles are those of a uniform distribution, whether they came at once or not."""
    at_once, one_by_one = Sample(), Sample()
    at_once.extend(np.arange(100_000.0))
    for number in range(100_000):
        one_by_one.append(float(number))
    for found in (at_once, one_by_one):
        assert len(found) == 1000 == len(set(np.array(found)))
        spread = 100_000.0 * np.sqrt(0.25 / 1000)  # of the median's estimate, the widest
        assert np.abs(np.percentile(found, [5, 50, 95]) - [5_000, 50_000, 95_000]).max() < 4 * spread


def test_every_run_has_the_same_sample():
    one, other = Sample(), Sample()
    for found in (one, other):
        found.extend(np.arange(5000.0))
    assert np.array_equal(one, other)
