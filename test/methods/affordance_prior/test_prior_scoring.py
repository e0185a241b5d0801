"""Figures of the prior, by hand: errors in the palm's frame, what is told, groups, intervals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import made_dataset
import numpy as np
import pytest
from made_dataset import MODEL
from scipy.spatial.transform import Rotation
from scipy.stats import chi

from hoi_ros.hand import HandModel
from hoi_ros.language.encoder import Text
from hoi_ros.methods.affordance_prior import occlusion, scoring
from hoi_ros.methods.affordance_prior.cases import Case, Estimated, Noisy, cases
from hoi_ros.methods.affordance_prior.describer import Known
from hoi_ros.methods.affordance_prior.refinery import Refined
from hoi_ros.methods.affordance_prior.scoring import FINGERS, PALM, WITHIN, WORDS, Figures, Question, measured, score
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandBatch, HandPose

INDEX_END = [6, 7, 8]  # keypoints that the index finger's base moves


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    (found,) = cases(made_dataset.made(tmp_path_factory.mktemp("dataset")), "test", 3, 0)
    return found


def points(hands: HandBatch) -> Array:
    return MODEL.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)


def elsewhere(hands: HandBatch) -> HandBatch:
    """The same fingers on wrists that are off by a turn and 3 cm."""
    off = Rotation.from_rotvec([0.2, -0.1, 0.3]) * Rotation.from_rotvec(hands.global_orient)
    return replace(hands, global_orient=off.as_rotvec(), transl=hands.transl + np.array([0.03, 0.0, 0.0]))


def bent(hands: HandBatch, by: float) -> HandBatch:
    """The index finger bent at its base."""
    pose = hands.hand_pose.copy()
    pose[:, 2] += by
    return replace(hands, hand_pose=pose)


def question(case: Case, estimate: HandBatch) -> Question:
    width = (0.01, 0.05, 0.2)
    known = [Known(case.instructions[row], np.array([0.2, 0.1, 0.05]), width[row]) for row in range(3)]
    return Question(case, estimate, case.hidden, known)


def test_errors_are_those_of_fingers_whatever_the_wrist_does(case: Case) -> None:
    """The estimate's wrist is off and its index finger bent: the wrist costs nothing, the finger all of its error."""
    true = points(case.hands)
    error = 1e3 * np.linalg.norm(points(bent(case.hands, 0.4)) - true, axis=-1)
    assert error[:, INDEX_END].min() > 5.0 and np.delete(error, INDEX_END, axis=1).max() < 1e-6
    estimate = elsewhere(bent(case.hands, 0.4))
    better = Refined(elsewhere(case.hands), np.full((3, 21), 0.001))
    found = measured(MODEL, question(case, estimate), better, 0.3)
    np.testing.assert_allclose(found.before, error, atol=1e-6)
    np.testing.assert_allclose(found.after, 0.0, atol=1e-6)
    np.testing.assert_allclose(found.moved, error, atol=1e-6)
    assert found.pa_before.min() > 1.0 and found.pa_after.max() < 1e-6
    np.testing.assert_allclose(found.ms, 100.0)
    np.testing.assert_array_equal(found.hidden, case.hidden)


def test_an_error_lies_within_an_interval_of_its_own_deviation(case: Case) -> None:
    error = np.linalg.norm(points(bent(case.hands, 0.4)) - points(case.hands), axis=-1)
    deviation = np.full((3, 21), 1e-3)
    deviation[:, 7], deviation[:, 8] = 1.01 * error[:, 7] / WITHIN, 0.99 * error[:, 8] / WITHIN
    found = measured(MODEL, question(case, case.hands), Refined(bent(case.hands, 0.4), deviation), 0.0)
    assert found.within[:, 7].all() and not found.within[:, 8].any()


def test_nine_in_ten_normal_errors_lie_within() -> None:
    """A deviation is the root of the mean squared distance, of three directions."""
    assert pytest.approx(chi(3).ppf(0.9) / np.sqrt(3.0), abs=1e-3) == WITHIN


