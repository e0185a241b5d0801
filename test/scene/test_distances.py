"""Exact signed distances against closed forms and winding numbers; the grid against the exact ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from shapes import ball, box, cup

from hoi_ros.scene.distances import DistanceGrid, SignedDistance
from hoi_ros.types import Array


def box_distance(points: Array, size: Array) -> Array:
    q = np.abs(points) - size / 2
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def winding_number(triangles: Array, points: Array) -> Array:
    """Sum of signed solid angles over 4 pi (van Oosterom and Strackee, 1983)."""
    corners = triangles[None] - points[:, None, None]
    a, b, c = corners[:, :, 0], corners[:, :, 1], corners[:, :, 2]
    length = np.linalg.norm(corners, axis=-1)
    over = (a * np.cross(b, c)).sum(-1)
    under = length.prod(-1) + sum((x * y).sum(-1) * length[..., i] for x, y, i in ((a, b, 2), (b, c, 0), (c, a, 1)))
    return np.arctan2(over, under).sum(-1) / (2 * np.pi)


def test_a_box_far_from_the_origin_has_its_closed_form():
    size, centre = np.array([0.1, 0.06, 0.02]), np.array([3.0, -2.0, 1.0])
    vertices, faces = box(*size)
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (40, 50, 3))
    exact = SignedDistance(vertices + centre, faces)
    assert exact.distance(points + centre) == pytest.approx(box_distance(points, size), abs=1e-7)
    closest, normals = exact.closest(np.array([0.2, 0.01, 0.003]) + centre)
    assert closest - centre == pytest.approx(np.array([0.05, 0.01, 0.003]), abs=1e-7)
    assert normals == pytest.approx(np.array([1.0, 0, 0]))


def test_points_on_lattice_planes_through_edges_are_on_the_right_side():
    points = np.stack(np.meshgrid(*[np.arange(-50, 51, 10) / 1000] * 3, indexing="ij"), -1)
    distance = SignedDistance(*box(0.06, 0.06, 0.06)).distance(points)
    assert distance == pytest.approx(box_distance(points, np.full(3, 0.06)), abs=1e-8)


@pytest.mark.parametrize("wall", [0.0005, 0.002])
def test_a_thin_wall_has_an_inside(wall):
    exact = SignedDistance(*cup(wall))
    angles = np.linspace(0.01, 6.2, 300)
    for radius, sign in ((0.04 - wall * 1.2, 1), (0.04 - wall / 2, -1), (0.04 + wall * 0.2, 1)):
        points = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(300, 0.05)], -1)
        assert (np.sign(exact.distance(points)) == sign).all()


@pytest.mark.parametrize("name", ["024_bowl", "025_mug", "019_pitcher_base"])
def test_folded_recorded_meshes_keep_the_sign_of_the_winding_number(shared_data: Path, name):
    mesh = trimesh.load(shared_data / f"dexycb_grasps/meshes/{name}.obj")
    exact = SignedDistance(mesh.vertices, mesh.faces)
    rng = np.random.default_rng(1)
    points = rng.uniform(mesh.bounds[0] - 0.02, mesh.bounds[1] + 0.02, (2000, 3))
    inside = winding_number(mesh.triangles, points) > 0.5
    assert (inside == exact.inside(points)).mean() > 0.998
    assert (np.sign(exact.distance(points)) == np.where(exact.inside(points), -1, 1)).all()


@pytest.fixture(scope="module")
def cup_field():
    mesh = cup(0.003)
    return SignedDistance(*mesh), DistanceGrid.build(*mesh)


def near_surface(exact: SignedDistance, reach: float, count: int = 20000) -> Array:
    points = np.random.default_rng(2).uniform([-0.05, -0.05, -0.01], [0.05, 0.05, 0.11], (8 * count, 3))
    return points[np.abs(exact.distance(points)) < reach][:count]


def test_the_grid_gives_distances_near_the_surface(cup_field):
    exact, grid = cup_field
    points = near_surface(exact, 0.002)
    distance, gradient = grid.lookup(torch.tensor(points))
    error = np.abs(distance.numpy() - exact.distance(points))
    assert np.median(error) < 2e-5 and np.quantile(error, 0.99) < 1e-3 and error.max() < 2e-3
    assert gradient.norm(dim=-1).numpy() == pytest.approx(1, abs=1e-5)


def test_the_grid_keeps_the_sides_of_a_wall_apart(cup_field):
    exact, grid = cup_field
    points = near_surface(exact, 0.0012)
    wrong = np.sign(grid.lookup(torch.tensor(points))[0].numpy()) != np.sign(exact.distance(points))
    assert wrong.mean() < 0.03 and np.abs(exact.distance(points[wrong])).max() < 9e-4


def test_the_grid_errs_little_beyond_its_border_and_never_calls_it_inside(cup_field):
    exact, grid = cup_field
    points = np.random.default_rng(3).uniform(-0.5, 0.5, (20000, 3))
    points = points[(np.abs(points) > 0.14).any(-1)]
    distance, truth = grid.lookup(torch.tensor(points))[0].numpy(), exact.distance(points)
    assert (distance >= truth - 1e-3).all() and (distance / truth).max() < 1.15


def test_a_step_along_the_gradient_reaches_the_surface(cup_field):
    exact, grid = cup_field
    points = torch.tensor(np.random.default_rng(4).uniform(-0.06, 0.06, (5000, 3)))
    distance, gradient = grid.lookup(points)
    landed = exact.distance((points - distance[:, None] * gradient).numpy())
    assert np.quantile(np.abs(landed), 0.95) < 1e-3


def test_autograd_gives_the_gradient_and_leaves_the_points_dtype_and_shape(cup_field):
    _, grid = cup_field
    points = torch.rand(3, 4, 5, 3, dtype=torch.float32, requires_grad=True)
    distance, gradient = grid.lookup(points)
    assert distance.shape == (3, 4, 5) and distance.dtype == torch.float32 and not gradient.requires_grad
    (distance**2).sum().backward()
    assert torch.allclose(points.grad, 2 * distance.detach()[..., None] * gradient)


def test_descent_brings_points_out_of_a_ball():
    grid = DistanceGrid.build(*ball(0.03))
    points = (0.02 * torch.randn(500, 3, generator=torch.manual_seed(0))).requires_grad_()
    for _ in range(3):
        (step,) = torch.autograd.grad((grid.lookup(points)[0].clamp(max=0) ** 2).sum() / 2, points)
        points = (points - step).detach().requires_grad_()
    assert points.norm(dim=-1).min() > 0.0298


def test_points_that_are_not_numbers_stay_so_and_harm_no_other(cup_field):
    _, grid = cup_field
    points = torch.tensor([[float("nan"), 0, 0], [float("inf"), 0, 0], [0, 0, 0.05]])
    distance, _ = grid.lookup(points)
    assert torch.isnan(distance[0]) and not torch.isfinite(distance[1]) and distance[2] > 0.03
