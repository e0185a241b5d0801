"""Point clouds against known answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from shapes import box, cup, model

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import (
    Cloud,
    farthest_points,
    from_pointcloud2,
    inliers,
    normals,
    prepare,
    sample_surface,
    voxel,
)
from hoi_ros.scene.distances import SignedDistance


def test_samples_lie_on_the_surface_spread_by_area_with_their_normals_and_parts():
    mesh = box(0.1, 0.06, 0.02)
    corners = mesh[0][mesh[1]]
    top = (corners[..., 2] > 0.009).all(1)
    made = model(mesh, top.astype(np.int32))
    points, normals, parts = sample_surface(made, 10000, np.random.default_rng(0))
    assert np.abs(SignedDistance(*mesh).distance(points)).max() < 1e-7
    on_top = points[:, 2] > 0.01 - 1e-9
    assert abs(on_top.mean() - 0.006 / 0.0184) < 1e-3  # 6 of 18.4 dm2
    assert (parts == on_top).all() and np.allclose(normals[on_top], [0, 0, 1])
    assert abs(points[on_top, 0].mean()) < 1e-3
    again = sample_surface(made, 10000, np.random.default_rng(0))
    assert (again[0] == points).all()


DATATYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


@dataclass
class Field:
    name: str
    offset: int
    datatype: int
    count: int = 1


@dataclass
class Message:
    """The fields of sensor_msgs/PointCloud2 that matter."""

    height: int
    width: int
    fields: list[Field]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: bytes


def message(columns: dict, kinds: dict, offsets: dict, point_step: int, height=1, row_padding=0, big=False) -> Message:
    order = ">" if big else "<"
    names = list(columns)
    layout = np.dtype(
        {
            "names": names,
            "formats": [order + kinds[n] for n in names],
            "offsets": [offsets[n] for n in names],
            "itemsize": point_step,
        }
    )
    count = len(next(iter(columns.values())))
    records = np.zeros(count, layout)
    for name in names:
        records[name] = columns[name]
    rows = np.frombuffer(records.tobytes(), np.uint8).reshape(height, -1)
    padded = np.pad(rows, ((0, 0), (0, row_padding)), constant_values=7)
    fields = [Field(n, offsets[n], DATATYPES[kinds[n]]) for n in names]
    return Message(height, count // height, fields, big, point_step, padded.shape[1], padded.tobytes())


def plain(points) -> Message:
    columns = dict(zip("xyz", np.asarray(points, np.float32).reshape(-1, 3).T, strict=True))
    return message(columns, dict.fromkeys("xyz", "f4"), {"x": 0, "y": 4, "z": 8}, 12)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_layout_of_fields_padding_and_byte_order_gives_the_points(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    height, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    kind = data.draw(st.sampled_from(["f4", "f8", "i2", "i4", "u1"]))
    names = data.draw(st.permutations(["x", "y", "z", "normal_x", "normal_y", "normal_z", "rgb", "ring"]))
    kinds = dict.fromkeys("xyz", kind) | dict.fromkeys(("normal_x", "normal_y", "normal_z"), "f4")
    kinds |= {"rgb": data.draw(st.sampled_from(["u4", "f4"])), "ring": "u2"}
    offsets, end = {}, 0
    for name in names:
        offsets[name] = end + data.draw(st.integers(0, 5))
        end = offsets[name] + np.dtype(kinds[name]).itemsize
    count = height * width
    points = rng.integers(0, 100, (count, 3)).astype(float)
    normals = rng.normal(size=(count, 3)).astype(np.float32)
    colours = rng.integers(0, 256, (count, 3))
    bits = (colours @ np.array([1 << 16, 1 << 8, 1])).astype(np.uint32)
    columns = dict(zip(("x", "y", "z", "normal_x", "normal_y", "normal_z"), [*points.T, *normals.T], strict=True))
    columns |= {"rgb": bits.view(kinds["rgb"]), "ring": np.arange(count)}
    columns = {name: columns[name] for name in names}
    step, padding, big = end + data.draw(st.integers(0, 9)), data.draw(st.integers(0, 20)), data.draw(st.booleans())

    cloud = from_pointcloud2(message(columns, kinds, offsets, step, height, padding, big))
    assert (cloud.points == points).all() and (cloud.normals == normals).all() and (cloud.colours == colours).all()


def test_separate_colour_bytes_are_read():
    kinds = dict.fromkeys("xyz", "f4") | dict.fromkeys("rgb", "u1")
    offsets = dict(zip("xyzrgb", (0, 4, 8, 12, 13, 14), strict=True))
    columns = {"x": [1.0], "y": [2.0], "z": [3.0], "r": [200], "g": [100], "b": [50]}
    assert from_pointcloud2(message(columns, kinds, offsets, 16)).colours.tolist() == [[200, 100, 50]]


def test_points_that_are_not_finite_go_with_what_belongs_to_them():
    points = np.array([[0, 0, 1], [np.nan, 0, 1], [0, np.inf, 1], [0, 0, 2.0]])
    assert from_pointcloud2(plain(points)).points.tolist() == [[0, 0, 1], [0, 0, 2]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": b""}, "the cloud has 0"),
        ({"data": bytes(35)}, "need 36 bytes; the cloud has 35"),
        ({"width": 4_000_000_000}, "points of 12 bytes in rows of 36 bytes"),
        ({"row_step": 8}, "rows of 8 bytes"),
        ({"point_step": 4}, "does not fit in points of 4 bytes"),
        ({"fields": []}, "no field x, y, z; it has: none"),
        ({"fields": [Field("x", 0, 9)]}, "datatype 9"),
        ({"fields": [Field("x", 10, 7)]}, "at byte 10"),
        ({"width": 0, "row_step": 0, "data": b""}, "no points: 0x1"),
        ({"height": 0, "data": b""}, "no points: 3x0"),
        ({"data": np.full(9, np.nan, np.float32).tobytes()}, "none of the cloud's 3 points is finite"),
    ],
)
def test_clouds_that_contradict_themselves_are_refused(change, words):
    with pytest.raises(Refused, match=words) as caught:
        from_pointcloud2(replace(plain(np.ones((3, 3))), **change))
    assert caught.value.reason is Reason.CLOUD


def sphere(count: int, radius: float = 0.1, seed: int = 0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def test_one_point_is_kept_in_each_cube():
    points = np.random.default_rng(0).uniform(0, 0.1, (5000, 3))
    chosen = voxel(points, 0.01)
    cells = np.floor((points - points.min(0)) / 0.01)
    assert len(chosen) == len(np.unique(cells, axis=0)) == len(np.unique(cells[chosen], axis=0))
    assert (voxel(points[:1], 0.01) == [0]).all() and len(voxel(points[:0], 0.01)) == 0


def test_stray_points_are_outliers():
    stray = np.random.default_rng(1).uniform(0.15, 0.3, (20, 3))
    kept = inliers(np.concatenate([sphere(3000), stray]))
    assert not (kept >= 3000).any() and len(kept) > 2800


def test_farthest_points_are_as_chosen_one_by_one():
    points = np.random.default_rng(2).uniform(size=(300, 3))
    expected = [int(np.linalg.norm(points - points.mean(0), axis=1).argmax())]
    for _ in range(39):
        expected.append(int(cdist(points, points[expected]).min(1).argmax()))
    assert farthest_points(points, 40).tolist() == expected
    assert sorted(farthest_points(points, 300)) == list(range(300))
    assert len(set(farthest_points(np.zeros((50, 3)), 50))) == 50


def test_farthest_points_of_a_million_are_evenly_spread():
    points = sphere(1_000_000)
    chosen = points[farthest_points(points, 500)]
    nearest = cKDTree(chosen).query(chosen, 2)[0][:, 1]
    assert nearest.min() > 0.8 * np.median(nearest)
    # 500 discs of radius r / sqrt(3) cover the sphere: the densest packing is 11 % wider.
    assert np.median(nearest) > 0.75 * 0.1 * np.sqrt(8 * np.pi / (np.sqrt(3) * 500))


@pytest.mark.parametrize("centre", [(0, 0, 0), (0.3, -0.2, 1.0)])
def test_normals_of_closed_shapes_look_outwards(centre):
    made = model(cup(0.012))
    points, truth, _ = sample_surface(made, 10000, np.random.default_rng(3))
    found = normals(points + centre)
    assert ((found * truth).sum(1) > 0.8).mean() > 0.9
    ball = sphere(2000)
    assert ((normals(ball + centre) * ball).sum(1) / 0.1).min() > 0.97


def test_normals_look_at_the_viewpoint():
    plane = np.random.default_rng(4).uniform(-1, 1, (500, 3)) * [1, 1, 0]
    assert np.allclose(normals(plane, (0, 0, 2)), [0, 0, 1]) and np.allclose(normals(plane, (0, 0, -2)), [0, 0, -1])


def test_an_object_cloud_has_the_asked_points_with_unit_normals():
    cloud = prepare(Cloud(np.concatenate([sphere(50000), [[1.0, 1, 1]]])), 1024)
    assert cloud.points.shape == (1024, 3) and np.linalg.norm(cloud.points, axis=1).max() < 0.11
    assert np.linalg.norm(cloud.normals, axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.empty((0, 3)), "0 points"),
        (np.ones((1, 3)), "1 points"),
        (np.ones((10**6, 3)), "1 points"),
        (np.array([[0, 0, 0], [1e30, 0, 0]]), "spread over 1e"),
    ],
)
def test_clouds_that_show_no_object_are_refused(points, words):
    with pytest.raises(Refused, match=words) as caught:
        prepare(Cloud(points))
    assert caught.value.reason is Reason.CLOUD


def test_ten_million_points_are_thinned():
    cloud = prepare(from_pointcloud2(plain(np.tile(sphere(100_000), (100, 1)))), 2048)
    assert len(cloud.points) == 2048 and (cloud.points * cloud.normals).sum(1).min() > 0.09
