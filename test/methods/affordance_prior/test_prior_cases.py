"""Pictures of the engine as cases, the noise of one that sees, and which answers of an estimator count."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import made_dataset
import numpy as np
import pytest
from made_dataset import LIMITS, MODEL
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.reader import Dataset
from hoi_ros.methods.affordance_prior import cases as module
from hoi_ros.methods.affordance_prior.cases import FLAW, FOUND, NOISE, Case, Landmarks, Noisy, cases
from hoi_ros.methods.affordance_prior.occlusion import joints_hidden
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, CameraFrame, HandBatch


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made_dataset.made(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="module")
def case(dataset: Dataset) -> Case:
    """The one object that has pictures."""
    (found,) = cases(dataset, "test", 3, 0)
    return found


def points(hands: HandBatch) -> Array:
    return MODEL.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)


def test_hands_stand_where_the_pictures_say(case: Case) -> None:
    """Fingers and shape are the grasp's, by its number and not its row; the wrist is the picture's."""
    assert case.name == "can_0009" and len(case) == 3
    told = np.array(case.pictures["keypoints"].to_pylist()).reshape(3, 21, 3)
    np.testing.assert_allclose(points(case.hands), told, atol=1e-5)
    assert case.instructions == [made_dataset.WORDS[row] for row in (1, 0, 1)]
    assert case.told == ["A can is held 1.", "A can is held 0.", "A can is held 1."]
    hidden = [set(np.flatnonzero(row)) for row in case.hidden]
    assert hidden == [{0, 1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}]


def test_the_object_stands_where_the_pictures_say(case: Case) -> None:
    place = made_dataset.PLACE
    for thing in case.things:
        own = Rotation.from_quat(place[3:]).inv().apply(thing.points - place[:3])
        out = np.linalg.norm(own[:, :2], axis=1)
        on_side, on_end = np.abs(out - made_dataset.RADIUS) < 2e-4, np.abs(np.abs(own[:, 2]) - 0.08) < 2e-4
        assert (on_side | on_end).all() and on_side.mean() > 0.7
        assert thing.extents[0] == pytest.approx(made_dataset.HEIGHT, rel=0.01)  # a twelfth of it is each end
        np.testing.assert_allclose(thing.tree.query(thing.points[:5])[0], 0.0)


def test_a_frame_is_in_metres(case: Case) -> None:
    frame = case.frame(1)
    assert frame.rgb.shape == (6, 8, 3)
    assert np.abs(frame.rgb.astype(int) - [200, 100, 40]).max() < 4  # JPEG
    assert frame.depth is not None
    np.testing.assert_allclose(frame.depth, made_dataset.DEPTH / 1e3, rtol=1e-6)
    assert frame.intrinsics.matrix[0, 0] == 300.0 and frame.intrinsics.cy == 3.0


def test_a_seed_chooses_pictures(dataset: Dataset) -> None:
    views = set()
    for seed in range(20):
        (first,), (again,) = (list(cases(dataset, "test", 2, seed)) for _ in range(2))
        assert len(first) == 2
        chosen = tuple(first.pictures["view"].to_pylist())
        assert chosen == tuple(again.pictures["view"].to_pylist())
        np.testing.assert_array_equal(first.things[0].points, again.things[0].points)
        views.add(chosen)
    assert views == {(0, 1), (0, 2), (1, 2)}
    assert not list(cases(dataset, "val", 2, 0))


def test_some_pictures_of_a_case(case: Case) -> None:
    some = case.take(np.array([2, 0]))
    assert some.pictures["view"].to_pylist() == [2, 0]
    np.testing.assert_array_equal(some.hands.transl, case.hands.transl[[2, 0]])
    np.testing.assert_array_equal(some.hidden, case.hidden[[2, 0]])
    assert some.told == [case.told[2], case.told[0]] and some.things[1] is case.things[0]


def many(case: Case, count: int, hidden: list[int]) -> Case:
    """The first hand so often, its fingers at the middle of their range."""
    rows = np.zeros(count, dtype=np.int64)
    lost = np.zeros((count, 21), dtype=bool)
    lost[:, hidden] = True
    middle = np.tile(LIMITS.to_pose(0.5 * (LIMITS.lower + LIMITS.upper)), (count, 1))
    taken = case.take(rows)
    return replace(taken, hidden=lost, hands=replace(taken.hands, hand_pose=middle))


def test_hidden_angles_err_by_their_share_of_the_range(case: Case) -> None:
    asked = many(case, 400, list(range(21)))
    answered = Noisy(MODEL)(asked, np.random.default_rng(0))
    found = answered.hands
    assert answered.case is asked and (answered.confidence == 1.0).all()
    off = (LIMITS.to_angles(found.hand_pose) - 0.5 * (LIMITS.lower + LIMITS.upper)) / (LIMITS.upper - LIMITS.lower)
    np.testing.assert_allclose(off.std(axis=0), NOISE, rtol=0.15)
    assert np.abs(off.mean(axis=0)).max() < 5.0 * NOISE / 20.0
    for name in ("global_orient", "betas", "transl"):
        np.testing.assert_array_equal(getattr(found, name), getattr(asked.hands, name))


def test_what_is_seen_is_hardly_wrong(case: Case) -> None:
    """The index finger's end is hidden: its tip errs, all others stay within a millimetre."""
    asked = many(case, 60, [7, 8])
    found = Noisy(MODEL)(asked, np.random.default_rng(0)).hands
    off = 1e3 * np.linalg.norm(points(found) - points(asked.hands), axis=-1).mean(axis=0)
    assert off[8] > 5.0
    assert np.delete(off, [7, 8]).max() < 1.0 and off[np.delete(np.arange(21), [7, 8])].mean() < 0.5
    free = joints_hidden(asked.hidden[:1])[0][LIMITS.joint - 1]
    spread = (LIMITS.to_angles(found.hand_pose) / (LIMITS.upper - LIMITS.lower)).std(axis=0)
    assert spread[free].min() > 3.0 * spread[~free].max() and spread[~free].max() < 2.0 * FLAW


