"""Tables of grasps: a hand that grips, one that keeps off, a sentence that is refused, and questions of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordgrasp import grasp_scoring, lift_scoring
from hoi_ros.methods.affordgrasp.grasp_scoring import Judge, Question
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.types import Array, HandBatch, ObjectCloud

BOTTLE = make_object("bottle", 0, 0)
WRAP, TWIST = BOTTLE.uses
MODEL = load_hand_model()


def question(sentence: str = "Wrap it.") -> Question:
    points, normals, _ = sample_surface(BOTTLE, 4000, np.random.default_rng(0))
    return Question(BOTTLE, WRAP, sentence, ObjectCloud(points, normals))


@pytest.fixture(scope="module")
def hands() -> HandBatch:
    """Four grasps by the engine, and the first of them a metre away."""
    found = GraspOptimiser(MODEL).synthesize(BOTTLE, WRAP, 4, 0, np.zeros(10)).hands
    away = HandBatch(found.global_orient[:1], found.hand_pose[:1], found.betas[:1], found.transl[:1] + 1.0)
    return HandBatch(*(np.concatenate(pair) for pair in zip(vars(found).values(), vars(away).values(), strict=True)))


def test_what_is_near_counts_and_what_is_far_does_not(hands: HandBatch) -> None:
    found = Judge(MODEL, None).judge(question(), hands, 0)
    assert found["contact"].tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert found["works"][:4].sum() >= 1.0 and found["works"][4] == 0.0
    assert np.array_equal(found["works"], found["held"]) and np.isnan(found["acc"]).all()
    assert found["on_part"][:4].min() > 0.5 and found["on_part"][4] == 0.0
    assert found["depth"][4] == found["iv_2mm"][4] == 0.0
    assert (found["sd"] >= 0.0).all() and found["sd"][4] > found["sd"][:4].min()


def test_a_twist_is_tried_by_turning(hands: HandBatch) -> None:
    asked = Question(BOTTLE, TWIST, "Twist the cap.", question().cloud)
    found = Judge(MODEL, None).judge(asked, hands, 0)
    assert np.isfinite(found["works"]).all() and np.isnan(found["held"]).all() and np.isnan(found["sd"]).all()


def answered(hands: HandBatch) -> grasp_scoring.Answer:
    def answer(asked: Question, count: int, seed: int) -> tuple[HandBatch, Array]:
        if asked.sentence == "Fly.":
            raise Refused(Reason.INSTRUCTION, "no")
        return hands[:count], np.full(count, 0.5)

    return answer


def asked() -> Iterator[Question]:
    yield question()
    yield question("Fly.")


def test_the_table_counts_refusals_and_leaves_out_what_is_not_known(
    hands: HandBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grasp_scoring, "load_shipped", lambda _name: ({}, {}))
    monkeypatch.setattr(grasp_scoring.SemanticClassifier, "load", lambda _weights: None)
    ticks: list[int] = []
    table = grasp_scoring.score(answered(hands), asked(), 4, 0, lambda: ticks.append(0))
    assert len(ticks) == 2
    assert table["all"]["refused"] == 1 and table["all"]["grasps"] == 4 and table["Wrap-grasp"]["contact"] == 1.0
    assert table["all"]["brier"] == pytest.approx(0.25)
    assert "acc" not in table["all"] and "entropy" not in table["all"]


def test_lifts_are_counted_by_category_and_reason(hands: HandBatch) -> None:
    table = lift_scoring.score(answered(hands[:2]), asked(), 2, 0, lambda: None)
    assert table["all"]["lifts"] == 2 and table["all"]["refused"] == 1
    assert table["bottle"] == table["all"]
    assert table["all"]["lifted"] in (0.0, 0.5)
