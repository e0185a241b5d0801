"""Contacts as Gaussians: weights of vertices, fits, densities, and that they turn with the hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.stats import multivariate_normal

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.methods.choir import contacts
from hoi_ros.methods.choir.contacts import Gaussians


@pytest.fixture(scope="module")
def cells() -> torch.Tensor:
    model = load_hand_model()
    return torch.from_numpy(contacts.cells_of(model, find_anchors(model)))


def test_only_points_in_reach_and_not_behind_the_skin_count() -> None:
    vertices, normals = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    heights = np.array([0.0039, 0.0041, -0.0019, -0.0021])  # in reach; out of it; skin gives way; behind
    for height, counts in zip(heights, (1, 0, 1, 0), strict=True):
        assert contacts.contact_weights(vertices, normals, cKDTree([[0.0, 0.0, height]]))[0] == counts


def patch(seed: int) -> tuple[torch.Tensor, ...]:
    """Vertices of two anchors' cells, weights as counts, and the anchors."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(0.0, 0.004, (1, 40, 3)) + np.repeat([[0.0, 0.0, 0.0], [0.05, 0.0, 0.0]], 20, axis=0)
    weights = rng.integers(0, 5, (1, 40)).astype(float)
    anchors = np.array([[[0.001, 0.0, 0.0], [0.049, 0.0, 0.0]]])
    cells = np.repeat([0, 1], 20)
    return tuple(torch.from_numpy(v) for v in (vertices, weights, anchors, cells))


def test_a_fit_is_the_likeliest_of_the_multiset() -> None:
    """NumPy's weighted covariance, by repeating each vertex as often as its weight says (choir eq. 6)."""
    vertices, weights, anchors, cells = patch(0)
    found = contacts.fit(vertices, weights, anchors, cells)
    for anchor in (0, 1):
        rows = np.flatnonzero(cells.numpy() == anchor)
        multiset = np.repeat(vertices[0, rows].numpy(), weights[0, rows].numpy().astype(int), axis=0)
        assert (anchors + found.means)[0, anchor].numpy() == pytest.approx(multiset.mean(axis=0))
        triangle = found.triangles[0, anchor]
        expected = np.cov(multiset.T, bias=True) + contacts.NUGGET * np.eye(3)
        assert (triangle @ triangle.T).numpy() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_density_is_that_of_scipy_over_its_peak() -> None:
    vertices, weights, anchors, cells = patch(1)
    found = contacts.fit(vertices, weights, anchors, cells)
    density = found.density(vertices, anchors, cells)[0]
    triangle = found.triangles[0, 1] + contacts.NUGGET**0.5 * torch.eye(3)
    middle = (anchors + found.means)[0, 1].numpy()
    normal = multivariate_normal(middle, (triangle @ triangle.T).numpy())
    expected = normal.pdf(vertices[0, 20:].numpy()) / normal.pdf(middle)
    assert density[20:].numpy() == pytest.approx(expected, rel=1e-6)


def test_gradients_are_exact() -> None:
    vertices, weights, anchors, cells = patch(2)

    def seen(v: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        found = contacts.fit(v, weights, a, cells)
        return torch.cat([found.numbers().flatten(), found.density(v, a, cells).flatten()])

    assert torch.autograd.gradcheck(seen, (vertices.requires_grad_(), anchors.requires_grad_()), eps=1e-7, atol=1e-3)


def test_numbers_hold_all_of_it() -> None:
    vertices, weights, anchors, cells = patch(3)
    found = contacts.fit(vertices, weights, anchors, cells)
    again = Gaussians.of(found.numbers())
    assert torch.equal(again.means, found.means)
    assert torch.equal(again.triangles, found.triangles)


def test_few_or_far_vertices_are_no_contact(cells: torch.Tensor) -> None:
    vertices, weights, anchors, own = patch(4)
    few = weights.clone()
    few[0, 3:20] = 0.0
    far = anchors + torch.tensor([0.0, 0.03, 0.0])
    assert not contacts.fit(vertices, few, anchors, own).touches[0, 0]
    assert not contacts.fit(vertices, weights, far, own).touches.any()
    none = contacts.fit(vertices, 0.0 * weights, anchors, own)
    assert not none.density(vertices, anchors, own).any()
    assert cells.bincount(minlength=32).min() >= contacts.LEAST  # every anchor of the hand can have a contact


def test_gaussians_turn_with_the_hand() -> None:
    vertices, weights, anchors, cells = patch(5)
    turn = torch.from_numpy(Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix())[None]
    turned = contacts.fit(vertices @ turn.mT, weights, anchors @ turn.mT, cells)
    found = contacts.fit(vertices, weights, anchors, cells).turned(turn)
    assert found.means.numpy() == pytest.approx(turned.means.numpy(), abs=1e-9)
    assert found.triangles.numpy() == pytest.approx(turned.triangles.numpy(), abs=1e-5)
