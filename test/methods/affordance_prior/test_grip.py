"""Sizes of things whose sizes are known, and what of them lies before a palm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.limits import palm_back
from hoi_ros.methods.affordance_prior.grip import ABOUT, BEFORE, FEWEST, KNUCKLES, extents, gripped_width
from hoi_ros.types import Array

MODEL = load_hand_model()
HAND = MODEL.joints(np.array([0.4, -0.3, 0.8]), np.zeros(45), np.zeros(10), np.array([0.1, 0.2, 0.3]))[0]
FORWARD = (HAND[9] - HAND[0]) / np.linalg.norm(HAND[9] - HAND[0])
OUT = -palm_back(HAND)
ACROSS = np.cross(FORWARD, OUT)
FRAME = np.stack([FORWARD, OUT - FORWARD * (FORWARD @ OUT), ACROSS], axis=1)
HELD = HAND[KNUCKLES].mean(axis=0) + BEFORE * OUT


def box(sides: tuple[float, float, float], count: int = 6000, seed: int = 0) -> Array:
    """Points all through a box (along the fingers, out of the palm, across it) at the place where a hand holds."""
    return HELD + (np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 3)) * sides) @ FRAME.T


def test_extents_are_nine_tenths_of_a_boxs_sides_however_it_lies() -> None:
    own = np.random.default_rng(1).uniform(-0.5, 0.5, (8000, 3)) * [0.05, 0.20, 0.10]
    turned = Rotation.from_rotvec([0.5, 1.0, -0.4]).apply(own) + np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(extents(turned), 0.9 * np.array([0.20, 0.10, 0.05]), rtol=0.03)


def test_strays_are_no_size() -> None:
    points = box((0.04, 0.04, 0.12))
    strayed = np.vstack([points, HELD + np.random.default_rng(2).normal(0.0, 0.3, (60, 3))])
    np.testing.assert_allclose(extents(strayed), extents(points), rtol=0.1)


@pytest.mark.parametrize("thickness", [0.01, 0.03, 0.05])
def test_a_bar_across_the_palm_is_as_wide_as_it_is_thick(thickness: float) -> None:
    points = box((thickness, 0.02, 0.3), count=20_000)
    assert gripped_width(points, HAND) == pytest.approx(0.9 * thickness, rel=0.04)


def test_of_a_bar_along_the_fingers_only_what_is_near_counts() -> None:
    points = box((0.4, 0.01, 0.01), count=20_000)
    assert gripped_width(points, HAND) == pytest.approx(0.9 * 2.0 * ABOUT, rel=0.04)


def test_fingers_do_not_matter_and_the_back_of_the_hand_holds_nothing() -> None:
    points = box((0.03, 0.02, 0.06))
    bent = HAND.copy()
    bent[[4, 7, 8, 12, 16, 20]] += 0.05
    assert gripped_width(points, bent) == gripped_width(points, HAND)
    assert gripped_width(points - 0.08 * OUT, HAND) is None
    assert gripped_width(points[: FEWEST - 1], HAND) is None
    assert gripped_width(points[:FEWEST], HAND) is not None
