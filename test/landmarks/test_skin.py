"""Skin offsets against trimesh, depth sampling on known surfaces."""

import numpy as np
import open3d as o3d
import pytest
from scene import CAMERA, PALM_TO_CAMERA
from scipy.spatial.transform import Rotation

from hoi_ros.methods.landmarks.skin import JOINTS, MIDDLES, Probes, Skin, sample_depth

PIXEL = np.array([[320.0, 240.0]])


def test_thickness_is_the_distance_to_the_mesh(model):
    probes = Probes(model, MIDDLES)
    rest = model.kinematics.rest_points(np.zeros((1, 10)))[0]
    far = rest @ PALM_TO_CAMERA.T + np.array([0.0, 0.0, 100.0])  # so far that rays are parallel
    thickness = probes.thickness(far, np.broadcast_to(PALM_TO_CAMERA, (16, 3, 3)))
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(model.v_template.astype(np.float32), model.closed_faces.astype(np.uint32))
    rays = np.hstack([probes.centres(rest), np.tile([0.0, -1.0, 0.0], (21, 1))]).astype(np.float32)
    expected = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
    fingers = np.r_[6:9, 10:13, 14:17, 18:21]
    np.testing.assert_allclose(thickness[fingers], expected[fingers], atol=0.0015)
    assert (thickness[fingers] > 0.004).all()
    assert (thickness[fingers] < 0.012).all()


def test_gaps_of_a_rendered_hand_vanish(model, render):
    orient = Rotation.from_matrix(PALM_TO_CAMERA).as_rotvec()[None]
    mesh = model.mesh(orient, np.zeros((1, 45)), np.zeros((1, 10)), np.array([[0.0, 0.0, 0.5]]))
    depth = render(mesh.vertices[0], model.closed_faces)
    probes = Probes(model, JOINTS)
    thickness = probes.thickness(mesh.keypoints[0], np.broadcast_to(PALM_TO_CAMERA, (16, 3, 3)))
    skin = Skin(target=np.zeros((21, 1)), probes=probes, thickness=thickness, depth=depth, intrinsics=CAMERA)
    gaps = skin.gaps(mesh.keypoints)[0]
    inner = np.setdiff1d(np.arange(21), np.arange(4, 21, 4))
    assert np.abs(gaps[inner]).max() < 0.004


def test_derivative_of_the_gaps(model):
    probes = Probes(model, MIDDLES)
    points = model.joints(np.zeros((1, 3)), np.zeros((1, 45)), None, np.array([[0.0, 0.0, 0.5]]))
    depth = np.full((480, 640), 0.5, np.float32)
    skin = Skin(target=np.zeros((21, 1)), probes=probes, thickness=np.full(21, 0.01), depth=depth, intrinsics=CAMERA)
    jacobian = np.zeros((1, 21, 3, 1))
    jacobian[0, :, 2, 0] = np.linspace(0.0, 1.0, 21)
    step = 1e-6
    moved = points + step * jacobian[..., 0]
    numeric = (skin.predict(moved) - skin.predict(points))[..., 0] / step
    np.testing.assert_allclose(skin.derive(points, jacobian)[..., 0, 0], numeric, atol=1e-6)


def test_an_edge_is_the_near_surface():
    depth = np.full((480, 640), 0.6, np.float32)
    depth[:, 319:] = 0.5
    assert sample_depth(depth, PIXEL, np.array([0.55])) == pytest.approx(0.5)


def test_holes_and_flying_pixels_do_not_matter():
    depth = np.full((480, 640), 0.5, np.float32)
    depth[238:241, 318:322] = 0.0
    depth[242, 320] = np.nan
    depth[241, 318] = -1.0
    depth[242, 319] = 0.42
    assert sample_depth(depth, PIXEL, np.array([0.5])) == pytest.approx(0.5)


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, np.inf, 2.0])
def test_nothing_near_is_unknown(value):
    assert np.isnan(sample_depth(np.full((480, 640), value, np.float32), PIXEL, np.array([0.5])))


def test_beside_the_picture_is_unknown():
    depth = np.full((480, 640), 0.5, np.float32)
    pixels = np.array([[-10.0, 5.0], [5.0, 1e9], [700.0, 5.0], [-2.0, -2.0]])
    assert np.isnan(sample_depth(depth, pixels, np.full(4, 0.5))).tolist() == [True, True, True, False]
