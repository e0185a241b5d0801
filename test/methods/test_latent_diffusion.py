"""The latent diffusion and the adjustment: exact where the noise is known, and heeding what they should."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hoi_ros.language.encoder import Text
from hoi_ros.learning.schedule import STEPS, schedule
from hoi_ros.methods.affordgrasp.adjustment import DistributionAdjustment
from hoi_ros.methods.affordgrasp.conditions import Asked
from hoi_ros.methods.affordgrasp.diffusion import LatentDiffusion
from hoi_ros.refusals import Reason, Refused


def asked(count: int = 3) -> Asked:
    torch.manual_seed(1)
    mask = torch.ones(count, 6, dtype=torch.bool)
    mask[0, 4:] = False
    return Asked(
        0.04 * torch.randn(count, 256, 3),
        torch.rand(count, 256),
        Text(torch.randn(count, 6, 384), mask),
    )


@pytest.fixture
def model() -> LatentDiffusion:
    torch.manual_seed(0)
    model = LatentDiffusion(16, features=32, width=16).eval()
    model.normalise(5.0 + 2.0 * torch.randn(50, 16))
    return model


class Oracle(nn.Module):
    """Knows that every code is ``code``: the noise is what remains."""

    def __init__(self, code: Tensor) -> None:
        super().__init__()
        self.code = code

    def forward(self, noisy: Tensor, steps: Tensor, _fused: Tensor) -> Tensor:
        share = schedule().alphas_cumprod[steps][:, None]
        return (noisy - share.sqrt() * self.code) / (1.0 - share).sqrt()


def test_the_schedule_is_fast_grasps() -> None:
    betas = schedule().betas
    assert len(betas) == STEPS
    assert (float(betas[0]), float(betas[-1])) == pytest.approx((1e-4, 0.02))


def test_a_known_code_comes_back_from_any_noise(model: LatentDiffusion) -> None:
    code = torch.randn(3, 16)
    model.unet = Oracle(code)  # type: ignore[assignment]
    features = model.conditions(asked())
    wanted = code * model.deviation + model.mean
    torch.testing.assert_close(model.sample(features, torch.randn(3, 16), 8), wanted, atol=1e-3, rtol=1e-3)
    steps = torch.tensor([0, 500, 900])
    noisy = schedule().add_noise(code, torch.randn(3, 16), steps)
    torch.testing.assert_close(model.estimate(noisy, steps, features), wanted, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("steps", [0, 7, 2000])
def test_steps_that_would_leave_noise_are_refused(model: LatentDiffusion, steps: int) -> None:
    with pytest.raises(Refused) as refused:
        model.sample(model.conditions(asked()), torch.randn(3, 16), steps)
    assert refused.value.reason is Reason.PARAMETER


def test_requests_that_are_left_out_do_not_matter(model: LatentDiffusion) -> None:
    one, two = asked(), asked()
    two = Asked(two.points.flip(1), 1.0 - two.affordance, two.text)
    dropped = torch.tensor([True, True, False])
    with torch.no_grad():
        fused = [model.conditions(request, dropped).fused for request in (one, two)]
    assert torch.equal(fused[0][:2], fused[1][:2])
    assert not torch.allclose(fused[0][2], fused[1][2])


def test_without_affordances_they_are_not_looked_at() -> None:
    torch.manual_seed(0)
    model = LatentDiffusion(16, features=32, width=16, affordances=False).eval()
    one = asked()
    two = Asked(one.points, 1.0 - one.affordance, one.text)
    with torch.no_grad():
        assert torch.equal(model.conditions(one).fused, model.conditions(two).fused)


def test_a_guidance_of_one_is_no_guidance_and_more_goes_further(model: LatentDiffusion) -> None:
    features, noise = model.conditions(asked()), torch.randn(3, 16)
    plain, guided = (model.sample(features, noise, 5, guidance) for guidance in (1.0, 3.0))
    assert torch.equal(plain, model.sample(features, noise, 5))
    assert not torch.allclose(plain, guided)


def test_noises_of_one_request_share_its_features(model: LatentDiffusion) -> None:
    features, noise = model.conditions(asked()), torch.randn(12, 16)
    apart = model.sample(features.repeat(4), noise, 5, 2.0)
    torch.testing.assert_close(model.sample(features, noise, 5, 2.0), apart, atol=1e-3, rtol=1e-3)


def test_each_request_is_repeated_in_place(model: LatentDiffusion) -> None:
    features = model.conditions(asked())
    again = features.repeat(2)
    assert torch.equal(again.fused[[0, 2, 4]], features.fused) and torch.equal(again.fused[1], features.fused[0])
    assert torch.equal(again.mask[1], features.mask[0])


def test_the_adjustment_begins_by_changing_nothing_and_then_hears_words_and_sees_points(
    model: LatentDiffusion,
) -> None:
    module, codes = DistributionAdjustment(16, 32).eval(), torch.randn(3, 16)
    request = asked()
    with torch.no_grad():
        features = model.conditions(request)
        assert torch.equal(module(codes, features), codes)
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.3)
        told = module(codes, features)
        spoken = Text(torch.randn(3, 6, 384), request.text.mask)
        for other in (
            Asked(request.points, request.affordance, spoken),
            Asked(request.points.flip(2), request.affordance, request.text),
        ):
            assert not torch.allclose(module(codes, model.conditions(other)), told, atol=1e-3)
