"""The trainings and the tables of the prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning.method import Asked, Part, Table, load_trained
from hoi_ros.methods.affordance_prior import control, scoring, training
from hoi_ros.methods.affordance_prior.prior import AffordancePrior
from hoi_ros.methods.affordance_prior.refinery import PriorRefinery
from hoi_ros.refusals import Reason, Refused

PARTS: Mapping[str, Part] = {
    "prior": Part(training.RECIPE, training.Denoising.of, None),
    "unconditional": Part(training.RECIPE, partial(training.Denoising.of, told=False), None),
}
SPLITS = ("test", "unseen", "val")


def _network(asked: Asked, part: str) -> AffordancePrior:
    """The shipped prior or, where a folder of trained parts is given, another; the twin is never shipped."""
    shipped = "affordance_prior" if part == "prior" else ""
    return load_trained(AffordancePrior, asked.trained, "affordance_prior", part, shipped)


def _split(asked: Asked) -> str:
    if asked.split not in SPLITS:
        raise Refused(Reason.PARAMETER, f"'{asked.split}' is not known; choose one of: {', '.join(SPLITS)}")
    return asked.split


def _refinement(dataset: Dataset, asked: Asked, advance: Callable[[], None], estimator: str) -> Mapping[str, Any]:
    """One row, or all whose weights are there."""
    split = _split(asked)
    names = [asked.row] if asked.row else [*scoring.WORDS, *(["unconditional"] if asked.trained else [])]
    known = [*scoring.WORDS, "unconditional"]
    if unknown := [name for name in names if name not in known]:
        raise Refused(Reason.PARAMETER, f"'{unknown[0]}' is not known; choose one of: {', '.join(known)}")
    twin = {"unconditional": (PriorRefinery(_network(asked, "unconditional")), "silent")} if known[-1] in names else {}
    prior = PriorRefinery(_network(asked, "prior"))
    rows = {name: (prior, name) for name in names if name in scoring.WORDS} | twin
    asked_of = scoring.questions(dataset, split, estimator, asked.each, asked.seed, advance)  # type: ignore[arg-type]
    return {split: scoring.score(asked_of, rows, asked.seed)}


def _control(dataset: Dataset, asked: Asked, advance: Callable[[], None]) -> Mapping[str, Any]:
    split, network = _split(asked), _network(asked, "prior")
    return {
        "sizes": control.sizes(network, asked.seed),
        "grasp types": control.kinds(network, dataset, split, asked.seed, advance),  # type: ignore[arg-type]
    }


TABLES: Mapping[str, Table] = {
    "refinement": partial(_refinement, estimator="noise"),
    "landmarks": partial(_refinement, estimator="landmarks"),
    "control": _control,
}
