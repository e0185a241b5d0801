from __future__ import annotations

import pytest

from hoi_ros.hand import HandModel, load_hand_model


@pytest.fixture(scope="session")
def model() -> HandModel:
    return load_hand_model()
