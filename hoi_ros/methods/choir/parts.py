"""The trainings and the tables of CHOIR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.method import Asked, Part, Table
from hoi_ros.methods.choir import rows, training
from hoi_ros.methods.choir.field import Scheme
from hoi_ros.methods.choir.fit_scoring import score_fit
from hoi_ros.methods.choir.keypoints import KeypointDenoising
from hoi_ros.methods.choir.scoring import LEVELS, Case, engine_cases, score
from hoi_ros.refusals import Reason, Refused

PARTS: Mapping[str, Part] = {
    "refinement": Part(training.RECIPE, training.Denoising.of, None),
    "synthesis": Part(training.RECIPE, partial(training.Denoising.of, modality="object"), None),
    "both": Part(training.RECIPE, partial(training.Denoising.of, modality="both"), None),
    "refinement_without_contacts": Part(training.RECIPE, partial(training.Denoising.of, contacts=False), None),
    "refinement_noise": Part(training.RECIPE, partial(training.Denoising.of, predicts="noise"), None),
    "refinement_velocity": Part(training.RECIPE, partial(training.Denoising.of, predicts="velocity"), None),
    "keypoints": Part(training.RECIPE, KeypointDenoising.of, None),
}

SCHEMES: tuple[Scheme, ...] = ("ordered", "shuffled", "blocks")
SPLITS = ("test", "unseen", "val")


def _cases(dataset: Dataset, asked: Asked) -> Iterator[Case]:
    if asked.split not in SPLITS:
        raise Refused(Reason.PARAMETER, f"'{asked.split}' is not known; choose one of: {', '.join(SPLITS)}")
    return islice(engine_cases(dataset, asked.split, asked.each, asked.seed), asked.most)  # type: ignore[arg-type]


def _refinement(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    """One row at every level of noise."""
    row = asked.row or "choir"
    if row not in rows.ROWS:
        raise Refused(Reason.PARAMETER, f"'{row}' is not known; choose one of: {', '.join(rows.ROWS)}")
    found = score({row: rows.ROWS[row](asked.trained)}, _cases(dataset, asked), LEVELS, asked.seed, advance)
    return {asked.split: found}


def _fit(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    return {asked.split: score_fit(SCHEMES, _cases(dataset, asked), asked.seed, advance)}


TABLES: Mapping[str, Table] = {"refinement": _refinement, "fit": _fit}
