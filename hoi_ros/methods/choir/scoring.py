"""The benchmark of refinement: perturbed hands, what a method makes of them, and what is true (choir 4, table 1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset, column
from hoi_ros.hand import HandModel, HandSolver, load_hand_model
from hoi_ros.methods.choir.pairs import perturbed
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface, surface_of
from hoi_ros.metrics.contact import Mask, contact_maps, map_scores
from hoi_ros.metrics.hands import mpjpe, pa_mpjpe, r_mpjpe
from hoi_ros.metrics.solids import surface_points
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import farthest_points, sample_surface
from hoi_ros.scene.meshes import check_mesh, load_mesh
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

LEVELS = (1.0, 0.5, 0.25)  # of the benchmark's noise
DENSE, POINTS = 20_000, 2048  # points of a surface, and those of them that are known
CONTACT_SPACING = 0.002  # m between the points that contacts are measured on

Row = Callable[[HandBatch, CloudSurface, float, int], HandBatch]
"""A method: hands (N,) near an object's surface, the level of their noise and a seed, to better ones."""


@dataclass(frozen=True)
class Case:
    """True hands on one object."""

    obj: ObjectModel
    surface: CloudSurface
    hands: HandBatch


def engine_cases(dataset: Dataset, split: Split, each: int, seed: int) -> Iterator[Case]:
    """Up to ``each`` grasps of every object of a split of the engine's."""
    for number, table in enumerate(dataset.tables("grasps", split)):
        rng = np.random.default_rng([seed, number])
        if not table.num_rows:
            continue
        rows = np.sort(rng.permutation(table.num_rows)[:each])
        pose = column(table, "pose").astype(np.float64)[rows]
        betas, transl = (column(table, name).astype(np.float64)[rows] for name in ("betas", "transl"))
        obj = dataset.object(table["object"][0].as_py())
        yield Case(obj, known_surface(obj, rng), HandBatch(pose[:, :3], pose[:, 3:], betas, transl))


def real_cases(folder: Path, each: int, seed: int) -> Iterator[Case]:
    """People's grasps of the YCB meshes of ``dexycb_grasps`` in ``folder``. Raises Refused(FILE)."""
    path = folder / "dexycb_grasps" / "grasps.npz"
    if not path.exists():
        raise Refused(Reason.FILE, f"{path} is not there")
    with np.load(path, allow_pickle=False) as file:
        keypoints, names = file["joints_obj"].astype(np.float64), file["obj_name"]
    solver = HandSolver(load_hand_model())
    for number, name in enumerate(np.unique(names)):
        rng = np.random.default_rng([seed, number])
        rows = np.sort(rng.permutation(np.flatnonzero(names == name))[:each])
        read = load_mesh(path.parent / "meshes" / f"{name}.obj")
        mesh = check_mesh(read.vertices, read.faces)
        faces = np.array(mesh.faces, np.int32)
        parts = np.zeros(len(faces), np.int32)
        obj = ObjectModel(str(name), "object", np.array(mesh.vertices), faces, parts, ("body",), ())
        fit = solver.solve(keypoints[rows])
        hands = HandBatch(fit.global_orient, fit.hand_pose, fit.betas, fit.transl)
        yield Case(obj, known_surface(obj, rng), hands)


def known_surface(obj: ObjectModel, rng: np.random.Generator) -> CloudSurface:
    """Points of all of an object."""
    points, normals, _ = sample_surface(obj, DENSE, rng)
    chosen = farthest_points(points, POINTS)
    return surface_of(points[chosen], normals[chosen])


class Judge:
    """Measures hands against true ones."""

    def __init__(self, model: HandModel) -> None:
        self._model = model

    def __call__(self, case: Case, hands: HandBatch, true_maps: Mask, points: Array) -> dict[str, Array]:
        """Figures (N,) by name; contacts against those of the true hands at ``points`` of the object."""
        model = self._model
        found = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        true = model.mesh(case.hands.global_orient, case.hands.hand_pose, case.hands.betas, case.hands.transl)
        scores = map_scores(contact_maps(found.vertices, model.faces, points), true_maps)
        volumes = {
            f"iv_{1e3 * voxel:.0f}mm_cm3": 1e6
            * intersection_volume(found.vertices, model.closed_faces, case.obj, voxel)
            for voxel in (0.005, 0.002)
        }
        return {
            "mpjpe_mm": 1e3 * mpjpe(found.keypoints, true.keypoints),
            "r_mpjpe_mm": 1e3 * r_mpjpe(found.keypoints, true.keypoints),
            "pa_mpjpe_mm": 1e3 * pa_mpjpe(found.keypoints, true.keypoints),
            "f1": scores.f1,
            "precision": scores.precision,
            "recall": scores.recall,
            **volumes,
        }

    def maps(self, case: Case, points: Array) -> Mask:
        """Contact maps of the true hands."""
        hands = case.hands
        mesh = self._model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        return contact_maps(mesh.vertices, self._model.faces, points)


def score(
    rows: Mapping[str, Row],
    cases: Iterator[Case],
    levels: Sequence[float],
    seed: int,
    advance: Callable[[], None],
) -> dict[str, dict[str, Any]]:
    """Mean figures of each row at each level of noise, with the rows' seconds for a hand."""
    model = load_hand_model()
    judge = Judge(model)
    found: dict[str, list[dict[str, Array]]] = {}
    seconds: dict[str, float] = {}
    for number, case in enumerate(cases):
        points = surface_points(case.obj.vertices, case.obj.faces, CONTACT_SPACING)
        maps = judge.maps(case, points)
        for place, level in enumerate(levels):
            rng = np.random.default_rng([seed, number, place])
            noisy = perturbed(model, case.hands, np.full(len(case.hands), level), rng)
            for name, row in rows.items():
                started = time.perf_counter()
                hands = row(noisy, case.surface, level, seed)
                key = f"{name} at {level:g}"
                seconds[key] = seconds.get(key, 0.0) + time.perf_counter() - started
                found.setdefault(key, []).append(judge(case, hands, maps, points))
        advance()
    return {key: _means(values) | {"ms": 1e3 * seconds[key] / _count(values)} for key, values in found.items()}


def _count(values: list[dict[str, Array]]) -> int:
    return sum(len(each["f1"]) for each in values)


def _means(values: list[dict[str, Array]]) -> dict[str, Any]:
    together = {name: np.concatenate([each[name] for each in values]) for name in values[0]}
    return {"hands": _count(values)} | {name: float(each.mean()) for name, each in together.items()}
