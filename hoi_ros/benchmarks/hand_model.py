"""How fast parameters become a posed hand, beside smplx on the same file of arrays.

From NumPy arrays to NumPy arrays: vertices and keypoints (``HandModel.mesh``), or the keypoints alone that smplx cannot
give without the mesh (``HandModel.joints``). smplx is called as its ``examples/demo.py`` does, and as somebody does who
knows torch (``inference_mode``). It computes in float32, ours in float64; vertices and keypoints are held equal to
``TOLERANCE`` in the run. Times are wall times; torch and BLAS take the threads that ``OMP_NUM_THREADS`` allows.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.benchmarks.side_by_side import SHORTEST, comparison, largest_difference, result, take_turns
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.kinematics import K21
from hoi_ros.hand.mano_file import EMBEDDED
from hoi_ros.hand.model import TIP_VERTICES, HandMesh
from hoi_ros.types import Array, HandBatch

BATCHES = (1, 64, 1024)
TOLERANCE = 1e-6  # m

Posing = Callable[[], tuple[Array, Array]]  # gives vertices (B, 778, 3) and keypoints (B, 21, 3), m


def run(data: str = "", rounds: int = 40, batches: Sequence[int] = BATCHES, seed: int = 0) -> dict[str, Any]:  # noqa: ARG001 (all measurements take it)
    """Measure ``rounds`` turns for each size of batch. Raises Refused(INTERNAL) where smplx poses another hand."""
    skipped = {} if find_spec("smplx") else {"smplx": "not installed: pip install smplx"}
    model, rng = load_hand_model(), np.random.default_rng(seed)
    comparisons = []
    for count in batches:
        hands = HandBatch(
            global_orient=rng.normal(0.0, 1.0, (count, 3)),
            hand_pose=rng.normal(0.0, 0.5, (count, 45)),
            betas=rng.normal(0.0, 1.0, (count, 10)),
            transl=rng.normal(0.0, 0.3, (count, 3)),
        )
        comparisons += _compare(model, hands, {} if skipped else smplx_peers(hands), rounds)
    return result(comparisons, skipped)


def smplx_peers(hands: HandBatch) -> dict[str, Posing]:
    """The layer of smplx that loads the embedded file, called in two ways for ``hands``."""
    import smplx
    import torch

    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):  # it warns on stdout
        path = shutil.copy(EMBEDDED, Path(folder) / "MANO_RIGHT.npz")  # smplx tells the side from the name
        layer = smplx.create(
            str(path),
            model_type="mano",
            ext="npz",
            use_pca=False,
            flat_hand_mean=True,
            batch_size=len(hands),
        )

    def demo() -> tuple[Array, Array]:
        tensors = {name: torch.tensor(values, dtype=torch.float32) for name, values in vars(hands).items()}
        output = layer(**tensors, return_verts=True)
        vertices, joints = (points.detach().cpu().numpy() for points in (output.vertices, output.joints))
        return vertices, np.concatenate([joints, vertices[:, TIP_VERTICES]], axis=1)[:, K21]

    return {"smplx, as in its demo": demo, "smplx, inference_mode": torch.inference_mode()(demo)}


def _compare(model: HandModel, hands: HandBatch, peers: dict[str, Posing], rounds: int) -> list[dict[str, Any]]:
    def mesh() -> HandMesh:
        return model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)

    def joints() -> Array:
        return model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)

    differences: dict[str, float] = {}
    for name, pose in peers.items():
        vertices, keypoints = pose()
        pairs = ((mesh().vertices, vertices), (mesh().keypoints, keypoints), (joints(), keypoints))
        differences[name] = max(largest_difference(name, ours, theirs, TOLERANCE) for ours, theirs in pairs)
    seconds = take_turns({"HandModel.mesh": mesh, "HandModel.joints": joints, **peers}, rounds, SHORTEST)
    count = f"{len(hands)} hand{'s' * (len(hands) > 1)}"
    found = []
    for name, gives in (("HandModel.mesh", "mesh and keypoints"), ("HandModel.joints", "keypoints alone")):
        both = {each: seconds[each] for each in (name, *peers)}
        row = comparison(f"{gives} of {count}", f"{count} of the embedded model in random poses", both)
        for peer, difference in differences.items():
            row["peers"][peer] |= {"largest_difference_m": difference, "tolerance_m": TOLERANCE}
        found.append(row)
    return found
