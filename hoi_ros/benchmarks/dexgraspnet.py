"""Does the simulator agree with another one? Shadow Hand grasps of ``dexgraspnet`` that held there, tested here.

Their label: in Isaac Gym, friction 3, density 500, the hand closed 1 mm towards its contacts, the object still touched
after 100 steps of 1/60 s in each of six directions of gravity. Ours: the six-direction test of ``physics.shadow``, a
0.1 kg object that moves less than 5 cm and 15 degrees, on our Shadow Hand with the grasp's joints and palm, at our
friction and at theirs. Agreement is the share of their grasps that hold here; the others are counted by what happened.
Theirs may turn as far as they like, so those that turn too far for us count in a figure of their own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.physics.shadow import ShadowWorld
from hoi_ros.retargeting.shadow_hand import NAMES, transform
from hoi_ros.scene.meshes import load_mesh, object_model
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array

_TURNED = ("FFJ4", "MFJ4", "THJ2", "THJ1")  # joints whose axis points the other way in their model


LARGEST = 0.15  # of the data's scales: convex pieces are made at this one, and bulge less at the others
FRICTION = {"ours": 0.6, "theirs": 3.0}


def run(data: str, count: int = 100, seed: int = 0) -> dict[str, Any]:
    """Measure on ``dexgraspnet`` of the folder ``data``, ``count`` grasps of each object drawn by ``seed``."""
    folder = Path(data) / "dexgraspnet"
    if not folder.is_dir():
        return {"skipped": f"{folder} is not there"}
    return {path.stem: _agreement(path, count, np.random.default_rng(seed)) for path in sorted(folder.glob("*.npz"))}


def _agreement(path: Path, count: int, rng: np.random.Generator) -> dict[str, Any]:
    grasps = load_grasps(path)
    grasps = grasps[np.sort(rng.permutation(len(grasps.scale))[:count])]
    mesh = load_mesh(path.with_suffix(".obj"))
    mesh.apply_scale(LARGEST)
    obj = object_model(mesh)
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in FRICTION}
    for scale in np.unique(grasps.scale):
        world = ShadowWorld(scaled(obj, scale / LARGEST))
        chosen = grasps[grasps.scale == scale]
        for name, friction in FRICTION.items():
            outcomes[name].update(world.articulated(chosen.positions, chosen.palm, friction=friction).reason)
    figures = {f"friction_{FRICTION[name]:g}": dict(counter) for name, counter in outcomes.items()}
    shares = {f"agreement_{name}": counter["held"] / len(grasps.scale) for name, counter in outcomes.items()}
    shares["agreement_theirs_turned_or_not"] = (outcomes["theirs"]["held"] + outcomes["theirs"]["turned"]) / len(
        grasps.scale
    )
    return {"grasps": len(grasps.scale), "pieces": len(obj.pieces)} | shares | figures


@dataclass(frozen=True)
class ShadowGrasps:
    """Grasps of one mesh at several sizes."""

    positions: Array  # (N, 24) rad, in the order of ``shadow_hand.NAMES``; the wrist's are 0
    palm: Array  # (N, 4, 4) pose of the palm in the object's frame, m
    scale: Array  # (N,) of the mesh

    def __getitem__(self, rows: Any) -> ShadowGrasps:
        return ShadowGrasps(self.positions[rows], self.palm[rows], self.scale[rows])


def load_grasps(path: Path) -> ShadowGrasps:
    """Grasps of an .npz of DexGraspNet, carried over to our hand's names, axes and palm."""
    with np.load(path, allow_pickle=False) as file:
        names, angles = [str(name) for name in file["joint_names"]], file["joint_pos"].astype(np.float64)
        place, turn = file["root_xyz"].astype(np.float64), file["root_euler_sxyz"].astype(np.float64)
        scale = file["object_scale"].astype(np.float64)
    positions = np.zeros((len(angles), len(NAMES)))
    for name, column in zip(names, angles.T, strict=True):
        joint = f"{name[-4:-1]}{int(name[-1]) + 1}"  # they count from 0
        positions[:, NAMES.index(joint)] = -column if joint in _TURNED else column
    return ShadowGrasps(positions, transform(Rotation.from_euler("xyz", turn).as_matrix(), place), scale)


def scaled(obj: ObjectModel, factor: float) -> ObjectModel:
    """The object ``factor`` times as large."""
    pieces = tuple(Piece(piece.vertices * factor, piece.part) for piece in obj.pieces)
    return replace(obj, vertices=obj.vertices * factor, pieces=pieces)
