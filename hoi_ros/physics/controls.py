"""The fixed-hand test of the literature and its controls, as options of ``GraspWorld.fixed``.

What holds without a squeeze and falls from a thinner hand was held by overlap, not by a grip.
"""

from __future__ import annotations

from collections.abc import Mapping

SQUEEZE = 0.05  # rad, of every finger joint
ERODED = 0.003  # m

FIXED_TESTS: Mapping[str, Mapping[str, float]] = {
    "fixed": {"squeeze": SQUEEZE},
    "fixed_no_squeeze": {},
    "fixed_eroded_3mm": {"squeeze": SQUEEZE, "eroded": ERODED},
}
