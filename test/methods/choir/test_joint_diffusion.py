"""The networks, their trainings and the sampler."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hoi_ros.learning.schedule import alphas
from hoi_ros.methods.choir import training
from hoi_ros.methods.choir.draws import Batch, Draws, Modality
from hoi_ros.methods.choir.field import CELLS, Place
from hoi_ros.methods.choir.joint_diffusion import CONTACTS, JointDiffusion, Predicts, field_of, normal_field
from hoi_ros.methods.choir.keypoints import NUMBERS, KeypointDenoising, KeypointDiffusion, nearest_first
from hoi_ros.methods.choir.pairs import Pairs
from hoi_ros.methods.choir.refinery import Predicted, Refinery
from hoi_ros.methods.choir.sampler import sample
from hoi_ros.methods.choir.schedule import schedule

CPU = torch.device("cpu")


def small(predicts: Predicts = "clean") -> JointDiffusion:
    torch.manual_seed(0)
    return JointDiffusion(widths=(16, 32), predicts=predicts).eval()


def speaking() -> JointDiffusion:
    """One that says something."""
    network = small()
    torch.nn.init.normal_(network.after[-1].weight, std=0.02)
    return network


def said(network: JointDiffusion, batch: Batch, level: torch.Tensor) -> torch.Tensor:
    return sample(network, batch.object, batch.noisy, batch.given, level, 1, 1, 0)[0]


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
    field = said(network, batch, batch.level)
    assert field.numpy() == pytest.approx(network.field(batch.noisy).detach().numpy(), abs=1e-5)


def test_the_same_seed_samples_the_same_field(batch: Batch) -> None:
    given = (batch.object, batch.noisy, batch.given, batch.level)
    drawn = [sample(speaking(), *given, 3, 2, seed)[0] for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert drawn[0].shape == (8, CELLS)


def test_a_level_that_is_told_changes_what_is_said(batch: Batch) -> None:
    network = speaking()
    little, much, nothing = (said(network, batch, torch.full((4,), level)) for level in (0.1, 1.0, torch.nan))
    for one, two in ((little, much), (little, nothing), (much, nothing)):
        assert (one - two).abs().amax(dim=1).min() > 1e-5
    assert nothing.isfinite().all()


def test_nothing_is_made_of_a_level_that_is_not_told(batch: Batch) -> None:
    """Whatever is learnt of levels, hands whose level nobody knows are what they were, beside others or not."""
    one, two = speaking(), speaking()
    for weights in two.context.level.parameters():
        torch.nn.init.normal_(weights)
    some = torch.tensor([torch.nan, 0.5, torch.nan, 0.0])
    found, others, alone = said(one, batch, some), said(two, batch, some), said(one, batch, torch.full((4,), torch.nan))
    untold = some.isnan()
    assert torch.equal(found[untold], others[untold])
    assert (found - others)[~untold].abs().amax(dim=1).min() > 1e-4
    assert found[untold].numpy() == pytest.approx(alone[untold].numpy(), abs=1e-6)


def test_conditions_may_be_computed_once_for_many_steps(batch: Batch) -> None:
    network, given = speaking(), (batch.object, batch.noisy, batch.given, batch.level)
    known = network.known(*given)
    values, contacts = torch.randn(8, CELLS), torch.randn(8, CONTACTS)
    steps = torch.arange(8) * 100
    together = network.denoise(known, values, contacts, steps)
    twice = [v.repeat_interleave(2, 0) for v in given]
    for one, two in zip(together, network(*twice, values, contacts, steps), strict=True):
        assert one.detach().numpy() == pytest.approx(two.detach().numpy(), abs=1e-5)


def test_units_are_left_as_they_were_entered() -> None:
    distances = torch.rand(2, CELLS)
    assert field_of(normal_field(distances)).numpy() == pytest.approx(distances.numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("predicts", "modality"), [("clean", "both"), ("velocity", "both"), ("clean", "pair")], ids=lambda each: str(each)
)
def test_training_lowers_the_loss(found: Pairs, predicts: Predicts, modality: Modality) -> None:
    network = small(predicts).train()
    task = training.Denoising(network, Draws(found, modality, 4), Refinery(network) if modality == "pair" else None)
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


def drawn_again(
    found: Pairs, monkeypatch: pytest.MonkeyPatch, network: JointDiffusion, seed: int = 3
) -> tuple[Batch, Batch]:
    """What is drawn first, and what the training makes of it."""
    monkeypatch.setattr(training, "AGAIN", 1.0)
    task = training.Denoising(network, Draws(found, "pair", 8), Refinery(network))
    rng = np.random.default_rng(seed)
    rng.random()  # whether a batch is one of these
    return task.draws.batch(task.draws.drawn(rng, 0.5)), task._batch(np.random.default_rng(seed), CPU)


@pytest.mark.parametrize("seed", range(4))
def test_hands_that_were_refined_are_drawn_again(found: Pairs, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """By a network that changes nothing: all is where it was but for bends that no hand has, and less noise is told."""
    first, again = drawn_again(found, monkeypatch, small(), seed)
    for one, two in ((first.noisy, again.noisy), (first.anchors, again.anchors), (first.object, again.object)):
        assert (one - two).abs().median() < 4e-3
    assert first.level.min() > 0.5
    for one, two in ((first.level, again.level), (first.told, again.told)):
        assert two.numpy() == pytest.approx(0.5 * one.numpy(), abs=1e-6, nan_ok=True)


def test_a_network_that_knows_the_truth_is_shown_it(found: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small()

    def true_field(refinery: Refinery, place: Place, *seen: torch.Tensor | int) -> Predicted:
        anchors = place.enter(truth.anchors).astype(np.float32)
        field = network.field(torch.from_numpy(anchors)).detach().numpy().astype(np.float64)
        return Predicted(place, field, torch.zeros(8, CONTACTS))

    rng = np.random.default_rng(3)
    rng.random()
    truth = Draws(found, "pair", 8).drawn(rng, 0.5)
    monkeypatch.setattr(Refinery, "of_context", true_field)
    before, again = drawn_again(found, monkeypatch, network)
    assert (before.noisy - before.anchors).norm(dim=-1).min(dim=1).values.median() > 0.01
    assert (again.noisy - again.anchors).norm(dim=-1).max() < 4e-3


def test_errors_are_weighted_by_what_could_be_gained() -> None:
    """Of one row each the weight cancels: the root of 0.04, and 0.09 itself, each half of the mean."""
    off, level, steps = torch.tensor([0.04, 0.09]), torch.tensor([0.0, 1.0]), torch.tensor([999, 5])
    assert training.weighed(off, level, steps, in_one=True).item() == pytest.approx(0.5 * 0.2 + 0.5 * 0.09, abs=1e-4)
    squared = (25.0 * 0.04 + 0.09 / 1.44) / (25.0 + 1.0 / 1.44)
    assert training.weighed(off, level, steps, in_one=False).item() == pytest.approx(squared, abs=1e-4)
    rooted = (5.0 * 0.2 + 0.3 / 1.2) / (5.0 + 1.0 / 1.2)
    ends = torch.tensor([999, 999])
    assert training.weighed(off, level, ends, in_one=True).item() == pytest.approx(rooted, abs=1e-4)


def test_refinement_learns_most_where_it_starts(found: Pairs) -> None:
    steps: list[torch.Tensor] = []

    class Listening(JointDiffusion):
        def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            steps.append(given[-1])
            return super().forward(*given)

    torch.manual_seed(0)
    network = Listening(widths=(16, 32))
    for refinery in (Refinery(network), None):
        task = training.Denoising(network, Draws(found, "pair", 32), refinery)
        task.loss(network, np.random.default_rng(1), CPU)
    last = [(each == 999).float().mean().item() for each in steps]
    assert 0.5 < last[0] < 0.95 and last[1] < 0.05


def test_the_keypoint_baseline_learns_too(found: Pairs) -> None:
    torch.manual_seed(0)
    network = KeypointDiffusion(context=64, width=32)
    task = KeypointDenoising(network, Draws(found, "pair", 4))
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
