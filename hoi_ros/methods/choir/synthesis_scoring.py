"""The table of synthesis: hands for objects alone, measured as CHOIR and GraspTTA measure them (choir 4, table 2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.learning.method import load_trained
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.scoring import known_surface
from hoi_ros.methods.choir.synthesizer import ChoirSynthesizer
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.metrics.contact import contact_parts, touches
from hoi_ros.metrics.diversity import CLUSTERS, entropy_and_cluster_size
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.physics.world import GraspWorld
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

Row = Callable[[CloudSurface, int, int], HandBatch]
"""A method: at most so many hands for an object's surface, by a seed."""


def things(dataset: Dataset, split: Split, seed: int) -> Iterator[tuple[ObjectModel, CloudSurface]]:
    """The objects of a split of the engine's, standing along z, with what is known of their surfaces."""
    for number, record in enumerate(dataset.units(split)):
        obj = dataset.object(record.name)
        yield obj, known_surface(obj, np.random.default_rng([seed, number]))


def stage(trained: Path | None) -> Row:
    """The stage as it is used: of the hands that are drawn, those that touch best."""
    synthesizer = ChoirSynthesizer(_network(trained))
    return lambda surface, count, seed: synthesizer.best(surface, count, seed).hands


def drawn(trained: Path | None) -> Row:
    """Hands as they are drawn, none chosen: how the paper measures."""
    synthesizer = ChoirSynthesizer(_network(trained))
    return lambda surface, count, seed: synthesizer.hands(surface, count, seed).hands


def _network(trained: Path | None) -> JointDiffusion:
    return load_trained(JointDiffusion, trained, "choir", "synthesis", shipped="choir_synthesis")


ROWS: Mapping[str, Callable[[Path | None], Row]] = {"choir": stage, "drawn": drawn}
"""By the folder of trained parts; None: the shipped weights."""


def score(
    row: Row,
    objects: Iterator[tuple[ObjectModel, CloudSurface]],
    each: int,
    seed: int,
    advance: Callable[[], None],
) -> dict[str, Any]:
    """Mean figures of at most ``each`` hands for every object, with the row's seconds for one that was asked for.

    ``without`` objects got none. Entropy and cluster size are those of all hands, where there are enough to tell.
    """
    model = load_hand_model()
    found: list[dict[str, Array]] = []
    seconds = []
    for number, (obj, surface) in enumerate(objects):
        started = time.perf_counter()
        hands = row(surface, each, seed + number)
        seconds.append((time.perf_counter() - started) / each)
        if len(hands):
            found.append(judge(model, obj, hands))
        advance()
    without = len(seconds) - len(found)
    return {"objects": len(seconds), "without": without, **_means(found), "seconds": float(np.mean(seconds))}


def _means(found: list[dict[str, Array]]) -> dict[str, Any]:
    if not found:
        return {"grasps": 0}
    figures = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    keypoints = figures.pop("keypoints")
    means: dict[str, Any] = {"grasps": len(keypoints)}
    means |= {name: float(values.mean()) for name, values in figures.items()}
    if len(keypoints) >= 5 * CLUSTERS:
        means["entropy"], means["cluster_size"] = entropy_and_cluster_size(keypoints)
    return means


def judge(model: HandModel, obj: ObjectModel, hands: HandBatch) -> dict[str, Array]:
    """Figures (N,) by name of hands on one object, and their keypoints (N, 21, 3), m [IV, SD, Contact ratio]."""
    mesh = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
    return {
        "iv_5mm_cm3": 1e6 * intersection_volume(mesh.vertices, model.closed_faces, obj, 0.005),
        "iv_2mm_cm3": 1e6 * intersection_volume(mesh.vertices, model.closed_faces, obj, 0.002),
        "sd_cm": 1e2 * _displacement(model, obj, hands),
        "contact": touches(contact_parts(mesh.vertices, obj)).astype(float),
        "keypoints": mesh.keypoints,
    }


def _displacement(model: HandModel, obj: ObjectModel, hands: HandBatch) -> Array:
    """Simulation displacement (N,), m, in a world for each hand: no two are shaped alike."""
    moved = np.empty(len(hands))
    for row, betas in enumerate(hands.betas):
        moved[row] = GraspWorld(model, betas, obj).displacement_sd(hands[row : row + 1])[0]
    return moved
