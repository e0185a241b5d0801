"""The embedded hand: what its file must hold, measured with trimesh, smplx, MediaPipe and plain geometry."""

from __future__ import annotations

import sys
from pathlib import Path

import mediapipe
import numpy as np
import pytest
import torch
import trimesh
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.limits import Limits
from hoi_ros.types import Array

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from hand_builder.pictures import VIEWS, render
from hand_builder.shapes import build_shapes
from hand_builder.skeleton import build_skeleton
from hand_builder.synergies import PROTOTYPES, sample_poses, to_axis_angle

MODEL = load_hand_model()
SKELETON = build_skeleton()
SMPLX = MODEL.smplx(batch_size=1)
LIMITS = Limits(MODEL.kinematics)
MM = 1e-3

# The mean adult right hand: keypoints in the palm frame (m) and bone lengths (m), written down apart from the builder.
PALM = {
    "thumb": (0.0234, 0.01717, 0.0254),
    "index": (0.08738, 0.00567, 0.02343),
    "middle": (0.09473, 0.0, 0.0),
    "ring": (0.08268, 0.00082, -0.02389),
    "little": (0.07042, 0.00567, -0.04131),
}
BONES = {
    "thumb": (0.03079, 0.02709, 0.03818),
    "index": (0.033, 0.02219, 0.02362),
    "middle": (0.03174, 0.02328, 0.03171),
    "ring": (0.02884, 0.02479, 0.03053),
    "little": (0.02111, 0.01895, 0.02283),
}
FIRST = {"thumb": 1, "index": 5, "middle": 9, "ring": 13, "little": 17}  # in K21


def posed(name: str, betas: Array | None = None) -> trimesh.Trimesh:
    """The hand in a prototype pose, by smplx."""
    return mesh_of(to_axis_angle(PROTOTYPES[name], SKELETON), np.zeros(10) if betas is None else betas)


def mesh_of(pose: Array, betas: Array) -> trimesh.Trimesh:
    with torch.no_grad():
        out = SMPLX(hand_pose=torch.tensor(pose[None]).float(), betas=torch.tensor(betas[None]).float())
    return trimesh.Trimesh(out.vertices[0].double().numpy(), MODEL.faces, process=False)


def keypoints(pose: Array, betas: Array | None = None) -> Array:
    shape = np.zeros((1, 10)) if betas is None else betas[None]
    return MODEL.joints(np.zeros((1, 3)), pose[None], shape, np.zeros((1, 3)))[0]


def winding_number(points: Array, mesh: trimesh.Trimesh) -> Array:
    """How often the surface encloses each point (N,), by solid angles (van Oosterom and Strackee 1983)."""
    total = np.empty(len(points))
    for start in range(0, len(points), 2000):
        a, b, c = np.moveaxis(mesh.triangles[None] - points[start : start + 2000, None, None], 2, 0)
        la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
        below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        total[start : start + 2000] = np.arctan2((a * np.cross(b, c)).sum(-1), below).sum(-1) / (2 * np.pi)
    return np.round(total)


def test_file_follows_the_schema() -> None:
    with np.load(Path(sys.modules["hoi_ros.hand"].__file__ or "").with_name("embedded_right.npz")) as file:
        shapes = {name: file[name].shape for name in file.files}
        assert all(np.isfinite(file[name]).all() for name in file.files)
        assert list(file["tip_vertices"]) == [744, 320, 443, 554, 671]
    assert shapes == {
        "v_template": (778, 3),
        "f": (1552, 3),
        "shapedirs": (778, 3, 10),
        "posedirs": (778, 3, 135),
        "J_regressor": (16, 778),
        "kintree_table": (2, 16),
        "weights": (778, 16),
        "hands_components": (45, 45),
        "hands_mean": (45,),
        "tip_vertices": (5,),
    }


def test_surface_is_closed_with_well_shaped_triangles() -> None:
    mesh = posed("flat")
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.euler_number == 2
    assert mesh.volume > 0  # faces look outwards
    sides = np.linalg.norm(mesh.triangles - np.roll(mesh.triangles, 1, axis=1), axis=-1)
    in_radius = 2 * mesh.area_faces / sides.sum(axis=1)
    out_radius = sides.prod(axis=1) / (4 * mesh.area_faces)
    mean_ratio = 4 * np.sqrt(3) * mesh.area_faces / (sides**2).sum(axis=1)
    quality = np.minimum(2 * in_radius / out_radius, mean_ratio)
    assert quality.min() >= 0.6
    assert np.median(quality) >= 0.95


