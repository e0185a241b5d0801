"""How well a hand comes back from its own field (choir table 4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.methods.choir.adam_fitting import AdamFitter
from hoi_ros.methods.choir.field import Scheme, assignment, basis, hand_field
from hoi_ros.methods.choir.fitting import Beliefs, Fitter
from hoi_ros.methods.choir.pairs import perturbed, place_of, posed_anchors
from hoi_ros.methods.choir.refinery import entered_hands, left_hands
from hoi_ros.methods.choir.scoring import Case
from hoi_ros.metrics.hands import mpjpe
from hoi_ros.types import Array

SURE = Beliefs(anchor=1e-4, angle=3.0, betas=1.0)  # of a true field, nothing else need be believed


def score_fit(
    schemes: Sequence[Scheme], cases: Iterator[Case], seed: int, advance: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """Errors of joints and vertices, mm, of hands fitted to true fields from the benchmark's noise, and times.

    ``adam`` is the paper's fitting, of the last scheme.
    """
    model = load_hand_model()
    fitter, adam, found_anchors = Fitter(model), AdamFitter(model), find_anchors(model)
    errors: dict[str, list[Array]] = {}
    seconds: dict[str, float] = {}
    for number, case in enumerate(cases):
        rng = np.random.default_rng([seed, number])
        noisy = perturbed(model, case.hands, np.ones(len(case.hands)), rng)
        place = place_of(noisy, posed_anchors(model, found_anchors, noisy))
        start = entered_hands(model, noisy, place)
        anchors = torch.from_numpy(place.enter(posed_anchors(model, found_anchors, case.hands)))
        for scheme in (*schemes, "adam"):
            assigned = assignment("blocks" if scheme == "adam" else scheme)  # type: ignore[arg-type]
            field = hand_field(anchors, torch.from_numpy(basis()), torch.from_numpy(assigned)).numpy()
            started = time.perf_counter()
            ours = scheme != "adam"
            fitted = fitter.fit_field(field, assigned, start, SURE) if ours else adam.fit_field(field, start)
            seconds[scheme] = seconds.get(scheme, 0.0) + time.perf_counter() - started
            meshes = [
                model.mesh(h.global_orient, h.hand_pose, h.betas, h.transl)
                for h in (left_hands(model, fitted, place), case.hands)
            ]
            off = [1e3 * mpjpe(*(getattr(mesh, name) for mesh in meshes)) for name in ("keypoints", "vertices")]
            errors.setdefault(scheme, []).append(np.stack(off))
        advance()
    together = {scheme: np.concatenate(each, axis=1) for scheme, each in errors.items()}
    return {
        scheme: {
            "hands": each.shape[1],
            "mpjpe_mm": float(each[0].mean()),
            "mpvpe_mm": float(each[1].mean()),
            "p99_mpjpe_mm": float(np.percentile(each[0], 99)),
            "ms": 1e3 * seconds[scheme] / each.shape[1],
        }
        for scheme, each in together.items()
    }
