"""Parametric families of objects: parts labelled, metric, every instance of another shape."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np

from hoi_ros.dataset.objects import (
    bags,
    bottles,
    cutting,
    dispensers,
    faucets,
    headphones,
    jugs,
    keyboards,
    mugs,
    packages,
    pots,
    tableware,
    tools,
    triggers,
)
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel

FAMILIES: dict[str, Callable[[np.random.Generator, str], ObjectModel]] = {
    "bag": bags.bag,
    "bottle": bottles.bottle,
    "bowl": tableware.bowl,
    "box": packages.box,
    "can": packages.can,
    "cup": tableware.cup,
    "dispenser": dispensers.dispenser,
    "earphone": headphones.headphones,
    "faucet": faucets.faucet,
    "flashlight": tools.flashlight,
    "handle-bottle": jugs.handle_bottle,
    "hammer": tools.hammer,
    "jar": bottles.jar,
    "keyboard": keyboards.keyboard,
    "knife": cutting.knife,
    "laptop": keyboards.laptop,
    "mug": mugs.mug,
    "pan": tableware.pan,
    "pot": pots.pot,
    "power_drill": triggers.power_drill,
    "scissors": cutting.scissors,
    "screwdriver": tools.screwdriver,
    "spray_bottle": triggers.spray_bottle,
}
"""Category -> maker of one instance from a random generator and a name."""


def make_object(category: str, index: int, seed: int) -> ObjectModel:
    """Instance number ``index`` of ``category``: the same object for the same numbers, on every machine.

    Raises Refused(PARAMETER) with the known categories.
    """
    if category not in FAMILIES:
        raise Refused(Reason.PARAMETER, f"unknown category '{category}'; known: {', '.join(sorted(FAMILIES))}")
    rng = np.random.default_rng([seed, index, crc32(category.encode())])
    return FAMILIES[category](rng, f"{category}_{index:04d}")