def test_proportions_are_the_given_ones() -> None:
    points = keypoints(np.zeros(45))
    x = (points[9] - points[0]) / np.linalg.norm(points[9] - points[0])
    across = points[5] - points[17]
    y_up = np.cross(across, x)  # fixes the half space; the exact palm plane is the given points' own
    for digit, first in FIRST.items():
        ends = np.linalg.norm(np.diff(points[first : first + 4], axis=0), axis=1)
        np.testing.assert_allclose(ends, BONES[digit], atol=1 * MM)
    assert y_up[1] < 0  # the palm faces -y
    turn, _ = _rigid(np.array([np.zeros(3), *PALM.values()]), points[[0, *FIRST.values()]])
    np.testing.assert_allclose(turn, np.diag([-1.0, -1.0, 1.0]), atol=1e-3)  # fingers along -x, thumb to +z
    moved = (points[list(FIRST.values())] - points[0]) @ turn
    np.testing.assert_allclose(moved, list(PALM.values()), atol=1 * MM)


def _rigid(source: Array, target: Array) -> tuple[Array, Array]:
    """Rotation and offset that bring source points (N, 3) onto target points, least squares."""
    u, _, vt = np.linalg.svd((source - source.mean(0)).T @ (target - target.mean(0)))
    turn = (u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt).T
    return turn, target.mean(0) - turn @ source.mean(0)


def test_weights_are_smooth_shares() -> None:
    weights = MODEL.weights
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)
    assert weights.min() >= 0
    edges = posed("flat").edges_unique
    assert np.abs(weights[edges[:, 0]] - weights[edges[:, 1]]).max() <= 0.35


def test_regressor_follows_the_joints_under_every_shape() -> None:
    regressor = MODEL.J_regressor
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-9)
    assert ((regressor > 1e-6).sum(axis=1) <= 48).all()
    np.testing.assert_allclose(regressor @ MODEL.v_template, SKELETON.joints, atol=0.05 * MM)
    _, joint_shapes = build_shapes(MODEL.v_template, MODEL.weights, SKELETON)
    for direction in range(10):
        regressed = regressor @ MODEL.shapedirs[:, :, direction]
        np.testing.assert_allclose(3 * regressed, 3 * joint_shapes[:, :, direction], atol=0.3 * MM)


def test_first_shape_is_size_and_all_ten_differ() -> None:
    def length(betas: Array) -> float:
        points = keypoints(np.zeros(45), betas)
        return float(np.linalg.norm(points[12] - points[0]))

    one = np.eye(10)
    assert length(one[0]) - length(np.zeros(10)) == pytest.approx(8.5 * MM, abs=1 * MM)
    flat = MODEL.shapedirs.reshape(-1, 10)
    singular = np.linalg.svd(flat / np.linalg.norm(flat, axis=0), compute_uv=False)
    assert singular.min() > 0.1  # no direction is nearly made of the others
    fingers = MODEL.weights[:, 13:].sum(axis=1) < 0.1  # all but the thumb
    extents = [np.ptp(mesh_of(np.zeros(45), 2 * one[row]).vertices[fingers], axis=0) for row in (1, 2)]
    rest = np.ptp(MODEL.v_template[fingers], axis=0)
    assert extents[0][2] > 1.05 * rest[2]  # breadth
    assert extents[1][1] > 1.08 * rest[1]  # thickness


@pytest.mark.parametrize("sign", [-3.0, 3.0])
@pytest.mark.parametrize("direction", range(10))
def test_shapes_keep_a_good_mesh(direction: int, sign: float) -> None:
    mesh = mesh_of(np.zeros(45), sign * np.eye(10)[direction])
    rest = posed("flat")
    assert (mesh.face_normals * rest.face_normals).sum(axis=1).min() > 0.7
    assert 0.4 < mesh.volume / rest.volume < 1.8


@pytest.mark.parametrize("name", sorted(PROTOTYPES))
def test_poses_keep_volume(name: str) -> None:
    assert posed(name).volume == pytest.approx(posed("flat").volume, rel=0.04)


