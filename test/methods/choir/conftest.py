"""Hands on a cylinder, and a batch drawn of them."""

from __future__ import annotations

import numpy as np
import pytest
from made_pairs import pairs

from hoi_ros.methods.choir.draws import Batch, Draws
from hoi_ros.methods.choir.pairs import Pairs


@pytest.fixture(scope="session")
def found() -> Pairs:
    return pairs()


@pytest.fixture(scope="session")
def batch(found: Pairs) -> Batch:
    return Draws(found, "pair", 4)(np.random.default_rng(0))
