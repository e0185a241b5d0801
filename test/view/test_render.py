"""Pictures against known answers: where things are drawn, how deep they are, what they look like."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from hoi_ros.hand import load_hand_model
from hoi_ros.types import HandPose, Intrinsics
from hoi_ros.view import pictures
from hoi_ros.view.render import Mesh, cast, framing, picture, smoothed, vertex_normals, zoomed
from hoi_ros.view.robot import of_robot, robot_meshes

GOLDEN = Path(__file__).with_name("golden")
CAMERA = Intrinsics(300.0, 320.0, 79.5, 59.5)
SIZE = (120, 160)


def ball(centre: tuple[float, float, float], radius: float) -> Mesh:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(mesh.vertices + np.array(centre), mesh.faces.astype(np.int32), np.array([0.8, 0.3, 0.2]))


def test_depth_and_normals_of_a_ball():
    hits = cast([ball((0.01, -0.02, 0.5), 0.05)], CAMERA, SIZE)
    centre = hits.points - np.array([0.01, -0.02, 0.5])
    np.testing.assert_allclose(np.linalg.norm(centre, axis=1), 0.05, atol=2e-4)
    np.testing.assert_allclose(hits.depth, hits.points[:, 2], atol=1e-6)
    assert ((hits.normals * centre).sum(1) / 0.05 > 0.99).all()
    rows, columns = np.nonzero(hits.mask)
    np.testing.assert_allclose(CAMERA.project(hits.points), np.column_stack([columns, rows]), atol=1e-3)


def test_the_nearer_mesh_hides_the_other():
    hits = cast([ball((0, 0, 0.6), 0.05), ball((0, 0, 0.4), 0.02)], CAMERA, SIZE)
    index = np.full(SIZE, -1)
    index[hits.mask] = hits.mesh
    assert index[60, 80] == 1 and (index == 0).any()


def test_silhouette_has_the_area_of_the_projection():
    hits = cast([ball((0, 0, 0.5), 0.04)], CAMERA, SIZE)
    tangent = 0.04 / np.sqrt(0.5**2 - 0.04**2)
    assert hits.mask.sum() == pytest.approx(np.pi * CAMERA.fx * CAMERA.fy * tangent**2, rel=0.02)


def test_crevices_are_darker():
    touching = cast([ball((-0.02, 0, 0.5), 0.02), ball((0.02, 0, 0.5), 0.02)], CAMERA, SIZE)
    between = np.abs(touching.points[:, 0]) < 0.003
    assert touching.openness[between].mean() < 0.8 * touching.openness[~between].mean()


def test_zoom_keeps_what_is_seen():
    fine = zoomed(CAMERA, 2)
    point = np.array([0.03, -0.02, 0.4])
    np.testing.assert_allclose((fine.project(point) + 0.5) / 2 - 0.5, CAMERA.project(point))


def test_framing_shows_everything():
    points = np.random.default_rng(0).normal(size=(50, 3)) * [0.1, 0.3, 0.05] + [1, 2, 3]
    camera, shift = framing(points, SIZE)
    pixels = camera.project(points + shift)
    assert (pixels > 0).all() and (pixels < np.array(SIZE[::-1]) - 1).all()


def test_rendering_is_deterministic_and_leaves_the_background():
    page = np.full((*SIZE, 3), 77, np.uint8)
    one, two = (picture([ball((0, 0, 0.5), 0.03)], CAMERA, page) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (one[:20] == 77).all() and (one[60, 80] != 77).any()


def test_smoothing_keeps_shape_and_closure():
    box = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
    vertices, faces = smoothed(box.vertices, box.faces.astype(np.int32), 1)
    assert len(faces) == 4 * len(box.faces) and trimesh.Trimesh(vertices, faces).is_watertight
    assert trimesh.Trimesh(vertices, faces).volume == pytest.approx(box.volume, rel=0.05)
    assert (vertex_normals(vertices, faces) * vertices).sum(1).min() > 0


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_mesh_lies_on_the_projected_keypoints(side: str):
    model = load_hand_model()
    orient, transl = pictures.FACING[side].as_rotvec(), np.array([0.0, 0.05, 0.5])
    keypoints = model.joints(orient, np.zeros(45), np.zeros(10), transl, side)[0]
    hand = HandPose(
        side=side,
        score=1.0,
        global_orient=orient,
        hand_pose=np.zeros(45),
        betas=np.zeros(10),
        transl=transl,
        keypoints=keypoints,
        wrist_pose=np.zeros(7),
        keypoints_2d=np.zeros((21, 2)),
    )
    camera = Intrinsics(600.0, 600.0, 319.5, 239.5)
    black = np.zeros((480, 640, 3), np.uint8)
    drawn = pictures.on_camera(black, camera, [hand], model)
    covered = np.flatnonzero(drawn.any(axis=(1, 2)))
    pixels = np.round(camera.project(keypoints)).astype(int)
    assert drawn[pixels[:, 1], pixels[:, 0]].any(axis=1).all()
    assert pixels[:, 1].min() - 12 < covered.min() and covered.max() < pixels[:, 1].max() + 60
    assert (pictures.on_camera(black, camera, [], model) == 0).all()


def test_thumbs_point_apart():
    """Palm to the viewer, a right thumb is on the right, a left one on the left: of the hand and of the robot alike."""
    model = load_hand_model()
    for side, sign in (("right", 1), ("left", -1)):
        points = model.joints(pictures.FACING[side].as_rotvec(), np.zeros(45), side=side)[0]
        assert sign * (points[4] - points[20])[0] > 0.05 and points[12][1] < points[0][1]
        robot = np.concatenate([m.vertices for m in robot_meshes(np.zeros(24), side)])
        assert sign * (abs(robot[:, 0].max()) - abs(robot[:, 0].min())) > 0.01


def test_closed_fingers_come_towards_the_viewer():
    bent = np.zeros(24)
    from hoi_ros.retargeting.shadow_hand import NAMES

    for finger in ("FF", "MF", "RF", "LF"):
        bent[NAMES.index(f"{finger}J3")] = 1.4
    flat, closed = (np.concatenate([m.vertices for m in robot_meshes(p, "right")]) for p in (np.zeros(24), bent))
    assert closed[:, 2].min() < flat[:, 2].min() - 0.03


def test_the_robot_looks_as_it_did():
    """A small picture kept in the repository; a tolerance for other versions of the ray caster."""
    drawn = of_robot(np.linspace(0.0, 0.6, 24), "right", (120, 120)).astype(int)
    kept = cv2.imread(str(GOLDEN / "robot.png"))[..., ::-1].astype(int)
    assert np.abs(drawn - kept).mean() < 2.0
    assert (np.abs(drawn - kept).max(axis=2) > 60).mean() < 0.01


def test_depth_colours_mark_the_unknown():
    depth = np.array([[0.0, 0.5], [np.nan, 1.0]], np.float32)
    colours = pictures.depth_colours(depth)
    assert (colours[:, 0] == 0).all() and colours[0, 1].sum() > colours[1, 1].sum()
    assert (pictures.depth_colours(np.zeros((4, 4), np.float32)) == 0).all()


def test_fitted_keeps_the_proportions():
    image = np.zeros((10, 40, 3), np.uint8)
    page = pictures.fitted(image, (60, 80))
    dark = np.flatnonzero((page == 0).all(axis=(1, 2)))
    assert page.shape == (60, 80, 3) and len(dark) == 20
