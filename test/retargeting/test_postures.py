from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from made_robot_hands import HANDS, J1, J2, assert_safe, keypoints_of, moved, random_positions
from scipy.spatial.transform import Rotation

from hoi_ros.physics.lifting import lift_success
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.approach import DISTANCE
from hoi_ros.retargeting.goals import finger_angles
from hoi_ros.retargeting.postures import Plan, Planner
from hoi_ros.retargeting.shadow_hand import FINGERS, NAMES, ShadowHand
from hoi_ros.retargeting.spheres import PALM, Spheres
from hoi_ros.retargeting.surface import CloudSurface
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array, ObjectCloud

PLANNER = Planner(HANDS["right"])
MIRROR = np.array([-1.0, 1.0, 1.0])


def cloud_of(mesh: trimesh.Trimesh, count: int = 3000) -> ObjectCloud:
    points, faces = trimesh.sample.sample_surface_even(mesh, count, seed=0)
    return ObjectCloud(np.asarray(points), np.asarray(mesh.face_normals[faces]))


def can() -> trimesh.Trimesh:
    """In the palm's frame: across it, before the fingers' first bones."""
    mesh = trimesh.creation.cylinder(0.028, 0.16, sections=64)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0], [0, 0, 0]))
    mesh.apply_translation([0.0, -0.042, 0.085])
    return mesh


def wrapped(hand: ShadowHand = HANDS["right"], count: int = 1) -> Array:
    """Keypoints of hands closed around the can, a little differently each."""
    positions = np.zeros((count, 24))
    for name, angle in {"J3": 0.9, "J2": 0.9, "J1": 0.6}.items():
        positions[:, [NAMES.index(finger + name) for finger in FINGERS[1:]]] = angle
    for name, angle in {"THJ5": 0.4, "THJ4": 1.1, "THJ2": 0.2, "THJ1": 0.4}.items():
        positions[:, NAMES.index(name)] = angle
    return keypoints_of(hand, positions + np.linspace(0.0, 0.1, count)[:, None] * (positions > 0.0))


def spheres_of(plan: Plan, positions: Array) -> tuple[Spheres, Array]:
    spheres = Spheres(plan.hand)
    turn = Rotation.from_quat(plan.palm[:, 3:]).as_matrix()
    return spheres, spheres.place(finger_angles(positions), np.concatenate([turn, plan.palm[:, :3, None]], axis=2))[0]


def test_a_clouds_distance_is_that_of_its_mesh() -> None:
    mesh = trimesh.creation.capsule(0.12, 0.03)
    points = np.random.default_rng(0).uniform(-0.06, 0.16, (500, 3))
    distance, gradient = CloudSurface(cloud_of(mesh, 6000))(points)
    exact = SignedDistance(mesh.vertices, mesh.faces).distance(points)
    np.testing.assert_allclose(distance, exact, atol=1.5e-3)
    assert (np.sign(distance) == np.sign(exact))[np.abs(exact) > 2e-3].all()
    np.testing.assert_allclose(np.linalg.norm(gradient, axis=1), 1.0, atol=1e-9)


def test_above_the_edge_of_a_thin_wall_is_outside() -> None:
    wall = cloud_of(trimesh.creation.box((0.2, 0.003, 0.1)))
    above = np.array([[0.0, 0.004, 0.07], [0.05, -0.01, 0.1], [0.0, 0.0, 0.08]])
    assert (CloudSurface(wall)(above)[0] > 0.01).all()


def test_the_table_is_free_space_s_floor() -> None:
    surface = CloudSurface(cloud_of(can()), table=-0.1)
    distance, gradient = surface.free(np.array([[0.3, 0.0, -0.09]]))
    assert distance[0] == pytest.approx(0.01) and gradient[0].tolist() == [0.0, 0.0, 1.0]


