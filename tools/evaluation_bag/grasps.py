"""True grasps of the mug: the engine's candidates that passed all of its tests.

Those of some seeds are kept in ``grasps.json``, so that the same hand holds the same mug on every machine, and at once:
``PYTHONPATH=tools python -m evaluation_bag.grasps SEED...`` finds them and writes the file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation_bag.motion import entry
from hoi_ros.dataset.objects import make_object
from hoi_ros.dataset.trials import Trials
from hoi_ros.dataset.units import Stages, hand_model, optimiser
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

TRIES = 32  # candidates of one use
CLEARANCE = 0.008  # m of the hand above the table
LEVEL = -0.2  # least rise of the forearm, as the sine of its slope
PERSON = np.zeros(10)  # shape of the hand


KEPT = Path(__file__).with_name("grasps.json")


@dataclass(frozen=True)
class TrueGrasp:
    """One grasp in the mug's frame, where the hand had best come from, and how deep it is in the mug on that way."""

    use: Use
    hand: HandBatch  # one
    kind: GraspType
    way: Array  # (3,) m from the grasp
    depth: float  # m


def mug(seed: int) -> ObjectModel:
    """The mug of a seed."""
    return make_object("mug", seed, seed)


def true_grasps(obj: ObjectModel, seed: int) -> dict[str, TrueGrasp]:
    """One grasp of each part of the mug of a seed: those that are kept, else found, in about half a minute.

    Raises Refused(NO_GRASP) where the engine accepts none that keeps off the table; another seed may have one.
    """
    kept = json.loads(KEPT.read_text()).get(str(seed), {})
    return {use.part: _read(use, kept[use.part]) if use.part in kept else _found(obj, use, seed) for use in obj.uses}


def keep(seeds: list[int]) -> None:
    """Find the grasps of the mugs of ``seeds`` and write the file that keeps them."""
    KEPT.write_text("{}\n")
    found = {str(seed): {part: _row(grasp) for part, grasp in true_grasps(mug(seed), seed).items()} for seed in seeds}
    KEPT.write_text(json.dumps(found) + "\n")


def _found(obj: ObjectModel, use: Use, seed: int) -> TrueGrasp:
    """The accepted grasp of a use, thumb up over a table, that the hand comes to with the least depth in the mug."""
    rows = Trials(optimiser(), obj, PERSON, Stages()).run(use, TRIES, seed)
    found: list[TrueGrasp] = []
    for row in rows:
        orient, pose = np.split(row["pose"], [3])
        hand = HandBatch(orient[None], pose[None], row["betas"][None], row["transl"][None])
        if _suits_table(hand, row["keypoints"].reshape(21, 3)):
            kind = GraspType(row["grasp_type"])
            way, depth = entry(hand_model(), obj, hand, kind)
            found.append(TrueGrasp(use, hand, kind, way, depth))
    if not found:
        raise Refused(
            Reason.NO_GRASP, f"none of {len(rows)} grasps of the {use.part} of {obj.name} keeps off the table"
        )
    return min(found, key=lambda grasp: grasp.depth)


def _row(grasp: TrueGrasp) -> dict[str, Any]:
    """A grasp as the file has it: its numbers to a nanometre."""
    hand = {name: np.round(values[0], 9).tolist() for name, values in vars(grasp.hand).items()}
    return {"kind": grasp.kind.name, "way": np.round(grasp.way, 9).tolist(), "depth": round(grasp.depth, 9)} | hand


def _read(use: Use, row: dict[str, Any]) -> TrueGrasp:
    names = ("global_orient", "hand_pose", "betas", "transl")
    hand = HandBatch(*(np.array(row[name])[None] for name in names))
    return TrueGrasp(use, hand, GraspType[row["kind"]], np.array(row["way"]), row["depth"])


def _suits_table(hand: HandBatch, keypoints: Array) -> bool:
    """Whether the thumb is up and hand and forearm keep off the table."""
    model = hand_model()
    lowest = model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl).vertices[0, :, 2].min()
    forearm = keypoints[0] - keypoints[9]
    rise = forearm[2] / np.linalg.norm(forearm)
    return bool(keypoints[5, 2] > keypoints[17, 2] and lowest > CLEARANCE and rise > LEVEL)


if __name__ == "__main__":
    keep([int(seed) for seed in sys.argv[1:]])
