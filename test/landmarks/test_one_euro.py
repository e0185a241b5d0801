"""The One Euro filter: its definition on a scalar, rest, speed, and rotations past half a turn."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoi_ros.methods.landmarks.one_euro import OneEuro

DT = 1.0 / 30.0


def wrist_path(filter_, values):
    return np.array([filter_(np.zeros((16, 3)), np.array([x, 0.0, 0.0]), DT)[1][0] for x in values])


def test_it_is_the_filter_of_the_paper():
    def alpha(cutoff):
        tau = 1.0 / (2.0 * np.pi * cutoff)
        return 1.0 / (1.0 + tau / DT)

    values = np.cumsum(np.random.default_rng(0).normal(scale=0.01, size=50))
    expected, speed = [values[0]], 0.0
    for x in values[1:]:
        speed += alpha(1.0) * ((x - expected[-1]) / DT - speed)
        a = alpha(1.5 + 3.0 * abs(speed) / 0.1)
        expected.append(a * x + (1.0 - a) * expected[-1])
    np.testing.assert_allclose(wrist_path(OneEuro(1.5, 3.0), values), expected, atol=1e-12)


def test_a_still_hand_jitters_less():
    noise = np.random.default_rng(1).normal(scale=0.001, size=300)
    assert wrist_path(OneEuro(2.0, 5.0), noise)[50:].std() < 0.6 * noise[50:].std()


def test_a_fast_hand_lags_little():
    ramp = np.arange(60) * DT * 1.0  # 1 m/s
    assert ramp[-1] - wrist_path(OneEuro(2.0, 5.0), ramp)[-1] < 0.006


def test_rotations_take_the_short_way_past_half_a_turn():
    filter_ = OneEuro(1.0, 0.0)
    for angle in np.radians([170.0, 175.0, 180.0, 185.0, 190.0]):
        vectors = Rotation.from_rotvec([[angle, 0.0, 0.0]] * 16).as_rotvec()  # wraps to -170 degrees
        out, _ = filter_(vectors, np.zeros(3), DT)
    turned = np.degrees(Rotation.from_rotvec(out[0]).as_euler("xyz")[0]) % 360.0
    assert 170.0 < turned < 190.0


@pytest.mark.parametrize("dt", [0.0, -1.0])
def test_time_that_stands_still_or_runs_back_starts_anew(dt):
    filter_ = OneEuro(1.0, 0.0)
    wrist_path(filter_, [0.0, 0.0])
    assert filter_(np.zeros((16, 3)), np.array([0.5, 0.0, 0.0]), dt)[1][0] == 0.5
