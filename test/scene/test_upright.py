"""Objects turned upright: known turns, tables from any side, clouds of no use; and clouds from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene import cloud_files
from hoi_ros.scene.upright import on_table, upright
from hoi_ros.types import Array, ObjectCloud

RNG = np.random.default_rng(0)
FEW = RNG.random((40, 3))
TILT = Rotation.from_euler("xyz", [-115.0, 20.0, 30.0], degrees=True).as_matrix()  # of a camera above a table


def box(size: tuple[float, float, float], centre: tuple[float, float, float], count: int = 6000) -> Array:
    mesh = trimesh.creation.box(size)
    points, _ = trimesh.sample.sample_surface(mesh, count, seed=0)
    return np.asarray(points) + centre


def table_scene() -> Array:
    """A table at z = 0.7 with a tall box and a wide one on it."""
    table = np.column_stack([RNG.uniform(-0.5, 0.5, (40000, 2)), np.full(40000, 0.7)])
    tall, wide = box((0.05, 0.05, 0.2), (0.2, 0.0, 0.8)), box((0.2, 0.2, 0.06), (-0.2, 0.1, 0.73), 18000)
    return np.concatenate([table, tall, wide])


def test_up_stays_up_and_the_least_turn_is_made():
    points = box((0.1, 0.06, 0.2), (0.3, 0.2, 0.1))
    same = upright(ObjectCloud(points), (0.0, 0.0, 5.0))
    np.testing.assert_allclose(same.turn, np.eye(3), atol=1e-12)
    assert same.table == pytest.approx(points[:, 2].min())
    level = upright(ObjectCloud(points), (0.0, -1.0, 0.0))
    np.testing.assert_allclose(level.turn, [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-12)  # about x, by a quarter
    np.testing.assert_allclose(level.cloud.points[:, 2], -points[:, 1], atol=1e-12)


def test_where_it_was_seen_from_turns_with_the_cloud():
    points, eye = box((0.1, 0.06, 0.2), (0.3, 0.2, 0.1)), np.array([0.1, -0.4, 0.3])
    found = upright(ObjectCloud(points, viewpoint=eye), (0.3, -1.0, 0.2)).cloud
    np.testing.assert_allclose(
        np.linalg.norm(found.points - found.viewpoint, axis=1), np.linalg.norm(points - eye, axis=1), atol=1e-12
    )


directions = st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)


@settings(deadline=None)
@given(directions)
def test_any_up_becomes_z_by_a_rotation(up: tuple[float, float, float]):
    found = upright(ObjectCloud(FEW, normals=np.tile(up, (len(FEW), 1))), up)
    np.testing.assert_allclose(found.turn @ up, [0.0, 0.0, np.linalg.norm(up)], atol=1e-9)
    np.testing.assert_allclose(found.turn @ found.turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(found.turn) == pytest.approx(1.0)
    assert found.cloud.normals[:, 2] == pytest.approx(np.linalg.norm(up))


def test_the_objects_on_a_table_come_largest_first_and_stand_on_it():
    objects = on_table(ObjectCloud(table_scene()), np.array([0.0, 0.0, 1.0]))
    heights = [each.cloud.points[:, 2].max() - each.table for each in objects]
    assert [round(h, 2) for h in heights] == [0.06, 0.2]
    assert all(each.table == pytest.approx(0.7, abs=2e-3) for each in objects)


def test_a_camera_that_looks_down_finds_the_same_without_knowing_where_up_is():
    shift = np.array([0.0, 0.1, 0.9])
    seen = (table_scene() - [0.0, 0.0, 0.7]) @ TILT.T + shift
    objects = on_table(ObjectCloud(seen, frame_id="camera_optical_frame"), None)
    assert len(objects) == 2 and objects[0].cloud.frame_id == "camera_optical_frame"
    for each in objects:
        np.testing.assert_allclose(each.turn @ TILT[:, 2], [0.0, 0.0, 1.0], atol=0.01)
    assert np.ptp(objects[1].cloud.points[:, 2]) == pytest.approx(0.2, abs=0.01)


def test_a_wall_is_no_table():
    wall = table_scene()[:, [2, 0, 1]]
    with pytest.raises(Refused, match="degrees steep") as refused:
        on_table(ObjectCloud(wall), np.array([0.0, 0.0, 1.0]))
    assert refused.value.reason is Reason.CLOUD


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros((0, 3)), "0 points show no object"),
        (np.zeros((100, 3)), "measures 0 m"),
        (RNG.random((100, 3)) * 300.0, "in millimetres"),
        (RNG.random((100, 3)) * 3.0, "a scene wants segment_scene"),
        (np.full((100, 3), np.nan), "100 of 100 points are not finite"),
    ],
)
def test_what_is_no_object_is_refused(points: Array, said: str):
    with pytest.raises(Refused, match=said) as refused:
        upright(ObjectCloud(points), (0.0, 0.0, 1.0))
    assert refused.value.reason is Reason.CLOUD


# --- files --------------------------------------------------------------------------------------------------------


def test_meshes_and_clouds_are_read(tmp_path: Path):
    can = trimesh.creation.cylinder(0.03, 0.12)
    can.export(tmp_path / "can.obj")
    can.export(tmp_path / "can.ply")
    for name in ("can.obj", "can.ply"):
        cloud = cloud_files.load(tmp_path / name)
        assert len(cloud.points) == cloud_files.SAMPLES and cloud.normals is not None
        side = np.abs(cloud.points[:, 2]) < 0.059
        np.testing.assert_allclose(np.linalg.norm(cloud.points[side, :2], axis=1), 0.03, atol=3e-4)
        assert np.sum(cloud.points[side, :2] * cloud.normals[side, :2], axis=1).min() > 0.029  # outwards
    points = RNG.random((50, 3))
    both = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    for name in ("points.ply", "points.pcd"):
        o3d.io.write_point_cloud(tmp_path / name, both)
    np.save(tmp_path / "points.npy", np.vstack([points, [np.nan, 0.0, 0.0]]))
    np.savez(tmp_path / "points.npz", points=points.astype(np.float32))
    for name in ("points.ply", "points.pcd", "points.npy", "points.npz"):
        cloud = cloud_files.load(tmp_path / name)
        np.testing.assert_allclose(cloud.points, points, atol=1e-6)
        assert cloud.normals is None


def test_files_of_no_use_are_refused(tmp_path: Path):
    np.save(tmp_path / "flat.npy", np.zeros(7))
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    np.savez(tmp_path / "other.npz", verts=np.zeros((5, 3)))
    np.save(tmp_path / "nan.npy", np.full((5, 3), np.nan))
    trimesh.Trimesh(np.full((3, 3), np.nan), [[0, 1, 2]], process=False).export(tmp_path / "nan.obj")
    for name in ("broken.pcd", "broken.npz", "broken.ply", "broken.stl", "other.txt"):
        (tmp_path / name).write_bytes(b"\x93NUMPY hello")
    expected = {
        "flat.npy": (Reason.FILE, r"\(7,\)"),
        "objects.npy": (Reason.FILE, "cannot be read"),
        "other.npz": (Reason.FILE, "lacks points; it has: verts"),
        "nan.npy": (Reason.CLOUD, "none of its 5 points is finite"),
        "nan.obj": (Reason.MESH, "no finite surface"),
        "broken.pcd": (Reason.FILE, "cannot be read as .pcd"),
        "broken.npz": (Reason.FILE, "cannot be read"),
        "broken.ply": (Reason.FILE, "cannot be read as .ply"),
        "broken.stl": (Reason.MESH, "no finite surface in 0 vertices"),
        "other.txt": (Reason.FILE, "known: .glb, .npy"),
        "none.ply": (Reason.FILE, "does not exist"),
    }
    for name, (reason, said) in expected.items():
        with pytest.raises(Refused, match=said) as refused:
            cloud_files.load(tmp_path / name)
        assert refused.value.reason is reason, name
