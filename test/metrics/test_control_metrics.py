"""Figures of goal streams against values worked out by hand and SciPy's interpolating polynomials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import KroghInterpolator

from hoi_ros.metrics import control
from hoi_ros.metrics.motion import derivative
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.shadow_hand import ShadowHand

RNG = np.random.default_rng(0)
HAND = ShadowHand.embedded()
START = 1_700_000_000_000_000_000  # ns, such as a clock gives
UNEVEN = START + np.cumsum([0, 33, 33, 67, 33, 20, 130, 33]) * 1_000_000


def seconds(stamps_ns: np.ndarray) -> np.ndarray:
    return (stamps_ns - START) * 1e-9


def test_limit_violations_counted_by_hand():
    """Goal 1 has two joints outside, goal 3 one: the first joint 0.3 below its limit is the worst."""
    lower, upper = np.array([-0.1, 0.0, 0.0]), np.array([0.5, 1.0, 1.0])
    positions = np.array([[0.0, 0.5, 1.0], [-0.4, 0.5, 1.2], [0.5, 0.0, 0.0], [0.0, 1.1, 0.0]])
    excess = control.limit_excess(positions, lower, upper)
    np.testing.assert_allclose(excess, [[0, 0, 0], [0.3, 0, 0.2], [0, 0, 0], [0, 0.1, 0]], atol=1e-12)
    found = control.violations(excess)
    assert (found.goals, found.at) == (2, (1, 0))
    assert found.worst == pytest.approx(0.3)


def test_on_the_limit_or_a_rounding_beyond_it_breaks_nothing():
    positions = np.stack([HAND.lower, HAND.upper, HAND.upper + 1e-9])
    found = control.violations(control.limit_excess(positions, HAND.lower, HAND.upper))
    assert found == control.Violations(0, 0.0, None)
    assert control.violations(control.limit_excess(positions + 1e-5, HAND.lower, HAND.upper)).goals == 2


@pytest.mark.parametrize("prefix", ["rh_", "lh_", ""])
def test_coupling_violations_of_each_finger(prefix):
    """J1 0.2 beyond J2 in the ring finger, 0.1 in the first; the thumb's J1 may be anything."""
    names = [prefix + name.removeprefix(HAND.prefix) for name in HAND.names]
    positions = np.zeros((3, 24))
    positions[1, [names.index(f"{prefix}RFJ1"), names.index(f"{prefix}RFJ2")]] = 0.7, 0.5
    positions[2, [names.index(f"{prefix}FFJ1"), names.index(f"{prefix}MFJ2")]] = 0.1, 0.9
    positions[0, names.index(f"{prefix}THJ1")] = 1.0
    excess = control.coupling_excess(names, positions)
    np.testing.assert_allclose(excess, [[0, 0, 0, 0], [0, 0, 0.2, 0], [0.1, 0, 0, 0]], atol=1e-12)
    found = control.violations(excess)
    assert (found.goals, found.at) == (2, (1, 2)) and found.worst == pytest.approx(0.2)


def test_j1_and_j2_swapped_is_found():
    names = list(HAND.names)
    bent = np.zeros((1, 24))
    bent[0, names.index("rh_LFJ2")] = 1.2
    assert control.violations(control.coupling_excess(names, bent)).goals == 0
    j1, j2 = names.index("rh_LFJ1"), names.index("rh_LFJ2")
    bent[:, [j1, j2]] = bent[:, [j2, j1]]
    assert control.violations(control.coupling_excess(names, bent)).worst == pytest.approx(1.2)


def test_a_missing_joint_is_named():
    with pytest.raises(Refused, match="0 of the joints are FFJ1: a, b"):
        control.coupling_excess(["a", "b"], np.zeros((1, 2)))


def test_fingertip_error_of_one_moved_tip():
    tips = RNG.normal(size=(3, 5, 3))
    moved = tips.copy()
    moved[1, 4] += [0.003, 0.004, 0.0]
    np.testing.assert_allclose(control.fingertip_error(moved, tips), [0.0, 0.001, 0.0], atol=1e-15)


def test_largest_step():
    assert control.largest_step(np.array([[0.0, 1.0], [0.1, 0.6], [0.2, 0.9]])) == pytest.approx(0.4)


def test_jerk_of_cubics_whatever_the_steps():
    """x = t^3 has 6, 2 t^3 has 12, a parabola none: the mean of their sizes is 6, and 95 % are at most 12."""
    t = seconds(UNEVEN)
    positions = np.column_stack([t**3 - 0.2 * t, -2.0 * t**3 + 1.0, 5.0 * t**2 + t])
    found = control.jerk(positions, UNEVEN)
    assert (found.mean, found.p95) == pytest.approx((6.0, 12.0), rel=1e-6)


def test_jerk_of_even_steps_is_the_third_difference():
    stamps = START + 20_000_000 * np.arange(30)
    positions = RNG.normal(scale=0.1, size=(30, 24))
    expected = np.abs(np.diff(positions, n=3, axis=0)) / 0.02**3
    found = control.jerk(positions, stamps)
    assert (found.mean, found.p95) == pytest.approx((expected.mean(), np.quantile(expected, 0.95)))


