"""The Affordance Generator: what it may not depend on, what its loss is, what it is trained on, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hoi_ros.dataset.objects import make_object
from hoi_ros.language.encoder import Text, TextEncoder, pad
from hoi_ros.learning.trainer import Recipe, train
from hoi_ros.learning.weights import load
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator, affordance_loss
from hoi_ros.methods.affordgrasp.affordance_training import (
    Affordances,
    Draws,
    Sample,
    cloud_of,
    farthest_first,
    sample_of,
    score,
)
from hoi_ros.methods.affordgrasp.point_net import unit_ball
from hoi_ros.metrics.affordance import affordance_scores
from hoi_ros.scene.clouds import farthest_points, sample_surface, seen_from


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


def batch(mug: Sample, count: int = 4) -> tuple[torch.Tensor, torch.Tensor, Text, torch.Tensor]:
    return Draws([mug], 128, count)(np.random.default_rng(1))


def test_words_beyond_the_sentence_change_nothing(model: AffordanceGenerator, mug: Sample) -> None:
    points, radius, text, _ = batch(mug)
    longer = torch.cat([text.tokens, torch.full((4, 5, 384), 1e3)], dim=1)
    mask = torch.cat([text.mask, torch.zeros(4, 5, dtype=torch.bool)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(
            model(points, radius, Text(longer, mask)), model(points, radius, text), atol=1e-5, rtol=1e-4
        )


def test_a_batch_answers_as_its_members_do(model: AffordanceGenerator, mug: Sample) -> None:
    points, radius, text, _ = batch(mug)
    with torch.no_grad():
        whole = model(points, radius, text)
        for row in range(4):
            alone = model(points[row : row + 1], radius[row : row + 1], text[row : row + 1])
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


def test_the_order_is_that_of_farthest_points() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    points -= points.mean(axis=0)
    order = farthest_first(torch.from_numpy(points.astype(np.float32))[None], 40)[0].numpy()
    np.testing.assert_array_equal(order[:40], farthest_points(points, 40))
    np.testing.assert_array_equal(np.sort(order), np.arange(200))


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
    assert set(mug.asked[len(afforded) : -1]) == {"No-grasp", "Null"}
    assert mug.asked[-1] not in mug.asked[:-1]
    assert mug.masks[: len(afforded)].any(axis=1).all()
    assert not mug.masks[len(afforded) :].any()
    handle = mug.points[mug.masks[afforded.index("Handle-grasp")]]
    body = mug.points[mug.masks[afforded.index("Wrap-grasp")]]
    assert handle[:, 0].min() > 0.0 > body[:, 0].mean()  # the family's handle is at +x


def test_single_views_show_seen_points_alone(mug: Sample) -> None:
    cloud, mask = cloud_of(mug, 0, 256, np.random.default_rng(0), partial=1.0)
    rows = np.array([np.flatnonzero((mug.points == point).all(axis=1))[0] for point in cloud])
    assert any(view[rows].all() for view in mug.views)
    np.testing.assert_array_equal(mug.masks[0, rows], mask)


def test_the_same_generator_draws_the_same_batch(mug: Sample) -> None:
    one, two = batch(mug), batch(mug)
    assert torch.equal(one[0], two[0]) and torch.equal(one[2].tokens, two[2].tokens) and torch.equal(one[3], two[3])


def test_it_learns_which_part_a_sentence_means(mug: Sample, tmp_path: Path) -> None:
    """One mug, a small network, some seconds: handle and body are told apart by the words."""
    torch.manual_seed(0)
    network = AffordanceGenerator(384, 32, (64, 32, 16), 8)
    task = Affordances(network, Draws([mug], 128, 8))
    weights = train(task, Recipe(250, rate=3e-3, smoothing=0.9), tmp_path, 0, lambda _done, _terms: None)
    trained = AffordanceGenerator.load(load(weights))
    rng = np.random.default_rng(5)
    predicted, true = [], []
    for request in range(2):
        cloud, mask = cloud_of(mug, request, 128, rng, partial=0.0)
        points, radius = unit_ball(torch.from_numpy(cloud.astype(np.float32))[None])
        order = farthest_first(points, 64)
        with torch.no_grad():
            logits = trained(points.gather(1, order[..., None].expand(-1, -1, 3)), radius, pad([mug.texts[request][0]]))
        predicted.append(logits.sigmoid()[0].numpy())
        true.append(mask[order[0].numpy()].astype(float))
    assert affordance_scores(np.array(predicted, dtype=float), np.array(true)).auc.min() > 0.9
    table = score(trained, [mug], 0)
    assert table["all"]["maps"] == 6 and 0.0 <= table["nothing"]["refused"] <= 1.0