def test_spheres_lie_on_the_bones() -> None:
    hand, positions = HANDS["right"], random_positions(20)
    spheres = Spheres(hand)
    centres, marks, _, _ = spheres.place(finger_angles(positions), np.eye(3, 4)[None].repeat(20, axis=0))
    links = hand.link_poses(positions)
    from_palm = np.linalg.inv(links["palm"])
    for row, finger in enumerate(FINGERS):
        distal = from_palm @ links[f"{finger.lower()}distal"]
        np.testing.assert_allclose(marks[:, row, 0], (distal @ np.append(hand.tips[finger], 1.0))[:, :3], atol=1e-12)
        mine = centres[:, (spheres.finger == row) & (spheres.link == 4)]
        assert np.linalg.norm(np.cross(mine - distal[:, None, :3, 3], distal[:, None, :3, 2]), axis=-1).max() < 1e-9
    palm = centres[:, spheres.finger == PALM]
    assert np.ptp(palm, axis=0).max() == 0.0


def test_jacobians_are_those_of_the_motion() -> None:
    spheres, rng = Spheres(HANDS["right"]), np.random.default_rng(1)
    angles = finger_angles(random_positions(1))
    palm = np.concatenate([Rotation.random(random_state=1).as_matrix(), rng.normal(size=(3, 1))], axis=1)[None]
    centres, _, jacobian, _ = spheres.place(angles, palm)
    step, turn = 1e-6, palm[0, :, :3]
    for variable in range(31):
        angles_, palm_ = angles.copy(), palm.copy()
        if variable < 25:
            angles_[0, variable // 5, variable % 5] += step
        elif variable < 28:
            palm_[0, :, :3] = turn @ Rotation.from_rotvec(step * np.eye(3)[variable - 25]).as_matrix()
        else:
            palm_[0, :, 3] += step * turn[:, variable - 28]
        change = (spheres.place(angles_, palm_)[0] - centres)[0] @ turn / step
        expected = jacobian[0, ..., variable]
        if variable < 25 and not np.any(expected):
            continue  # a hinge that does not exist
        np.testing.assert_allclose(change, expected, atol=1e-6)


def test_a_wrap_touches_without_cutting_in_and_comes_from_outside() -> None:
    mesh = can()
    plan = PLANNER.plan(wrapped(count=4), cloud_of(mesh))
    exact = SignedDistance(mesh.vertices, mesh.faces)
    spheres, centres = spheres_of(plan, plan.grasp)
    gap = exact.distance(centres.reshape(-1, 3)).reshape(centres.shape[:2]) - spheres.radii
    assert gap[:, spheres.own].min() > -0.003
    for finger in range(5):
        assert np.abs(gap[:, (spheres.finger == finger) & (spheres.link == 4)].min(axis=1)).max() < 0.003
    assert plan.pressing.all() and plan.overlap.max() < 0.005
    _, opened = spheres_of(plan, plan.pre_grasp)
    opened = opened - DISTANCE * plan.approach[:, None]
    assert (exact.distance(opened.reshape(-1, 3)).reshape(gap.shape) - spheres.radii)[:, spheres.own].min() > 0.0
    _, inside = spheres_of(plan, plan.squeeze)
    deeper = exact.distance(inside.reshape(-1, 3)).reshape(gap.shape) - spheres.radii
    for finger in range(5):
        assert deeper[:, (spheres.finger == finger) & (spheres.link == 4)].min(axis=1).max() < -0.001


def test_a_hand_stays_above_the_table() -> None:
    turn = Rotation.from_euler("x", np.pi / 2)  # the back of the hand up, the can under it
    mesh = can()
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    table = float(mesh.bounds[0, 2])
    plan = PLANNER.plan(wrapped() @ turn.as_matrix().T, cloud_of(mesh), table)
    for positions in (plan.grasp, plan.pre_grasp):
        spheres, centres = spheres_of(plan, positions)
        assert (centres[..., 2] - spheres.radii)[:, spheres.own].min() > table - 0.004


def test_a_can_is_wrapped_and_lifted_from_the_table() -> None:
    """Planned on a cloud of its surface alone."""
    upright = trimesh.transformations.rotation_matrix(-np.pi / 2, [0, 1, 0])  # the thumb's side of the hand up
    mesh = can().apply_transform(upright)
    foot = float(mesh.bounds[0, 2])
    mesh.apply_translation([0.0, 0.0, -foot])
    keypoints = wrapped(count=2) @ upright[:3, :3].T - np.array([0.0, 0.0, foot])
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32)
    parts = np.zeros(len(faces), dtype=np.int32)
    obj = ObjectModel("can", "can", vertices, faces, parts, ("body",), (Piece(vertices, 0),))
    outcome = lift_success(obj, keypoints)
    assert outcome.reason == ("lifted", "lifted")
    np.testing.assert_allclose(outcome.raised, 0.1, atol=0.02)
    assert not lift_success(obj, keypoints, friction=0.0).lifted.any()