class Answers:
    """Right where it is, a left one, a refusal, a right one elsewhere; each in the picture of its view."""

    def __init__(self, truth: Array) -> None:
        self.truth, self.resets = truth, 0

    def reset(self) -> None:
        self.resets += 1

    def estimate(self, frame: CameraFrame) -> list[SimpleNamespace]:
        view = int(np.round(frame.rgb[..., 2].mean() / 40.0))
        if view == 2:
            raise Refused(Reason.KEYPOINTS, "no hand")
        hand = {name: np.full(size, view + 0.5) for name, size in SIZES.items()}
        near, far = (self.truth[view] + [0.0, 0.0, by] for by in (0.9 * FOUND, 1.1 * FOUND))
        wrong = SimpleNamespace(side="right", keypoints=far, **{name: 9.0 * value for name, value in hand.items()})
        return [wrong, SimpleNamespace(side="left" if view == 1 else "right", keypoints=near, **hand)]


SIZES = {"global_orient": 3, "hand_pose": 45, "betas": 10, "transl": 3, "confidence": 21}


def test_answers_count_that_are_right_hands_where_they_are(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(points(case.hands))
    monkeypatch.setattr(module, "LandmarksEstimator", lambda *_: answers)
    found = Landmarks(MODEL)(case, np.random.default_rng(0))
    assert answers.resets == 3
    assert found.case.pictures["view"].to_pylist() == [0] and len(found.hands) == 1
    np.testing.assert_array_equal(found.hands.hand_pose, np.full((1, 45), 0.5))
    np.testing.assert_array_equal(found.confidence, np.full((1, 21), 0.5))
    nobody = Landmarks(MODEL)(case.take(np.array([1, 2])), np.random.default_rng(0))
    assert len(nobody.case) == len(nobody.hands) == len(nobody.confidence) == 0
