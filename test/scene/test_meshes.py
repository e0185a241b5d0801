"""Foreign meshes: what is repaired, what is refused and in which words."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import manifold3d
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import arrays, ball, box, cup

from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.labels import Labels
from hoi_ros.scene.meshes import FORMATS, check_mesh, folded_share, load_mesh, object_model


def refusal(vertices, faces) -> str:
    with pytest.raises(Refused) as caught:
        check_mesh(vertices, faces)
    assert caught.value.reason is Reason.MESH
    return caught.value.message


def test_a_sound_mesh_stays_as_it_is():
    vertices, faces = cup(0.003)
    checked = check_mesh(vertices, faces)
    assert (checked.vertices == vertices).all() and (checked.faces == faces).all()


def test_seams_are_welded():
    vertices, faces = box(0.1, 0.06, 0.02)
    checked = check_mesh(vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3))
    assert len(checked.vertices) == 8 and checked.is_watertight and checked.volume == pytest.approx(0.00012)


def test_inverted_and_mixed_faces_are_turned_outwards():
    vertices, faces = ball(0.03, 32)
    assert check_mesh(vertices, faces[:, ::-1]).volume > 0
    mixed = faces.copy()
    mixed[::3] = mixed[::3, ::-1]
    mesh = trimesh.Trimesh(vertices, mixed, process=False)
    assert check_mesh(mesh.vertices, mesh.faces).volume == pytest.approx(trimesh.Trimesh(vertices, faces).volume)
    assert (mesh.faces == mixed).all()


def test_a_small_hole_is_filled_and_a_large_one_refused():
    vertices, faces = ball(0.03, 128)
    whole = trimesh.Trimesh(vertices, faces).volume
    centres = vertices[faces].mean(1)
    small = np.linalg.norm(centres - [0, 0, 0.03], axis=1) > 0.003
    assert not small.all()
    assert check_mesh(vertices, faces[small]).volume == pytest.approx(whole, rel=0.01)
    assert "not watertight" in refusal(vertices, faces[centres[:, 2] < 0.01])


def test_overlapping_bodies_are_united():
    vertices, faces = box(0.06, 0.06, 0.06)
    shifted = vertices + np.array([0.03, 0.01, 0.01])
    united = check_mesh(np.concatenate([vertices, shifted]), np.concatenate([faces, faces[:, ::-1] + 8]))
    assert united.volume == pytest.approx(2 * 0.06**3 - 0.03 * 0.05**2, rel=1e-3)
    assert united.is_watertight and united.body_count == 1


def test_a_cavity_stays_a_cavity():
    outer, inner = box(0.06, 0.06, 0.06), box(0.03, 0.03, 0.03)
    hollow = check_mesh(np.concatenate([outer[0], inner[0]]), np.concatenate([outer[1], inner[1][:, ::-1] + 8]))
    assert hollow.volume == pytest.approx(0.06**3 - 0.03**3)


def test_a_surface_folded_into_itself_is_refused():
    vertices, faces = arrays(manifold3d.Manifold.cube((0.02, 0.02, 0.2), True).refine(12))
    bend = vertices[:, 2] / 0.1 * 4.0  # rad: the ends of the bar pass through one another
    radius = 0.025 + vertices[:, 0]
    folded = np.stack([radius * np.cos(bend), vertices[:, 1], radius * np.sin(bend)], -1)
    assert "inside itself" in refusal(folded, faces)


@pytest.mark.parametrize("case", ["empty", "no faces", "nan", "index", "millimetres", "tiny", "plane", "quads"])
def test_what_bounds_no_solid_is_refused_with_its_values(case):
    vertices, faces = box(0.1, 0.06, 0.02)
    words = {
        "empty": ((np.empty((0, 3)), np.empty((0, 3), int)), "0 vertices"),
        "no faces": ((vertices, np.empty((0, 3), int)), "0 faces"),
        "nan": ((np.where(vertices == vertices[0], np.nan, vertices), faces), "not finite"),
        "index": ((vertices[:-1], faces), "0 to 7 of 7"),
        "millimetres": ((vertices * 1000, faces), "measures 100 m, not 0.005 to 2 m; in millimetres? Then scale it by"),
        "tiny": ((vertices * 1e-3, faces), "measures 0.0001 m"),
        "plane": ((vertices * [1, 1, 0], faces), "flat"),
        "quads": ((vertices, faces[:, [0, 1, 2, 2]]), "(12, 4)"),
    }
    mesh, sentence = words[case]
    assert sentence in refusal(*mesh)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(allow_nan=True, width=32)] * 3), max_size=12),
    st.lists(st.tuples(*[st.integers(-2, 14)] * 3), max_size=24),
)
def test_any_numbers_are_refused_or_bound_a_solid(vertices, faces):
    with contextlib.suppress(Refused):
        mesh = check_mesh(np.array(vertices).reshape(-1, 3), np.array(faces, int).reshape(-1, 3))
        assert mesh.is_watertight and mesh.volume > 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.obj", None, Reason.FILE),
        ("mesh.step", b"solid", Reason.FILE),
        ("noise.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 99\n", Reason.FILE),
        ("noise.glb", bytes(range(256)), Reason.FILE),
        ("words.obj", b"v a b c\nf 1 2 3\n", Reason.FILE),
        ("points.obj", b"v 0 0 0\nv 0 0 1\n", Reason.MESH),
        ("empty.stl", b"", Reason.MESH),
    ],
)
def test_files_that_are_no_meshes_are_refused(tmp_path: Path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused) as caught:
        object_model(tmp_path / name)
    assert caught.value.reason is reason


def hammer() -> trimesh.Trimesh:
    handle = manifold3d.Manifold.cylinder(0.2, 0.012, 0.012, 32)
    head = manifold3d.Manifold.cube((0.08, 0.03, 0.03), True).translate([0, 0, 0.2])
    return trimesh.Trimesh(*arrays(handle + head), process=False)


def test_an_object_keeps_the_frame_of_its_mesh_and_can_be_wrapped(tmp_path: Path):
    mesh = hammer()
    mesh.apply_translation([0.3, -0.2, 0.5])
    mesh.export(tmp_path / "my_hammer.stl")
    made = object_model(tmp_path / "my_hammer.stl")
    assert made.name == "my_hammer" and made.category == "object" and made.part_names == ("body",)
    assert made.vertices.min(0) == pytest.approx(mesh.bounds[0], abs=1e-6)
    (use,) = made.uses
    assert use.affordance is Affordance.WRAP_GRASP and use.axis is None and use.approach is None and use.grasp_types
    exact = SignedDistance(made.vertices, made.faces)
    assert all(np.abs(exact.distance(piece.vertices)).max() < 1e-3 for piece in made.pieces)
    again = object_model(tmp_path / "my_hammer.stl")
    assert all((a.vertices == b.vertices).all() for a, b in zip(made.pieces, again.pieces, strict=True))


def test_labels_name_parts_and_uses_through_the_repair(tmp_path: Path):
    mesh = hammer()
    inverted = trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)
    numbers = (mesh.triangles_center[:, 2] > 0.184).astype(int).tolist()
    file = tmp_path / "labels.json"
    use = {"affordance": "Handle-grasp", "part": "handle", "axis": [0, 0, 2], "grasp_types": ["MEDIUM_WRAP"]}
    file.write_text(json.dumps({"names": ["handle", "head"], "faces": numbers, "uses": [use]}))
    made = object_model(inverted, file, name="hammer")
    corners = made.vertices[made.faces]
    assert (corners[made.face_parts == 0].max(1)[:, 2] < 0.186).all() and set(made.face_parts) == {0, 1}
    (use,) = made.uses
    assert use.part == "handle" and use.grasp_types == (GraspType.MEDIUM_WRAP,) and use.axis == pytest.approx([0, 0, 1])
    assert {piece.part for piece in made.pieces} == {0, 1}

    vertices = tmp_path / "labels.npz"
    np.savez(vertices, names=["handle", "head"], vertices=(mesh.vertices[:, 2] > 0.184).astype(int))
    assert set(object_model(inverted, vertices).face_parts) == {0, 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2", "no part labels"),
        ("[1, 2]", "no part labels"),
        ('{"faces": [0]}', "names"),
        ('{"names": ["a"]}', "either 'faces' or 'vertices'"),
        ('{"names": ["a"], "faces": [0], "uses": [{"affordance": "Throw", "part": "a"}]}', "known: Handle-grasp"),
        ('{"names": ["a"], "faces": [0], "uses": [{"affordance": "Lift", "part": "b"}]}', "known: a"),
        ('{"names": ["a"], "faces": [0], "uses": [{"affordance": "Lift", "part": "a", "axis": [0, 0, 0]}]}', "axis"),
    ],
)
def test_labels_that_say_nothing_are_refused(tmp_path: Path, content, words):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(Refused, match=words) as caught:
        Labels.read(tmp_path / "labels.json")
    assert caught.value.reason is Reason.FILE


@pytest.mark.parametrize(("count", "highest"), [(11, 0), (12, 1)])
def test_labels_of_another_mesh_are_refused(count, highest):
    mesh = trimesh.Trimesh(*box(0.1, 0.06, 0.02), process=False)
    numbers = np.zeros(count, np.int32)
    numbers[-1] = highest
    with pytest.raises(Refused, match="labels"):
        Labels(("a",), faces=numbers).carried_over(mesh, mesh)


def test_pickled_labels_are_not_opened(tmp_path: Path):
    np.savez(tmp_path / "labels.npz", names=np.array([{}], object), faces=np.zeros(1, int))
    with pytest.raises(Refused, match="no part labels"):
        Labels.read(tmp_path / "labels.npz")


@pytest.mark.parametrize("name", ["024_bowl", "025_mug", "011_banana", "037_scissors"])
def test_recorded_meshes_with_seams_and_folds_are_accepted(shared_data: Path, name):
    mesh = load_mesh(shared_data / f"dexycb_grasps/meshes/{name}.obj")
    checked = check_mesh(mesh.vertices, mesh.faces)
    assert checked.is_watertight and checked.volume > 0 and np.allclose(checked.bounds, mesh.bounds)


def test_the_mug_of_26_overlapping_bodies_becomes_one_solid(shared_data: Path):
    (path,) = (shared_data / "dexgraspnet").glob("*mug*.obj")
    mesh = load_mesh(path)
    assert mesh.body_count > 20
    united = check_mesh(mesh.vertices * 0.06, mesh.faces)
    assert united.body_count < 3 and folded_share(united) < 1e-3


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_read(tmp_path: Path, suffix):
    made = trimesh.Trimesh(*box(0.1, 0.06, 0.02), process=False)
    made.export(tmp_path / f"box{suffix}")
    mesh = load_mesh(tmp_path / f"box{suffix}")
    assert check_mesh(mesh.vertices, mesh.faces).volume == pytest.approx(0.00012, rel=1e-5)
