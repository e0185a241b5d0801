"""How much the engine makes, and which object belongs to which split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hoi_ros.refusals import Reason, Refused

Split = Literal["train", "val", "test", "unseen"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "unseen")

UNSEEN = ("pot", "spray_bottle")
"""Categories never trained on. Between them they carry handles, lids, triggers and bodies that others have too."""


@dataclass(frozen=True)
class Preset:
    """Amounts of one build.

    ``instances`` of every category. Of every use of an instance, candidates are tried ``batch`` at a time until
    ``grasps`` of them are accepted or ``tries`` are spent; all that are accepted are kept. ``pictured`` of them are
    seen in ``views`` views, each of them one picture of 256x256 and one of 640x480.
    """

    instances: int
    grasps: int
    tries: int
    batch: int
    pictured: int
    views: int


PRESETS: Mapping[str, Preset] = {
    "tiny": Preset(instances=1, grasps=1, tries=32, batch=16, pictured=1, views=1),
    "small": Preset(instances=30, grasps=3, tries=48, batch=16, pictured=1, views=2),
    "full": Preset(instances=200, grasps=12, tries=256, batch=32, pictured=12, views=4),
}


def preset(name: str) -> Preset:
    """The preset ``name``. Raises Refused(PARAMETER) with the known names."""
    if name not in PRESETS:
        raise Refused(Reason.PARAMETER, f"preset '{name}' is not known; choose one of: {', '.join(PRESETS)}")
    return PRESETS[name]


def split_of(category: str, index: int) -> Split:
    """Split of an instance: of every ten of a seen category the ninth validates and the tenth tests."""
    if category in UNSEEN:
        return "unseen"
    return {8: "val", 9: "test"}.get(index % 10, "train")  # type: ignore[return-value]
