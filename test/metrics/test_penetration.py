"""Depths and volumes against shapes computed by hand and against the booleans of another library."""

from __future__ import annotations

import manifold3d
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.transform import Rotation
from solid_shapes import as_object, ball, box

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.solids import Solid, surface_points
from hoi_ros.metrics.volumes import intersection_volume

MODEL = load_hand_model()
FLAT = MODEL.mesh(np.zeros(3), np.zeros(45))


def depths(hand: trimesh.Trimesh, other: trimesh.Trimesh):
    found = two_way_depth(np.array(hand.vertices)[None], hand.faces, as_object(other))
    return found.hand_in_object[0], found.object_in_hand[0]


def volume(hand: trimesh.Trimesh, other: trimesh.Trimesh, voxel: float) -> float:
    return intersection_volume(np.array(hand.vertices)[None], hand.faces, as_object(other), voxel)[0]


def plane_depths(solid: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    planes = ConvexHull(solid.vertices).equations
    return -(points @ planes[:, :3].T + planes[:, 3]).max(axis=1)


def shared(one: trimesh.Trimesh, other: trimesh.Trimesh) -> float:
    solids = [manifold3d.Manifold(manifold3d.Mesh(np.float32(m.vertices), np.uint32(m.faces))) for m in (one, other)]
    assert not any(s.is_empty() for s in solids)
    return (solids[0] ^ solids[1]).volume()


def test_overlapping_boxes():
    """They share 10 x 20 x 30 mm, and a corner of each is 10 mm deep in the other."""
    one, other = box((0, 0, 0), (0.05, 0.05, 0.05)), box((0.04, 0.03, 0.02), (0.1, 0.1, 0.1))
    assert depths(one, other) == pytest.approx((0.01, 0.01), abs=1e-6)
    assert volume(one, other, 0.005) == pytest.approx(6e-6)
    assert volume(one, other, 0.002) == pytest.approx(6e-6)


def test_apart():
    one, near, far = (box((x, 0, 0), (x + 0.05, 0.05, 0.05)) for x in (0.0, 0.0501, 0.5))
    for other in (near, far):
        assert depths(one, other) == (0.0, 0.0)
        assert volume(one, other, 0.005) == 0.0


def test_ball_wholly_inside():
    """The far side of a 10 mm ball is 40 mm under the nearest face of the box; no point of the box is in the ball."""
    small, big = ball(0.01, (0.02, 0, 0)), box((-0.05, -0.05, -0.05), (0.05, 0.05, 0.05))
    assert depths(small, big) == pytest.approx((0.04, 0.0), abs=1e-6)
    assert depths(big, small) == pytest.approx((0.0, 0.04), abs=1e-6)
    assert volume(small, big, 0.001) == pytest.approx(small.volume, rel=0.02)


def test_a_finger_through_a_thin_wall_is_seen_by_the_wall():
    """A 16 mm wide rod through a 2 mm wall: no vertex of the rod is in it, the wall's middle is 8 mm in the rod."""
    rod = trimesh.creation.cylinder(0.008, 0.06, sections=64)
    wall = box((-0.05, -0.05, -0.001), (0.05, 0.05, 0.001))
    inside, through = depths(rod, wall)
    assert inside == 0.0
    assert through == pytest.approx(0.008, abs=0.0012)
    assert volume(rod, wall, 0.005) == 0.0  # and a coarse voxel sees nothing of it


def test_ball_in_the_palm():
    """A ball pressed 4 mm into the palm's skin: 4 mm deep, whichever of the two is called the hand."""
    skin = Solid(FLAT.vertices[0], MODEL.closed_faces)
    palm = FLAT.joints[0, [4, 7]].mean(axis=0) * 0.6 + FLAT.joints[0, 0] * 0.4
    back = np.array([0.0, 1.0, 0.0])  # the palm of the flat hand faces -y
    assert skin.inside(palm[None]).all()
    line = palm - np.linspace(0.0, 0.05, 2001)[:, None] * back
    surface = line[~skin.inside(line)][0]
    pressed = ball(0.015, surface - (0.015 - 0.004) * back)
    found = two_way_depth(FLAT.vertices, MODEL.closed_faces, as_object(pressed))
    assert found.object_in_hand[0] == pytest.approx(0.004, abs=5e-4)
    assert found.hand_in_object[0] <= 0.0045
    assert found.two_way[0] == max(found.hand_in_object[0], found.object_in_hand[0])


def test_depth_where_fingers_overlap():
    """What is in a finger that dips into the palm is in the hand, though its ray leaves twice."""
    one, other = box((0, 0, 0), (2, 2, 2)), box((1, 0.5, 0.5), (3, 1.5, 1.5))
    both = trimesh.util.concatenate(one, other)
    hand = Solid(np.array(both.vertices), both.faces)
    points = np.array([[0.5, 1, 1], [1.5, 1, 1], [2.5, 1, 1], [2.5, 0.2, 1], [3.5, 1, 1]])
    np.testing.assert_array_equal(hand.inside(points), [True, True, True, False, False])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_depths_of_convex_shapes(seed: int):
    """Inside a convex solid the depth is the distance to the nearest of its planes, which SciPy's hull knows."""
    rng = np.random.default_rng(seed)
    hand, other = ball(0.02, 0.02 * rng.normal(size=3)), trimesh.creation.box([0.03, 0.04, 0.05])
    hand.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    inside, through = depths(hand, other)
    assert inside == pytest.approx(max(plane_depths(other, hand.vertices).max(), 0.0), abs=1e-6)
    deepest = plane_depths(hand, other.sample(3000, seed=0)).max()
    assert through == pytest.approx(max(deepest, 0.0), abs=0.002)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_volume_agrees_with_boolean_intersection(seed: int):
    rng = np.random.default_rng(seed)
    one = trimesh.creation.cylinder(0.03, 0.1, sections=48)
    other = trimesh.creation.torus(0.03, 0.012)
    for mesh in (one, other):
        mesh.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
        mesh.apply_translation(0.01 * rng.normal(size=3))
    truth = shared(one, other)
    assert volume(one, other, 0.002) == pytest.approx(truth, rel=0.05, abs=2e-7)
    assert volume(one, other, 0.005) == pytest.approx(truth, rel=0.25, abs=2e-6)


def test_volume_of_posed_hands_agrees_with_boolean_intersection():
    """The wrist is closed, so a can through it shares the volume that a boolean of the closed hand has."""
    rng = np.random.default_rng(3)
    pose = 0.4 * Limits(MODEL.kinematics).sample(rng, 3)
    vertices = MODEL.mesh(np.zeros((3, 3)), pose).vertices
    can = trimesh.creation.cylinder(0.025, 0.12, sections=64)
    found = intersection_volume(vertices, MODEL.closed_faces, as_object(can), 0.002)
    for hand, iv in zip(vertices, found, strict=True):
        truth = shared(trimesh.Trimesh(hand, MODEL.closed_faces, process=False), can)
        assert truth > 1e-5 and iv == pytest.approx(truth, rel=0.02)


def test_depth_does_not_depend_on_the_frame():
    rng = np.random.default_rng(5)
    cup = trimesh.creation.annulus(0.035, 0.038, 0.09, sections=48)
    turn, shift = Rotation.random(random_state=5).as_matrix(), rng.normal(size=3)
    moved = cup.copy()
    moved.vertices = cup.vertices @ turn.T + shift
    near = FLAT.vertices - FLAT.joints[0, 4] + [0.036, 0.0, 0.0]
    here = two_way_depth(near, MODEL.closed_faces, as_object(cup))
    there = two_way_depth(near @ turn.T + shift, MODEL.closed_faces, as_object(moved))
    assert here.two_way[0] > 0.003
    assert there.two_way == pytest.approx(here.two_way, abs=1e-5)


@pytest.mark.parametrize("mesh", [trimesh.creation.box([0.1, 0.002, 0.03]), ball(0.03, (0, 0, 0))])
def test_points_cover_a_surface(mesh: trimesh.Trimesh):
    """Nowhere is the next point further than the spacing; corners and slivers included; all are on the surface."""
    points = surface_points(np.array(mesh.vertices), mesh.faces, 0.002)
    tree = cKDTree(points)
    assert tree.query(mesh.sample(20000, seed=0))[0].max() <= 0.002
    assert tree.query(mesh.vertices)[0].max() < 1e-12
    assert abs(plane_depths(mesh, points)).max() < 1e-9
    assert len(points) < 6 * mesh.area / 0.002**2
