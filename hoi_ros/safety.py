"""The gates that every result passes before it leaves."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import JointGoal

LIMIT_TOLERANCE = 1e-6  # rad, rounding of a goal that lies on its limit


def ensure_finite(value: Any) -> None:
    """Refused(NOT_FINITE) naming the first field of a dataclass, or one inside it, that holds a non-finite number."""
    assert is_dataclass(value)
    for f in fields(value):
        content = getattr(value, f.name)
        if is_dataclass(content):
            ensure_finite(content)
        if isinstance(content, dict):
            content = np.array([*content.values()])
        if isinstance(content, (float, np.floating, np.ndarray)) and not np.isfinite(content).all():
            raise Refused(Reason.NOT_FINITE, f"{f.name} of a {type(value).__name__} is not finite: {content}")


def ensure_safe(goal: JointGoal, limits: dict[str, tuple[float, float]]) -> None:
    """The last gate before the robot: Refused(NOT_FINITE) or Refused(LIMIT) naming the joint, with limits in rad."""
    ensure_finite(goal)
    for name, position in zip(goal.names, goal.positions, strict=True):
        low, high = limits[name]
        if not low - LIMIT_TOLERANCE <= position <= high + LIMIT_TOLERANCE:
            raise Refused(Reason.LIMIT, f"{name} would be {position:.6g} rad, outside {low:g} to {high:g}")
