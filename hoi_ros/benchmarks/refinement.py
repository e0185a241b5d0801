"""CHOIR on people's grasps, which nothing was trained on: ``dexycb_grasps``, perturbed as the benchmark does.

``fit``: hands from their true fields. ``refinement``: the noisy hands, CHOIR, one pass of it, stage one alone.
``comparisons``: one hand refined, by turns with the fitting of the paper, Adam; both see the same field.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.benchmarks import side_by_side
from hoi_ros.hand import load_hand_model
from hoi_ros.hand.limits import palm_back
from hoi_ros.methods.choir.adam_fitting import AdamFitter
from hoi_ros.methods.choir.fit_scoring import score_fit
from hoi_ros.methods.choir.pairs import perturbed
from hoi_ros.methods.choir.refinery import Refinery, entered_hands, left_hands
from hoi_ros.methods.choir.rows import ROWS, network
from hoi_ros.methods.choir.scoring import LEVELS, Case, real_cases, score
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.metrics.hands import mpjpe
from hoi_ros.types import Array
from hoi_ros.view import pictures, refinements

SHOWN = ("noisy", "choir", "one_pass", "untold", "field")
ROUNDS = 5
HALF = 0.5  # of the noise, of what is timed
SHEET = 12  # cases of the picture


def run(data: str, each: int = 1000, seed: int = 0, sheets: str = "") -> dict[str, Any]:
    """Measure on at most ``each`` grasps of each mesh of the folder ``data``.

    Pictures of twelve hands at all of the noise, the three of the largest error among them, go to the folder ``sheets``
    where one is named: noisy, refined, true, red where they touch.
    """
    folder = Path(data)
    if not (folder / "dexycb_grasps").is_dir():
        return {"skipped": f"{folder / 'dexycb_grasps'} is not there"}
    rows = {name: ROWS[name](None) for name in SHOWN}
    found = score(rows, real_cases(folder, each, seed), LEVELS, seed, lambda: None)
    fit = score_fit(("blocks", "shuffled", "ordered"), real_cases(folder, min(each, 5), seed), seed, lambda: None)
    timed = side_by_side.result([_times(next(real_cases(folder, 1, seed)), seed)], {})
    if sheets:
        drawn = refinements.sheet(_shown(real_cases(folder, 2, seed), seed), load_hand_model().closed_faces)
        pictures.save(Path(sheets) / "refinement.png", drawn)
    return {"fit": fit, "refinement": found, **timed}


def _shown(cases: Iterator[Case], seed: int) -> list[refinements.Shown]:
    """The worst three, and others at even steps of the error."""
    row, model = ROWS["choir"](None), load_hand_model()
    found: list[tuple[float, refinements.Shown]] = []
    for number, case in enumerate(cases):
        noisy = perturbed(model, case.hands, np.ones(len(case.hands)), np.random.default_rng([seed, number]))
        refined = row(noisy, case.surface, 1.0, seed)
        meshes = [model.mesh(h.global_orient, h.hand_pose, h.betas, h.transl) for h in (noisy, refined, case.hands)]
        before, after = (1e3 * mpjpe(mesh.keypoints, meshes[2].keypoints) for mesh in meshes[:2])
        hands = np.stack([mesh.vertices for mesh in meshes], axis=1)
        frames = np.stack([_frames(mesh.keypoints) for mesh in meshes], axis=1)
        for hand, frame, one, two in zip(hands, frames, before, after, strict=True):
            title = f"{case.obj.name}: {one:.0f} to {two:.0f} mm"
            distances = contact_parts(hand, case.obj).distance
            found.append((two, refinements.Shown(case.obj, hand, distances, frame, title)))
    found.sort(key=lambda each: each[0])
    others = np.linspace(0, len(found) - 4, SHEET - 3).round().astype(int)
    return [found[row][1] for row in (*others, *range(len(found) - 3, len(found)))]


def _frames(keypoints: Array) -> Array:
    """Columns (N, 3, 3) across the palm to the thumb's side, along the fingers and out of the back of hands."""
    back = np.stack([palm_back(points) for points in keypoints])
    along = keypoints[:, 9] - keypoints[:, 0]
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    return np.stack([np.cross(along, back), along, back], axis=2)


def _times(case: Case, seed: int) -> dict[str, Any]:
    """One hand of one case."""
    refinery = Refinery(network(None))
    adam = AdamFitter(refinery.model)
    noisy = perturbed(refinery.model, case.hands, np.full(1, HALF), np.random.default_rng(seed))

    def ours() -> None:
        refinery.refine(noisy, case.surface, HALF, seed)

    def theirs() -> None:
        seen = refinery.predict(noisy, case.surface, HALF, seed)
        fitted = adam.fit_field(seen.field, entered_hands(refinery.model, noisy, seen.place))
        chance = refinery.chance(fitted, seen.contacts)
        adam.fit_contacts(left_hands(refinery.model, fitted, seen.place), case.surface, chance)

    seconds = side_by_side.take_turns({"Levenberg-Marquardt": ours, "Adam (the paper's fitting)": theirs}, ROUNDS)
    return side_by_side.comparison("refine one hand", "a person's grasp of a YCB mesh, half the noise", seconds)
