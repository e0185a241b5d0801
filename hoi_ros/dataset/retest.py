"""Accepted grasps tested afresh: under another seed, on a more slippery object, and by the fixed-hand test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from hoi_ros.dataset.inspection import hand_of
from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import load_hand_model
from hoi_ros.physics.controls import FIXED_TESTS
from hoi_ros.physics.world import GraspWorld
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import HOLDING

FRICTION = 0.6
SLIPPERY = 0.8 * FRICTION


def retest(dataset: Dataset, count: int, seed: int, controls: bool, advance: Callable[[], None]) -> dict[str, Any]:
    """Shares of ``count`` grasps, drawn by ``seed`` from those that must hold, that pass each test again.

    The articulated test with the perturbations of ``seed`` at the friction of the build and at 80 % of it; with
    ``controls``, beside it the fixed-hand test and its controls, which say how much of its success is hidden overlap.
    Raises Refused(FILE) for a dataset without such grasps.
    """
    rows = [row for row in dataset.table("grasps").select(_COLUMNS).to_pylist() if row["affordance"] in HOLDING]
    if not rows:
        raise Refused(Reason.FILE, f"{dataset.folder} holds no grasp that must hold its object")
    chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in sorted(chosen):
        groups[rows[number]["object"]].append(rows[number])
    passed: dict[str, list[bool]] = defaultdict(list)
    for name, group in groups.items():
        world = GraspWorld(load_hand_model(), np.array(group[0]["betas"]), dataset.object(name))
        for number, row in enumerate(group):
            hands = hand_of(row)
            tests = {
                "again": world.articulated(hands, seed=seed + number),
                "slippery": world.articulated(hands, seed=seed + number, friction=SLIPPERY),
            }
            if controls:
                tests |= {
                    test: world.fixed(hands, seed=seed + number, **options) for test, options in FIXED_TESTS.items()
                }
            for test, outcome in tests.items():
                passed[test].append(bool(outcome.held[0]))
            advance()
    return {"grasps": len(chosen)} | {test: float(np.mean(held)) for test, held in passed.items()}


_COLUMNS = ["object", "affordance", "pose", "betas", "transl"]
