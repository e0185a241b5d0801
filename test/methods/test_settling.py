"""Fields of clouds against exact distances, and hands that a few steps bring out of an object and onto it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.methods.optimisation.cloud_fields import (
    OTHERS_ROOM,
    SHARE,
    STILL,
    CloudSurface,
    FollowedSurface,
    cloud_fields,
)
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.methods.optimisation.settling import Settled, Settler
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.solids import Solid
from hoi_ros.scene.clouds import farthest_points, sample_surface
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.types import Array, HandBatch

MODEL = load_hand_model()
MUG = make_object("mug", 0, 0)
USE = MUG.uses[0]
UP = np.array([0.0, 0.0, 1.0], np.float32)


def cloud(count: int = 1024) -> tuple[Array, Array, Array]:
    points, normals, parts = sample_surface(MUG, 4 * count, np.random.default_rng(0))
    chosen = farthest_points(points, count)
    return points[chosen], normals[chosen], parts[chosen] == MUG.part(USE.part)


@pytest.fixture(scope="module")
def grasps() -> HandBatch:
    """Grasps of the handle, moved by half a centimetre."""
    hands = GraspOptimiser(MODEL).synthesize(MUG, USE, 4, 0, np.zeros(10)).hands
    shifts = np.random.default_rng(1).normal(0.0, 0.005, (4, 3))
    return HandBatch(hands.global_orient, hands.hand_pose, hands.betas, hands.transl + shifts)


def settled(hands: HandBatch, count: int, steps: int) -> Settled:
    points, normals, wanted = cloud()
    return Settler(MODEL, np.zeros(10)).settle(hands, cloud_fields(points, normals, wanted, True), True, count, steps)


def depth(hands: HandBatch) -> Array:
    vertices = MODEL.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
    return two_way_depth(vertices, MODEL.closed_faces, MUG).two_way


def test_a_dense_cloud_knows_what_the_mesh_knows() -> None:
    points, normals, _ = cloud(4096)
    near = (points + np.random.default_rng(0).uniform(-0.02, 0.02, points.shape)).astype(np.float32)
    distance, gradient = CloudSurface(
        *(torch.from_numpy(v.astype(np.float32)) for v in (points, normals)), 0.002
    ).lookup(torch.from_numpy(near))
    exact = SignedDistance(MUG.vertices, MUG.faces).distance(near)
    off = np.abs(distance.numpy() - exact)
    assert np.median(off) < 0.0005 and np.percentile(off, 95) < 0.004
    sure = np.abs(exact) > 0.002
    assert (np.sign(distance.numpy()) == np.sign(exact))[sure].mean() > 0.97
    torch.testing.assert_close(gradient.norm(dim=-1), torch.ones(len(near)), atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("category", ["mug", "bowl", "bag", "laptop", "box", "knife", "power_drill"])
def test_what_is_far_from_a_cloud_is_inside_where_it_is_inside_the_mesh(category: str) -> None:
    """Beside rims and past edges too, where the normal of the nearest point is no help."""
    obj = make_object(category, 0, 0)
    points, normals, _ = sample_surface(obj, 8192, np.random.default_rng(0))
    chosen = farthest_points(points, 1024)
    points, normals = points[chosen], normals[chosen]
    spacing = float(cKDTree(points).query(points, 2)[0][:, 1].mean())
    around = np.random.default_rng(1).uniform(points.min(axis=0) - 0.03, points.max(axis=0) + 0.03, (4000, 3))
    far = around[cKDTree(points).query(around)[0] > 1.1 * spacing]
    surface = CloudSurface(*(torch.from_numpy(v.astype(np.float32)) for v in (points, normals)), spacing)
    inside = surface.lookup(torch.from_numpy(far.astype(np.float32)))[0].numpy() < 0.0
    wrong = inside != Solid(obj.vertices, obj.faces).inside(far)
    assert wrong.mean() < 0.002


def test_the_derivative_of_the_distance_is_its_gradient() -> None:
    points, normals, _ = cloud()
    surface = CloudSurface(*(torch.from_numpy(v.astype(np.float32)) for v in (points, normals)), 0.003)
    at = torch.from_numpy((points[:50] + 0.01).astype(np.float32)).requires_grad_(True)
    distance, gradient = surface.lookup(at)
    distance.sum().backward()
    assert at.grad is not None and torch.equal(at.grad, gradient)
    ahead = surface.lookup(at.detach() + 1e-4 * gradient)[0]
    assert ((ahead - distance.detach()) / 1e-4 - 1.0).abs().median() < 0.05


def test_points_that_are_followed_keep_what_is_nearly_their_nearest_point() -> None:
    rng = np.random.default_rng(0)
    points, normals, wanted = (torch.from_numpy(v.astype(np.float32)) for v in cloud())
    surfaces = [CloudSurface(points, normals, 0.003), CloudSurface(points[wanted > 0], normals[wanted > 0], 0.003)]
    at = points + torch.from_numpy(rng.uniform(-0.05, 0.05, points.shape).astype(np.float32))
    for surface in surfaces:
        tree, follows = cKDTree(surface.points.numpy()), FollowedSurface(surface)
        for step in range(6):
            here = at + 0.001 * step * torch.from_numpy(rng.normal(size=at.shape).astype(np.float32))
            exact = tree.query(here)[0]
            distance = follows.distance(here).numpy()
            if step == 0:
                np.testing.assert_allclose(distance, exact, atol=1e-6)
                assert torch.equal(follows.lookup(here)[0], surface.lookup(here)[0])
            assert (distance >= exact - 1e-6).all()
            assert (distance <= exact + 2.0 * (STILL + SHARE * exact) / (1.0 - SHARE) + 1e-6).all()
        assert 0.0 < (distance > exact + 1e-6).mean() < 0.5


def test_points_that_come_into_the_room_are_found_though_they_are_followed() -> None:
    points, normals, _ = (torch.from_numpy(v.astype(np.float32)) for v in cloud())
    follows = FollowedSurface(CloudSurface(points, normals, 0.003, OTHERS_ROOM))
    for away in (0.02, 0.01, 0.002):
        expected = min(cKDTree(points.numpy()).query(points[0].numpy() + away * UP)[0] - OTHERS_ROOM, 0.0)
        found = follows.distance(points[:1] + away * torch.from_numpy(UP))
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert expected < 0.0


def test_hands_come_out_of_the_object_and_onto_the_part(grasps: HandBatch) -> None:
    after = settled(grasps, 4, 24)
    assert np.median(depth(after.hands)) < 0.6 * np.median(depth(grasps))
    vertices = MODEL.mesh(
        after.hands.global_orient, after.hands.hand_pose, after.hands.betas, after.hands.transl
    ).vertices
    assert contact_parts(vertices, MUG).share_on((MUG.part(USE.part),), 0.003).mean() > 0.6
    assert (after.felt["fingers"] >= 1).all() and all(np.isfinite(values).all() for values in after.felt.values())


def test_of_many_hands_those_that_are_nearly_grasps_go_on(grasps: HandBatch) -> None:
    away = HandBatch(grasps.global_orient, grasps.hand_pose, grasps.betas, grasps.transl + 0.1)
    both = HandBatch(*(np.concatenate(pair) for pair in zip(vars(away).values(), vars(grasps).values(), strict=True)))
    after = settled(both, 4, 1)
    assert np.abs(after.hands.transl - grasps.transl).max() < 0.02