def test_correctives_are_what_keeps_the_volume() -> None:
    pose = to_axis_angle(PROTOTYPES["fist"], SKELETON)
    model = MODEL.smplx(batch_size=1)
    model.posedirs = torch.zeros_like(model.posedirs)
    with torch.no_grad():
        bare = model(hand_pose=torch.tensor(pose[None]).float()).vertices[0].double().numpy()
    lost = 1 - trimesh.Trimesh(bare, MODEL.faces, process=False).volume / posed("flat").volume
    assert lost > 0.045


@pytest.mark.parametrize("name", ["flat", "relaxed", "fist", "point", "pinch", "cylinder", "key"])
def test_natural_poses_hardly_enter_themselves(name: str) -> None:
    """Flesh that lies inside other flesh is below 1 cm3, 0.3 % of the hand: what skin gives way to."""
    mesh = posed(name)
    step = 4 * MM
    axes = [np.arange(low + step / 2, high, step) for low, high in mesh.bounds.T]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[cKDTree(mesh.vertices).query(grid)[0] < 9 * MM]
    twice = np.maximum(winding_number(grid, mesh) - 1, 0).sum() * step**3
    assert twice <= 1e-6


def test_thumb_wraps_over_the_fingers_in_a_fist() -> None:
    pose = to_axis_angle(PROTOTYPES["fist"], SKELETON)
    points = keypoints(pose)
    assert np.degrees(LIMITS.violation(pose)) < 3
    assert points[4, 2] < points[6, 2]  # past the index finger, towards the little finger
    middle_bones = points[[6, 10]]
    assert (points[4, 1] < middle_bones[:, 1]).all()  # outside the fingers, not under them
    vertices = posed("fist").vertices
    thumb, fingers = vertices[MODEL.weights[:, 15] > 0.5], vertices[MODEL.weights[:, [2, 3, 5, 6]].sum(axis=1) > 0.5]
    assert cKDTree(fingers).query(thumb)[0].min() < 6 * MM  # vertices are that far apart: on them, not in the air


@pytest.mark.parametrize("digit", ["index", "middle", "ring", "little"])
def test_thumb_meets_each_fingertip(digit: str) -> None:
    """Within the limits of the package's solver, thumb and finger moving alone, the two tips meet."""
    mano = {"index": 0, "middle": 1, "little": 2, "ring": 3}[digit]
    free = np.flatnonzero(np.isin((LIMITS.joint - 1) // 3, [4, mano]))
    lower, upper = LIMITS.lower[free], LIMITS.upper[free]
    start = LIMITS.to_angles(to_axis_angle(PROTOTYPES["pinch"], SKELETON))

    def pose_of(angles: Array) -> Array:
        every = LIMITS.to_angles(np.zeros(45))
        every[free] = angles
        return LIMITS.to_pose(every)

    def gap(angles: Array) -> Array:
        points = keypoints(pose_of(angles))
        return np.concatenate([(points[4] - points[FIRST[digit] + 3]) / MM, 0.5 * (angles - start[free])])

    found = least_squares(gap, np.clip(start[free], lower + 1e-3, upper - 1e-3), bounds=(lower, upper))
    vertices = mesh_of(pose_of(found.x), np.zeros(10)).vertices
    tips = dict(zip(FIRST, MODEL.tip_vertices, strict=True))
    assert np.linalg.norm(vertices[tips["thumb"]] - vertices[tips[digit]]) <= 5 * MM


def test_components_span_natural_poses() -> None:
    components = MODEL.hands_components
    np.testing.assert_allclose(components @ components.T, np.eye(45), atol=1e-9)
    poses = sample_poses(SKELETON, 300, seed=99)
    poses = poses - poses.mean(axis=0)
    kept = [((poses @ components[:count].T) ** 2).sum() / (poses**2).sum() for count in (6, 15, 45)]
    assert kept[0] > 0.85
    assert kept[1] > 0.96
    assert kept[2] == pytest.approx(1.0)
    assert np.degrees(LIMITS.violation(MODEL.hands_mean)) < 2


@pytest.mark.parametrize("name", ["flat", "spread", "thumbs_up", "ok"])
def test_mediapipe_sees_a_right_hand(name: str) -> None:
    """MediaPipe calls sides as in a mirror."""
    picture = render(posed(name).vertices, MODEL.faces, VIEWS["palm"], size=480, span=0.32)
    with mediapipe.solutions.hands.Hands(static_image_mode=True, max_num_hands=1) as hands:
        found = hands.process(np.ascontiguousarray(picture[:, :, ::-1]))
    assert found.multi_hand_landmarks
    assert found.multi_handedness[0].classification[0].label == "Left"
