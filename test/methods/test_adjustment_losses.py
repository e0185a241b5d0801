"""The losses of the adjustment against what geometry says: the true hand costs nothing but its own penetration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordgrasp.hand_surface import Hands, Skin
from hoi_ros.methods.affordgrasp.losses import Weights, adjustment_losses, nearness, vertex_normals
from hoi_ros.scene.distances import SignedDistance

MODEL = load_hand_model()
FACES = torch.from_numpy(MODEL.closed_faces.astype(np.int64))
SKIN = Skin(MODEL.smplx(), torch.arange(778))
PADS = torch.arange(0, 778, 7)


def hand(shift: float = 0.0) -> tuple[Hands, Tensor]:
    """A flat hand, moved along its palm's normal."""
    hands = Hands(torch.eye(3)[None], torch.zeros(1, 45), torch.zeros(1, 10), torch.tensor([[0.0, shift, 0.0]]))
    return hands, SKIN.surface(hands)


def table(gap: float) -> Tensor:
    """A patch of points a ``gap`` below the lowest skin, (1, 400, 3) m; the palm faces -y."""
    vertices = hand()[1]
    low, high = vertices.amin((0, 1)), vertices.amax((0, 1))
    x, z = torch.meshgrid(torch.linspace(low[0], high[0], 20), torch.linspace(low[2], high[2], 20), indexing="ij")
    return torch.stack([x.ravel(), torch.full((400,), float(low[1]) - gap), z.ravel()], dim=1)[None]


def test_inside_and_outside_are_those_of_the_signed_distance() -> None:
    vertices = hand()[1]
    points = torch.from_numpy(
        np.random.default_rng(0).uniform(vertices[0].amin(0), vertices[0].amax(0), (1, 2000, 3)).astype(np.float32)
    )
    found = nearness(points, vertices, vertex_normals(vertices, FACES))
    exact = SignedDistance(vertices[0].numpy(), MODEL.closed_faces).distance(points[0].numpy())
    clear = np.abs(exact) > 0.003  # nearer, vertices are too far apart for a sign
    assert (found.inside[0].numpy() == (exact < 0.0))[clear].mean() > 0.98
    assert (found.distance[0].numpy() >= np.abs(exact) - 1e-6).all()


def test_the_true_hand_off_the_object_costs_nothing() -> None:
    hands, vertices = hand()
    terms = adjustment_losses(hands, hands, vertices, vertices, table(0.02), FACES, PADS, Weights())
    assert all(float(term) == pytest.approx(0.0, abs=1e-9) for term in terms.values())


def test_pads_a_little_off_are_pulled_and_pads_far_off_are_not() -> None:
    hands, vertices = hand()
    near, far = (
        adjustment_losses(hands, hands, vertices, vertices, table(gap), FACES, PADS, Weights())["contact"]
        for gap in (0.004, 0.02)
    )
    assert float(near) > 1000.0 * 0.004**2 * 0.9 and float(far) == 0.0


def test_a_hand_pushed_into_the_object_pays_and_is_led_out() -> None:
    true, true_vertices = hand()
    points = table(0.001)
    transl = torch.tensor([[0.0, -0.006, 0.0]], requires_grad=True)
    hands = Hands(true.orient, true.pose, true.betas, transl)
    terms = adjustment_losses(hands, true, SKIN.surface(hands), true_vertices, points, FACES, PADS, Weights())
    assert float(terms["penetration"]) > 0.0
    (gradient,) = torch.autograd.grad(terms["penetration"], transl)
    assert gradient[0, 1] < 0.0  # down the gradient is up, away from the table


def test_another_contact_region_is_inconsistent() -> None:
    true, true_vertices = hand()
    lifted, vertices = hand(0.01)
    points = table(0.001)
    terms = adjustment_losses(lifted, true, vertices, true_vertices, points, FACES, PADS, Weights(chamfer=1.0))
    assert float(terms["consistency"]) > 10.0 * 0.003
    assert float(terms["chamfer"]) == pytest.approx(0.01**2, rel=1e-3)
