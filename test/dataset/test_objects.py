"""Every family: closed surfaces with labelled parts, exact convex pieces, real variation, and uses that make sense."""

import hashlib
from functools import cache

import numpy as np
import open3d as o3d
import pytest
import trimesh
from manifold3d import Manifold, OpType
from scipy.spatial import ConvexHull

from hoi_ros.dataset.objects import FAMILIES, make_object
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.object_model import ObjectModel

CATEGORIES = sorted(FAMILIES)
INSTANCES = 4


@cache
def instances(category: str) -> tuple[ObjectModel, ...]:
    return tuple(make_object(category, index, seed=7) for index in range(INSTANCES))


def digest(model: ObjectModel) -> str:
    arrays = [model.vertices, model.faces, model.face_parts, *(piece.vertices for piece in model.pieces)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.mark.parametrize("category", CATEGORIES)
class TestFamily:
    def test_the_surface_is_closed_and_faces_outwards(self, category):
        for model in instances(category):
            mesh = trimesh.Trimesh(model.vertices, model.faces, process=False)
            assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0.0
            assert mesh.body_count == 1
            assert len(model.faces) <= 6000
            assert np.isfinite(model.vertices).all()

    def test_every_instance_comes_out_in_one_piece(self, category):
        for index in range(8):
            make_object(category, index, seed=3)  # refuses parts that float or enclose a void

    def test_it_stands_on_the_ground_or_is_centred(self, category):
        for model in instances(category):
            low, high = model.vertices.min(0), model.vertices.max(0)
            assert abs(low[2]) < 1e-5 or abs(low[2] + high[2]) < 1e-5
            np.testing.assert_allclose((low + high)[:2] / 2.0, 0.0, atol=1e-5)

    def test_the_pieces_are_convex_and_their_union_is_the_solid(self, category):
        for model in instances(category):
            for piece in model.pieces:
                planes = ConvexHull(piece.vertices, qhull_options="QJ").equations
                depth = -(piece.vertices @ planes[:, :3].T + planes[:, 3]).max(1)
                assert depth.max() < 5e-6, "a vertex of a convex piece lies inside it"
            hulls = [Manifold.hull_points(piece.vertices) for piece in model.pieces]
            union = Manifold.batch_boolean(hulls, OpType.Add).volume()
            volume = trimesh.Trimesh(model.vertices, model.faces, process=False).volume
            assert volume == pytest.approx(union, rel=1e-4)

    def test_every_point_inside_a_piece_is_inside_the_surface(self, category):
        model = instances(category)[0]
        centres = np.array([piece.vertices.mean(0) for piece in model.pieces])
        assert inside(model, centres).all()

    def test_labels_cover_the_surface_and_lie_on_pieces_of_their_part(self, category):
        for model in instances(category)[:2]:
            assert len(model.face_parts) == len(model.faces)
            assert set(model.face_parts) == set(range(len(model.part_names)))
            planes = [(piece.part, ConvexHull(piece.vertices, qhull_options="QJ").equations) for piece in model.pieces]
            centres = model.vertices[model.faces].mean(1)
            for number in range(len(model.part_names)):
                mine = centres[model.face_parts == number]
                outside = [(mine @ p[:, :3].T + p[:, 3]).max(1) for part, p in planes if part == number]
                assert np.min(outside, axis=0).max() < 5e-5

    def test_the_same_numbers_give_the_same_object(self, category):
        first, second = instances(category)[0], make_object(category, 0, seed=7)
        assert digest(first) == digest(second)
        assert digest(first) != digest(make_object(category, 0, seed=8))

    def test_instances_differ_by_more_than_scale(self, category):
        shapes = np.array([shape_descriptor(model) for model in instances(category)])
        gaps = np.abs(shapes[:, None] - shapes[None]).max(2)[np.triu_indices(INSTANCES, 1)]
        assert gaps.min() > 0.005 and np.median(gaps) > 0.03

    def test_uses_are_complete_and_unit(self, category):
        for model in instances(category):
            assert model.uses
            for use in model.uses:
                assert use.part in model.part_names and set(use.neighbours) <= set(model.part_names)
                assert use.part not in use.neighbours
                assert use.grasp_types and len(set(use.grasp_types)) == len(use.grasp_types)
                for direction in (use.axis, use.approach, use.force):
                    assert direction is None or np.linalg.norm(direction) == pytest.approx(1.0)
                if use.affordance in {Affordance.PRESS, Affordance.SUPPORT, Affordance.LEVER, Affordance.PULL}:
                    assert use.force is not None
            pairs = [(use.affordance, use.part) for use in model.uses]
            assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("category", ["bag", "handle-bottle", "mug"])
def test_fingers_fit_between_handle_and_body(category):
    for model in instances(category):
        use = next(use for use in model.uses if use.affordance is Affordance.HANDLE_GRASP)
        scene = scene_of(model)
        rng = np.random.default_rng(0)
        points = rng.uniform(model.vertices.min(0), model.vertices.max(0), (4000, 3)) * [
            1,
            0 if category != "bag" else 1,
            1,
        ]
        sides = [
            np.concatenate([points, np.broadcast_to(way, points.shape)], 1) for way in (-use.approach, use.approach)
        ]
        hits = [scene.cast_rays(rays.astype(np.float32))["primitive_ids"].numpy() for rays in sides]
        out, back = (np.append(model.face_parts, -1)[np.minimum(hit, len(model.faces))] for hit in hits)
        between = (out == model.part("handle")) & (back == model.part("body"))
        free = scene.compute_signed_distance(points.astype(np.float32)).numpy()[between]
        assert 2.0 * free.max() > 0.025, f"{model.name}: {2e3 * free.max():.0f} mm"


def scene_of(model: ObjectModel) -> o3d.t.geometry.RaycastingScene:
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(model.vertices.astype(np.float32), model.faces.astype(np.uint32))
    return scene


def test_every_affordance_of_a_hand_is_in_several_categories():
    carried: dict[Affordance, set[str]] = {}
    for model in (model for category in CATEGORIES for model in instances(category)):
        for use in model.uses:
            carried.setdefault(use.affordance, set()).add(model.category)
    wanted = set(Affordance) - {Affordance.NO_GRASP, Affordance.NULL}
    assert {affordance for affordance, categories in carried.items() if len(categories) >= 2} == wanted


def inside(model: ObjectModel, points: np.ndarray) -> np.ndarray:
    return scene_of(model).compute_occupancy(points.astype(np.float32), nthreads=1).numpy() > 0


def shape_descriptor(model: ObjectModel) -> np.ndarray:
    """Scale-free figures of a shape: proportions, how far its volume fills box and hull, and shares of its area."""
    mesh = trimesh.Trimesh(model.vertices, model.faces, process=False)
    extents = np.sort(mesh.extents)
    moments = np.sort(np.linalg.eigvalsh(mesh.moment_inertia))
    areas = [mesh.area_faces[model.face_parts == number].sum() / mesh.area for number in range(len(model.part_names))]
    fill = [mesh.volume / mesh.bounding_box.volume, mesh.volume / mesh.convex_hull.volume]
    return np.array([*(extents[:2] / extents[2]), *fill, *(moments[:2] / moments[2]), max(areas)])


def test_an_unknown_category_lists_the_known_ones():
    with pytest.raises(Refused) as refusal:
        make_object("teapot", 0, 0)
    assert refusal.value.reason is Reason.PARAMETER and "mug" in refusal.value.message
