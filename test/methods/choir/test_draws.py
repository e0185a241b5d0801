"""Batches: what is drawn for training, and what of an object is seen beside a hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_pairs import cylinder, grips
from scipy.spatial import cKDTree

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.choir import draws
from hoi_ros.methods.choir.draws import LOOSE_LEVEL, Batch, Drawn, Draws
from hoi_ros.methods.choir.field import CELLS, basis
from hoi_ros.methods.choir.pairs import LEAST, Pairs, View, perturbed
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.types import HandBatch

MODEL = load_hand_model()


def test_the_same_seed_draws_the_same_batch(found: Pairs) -> None:
    one, two = (Draws(found, "both", 16)(np.random.default_rng(3)) for _ in range(2))
    for name, value in vars(one).items():
        torch.testing.assert_close(value, getattr(two, name), rtol=0.0, atol=0.0, equal_nan=True)
    assert one.told.isnan().any() and not one.told.isnan().all()


def test_grids_lie_about_the_noisy_hand(batch: Batch) -> None:
    assert batch.noisy.mean(1).numpy() == pytest.approx(0.0, abs=1e-6)


def test_without_a_hand_nothing_of_it_is_given(found: Pairs) -> None:
    alone = Draws(found, "object", 4)(np.random.default_rng(0))
    assert not alone.given.any()
    assert not alone.noisy.any()
    assert alone.told.isnan().all()
    assert alone.anchors.any()


def test_what_is_told_is_the_level_of_the_noise(found: Pairs) -> None:
    many = Draws(found, "both", 400)(np.random.default_rng(1))
    told = ~many.told.isnan()
    assert torch.equal(many.told[told], many.level[told])
    assert not (told & ~many.given).any()
    assert 0.7 < told[many.given].float().mean() < 0.9  # a fifth is left untold


def test_the_objects_field_is_a_distance(batch: Batch) -> None:
    """No two basis points differ by more than they lie apart."""
    values, points = batch.object[0].numpy(), basis()
    rows = np.random.default_rng(0).choice(CELLS, (500, 2))
    apart = np.linalg.norm(points[rows[:, 0]] - points[rows[:, 1]], axis=1)
    assert (np.abs(values[rows[:, 0]] - values[rows[:, 1]]) <= apart + 1e-5).all()


def test_noise_is_that_of_the_benchmark(found: Pairs) -> None:
    rng = np.random.default_rng(0)
    hands = found.hands[np.zeros(4000, np.int64)]
    noisy = perturbed(MODEL, hands, np.full(4000, 0.5), rng)
    assert (noisy.transl - hands.transl).std(axis=0) == pytest.approx(0.025, rel=0.05)
    bent = (noisy.hand_pose - hands.hand_pose) @ np.linalg.pinv(MODEL.hands_components[:15])
    assert bent.std(axis=0) == pytest.approx(0.25, rel=0.06)
    assert np.array_equal(noisy.betas, hands.betas)
    still = perturbed(MODEL, hands[:5], np.zeros(5), rng)
    assert still.global_orient == pytest.approx(hands[:5].global_orient)


@pytest.fixture(scope="module")
def held() -> Pairs:
    """Hands around the cylinder, so that their anchors' middles lie inside it."""
    made = Pairs.of_objects(grips(), ("cylinder",), np.zeros(3, np.int64), [cylinder()], 0, lambda: None)
    assert (contact_parts(made.anchors.mean(axis=1)[None], cylinder()).distance < -0.01).all()
    assert (made.contacts.touches.sum(dim=1) > 5).all()
    return made


@pytest.fixture(scope="module")
def drawn(held: Pairs) -> Drawn:
    return Draws(held, "pair", 200).drawn(np.random.default_rng(2))


def nearest(hands: HandBatch) -> np.ndarray:
    """Least signed distance (N,), m, of hands to the cylinder."""
    mesh = MODEL.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
    return contact_parts(mesh.vertices, cylinder()).distance.min(axis=1)


def test_loose_hands_are_off_the_object(drawn: Drawn) -> None:
    """By more than the 4 mm within which skin counts as in contact."""
    loose = drawn.true[drawn.loose]
    assert len(loose) >= 8
    assert nearest(loose).min() > 0.004


def test_hands_that_are_not_loose_are_as_they_were(drawn: Drawn, held: Pairs) -> None:
    others, were = drawn.true[~drawn.loose], held.hands[drawn.rows[~drawn.loose]]
    for name, value in vars(others).items():
        np.testing.assert_array_equal(value, getattr(were, name))


def test_loose_hands_have_less_noise(drawn: Drawn) -> None:
    assert drawn.level[drawn.loose].max() <= LOOSE_LEVEL < drawn.level[~drawn.loose].max() <= 1.0


def test_loose_hands_have_no_contacts_and_others_have(held: Pairs) -> None:
    many = Draws(held, "pair", 60)
    loose = torch.from_numpy(many.drawn(np.random.default_rng(4)).loose)
    contacts = many(np.random.default_rng(4)).contacts
    assert 0 < loose.sum() < 60
    assert not contacts[loose].any()
    assert contacts[~loose].any(dim=1).all()


def test_no_hand_is_loose_where_none_is_given(held: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "LOOSE", 1.0)
    assert not Draws(held, "object", 20).drawn(np.random.default_rng(0)).loose.any()


EYE = np.array([0.0, 0.0, 1.0])
FLOOR = np.stack(np.meshgrid(*[np.arange(-0.15, 0.1501, 0.005)] * 2, [0.0]), -1).reshape(-1, 3)


def disc(radius: float, height: float) -> np.ndarray:
    """Points 1 mm apart."""
    side = np.arange(-radius, radius + 1e-9, 0.001)
    points = np.stack(np.meshgrid(side, side, [height]), -1).reshape(-1, 3)
    return points[np.linalg.norm(points[:, :2], axis=1) <= radius]


def test_a_hand_hides_what_lies_behind_it_and_nothing_else() -> None:
    """A disc of 2 cm halfway to the floor throws a shadow of 4 cm; what hides also hides 8 mm around it."""
    above = np.array([[0.0, 0.0, 0.7], [0.005, 0.0, 0.6]])
    left = View(np.vstack([FLOOR, above]), EYE).beside(disc(0.02, 0.5)).data
    out = np.linalg.norm(FLOOR[:, :2], axis=1)
    kept = cKDTree(left).query(FLOOR)[0] < 1e-9
    assert not kept[out <= 0.04].any()
    assert kept[out >= 0.05].all()
    assert not kept[(out > 0.04) & (out < 0.047)].any()
    assert cKDTree(left).query(above)[0].max() < 1e-9  # before the hand, in the same direction
    assert len(left) == kept.sum() + 2


def test_a_hand_behind_an_object_hides_nothing() -> None:
    assert len(View(FLOOR, EYE).beside(disc(0.02, -0.3)).data) == len(FLOOR)


def test_a_hand_that_hides_next_to_all_hides_nothing() -> None:
    """A network could not tell an object by some points at its rim."""
    small = FLOOR[np.linalg.norm(FLOOR[:, :2], axis=1) < 0.05]
    assert len(small) > LEAST
    assert len(View(small, EYE).beside(disc(0.03, 0.5)).data) == len(small)
