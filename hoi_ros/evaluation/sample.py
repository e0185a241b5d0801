"""Numbers of a run of any length, in memory that does not grow."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST = 100_000  # the 95th percentile of a sample of these is off by less than 0.2 % of the values


class Sample:
    """Every number while they are at most `MOST`; then as many, of which each that came is equally likely to be one.

    Reservoir sampling [Vitter 1985, algorithm R], with the same choice in every run. NumPy takes it as it does a list.
    """

    def __init__(self) -> None:
        self._values = array("d")
        self._came = 0
        self._random = np.random.default_rng(0)

    def append(self, value: float) -> None:
        """Add one."""
        self.extend([value])

    def extend(self, values: ArrayLike) -> None:
        """Add several, of whatever shape."""
        coming = np.ravel(values)
        free = MOST - len(self._values)  # never below 0
        self._values.extend(coming[:free])
        late = coming[free:]
        self._came += len(coming)
        if not len(late):
            return
        rows = self._random.integers(0, np.arange(self._came - len(late), self._came) + 1)
        for row, value in zip(rows, late, strict=True):
            if row < MOST:
                self._values[row] = value

    def __len__(self) -> int:
        return len(self._values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float64]:
        return np.array(self._values, dtype)
