"""Grasps that hold real objects nobody tuned on: the 20 YCB meshes of ``dexycb_grasps``, beside people's grasps.

A mesh counts as found when one of its tries passes the strict test: two-way depth within 3 mm, and the articulated hand
holds it in all six directions of gravity (0.1 kg, friction 0.6). Distances are means over the 21 keypoints, in the
mesh's frame: of each found grasp from the nearest human grasp of that mesh, beside those of each human grasp from the
nearest other one and from all others. An angle is natural from the 5th to the 95th percentile of the recorded hands';
shares are over all 45 angles, and over those that can move. Times are processor times of the process.
"""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from hoi_ros.hand import HandModel, HandSolver, Limits, load_hand_model
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.metrics.naturalness import AngleRanges, mutual_distance, nearest_distance
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.physics.world import GraspWorld
from hoi_ros.refusals import Refused
from hoi_ros.scene.meshes import object_model
from hoi_ros.types import Array, HandBatch

DEEPEST = 0.003  # m
BETAS = np.zeros(10)  # the recorded hand has the mean proportions


def run(data: str, tries: int = 256, seed: int = 0) -> dict[str, Any]:
    """Measure on ``dexycb_grasps`` of the folder ``data``, with at most ``tries`` candidates an object."""
    folder = Path(data) / "dexycb_grasps"
    if not folder.is_dir():
        return {"skipped": f"{folder} is not there"}
    with np.load(folder / "grasps.npz", allow_pickle=False) as file:
        recorded, names = file["joints_obj"].astype(np.float64), file["obj_name"]
    model = load_hand_model()
    optimiser, limits = GraspOptimiser(model), Limits(model.kinematics)
    natural = AngleRanges.of(HandSolver(model).solve(recorded, fit_shape=False).hand_pose, limits)
    objects: dict[str, dict[str, Any]] = {}
    nearest, others, pairs, within = [], [], [], []
    for name in np.unique(names):
        people = recorded[names == name]
        hands, objects[name] = _search(model, optimiser, folder / "meshes" / f"{name}.obj", tries, seed)
        found = model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        nearest.append(nearest_distance(found, people))
        others.append(mutual_distance(people))
        pairs.append(_pairwise(people))
        within.append(natural.within(hands.hand_pose))
        objects[name]["nearest_human_mm"] = _median_mm(nearest[-1])
        objects[name]["between_humans_mm"] = _median_mm(others[-1])
    angles = np.concatenate(within)
    return {
        "objects": len(objects),
        "found": sum(o["held"] > 0 for o in objects.values()),
        "tries": tries,
        "nearest_human_mm": _median_mm(np.concatenate(nearest)),
        "between_nearest_humans_mm": _median_mm(np.concatenate(others)),
        "between_any_humans_mm": _median_mm(np.concatenate(pairs)),
        "natural_share_of_45": _mean(angles),
        "natural_share_of_free": _mean(angles[:, natural.free]),
        "by_object": objects,
    }


def _search(
    model: HandModel, optimiser: GraspOptimiser, mesh: Path, tries: int, seed: int
) -> tuple[HandBatch, dict[str, Any]]:
    """The grasps that pass the strict test, and what became of the tries."""
    started = process_time()
    try:
        obj = object_model(mesh)
    except Refused as refused:
        none = HandBatch(*(np.empty((0, size)) for size in (3, 45, 10, 3)))
        return none, {"held": 0, "refused": refused.message}
    world = GraspWorld(model, BETAS, obj)
    (use,) = obj.uses  # an unlabelled mesh is there to be wrapped, as its size allows
    hands = optimiser.synthesize(obj, use, tries, seed, BETAS).hands
    vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
    clean = hands[two_way_depth(vertices, model.closed_faces, obj).two_way <= DEEPEST]
    settled = clean[world.settle(clean).kept]
    held = settled[world.articulated(settled, seed=seed).held.astype(bool)]
    return held, {
        "tries": len(hands),
        "clean": len(clean),
        "settled": len(settled),
        "held": len(held),
        "seconds": process_time() - started,
    }


def _pairwise(keypoints: Array) -> Array:
    """Mean keypoint distance, m, of each two of hands (N, 21, 3)."""
    distances = np.linalg.norm(keypoints[:, None] - keypoints, axis=-1).mean(axis=-1)
    each: Array = distances[np.triu_indices(len(keypoints), 1)]
    return each


def _mean(values: Array) -> float | None:
    return float(values.mean()) if values.size else None


def _median_mm(distances: Array) -> float | None:
    return 1e3 * float(np.median(distances)) if len(distances) else None
