"""Whether pseudo-labels are right, and whether training on them helps: two categories that were never trained on.

``python tools/hide_labels.py DATA --weights W --out OUT --steps 300``: of the split ``unseen`` the even instances are
labelled with their own labels hidden; the odd ones are scored before, after training on the engine's objects alone, on
these with the pseudo-labelled ones, and on these with the same objects' true labels.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.cli.console import progress
from hoi_ros.dataset.reader import Dataset
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.learning.weights import load
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator
from hoi_ros.methods.affordgrasp.affordance_training import (
    SCORED_SENTENCES,
    SENTENCES,
    Sample,
    sample_of,
    samples,
    score,
)
from hoi_ros.methods.affordgrasp.pseudo_labels import (
    RIGHT,
    Annotator,
    Catalogue,
    candidates,
    catalogue,
    judged,
    label,
    least_confidence,
)
from hoi_ros.methods.affordgrasp.self_training import mixed, trained_on
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Pairs = dict[str, list[tuple[Affordance, str]]]


def main() -> None:
    """Run the trial and write ``trial.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--precision", type=float, default=0.8)
    given = parser.parse_args()
    dataset, encoder = Dataset(given.data), TextEncoder()
    generator = load(given.weights)
    annotator, known = Annotator(AffordanceGenerator.load(generator), encoder), catalogue(dataset)

    val, test = (_agreement(annotator, _objects(dataset, split), known, {}) for split in ("val", "test"))
    least = least_confidence(val[:, 0], val[:, 1] >= RIGHT, given.precision)
    hidden, scored = _objects(dataset, "unseen")[::2], _objects(dataset, "unseen")[1::2]
    pairs = _pairs(hidden)
    own = [made for made in (_labelled(annotator, obj, pairs, least) for obj in hidden) if made.uses]
    if not own:
        parser.error(f"no label passes the filter at precision {given.precision}: there is nothing to train on")
    result: dict[str, Any] = {
        "least": least,
        "test": _table(test, least),
        "hidden": _table(_agreement(annotator, hidden, {}, pairs), least) | {"objects": [len(own), len(hidden)]},
    }
    with progress("reading objects", None) as advance:
        engine = []
        for sample in samples(dataset, "train", encoder, 0, SENTENCES):
            engine.append(sample)
            advance()
    asked = [sample_of(obj, encoder, np.random.default_rng(2), SCORED_SENTENCES) for obj in scored]
    result["before"] = score(annotator.model, asked, 0)
    for name, objects in {"engine": [], "pseudo": own, "true": hidden}.items():
        more = [sample_of(obj, encoder, np.random.default_rng([3, row]), SENTENCES) for row, obj in enumerate(objects)]
        found: Sequence[Sample] = mixed(engine, more) if more else engine
        start = AffordanceGenerator.load(generator)
        model = trained_on(
            start,
            found,
            given.steps,
            given.out / f"{name}_{given.precision}" if name == "pseudo" else given.out / name,
            0,
            progress,
        )
        result[name] = score(model, asked, 0)
        print(name, result[name]["all"], flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "trial.json").write_text(json.dumps(result, indent=1) + "\n")


def _objects(dataset: Dataset, split: Any) -> list[ObjectModel]:
    return [dataset.object(record.name) for record in dataset.units(split)]


def _pairs(objects: Sequence[ObjectModel]) -> Pairs:
    """What one would tell of each category: every use that some instance has."""
    pairs: dict[str, dict[tuple[Affordance, str], None]] = {}
    for obj in objects:
        pairs.setdefault(obj.category, {}).update(dict.fromkeys((use.affordance, use.part) for use in obj.uses))
    return {category: list(uses) for category, uses in pairs.items()}


def _agreement(annotator: Annotator, objects: Sequence[ObjectModel], known: Catalogue, told: Pairs) -> Array:
    """Confidence and IoU (M, 2) of all labels."""
    rows = [
        judged(
            annotator, obj, candidates(known, obj.category, told.get(obj.category, ())), np.random.default_rng([0, row])
        )
        for row, obj in enumerate(objects)
    ]
    return np.concatenate(rows)


def _labelled(annotator: Annotator, obj: ObjectModel, pairs: Pairs, least: float) -> ObjectModel:
    blank = replace(obj, uses=(), adjectives=(), face_parts=np.zeros_like(obj.face_parts), part_names=("body",))
    seen = annotator.look(blank, candidates({}, obj.category, pairs[obj.category]), np.random.default_rng(1))
    return label(blank, seen.points, [found for found in seen.maps if found.confidence >= least])[0]


def _table(rows: Array, least: float) -> dict[str, Any]:
    """Shares of labels that are right, of all, of those kept, and in bins of their confidence."""
    confidence, iou = rows.T
    groups = {"all": np.ones(len(rows), dtype=bool), "kept": confidence >= least}
    groups |= {
        f"{low:.1f} to {high:.1f}": (confidence >= low) & (confidence < high + 1e-6 * (high == 1.0))
        for low, high in pairwise(BINS)
    }
    return {
        name: {"labels": int(of.sum()), "right": float((iou[of] >= RIGHT).mean()), "iou": float(iou[of].mean())}
        for name, of in groups.items()
        if of.any()
    }


if __name__ == "__main__":
    main()
