"""Batches, the networks, their trainings and the sampler."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_pairs import pairs

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.choir import training
from hoi_ros.methods.choir.field import CELLS, basis
from hoi_ros.methods.choir.joint_diffusion import CONTACTS, JointDiffusion, Predicts, field_of, normal_field
from hoi_ros.methods.choir.keypoints import NUMBERS, KeypointDenoising, KeypointDiffusion, nearest_first
from hoi_ros.methods.choir.pairs import Batch, Draws, Pairs, perturbed
from hoi_ros.methods.choir.sampler import sample
from hoi_ros.methods.choir.schedule import alphas, schedule

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def found() -> Pairs:
    return pairs()


@pytest.fixture(scope="module")
def batch(found: Pairs) -> Batch:
    return Draws(found, "pair", 4)(np.random.default_rng(0))


def small(predicts: Predicts = "clean") -> JointDiffusion:
    torch.manual_seed(0)
    return JointDiffusion(widths=(16, 32), predicts=predicts).eval()


def test_the_same_seed_draws_the_same_batch(found: Pairs) -> None:
    one, two = (Draws(found, "both", 4)(np.random.default_rng(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True))


def test_grids_lie_about_the_noisy_hand(batch: Batch) -> None:
    assert batch.noisy.mean(1).numpy() == pytest.approx(0.0, abs=1e-6)


def test_without_a_hand_nothing_of_it_is_given(found: Pairs) -> None:
    alone = Draws(found, "object", 4)(np.random.default_rng(0))
    assert not alone.given.any()
    assert not alone.noisy.any()
    assert alone.anchors.any()


def test_the_objects_field_is_a_distance(batch: Batch) -> None:
    """No two basis points differ by more than they lie apart."""
    values, points = batch.object[0].numpy(), basis()
    rows = np.random.default_rng(0).choice(CELLS, (500, 2))
    apart = np.linalg.norm(points[rows[:, 0]] - points[rows[:, 1]], axis=1)
    assert (np.abs(values[rows[:, 0]] - values[rows[:, 1]]) <= apart + 1e-5).all()


def test_noise_is_that_of_the_benchmark(found: Pairs) -> None:
    model, rng = load_hand_model(), np.random.default_rng(0)
    hands = found.hands[np.zeros(4000, np.int64)]
    noisy = perturbed(model, hands, np.full(4000, 0.5), rng)
    assert (noisy.transl - hands.transl).std(axis=0) == pytest.approx(0.025, rel=0.05)
    bent = (noisy.hand_pose - hands.hand_pose) @ np.linalg.pinv(model.hands_components[:15])
    assert bent.std(axis=0) == pytest.approx(0.25, rel=0.06)
    assert np.array_equal(noisy.betas, hands.betas)
    still = perturbed(model, hands[:5], np.zeros(5), rng)
    assert still.global_orient == pytest.approx(hands[:5].global_orient)


@pytest.mark.parametrize("predicts", ["clean", "noise", "velocity"])
def test_the_scheduler_finds_what_is_clean_from_what_is_predicted(predicts: Predicts) -> None:
    """Told the true target, one step from any noise ends at the clean value."""
    clean, noise = torch.randn(3, 8), torch.randn(3, 8)
    step = 700
    kept = torch.tensor([[alphas()[step]]], dtype=torch.float32)
    noisy = kept.sqrt() * clean + (1.0 - kept).sqrt() * noise
    told = training.target(predicts, clean, noise, kept)
    sampler = schedule(predicts)
    sampler.set_timesteps(1000)
    found = sampler.step(told, step, noisy).pred_original_sample
    assert found.numpy() == pytest.approx(clean.numpy(), abs=1e-3)


def test_an_untrained_network_changes_no_hand(batch: Batch) -> None:
    """It predicts a correction, which starts at nothing."""
    network = small()
    field, _ = sample(network, batch.object, batch.noisy, batch.given, 1, 1, 0)
    assert field.numpy() == pytest.approx(network.field(batch.noisy).detach().numpy(), abs=1e-5)


def test_the_same_seed_samples_the_same_field(batch: Batch) -> None:
    network = small()
    torch.nn.init.normal_(network.after[-1].weight, std=0.02)
    drawn = [sample(network, batch.object, batch.noisy, batch.given, 3, 2, seed)[0] for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert drawn[0].shape == (8, CELLS)


def test_conditions_may_be_computed_once_for_many_steps(batch: Batch) -> None:
    network = small()
    torch.nn.init.normal_(network.after[-1].weight, std=0.02)
    known = network.known(batch.object, batch.noisy, batch.given)
    values, contacts = torch.randn(8, CELLS), torch.randn(8, CONTACTS)
    steps = torch.arange(8) * 100
    together = network.denoise(known, values, contacts, steps)
    twice = [v.repeat_interleave(2, 0) for v in (batch.object, batch.noisy, batch.given)]
    for one, two in zip(together, network(*twice, values, contacts, steps), strict=True):
        assert one.detach().numpy() == pytest.approx(two.detach().numpy(), abs=1e-5)


def test_units_are_left_as_they_were_entered() -> None:
    distances = torch.rand(2, CELLS)
    assert field_of(normal_field(distances)).numpy() == pytest.approx(distances.numpy(), abs=1e-6)


@pytest.mark.parametrize("predicts", ["clean", "velocity"])
def test_training_lowers_the_loss(found: Pairs, predicts: Predicts) -> None:
    network = small(predicts).train()
    task = training.Denoising(network, Draws(found, "both", 4))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        terms = task.loss(network, np.random.default_rng(5), CPU)
        loss = torch.stack([*terms.values()]).sum()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.8 * losses[0]


def test_the_keypoint_baseline_learns_too(found: Pairs) -> None:
    torch.manual_seed(0)
    network, model = KeypointDiffusion(context=64, width=32), load_hand_model()
    hands = found.hands
    joints = model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
    task = KeypointDenoising(network, Draws(found, "pair", 4), joints)
    noisy = torch.randn(2, NUMBERS)
    untouched = network(torch.randn(2, 4096, 3), noisy, torch.randn(2, NUMBERS), torch.tensor([3, 900]))
    assert untouched.detach().numpy() == pytest.approx(noisy.numpy() / 0.05, abs=1e-4)
    optimiser = torch.optim.Adam(network.parameters(), 3e-4)
    losses = []
    for _ in range(20):
        (loss,) = task.loss(network, np.random.default_rng(5), CPU).values()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.8 * losses[0]


def test_points_are_listed_from_near_to_far() -> None:
    points = nearest_first(np.random.default_rng(0).normal(size=(50, 3)), 80, np.random.default_rng(1))
    assert points.shape == (80, 3)
    assert (np.diff(np.linalg.norm(points, axis=1)) >= 0.0).all()