@settings(max_examples=60, deadline=None)
@given(order=st.integers(1, 3), steps=st.lists(st.integers(1_000_000, 200_000_000), min_size=3, max_size=12))
def test_derivatives_are_those_of_scipys_polynomials(order, steps):
    stamps = START + np.cumsum([0, *steps])
    values = np.random.default_rng(len(steps)).normal(size=(len(stamps), 2, 3))
    found = derivative(values, stamps, order)
    t = seconds(stamps)
    for i in range(len(stamps) - order):
        polynomial = KroghInterpolator(t[i : i + order + 1], values[i : i + order + 1])
        expected = polynomial.derivative(t[i], order)
        np.testing.assert_allclose(found[i], expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def stream(rows: list[int], names=("a", "b"), scale: float = 1.0) -> control.GoalStream:
    """Joint a is the row's number in tenths, b the same negative; a row every 30 ms."""
    values = scale * 0.1 * np.array(rows)
    columns = {"a": values, "b": -values}
    positions = np.column_stack([columns[name] for name in names])
    return control.GoalStream(tuple(names), positions, START + 30_000_000 * np.array(rows))


def test_equal_runs_in_any_order_of_joints_and_goals():
    found = control.run_difference(stream([1, 2, 3]), stream([3, 1, 2], names=("b", "a")))
    assert (found.matched, found.only_first, found.only_second, found.largest) == (3, 0, 0, 0.0)


def test_run_difference_by_hand():
    """Four goals against three, two of them common; joint b of goal 3 is 0.05 off, a 0.02."""
    second = stream([2, 3, 9], names=("b", "a"))
    second.positions[1] += [-0.05, 0.02]
    second.positions[2] += 1.0  # of a goal that the other run lacks
    found = control.run_difference(stream([1, 2, 3, 4]), second)
    assert (found.matched, found.only_first, found.only_second) == (2, 2, 1)
    assert found.largest == pytest.approx(0.05)
    assert found.at == (START + 90_000_000, "b")
    back = control.run_difference(second, stream([1, 2, 3, 4]))
    assert (back.only_first, back.only_second, back.largest, back.at) == (1, 2, found.largest, found.at)


def test_swapped_joints_show_and_are_named():
    first = stream([1, 5])
    swapped = control.GoalStream(first.names, first.positions[:, ::-1], first.stamps_ns)
    found = control.run_difference(first, swapped)
    assert found.largest == pytest.approx(1.0) and found.at[0] == START + 150_000_000


def test_runs_with_nothing_in_common_have_no_difference():
    found = control.run_difference(stream([1, 2]), stream([3]))
    assert found == control.RunDifference(0, 2, 1, None, None)


def test_runs_that_cannot_be_compared_are_refused():
    with pytest.raises(Refused, match="the runs' joints differ: a, b"):
        control.run_difference(stream([1], names=("a",)), stream([1], names=("b",)))
    with pytest.raises(Refused, match=f"the second run has 2 goals for the stamp {START + 30_000_000} ns"):
        control.run_difference(stream([1]), stream([1, 1, 2]))
    broken = stream([1, 2], scale=np.nan)
    with pytest.raises(Refused, match="positions of the second run are not finite"):
        control.run_difference(stream([1, 2]), broken)


@pytest.mark.parametrize(
    ("figure", "reason", "words"),
    [
        (lambda: control.violations(np.zeros((0, 24))), Reason.PARAMETER, "0 goals are too few"),
        (lambda: control.largest_step(np.zeros((1, 24))), Reason.PARAMETER, "1 goals are too few"),
        (lambda: control.jerk(np.zeros((3, 24)), UNEVEN[:3]), Reason.PARAMETER, "at least 4"),
        (lambda: control.jerk(np.zeros((4, 2)), UNEVEN[[0, 2, 1, 3]]), Reason.STAMP_BACKWARDS, "in row 2 is not later"),
        (lambda: control.jerk(np.zeros((4, 2)), UNEVEN[[0, 1, 1, 3]]), Reason.STAMP_BACKWARDS, "in row 2"),
        (lambda: control.jerk(np.full((4, 2), np.nan), UNEVEN[:4]), Reason.NOT_FINITE, "8 of 8"),
        (lambda: control.largest_step(np.full((4, 2), np.inf)), Reason.NOT_FINITE, "positions"),
        (lambda: control.limit_excess(np.array([[np.nan]]), np.zeros(1), np.ones(1)), Reason.NOT_FINITE, "positions"),
        (lambda: control.fingertip_error(np.zeros((1, 5, 3)), np.full((1, 5, 3), np.nan)), Reason.NOT_FINITE, "refer"),
    ],
)
def test_what_no_figure_can_be_taken_of(figure, reason, words):
    with pytest.raises(Refused, match=words) as refusal:
        figure()
    assert refusal.value.reason is reason