def test_fingers_are_what_the_palm_is_not() -> None:
    assert sorted([*FINGERS, *PALM]) == list(range(21))
    moved = points(HandBatch(np.zeros((1, 3)), np.full((1, 45), 0.3), np.zeros((1, 10)), np.zeros((1, 3))))
    rest = points(HandBatch(np.zeros((1, 3)), np.zeros((1, 45)), np.zeros((1, 10)), np.zeros((1, 3))))
    stays = np.linalg.norm(moved - rest, axis=-1)[0] < 1e-9
    assert set(np.flatnonzero(stays)) == set(PALM)


def figures() -> Figures:
    """Three hands: nothing of the fingers hidden, a third, and all."""
    hidden = np.zeros((3, 21), dtype=bool)
    hidden[0, 5] = True  # a knuckle: no finger
    hidden[1, [2, 3, 4, 6, 7]] = True
    hidden[2] = True
    before, after, moved = np.full((3, 21), 100.0), np.full((3, 21), 50.0), np.full((3, 21), 9.0)
    before[1, [2, 3, 4, 6, 7]], after[1, [2, 3, 4, 6, 7]] = 10.0, 4.0
    before[2, FINGERS], after[2, FINGERS] = 20.0, 16.0
    moved[0, FINGERS], moved[1, FINGERS] = 0.2, 0.8
    within = np.zeros((3, 21), dtype=bool)
    within[1, [2, 3]] = within[0] = True
    said = np.zeros((3, 21), dtype=bool)
    said[1, [2, 4]] = said[2, [4, 5]] = True  # one of the four is a knuckle
    ms = np.array([10.0, 20.0, 60.0])
    return Figures(before, after, moved, np.array([1.0, 2, 3]), np.array([0.5, 2.5, 2.9]), within, hidden, said, ms)


def test_a_table_by_hand() -> None:
    found = figures().table()
    assert found["hands"] == 3
    assert found["hidden_before_mm"] == pytest.approx((5 * 10 + 15 * 20) / 20)
    assert found["hidden_after_mm"] == pytest.approx((5 * 4 + 15 * 16) / 20)
    assert found["falls_by"] == pytest.approx(1.0 - 13.0 / 17.5)
    assert found["seen_moved_mm"] == pytest.approx((15 * 0.2 + 10 * 0.8) / 25)
    assert found["kept_moved_mm"] == pytest.approx((15 * 0.2 + 13 * 0.8 + 14 * 9.0) / 42)
    assert found["hidden_covered"] == pytest.approx(2 / 20)
    assert found["covered"] == pytest.approx(1 / 3)
    assert found["ms"] == pytest.approx(30.0)
    groups = {key: value for key, value in found.items() if key.startswith("pa_")}
    assert groups == {
        "pa_before 0-25%": 1.0,
        "pa_after 0-25%": 0.5,
        "pa_before 25-50%": 2.0,
        "pa_after 25-50%": 2.5,
        "pa_before 75-100%": 3.0,
        "pa_after 75-100%": 2.9,
    }
    twice = Figures.joined([figures(), figures()]).table()
    assert twice == {key: pytest.approx(value) for key, value in found.items()} | {"hands": 6}


def test_where_nothing_is_hidden_there_is_no_error_of_it() -> None:
    one = figures()
    seen = Figures(*(getattr(one, name)[:1] for name in vars(one))).table()
    assert seen["hidden_before_mm"] is seen["falls_by"] is seen["covered"] is None
    assert seen["seen_moved_mm"] == pytest.approx(0.2)


def test_rows_are_told_what_they_say(case: Case) -> None:
    own = question(case, case.hands)
    touched = np.arange(17) == 5
    other = replace(own, known=[Known("Press the button.", None, 0.1, touched), Known()])
    assert WORDS["silent"](own, other) == ["", "", ""]
    assert WORDS["told_all"](own, other) == case.told
    described = WORDS["described"](own, other)
    assert "jar" in described[0] and "tiny" in described[0] and "huge" in described[2]
    wrong = WORDS["wrong"](own, other)
    assert "pressed" in wrong[0] and wrong[1] == "" and wrong[2] == wrong[0]
    assert "index" in wrong[0] and "index" not in WORDS["without_contacts"](other, own)[0]
    speechless = WORDS["without_instruction"](own, other)
    assert "jar" not in speechless[0] and "tiny" in speechless[0]


