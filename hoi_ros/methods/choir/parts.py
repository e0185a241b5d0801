"""The trainings and the tables of CHOIR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, cast

from hoi_ros.dataset.presets import Split
from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.method import Asked, Part, Table
from hoi_ros.methods.choir import rows, synthesis_scoring, training
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
    return islice(engine_cases(dataset, _split(asked), asked.each, asked.seed), asked.most)


def _split(asked: Asked) -> Split:
    return cast(Split, _known(asked.split, SPLITS))


def _known(name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise Refused(Reason.PARAMETER, f"'{name}' is not known; choose one of: {', '.join(names)}")
    return name


def _refinement(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    """One row at every level of noise."""
    row = _known(asked.row or "choir", rows.ROWS)
    found = score({row: rows.ROWS[row](asked.trained)}, _cases(dataset, asked), LEVELS, asked.seed, advance)
    return {asked.split: found}


def _fit(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    return {asked.split: score_fit(SCHEMES, _cases(dataset, asked), asked.seed, advance)}


def _synthesis(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    """One row: the stage with the shipped weights, or with those of the folder of trained parts."""
    row = _known(asked.row or "choir", synthesis_scoring.ROWS)
    things = islice(synthesis_scoring.things(dataset, _split(asked), asked.seed), asked.most)
    made = synthesis_scoring.ROWS[row](asked.trained)
    return {asked.split: {row: synthesis_scoring.score(made, things, asked.each, asked.seed, advance)}}


TABLES: Mapping[str, Table] = {"refinement": _refinement, "fit": _fit, "synthesis": _synthesis}
