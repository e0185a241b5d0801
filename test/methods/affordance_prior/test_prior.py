"""The network: what it is told, what is silent, and that a training step lowers its error."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.language.encoder import Text
from hoi_ros.methods.affordance_prior import training
from hoi_ros.methods.affordance_prior.poses import Poses
from hoi_ros.methods.affordance_prior.prior import TOLD, AffordancePrior, hand_pose, pose_axes, silence

LIMITS = Limits(load_hand_model().kinematics)


def network(told: bool = True) -> AffordancePrior:
    torch.manual_seed(0)
    made = AffordancePrior(32, 48, told)
    torch.nn.init.normal_(made.after.weight, std=0.1)
    return made.eval()


def text(count: int, words: int, real: int) -> Text:
    tokens = torch.randn(count, words, TOLD, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(count, words, dtype=torch.bool)
    mask[:, :real] = True
    return Text(tokens, mask)


def test_padding_says_nothing() -> None:
    prior, long = network(), text(2, 9, 4)
    short = Text(long.tokens[:, :4], long.mask[:, :4])
    torch.testing.assert_close(prior.hear(long), prior.hear(short))


def test_a_text_without_words_is_silence_and_a_twin_hears_nothing() -> None:
    prior = network()
    torch.testing.assert_close(prior.hear(text(2, 5, 0)), prior.hear(silence(2)))
    assert not torch.allclose(prior.hear(text(2, 5, 3)), prior.hear(silence(2)))
    twin = network(told=False)
    torch.testing.assert_close(twin.hear(text(2, 5, 3)), twin.hear(silence(2)))


def test_poses_come_back_from_the_networks_units() -> None:
    rng = np.random.default_rng(0)
    poses = LIMITS.sample(rng, 4)
    np.testing.assert_allclose(hand_pose(LIMITS, pose_axes(LIMITS, poses)), poses, atol=1e-12)
    prior = network()
    prior.mean.uniform_()
    prior.deviation.uniform_(0.5, 1.5)
    values = torch.from_numpy(pose_axes(LIMITS, poses)).float()
    torch.testing.assert_close(prior.left(prior.entered(values)), values)


def test_the_first_axis_of_a_pose_is_flexion() -> None:
    angles = np.zeros((1, LIMITS.size))
    angles[0, (LIMITS.joint == 1) & (LIMITS.axis == 0)] = 0.7  # the index finger's base
    values = pose_axes(LIMITS, LIMITS.to_pose(angles))[0]
    assert values[0] == pytest.approx([0.7, 0.0, 0.0])
    assert np.abs(values[1:]).max() < 1e-12


def test_hidden_joints_lie_at_the_ends_of_digits() -> None:
    hidden = training.hidden_joints(np.random.default_rng(0), 500).reshape(500, 5, 3)
    assert (np.diff(hidden.astype(int), axis=2) >= 0).all()  # nothing is seen beyond what is hidden
    assert hidden.reshape(500, -1).any(axis=1).all()
    assert 0.3 < hidden.reshape(500, -1).all(axis=1).mean() < 0.5


def test_a_training_lowers_the_error_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    base = pose_axes(LIMITS, LIMITS.sample(rng, 2))
    poses = Poses(base[rng.integers(2, size=40)], (("",),) * 40, (("",),) * 40, np.zeros(40, np.int64))
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        task = training.Denoising(AffordancePrior(32, 48, told=False), poses, None)
        optimiser = torch.optim.Adam(task.model.parameters(), 3e-3)
        found = []
        for step in range(40):
            loss = task.loss(task.model, np.random.default_rng(step), torch.device("cpu"))["pose"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            found.append(float(loss.detach()))
        losses.append(found)
    assert losses[0] == losses[1]
    assert np.mean(losses[0][-5:]) < 0.5 * losses[0][0]
