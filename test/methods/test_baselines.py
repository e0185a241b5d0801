"""What the diffusion is compared with: it begins as it should, learns what it should alone, and refuses untrained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from hoi_ros.language.encoder import Text
from hoi_ros.learning.method import load_trained
from hoi_ros.learning.schedule import STEPS
from hoi_ros.learning.trainer import WEIGHTS
from hoi_ros.learning.weights import save
from hoi_ros.methods.affordgrasp.answers import METHODS
from hoi_ros.methods.affordgrasp.baselines import (
    ConditionalVae,
    Control,
    ControlledDiffusion,
    divergence,
)
from hoi_ros.methods.affordgrasp.baselines_training import Controlling, Encoding
from hoi_ros.methods.affordgrasp.conditions import Asked
from hoi_ros.methods.affordgrasp.diffusion import LatentDiffusion
from hoi_ros.methods.affordgrasp.diffusion_training import Noising
from hoi_ros.refusals import Reason, Refused

CODE, CPU = 8, torch.device("cpu")


def asked() -> Asked:
    torch.manual_seed(1)
    text = Text(torch.randn(2, 6, 384), torch.ones(2, 6, dtype=torch.bool))
    return Asked(0.04 * torch.randn(2, 128, 3), torch.rand(2, 128), text)


def noising(rng: np.random.Generator, _device: torch.device) -> Noising:
    """Two requests, whose codes are about 3 and about 7, with sixteen each."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    codes = torch.tensor([3.0, 7.0]).repeat_interleave(16)[:, None] + 0.1 * torch.randn(32, CODE)
    return Noising(asked(), codes, torch.randint(STEPS, (32,)), torch.randn(32, CODE), torch.zeros(2, dtype=torch.bool))


@pytest.fixture
def blind() -> LatentDiffusion:
    torch.manual_seed(0)
    model = LatentDiffusion(CODE, features=32, width=16, affordances=False).requires_grad_(False).eval()
    model.normalise(5.0 + 2.0 * torch.randn(50, CODE))
    return model


def learnt(model: nn.Module, loss: Callable[[np.random.Generator], Mapping[str, Tensor]], steps: int) -> list[float]:
    """Losses of a short training."""
    adam, values = torch.optim.Adam(model.parameters(), 3e-3), []
    for step in range(steps):
        adam.zero_grad()
        value = torch.stack(list(loss(np.random.default_rng(step)).values())).sum()
        torch.autograd.backward(value)
        adam.step()
        values.append(value.item())
    return values


def test_a_controlled_diffusion_begins_as_the_blind_one_and_then_sees_the_affordance(blind: LatentDiffusion) -> None:
    model, one, noise = ControlledDiffusion(blind, Control.of(blind).eval()), asked(), torch.randn(2, CODE)
    other = Asked(one.points, 1.0 - one.affordance, one.text)
    with torch.no_grad():
        plain = blind.sample(blind.conditions(one), noise, 5, 2.0)
        for request in (one, other):
            assert torch.equal(model.sample(model.conditions(request), noise, 5, 2.0), plain)
        for parameter in model.control.zeros.parameters():
            parameter.normal_(0.0, 0.3)
        steered = [model.sample(model.conditions(request), noise, 5, 2.0) for request in (one, one, other)]
    assert torch.equal(steered[0], steered[1])
    assert not torch.allclose(steered[0], plain, atol=1e-3) and not torch.allclose(steered[0], steered[2], atol=1e-3)


def test_the_control_learns_and_what_it_steers_does_not(blind: LatentDiffusion) -> None:
    task = Controlling(Control.of(blind), blind, noising)  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in blind.state_dict().items()}
    values = learnt(task.model, lambda rng: task.loss(task.model, rng, CPU), 20)
    assert np.mean(values[-5:]) < 0.8 * values[0]
    assert all(torch.equal(value, before[name]) for name, value in blind.state_dict().items())
    assert all(parameter.grad is not None for parameter in task.model.parameters())  # else no training resumes


def test_the_divergence_is_that_of_torch() -> None:
    mean, log_variance = torch.randn(2, 5, CODE, generator=torch.Generator().manual_seed(0))
    exact = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), exact)
    assert divergence(torch.zeros(1, CODE), torch.zeros(1, CODE)).item() == 0.0


def test_the_vae_goes_on_from_the_conditions_of_the_diffusion_and_learns_codes_apart(blind: LatentDiffusion) -> None:
    model, request = ConditionalVae.of(blind), asked()
    seen = Asked(request.points, torch.ones_like(request.affordance), request.text)  # as the blind one takes it
    assert torch.equal(model.eval().conditions(seen).fused, blind.conditions(request).fused)
    task = Encoding(model.train(), noising)  # type: ignore[arg-type]
    learnt(model, lambda rng: task.loss(model, rng, CPU), 80)
    assert all(parameter.grad is not None for parameter in model.parameters())
    features, noise = model.eval().conditions(request).repeat(50), torch.randn(100, CODE)
    codes = model.sample(features, noise, 10, 2.0)
    assert codes.shape == (100, CODE) and torch.equal(codes, model.sample(features, noise, 1, 1.0))
    assert codes[:50].mean().item() == pytest.approx(3.0, abs=0.5)
    assert codes[50:].mean().item() == pytest.approx(7.0, abs=0.5)
    assert codes[:50].std(0).max() > 0.01  # the noise is heeded


UNSHIPPED = ["without_affordance", "controlled", "cvae", "adjustment_1_head", "adjustment_2_heads"]


@pytest.mark.parametrize("row", UNSHIPPED)
def test_rows_whose_weights_are_not_shipped_say_how_they_are_trained(row: str, tmp_path: Path) -> None:
    for trained in (None, tmp_path):
        with pytest.raises(Refused, match=r"hoi train affordgrasp --part .* --trained") as refused:
            METHODS[row](trained)
        assert refused.value.reason is Reason.FILE


def test_what_was_trained_is_read_and_another_network_is_not(blind: LatentDiffusion, tmp_path: Path) -> None:
    save(tmp_path / "diffusion_blind" / WEIGHTS, blind.state_dict(), blind.config)
    read = load_trained(LatentDiffusion, tmp_path, "affordgrasp", "diffusion_blind").state_dict()
    assert all(torch.equal(value, read[name]) for name, value in blind.state_dict().items())
    with pytest.raises(Refused, match="another network"):
        load_trained(Control, tmp_path, "affordgrasp", "diffusion_blind")
