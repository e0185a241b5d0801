"""The Affordance Generator: what it may not depend on, what its loss is, what it is trained on, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from hoi_ros.dataset.objects import make_object
from hoi_ros.language.encoder import Text, TextEncoder
from hoi_ros.learning.trainer import Recipe, train
from hoi_ros.learning.weights import load
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator, affordance_loss
from hoi_ros.methods.affordgrasp.affordance_training import (
    CONTRADICTIONS,
    FIRST,
    UNUSED,
    Affordances,
    Batch,
    Draws,
    Sample,
    rows_of_cloud,
    sample_of,
    score,
)
from hoi_ros.methods.affordgrasp.point_net import unit_ball
from hoi_ros.metrics.affordance import affordance_scores
from hoi_ros.scene.clouds import sample_surface, seen_from
from hoi_ros.types import Array


@pytest.fixture(scope="module")
def mug(encoder: TextEncoder) -> Sample:
    return sample_of(make_object("mug", 0, 0), encoder, np.random.default_rng(0), 3)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture
def model() -> AffordanceGenerator:
    torch.manual_seed(0)
    return AffordanceGenerator(384, 32, (64, 32, 16), 8).eval()


def batch(mug: Sample, count: int = 4) -> Batch:
    return Draws([mug], 768, count, 1)(np.random.default_rng(1))


def test_words_beyond_the_sentence_change_nothing(model: AffordanceGenerator, mug: Sample) -> None:
    drawn = batch(mug)
    seen, text = (drawn.points, drawn.normals, drawn.radius), drawn.text
    longer = torch.cat([text.tokens, torch.full((4, 5, 384), 1e3)], dim=1)
    mask = torch.cat([text.mask, torch.zeros(4, 5, dtype=torch.bool)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(model(*seen, Text(longer, mask)), model(*seen, text), atol=1e-5, rtol=1e-4)


def test_a_batch_answers_as_its_members_do(model: AffordanceGenerator, mug: Sample) -> None:
    drawn = batch(mug)
    everything = (drawn.points, drawn.normals, drawn.radius, drawn.text)
    with torch.no_grad():
        whole = model(*everything)
        for row in range(4):
            alone = model(*(values[row : row + 1] for values in everything))
            torch.testing.assert_close(whole[row], alone[0], atol=1e-5, rtol=1e-4)


def test_clouds_are_scaled_to_the_unit_ball() -> None:
    cloud = torch.randn(2, 50, 3) * 0.1 + torch.tensor([3.0, -2.0, 1.0])
    points, radius = unit_ball(cloud)
    assert points.norm(dim=-1).amax(1) == pytest.approx([1.0, 1.0], abs=1e-5)
    distances = [torch.pdist(values) for values in (cloud[0], points[0] * radius[0])]
    torch.testing.assert_close(*distances, atol=1e-5, rtol=1e-4)


def test_the_loss_is_nothing_for_a_sure_and_right_answer_and_large_for_a_wrong_one() -> None:
    target = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    sure = 40.0 * (2.0 * target - 1.0)
    right, wrong = (affordance_loss(logits, target) for logits in (sure, -sure))
    assert sum(map(float, right.values())) == pytest.approx(0.0, abs=1e-6)
    # Wrong everywhere: no overlap, so each dice coefficient is 1 / (total + 1) of all points.
    assert float(wrong["dice"]) == pytest.approx(1.0 - 1.0 / 5.0)
    assert float(wrong["focal"]) == pytest.approx(40.0 * (0.25 + 3 * 0.75) / 4)


def test_less_than_half_of_a_can_is_seen_and_it_faces_the_eye() -> None:
    can = make_object("can", 0, 0)
    points, normals, _ = sample_surface(can, 2000, np.random.default_rng(0))
    eye = points.mean(axis=0) + np.array([0.0, 2.0, 0.0])
    seen = seen_from(can, points, normals, eye)
    assert 0.2 < seen.mean() < 0.5
    assert (normals[seen][:, 1] > -0.05).all()


def test_masks_are_the_asked_part_and_empty_for_what_is_not_afforded(mug: Sample) -> None:
    obj = make_object("mug", 0, 0)
    afforded = [str(use.affordance) for use in obj.uses]
    assert list(mug.asked[: len(afforded)]) == afforded
    assert set(mug.asked[len(afforded) : -CONTRADICTIONS]) == {"No-grasp", "Null"}
    assert not set(mug.asked[-CONTRADICTIONS:]) & set(mug.asked[:-CONTRADICTIONS])
    assert mug.masks[:-UNUSED].any(axis=1).all()
    assert not mug.masks[-UNUSED:].any() and not mug.parts[-UNUSED:].any()
    handle = mug.points[mug.masks[afforded.index("Handle-grasp")]]
    body = mug.points[mug.masks[afforded.index("Wrap-grasp")]]
    assert handle[:, 0].min() > 0.0 > body[:, 0].mean()  # the family's handle is at +x


def test_of_two_cups_each_is_what_a_sentence_about_either_means(encoder: TextEncoder) -> None:
    phones = sample_of(make_object("earphone", 0, 0), encoder, np.random.default_rng(0), 1)
    pulled = [row for row, kind in enumerate(phones.asked) if kind == "Pull"]
    assert len(pulled) == 2
    one, two = pulled
    assert not (phones.parts[one] & phones.parts[two]).any()
    np.testing.assert_array_equal(phones.masks[one], phones.parts[one] | phones.parts[two])
    np.testing.assert_array_equal(phones.masks[one], phones.masks[two])


def test_single_views_show_seen_points_alone_and_begin_far_apart(mug: Sample) -> None:
    chosen = rows_of_cloud(mug, 2 * FIRST, np.random.default_rng(0), partial=1.0)
    assert any(view[chosen].all() for view in mug.views)
    spread, rest = (np.sort(to_nearest(mug.points[rows])) for rows in (chosen[:FIRST], chosen[FIRST:]))
    assert np.median(spread) > 1.25 * np.median(rest)  # as many at random, of what is left: 1.4 to 1.7


def to_nearest(points: Array) -> Array:
    nearest: Array = cKDTree(points).query(points, 2)[0][:, 1]
    return nearest


def test_the_same_generator_draws_the_same_batch(mug: Sample) -> None:
    one, two = batch(mug), batch(mug)
    assert torch.equal(one.points, two.points) and torch.equal(one.normals, two.normals)
    assert torch.equal(one.text.tokens, two.text.tokens) and torch.equal(one.mask, two.mask)


def test_normals_turn_with_the_points(mug: Sample) -> None:
    """Of a mug that is turned and moved, they still stand on the surface: by the points around each."""
    drawn = batch(mug)
    for points, directions in zip(drawn.points.numpy(), drawn.normals.numpy(), strict=True):
        np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, atol=1e-5)
        near = points[cKDTree(points).query(points, 16)[1]]
        flat = np.linalg.svd(near - near.mean(axis=1, keepdims=True))[2][:, 2]
        assert np.median(np.abs(np.einsum("ni,ni->n", flat, directions))) > 0.8  # 0.5 were they at random


def test_it_learns_which_part_a_sentence_means(mug: Sample, tmp_path: Path) -> None:
    """One mug, a small network, some seconds: handle and body are told apart by the words."""
    torch.manual_seed(0)
    network = AffordanceGenerator(384, 32, (64, 32, 16), 8)
    task = Affordances(network, Draws([mug], 640, 4, 2))
    weights = train(task, Recipe(250, rate=3e-3, smoothing=0.9), tmp_path, 0, lambda _done, _terms: None)
    trained = AffordanceGenerator.load(load(weights))
    rng = np.random.default_rng(5)
    predicted, true = [], []
    for request in range(2):
        chosen = rows_of_cloud(mug, 640, rng, partial=0.0)
        mask = mug.masks[request, chosen]
        one = Batch.of(mug.points[None, chosen], mug.normals[None, chosen], [mug.texts[request][0]], mask[None])
        with torch.no_grad():
            logits = trained(one.points, one.normals, one.radius, one.text)
        predicted.append(logits.sigmoid()[0].numpy())
        true.append(mask.astype(float))
    assert affordance_scores(np.array(predicted, dtype=float), np.array(true)).auc.min() > 0.9
    table = score(trained, [mug], 0)
    assert table["all"]["maps"] == 6 and 0.0 <= table["nothing"]["refused"] <= 1.0
