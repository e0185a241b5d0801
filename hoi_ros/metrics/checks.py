"""What no figure can be taken of: refused, so that a NaN or a figure of nothing never passes a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array


def check_finite(**arrays: Array) -> None:
    """Raises Refused(NOT_FINITE) naming the first array that holds NaN or infinity, and the place."""
    for name, values in arrays.items():
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            where = ", ".join(map(str, bad[0]))
            raise Refused(
                Reason.NOT_FINITE, f"{len(bad)} of {np.size(values)} values of {name} are not finite, first [{where}]"
            )


def check_count(have: int, least: int, what: str, figure: str) -> None:
    """Raises Refused(PARAMETER) where ``have`` of ``what`` (plural) are fewer than a figure takes."""
    if have < least:
        raise Refused(Reason.PARAMETER, f"{have} {what} are too few for {figure}: at least {least} are wanted")


def check_increasing(stamps_ns: NDArray[np.int64]) -> None:
    """Raises Refused(STAMP_BACKWARDS) naming the first stamp (N,) that is not later than the one before it."""
    bad = np.flatnonzero(np.diff(stamps_ns) <= 0)
    if len(bad):
        row = int(bad[0])
        raise Refused(
            Reason.STAMP_BACKWARDS,
            f"stamp {stamps_ns[row + 1]} ns in row {row + 1} is not later than {stamps_ns[row]} ns before it",
        )