def test_a_left_hand_does_the_mirror_image() -> None:
    cloud = cloud_of(can())
    right = PLANNER.plan(wrapped(), cloud)
    mirrored = ObjectCloud(cloud.points * MIRROR, cloud.normals * MIRROR)
    left = Planner(HANDS["left"]).plan(wrapped() * MIRROR, mirrored)
    np.testing.assert_allclose(left.grasp, right.grasp, atol=1e-6)
    np.testing.assert_allclose(left.squeeze, right.squeeze, atol=1e-6)
    np.testing.assert_allclose(left.palm[:, :3], right.palm[:, :3] * MIRROR, atol=1e-6)
    np.testing.assert_allclose(left.approach, right.approach * MIRROR, atol=1e-6)


def test_each_plan_of_many_is_its_own() -> None:
    cloud, hands = cloud_of(can()), wrapped(count=3)
    many = PLANNER.plan(hands, cloud)
    one = PLANNER.plan(hands[1:2], cloud)
    for name in ("pre_grasp", "grasp", "squeeze", "pre_palm", "palm", "approach", "overlap"):
        np.testing.assert_allclose(getattr(many[1:2], name), getattr(one, name), atol=1e-7)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(0.005, 0.3), far=st.booleans())
def test_every_goal_is_inside_the_limits(seed: int, size: float, far: bool) -> None:
    """Whatever the hand, wherever the object: finite, inside the limits, J1 <= J2, and equal in what the motors do."""
    keypoints, _, _ = moved(keypoints_of(HANDS["right"], random_positions(1, seed)), seed)
    centre = keypoints[0, 9] + (1.0 if far else 0.02)
    cloud = cloud_of(trimesh.creation.icosphere(2, size).apply_translation(centre), 200)
    plan = PLANNER.plan(keypoints, cloud, table=float(centre[2] - size) if seed % 2 else None)
    for positions in (plan.pre_grasp, plan.grasp, plan.squeeze):
        assert_safe(plan.hand, positions)
        np.testing.assert_allclose(positions[:, J1], positions[:, J2])
    for pose in (plan.pre_palm, plan.palm):
        assert np.isfinite(pose).all()
        np.testing.assert_allclose(np.linalg.norm(pose[:, 3:], axis=1), 1.0)
    np.testing.assert_allclose(plan.palm[:, :3] - plan.pre_palm[:, :3], DISTANCE * plan.approach, atol=1e-9)


def test_what_cannot_be_planned_is_refused() -> None:
    cloud = cloud_of(can(), 100)
    with pytest.raises(Refused) as refused:
        PLANNER.plan(wrapped(), ObjectCloud(cloud.points))
    assert refused.value.reason is Reason.CLOUD
    with pytest.raises(Refused) as refused:
        PLANNER.plan(np.full((1, 21, 3), np.nan), cloud)
    assert refused.value.reason is Reason.KEYPOINTS
