"""Derivatives in time of recorded values, whose stamps are seldom evenly apart, and the error of accelerations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.metrics.checks import check_count, check_finite, check_increasing
from hoi_ros.types import Array


def derivative(values: Array, stamps_ns: NDArray[np.int64], order: int) -> Array:
    """Derivative (N - order, ...) of ``values`` (N, ...) at ``stamps_ns`` (N,), per s to the power of ``order``.

    The divided difference times the factorial of ``order``: exact for a polynomial of that degree whatever the steps,
    and the usual difference over the step's power where they are equal. Over a gap it is the mean derivative there.

    Raises Refused(NOT_FINITE), Refused(PARAMETER) for fewer than ``order`` + 1 values, Refused(STAMP_BACKWARDS).
    """
    check_count(len(values), order + 1, "samples", f"a derivative of order {order}")
    check_finite(values=values)
    check_increasing(stamps_ns)
    seconds = 1e-9 * (stamps_ns - stamps_ns[0])
    for k in range(1, order + 1):
        span = (seconds[k:] - seconds[:-k]).reshape(-1, *[1] * (values.ndim - 1))
        values = k * np.diff(values, axis=0) / span
    return values


def acceleration_error(predicted: Array, true: Array, stamps_ns: NDArray[np.int64]) -> Array:
    """Mean length (N - 2,) of the difference of the accelerations of points (N, K, 3), m/s^2.

    Of each three frames on end, at ``stamps_ns`` (N,), which need not be evenly apart; ``reference/methods.md`` has no
    key for it. Raises as `derivative` does.
    """
    check_finite(predicted=predicted, true=true)
    wrong: Array = np.linalg.norm(derivative(predicted - true, stamps_ns, order=2), axis=-1)
    return np.asarray(wrong.mean(-1))