class Told:
    """A refinery that gives back a part of the truth, and notes what it was told."""

    model = MODEL

    def __init__(self) -> None:
        self.words: list[int] = []

    def refine(self, hands: HandBatch, hidden: Array, text: Text, seed: int = 0) -> Refined:
        assert len(hidden) == len(hands) == len(text.mask)
        self.words.append(int(text.mask.sum()))
        return Refined(bent(hands, -0.2), np.full((len(hands), 21), 1.0))


def test_a_score_joins_questions(case: Case) -> None:
    """The finger is bent by 0.4 rad before, by 0.2 after."""
    hidden = np.tile(np.isin(np.arange(21), INDEX_END), (3, 1))
    asked = question(replace(case, hidden=hidden), bent(case.hands, 0.4))
    refinery = Told()
    rows = {"a": (refinery, "described"), "b": (refinery, "silent")}
    found = score([asked, asked], rows, 0)  # type: ignore[arg-type]
    assert list(found) == ["a", "b"]
    true = points(case.hands)
    before, after = (1e3 * np.linalg.norm(points(bent(case.hands, by)) - true, axis=-1) for by in (0.4, 0.2))
    for table in found.values():
        assert table["hands"] == 6
        assert table["hidden_before_mm"] == pytest.approx(before[:, INDEX_END].mean())
        assert table["hidden_after_mm"] == pytest.approx(after[:, INDEX_END].mean())
        assert table["covered"] == 1.0
        assert table["seen_moved_mm"] == pytest.approx(0.0, abs=1e-9)
    assert min(refinery.words[:2]) > 9 and refinery.words[2:] == [0, 0]


def test_questions_of_a_dataset(tmp_path: Path) -> None:
    dataset, heard = made_dataset.made(tmp_path), []
    (asked,) = scoring.questions(dataset, "test", "noise", 2, 0, lambda: heard.append(1))
    assert len(asked.estimate) == len(asked.known) == len(asked.case) == 2 and heard == [1]
    assert asked.hidden.shape == (2, 21)
    assert [known.instruction for known in asked.known] == asked.case.instructions
    np.testing.assert_array_equal(asked.estimate.transl, asked.case.hands.transl)
    assert np.abs(asked.estimate.hand_pose - asked.case.hands.hand_pose).max() > 0.01
    with pytest.raises(Refused, match="no picture of the split 'val'") as refused:
        scoring.questions(dataset, "val", "noise", 2, 0, lambda: None)
    assert refused.value.reason is Reason.FILE


def test_what_is_hidden_is_asked_of_the_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand and object hide one keypoint each, of each hand: both count, and both are told what was estimated."""
    seen: list[Array] = []

    def by_self(_model: HandModel, hand: HandPose) -> Array:
        seen.append(hand.keypoints)
        return np.arange(21) == 8

    def by_cloud(keypoints: Array, _points: Array) -> Array:
        seen.append(keypoints)
        return np.arange(21) == 12

    monkeypatch.setattr(occlusion, "hidden_by_self", by_self)
    monkeypatch.setattr(occlusion, "hidden_by_cloud", by_cloud)
    (asked,) = scoring.questions(made_dataset.made(tmp_path), "test", "noise", 2, 0, lambda: None)
    np.testing.assert_array_equal(asked.hidden, np.tile(np.isin(np.arange(21), [8, 12]), (2, 1)))
    np.testing.assert_allclose(np.array(seen), points(asked.estimate)[[0, 0, 1, 1]], atol=1e-12)
    assert all(known.unseen is not None and known.unseen[[5, 8]].all() for known in asked.known)


def test_what_an_estimator_is_unsure_of_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by the ``landmarks`` estimator: half as sure where depth shows no skin, a little less where pixels are off."""
    sure = np.where(np.arange(21) == 16, 0.45, np.linspace(0.9, 1.0, 21))

    class Unsure(Noisy):
        def __call__(self, case: Case, rng: np.random.Generator) -> Estimated:
            return replace(super().__call__(case, rng), confidence=np.tile(sure, (len(case), 1)))

    monkeypatch.setitem(scoring.ESTIMATORS, "noise", Unsure)
    for name in ("hidden_by_self", "hidden_by_cloud"):
        monkeypatch.setattr(occlusion, name, lambda *_: np.zeros(21, dtype=bool))
    (asked,) = scoring.questions(made_dataset.made(tmp_path), "test", "noise", 2, 0, lambda: None)
    np.testing.assert_array_equal(asked.hidden, np.tile(np.arange(21) == 16, (2, 1)))
