"""The 28 grasp types as hand shapes: possible, free of themselves, and closing on what they say they close on."""

from __future__ import annotations

import numpy as np
import open3d as o3d
import pytest

from hoi_ros.hand import HandModel, Limits, load_hand_model
from hoi_ros.hand.anchors import find_anchors, vertex_regions
from hoi_ros.hand.closing import close
from hoi_ros.hand.grasp_shapes import GRASP_SHAPES, GraspShape
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.types import Array

MODEL = load_hand_model()
LIMITS = Limits(MODEL.kinematics)
TYPES = list(GraspType)
PINCHES = [
    GraspType.PALMAR_PINCH,
    GraspType.TIP_PINCH,
    GraspType.INFERIOR_PINCER,
    GraspType.PRISMATIC_3_FINGER,
    GraspType.DISTAL_TYPE,
    GraspType.RING,
    GraspType.LATERAL,
    GraspType.STICK,
]


def posed(shape: GraspShape, opening: float = 0.0, model: HandModel = MODEL) -> Array:
    return model.mesh(np.zeros(3), shape.hand_pose(model, opening)).vertices[0]


def opposed(shape: GraspShape, vertices: Array) -> Array:
    """Distances, m, of the required finger contacts from the thumb's, or from one another where there is none."""
    points = vertices[shape.contact_vertices(MODEL)[: len(shape.required)]]
    digits = np.array([region // 3 for region in shape.required])
    first = points[digits == (0 if 0 in digits else digits.min())][0]
    return np.linalg.norm(points[(digits > digits.min()) & (digits < 5)] - first, axis=1)


def test_every_type_has_a_shape() -> None:
    assert list(GRASP_SHAPES) == TYPES


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_poses_lie_within_the_limits_without_clamping(kind: GraspType) -> None:
    shape = GRASP_SHAPES[kind]
    assert (shape.angles() >= LIMITS.lower).all() and (shape.angles() <= LIMITS.upper).all()
    for opening in (0.0, 0.5, 1.0):
        assert LIMITS.violation(shape.hand_pose(MODEL, opening)) < 1e-9
    np.testing.assert_allclose(LIMITS.to_angles(shape.hand_pose(MODEL)), shape.angles(), atol=1e-9)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("opening", [0.0, 1.0])
def test_digits_do_not_pass_through_one_another(kind: GraspType, opening: float) -> None:
    vertices = posed(GRASP_SHAPES[kind], opening)
    regions = vertex_regions(MODEL)
    of_face = np.where(regions[MODEL.faces] < 15, regions[MODEL.faces] // 3, 5)
    for digit in range(5):
        faces = close(MODEL.faces[(of_face == digit).all(axis=1)])
        scene = o3d.t.geometry.RaycastingScene()
        scene.add_triangles(vertices.astype(np.float32), faces.astype(np.uint32))
        others = vertices[(regions < 15) & (regions // 3 != digit) & (regions % 3 > 0)]
        assert scene.compute_signed_distance(others.astype(np.float32)).numpy().min() > -0.003  # flesh gives so much


@pytest.mark.parametrize("kind", PINCHES, ids=lambda kind: kind.name)
def test_the_pads_face_each_other_across_the_object(kind: GraspType) -> None:
    shape = GRASP_SHAPES[kind]
    assert opposed(shape, posed(shape)).min() == pytest.approx(shape.size, abs=0.008)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_opening_makes_room(kind: GraspType) -> None:
    shape = GRASP_SHAPES[kind]
    closed, half, open_ = (opposed(shape, posed(shape, opening)).max() for opening in (0.0, 0.5, 1.0))
    assert closed < half < open_
    if shape.opposition == "pad":
        assert open_ > shape.span[1]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_regions_agree_with_the_opposition(kind: GraspType) -> None:
    shape = GRASP_SHAPES[kind]
    assert len(set(shape.regions)) == len(shape.regions) == len(shape.weights)
    assert set(shape.regions) <= set(range(17)) and set(shape.faces) <= set(shape.regions)
    assert shape.span[0] < shape.size < shape.span[1]
    if shape.opposition == "pad":
        assert not shape.palm and 2 in shape.required and not shape.faces
    elif shape.opposition == "palm":
        assert shape.palm and len(shape.required) >= 4
    else:
        assert shape.faces and set(shape.faces.values()) <= {"radial", "ulnar"}


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_contacts_lie_around_the_grip(kind: GraspType) -> None:
    """The object's centre, or its centre line, lies half its size beneath each skin point that must touch."""
    shape = GRASP_SHAPES[kind]
    grip = shape.grip(MODEL)
    offset = posed(shape)[shape.contact_vertices(MODEL)[: len(shape.required)]] - grip.centre
    plate = kind in (GraspType.EXTENSION_TYPE, GraspType.PARALLEL_EXTENSION, GraspType.PALMAR, GraspType.LATERAL)
    if kind is GraspType.SMALL_DIAMETER or plate:
        return
    distance = np.linalg.norm(offset, axis=1)
    across = np.linalg.norm(offset - np.outer(offset @ grip.axis, grip.axis), axis=1)
    assert np.abs(np.stack([distance, across]) - shape.size / 2.0).min(axis=0).max() < 0.012


def test_contact_vertices_lie_in_their_regions_and_by_the_anchors() -> None:
    anchors = find_anchors(MODEL)
    points = anchors.points(MODEL.v_template)
    for shape in GRASP_SHAPES.values():
        vertices = shape.contact_vertices(MODEL)
        assert (vertex_regions(MODEL)[vertices] == shape.regions).all()
        for vertex, region in zip(vertices, shape.regions, strict=True):
            if shape.faces.get(region) is None and region < 15:
                near = points[anchors.regions == region]
                assert np.linalg.norm(near - MODEL.v_template[vertex], axis=1).min() < 0.008


def test_adducted_thumbs_lie_alongside_and_abducted_ones_oppose() -> None:
    """GRASP taxonomy, rows of thumb position: abducted thumbs reach further out in front of the palm."""
    adducted = {GraspType.ADDUCTED_THUMB, GraspType.INDEX_FINGER_EXTENSION, GraspType.LIGHT_TOOL, GraspType.LATERAL}
    adducted |= {GraspType.PALMAR, GraspType.STICK}
    reach = {kind: GRASP_SHAPES[kind].thumb[1] for kind in TYPES}
    others = [reach[kind] for kind in TYPES if kind not in adducted and GRASP_SHAPES[kind].opposition != "side"]
    assert np.median([reach[kind] for kind in adducted]) < np.median(others) - 15.0
    assert max(reach[kind] for kind in adducted) < min(reach[GraspType.LARGE_DIAMETER], reach[GraspType.MEDIUM_WRAP])


def test_idle_fingers_vary_more() -> None:
    pinch, wrap = GRASP_SHAPES[GraspType.TIP_PINCH].std(), GRASP_SHAPES[GraspType.LARGE_DIAMETER].std()
    assert pinch.shape == (LIMITS.size,) and (pinch > 0.0).all()
    np.testing.assert_allclose(pinch[:5], wrap[:5])  # the index finger
    assert (pinch[5:20] > wrap[5:20]).all()


def test_another_hand_grips_in_its_own_frame() -> None:
    """A hand half as large again grips half as far again from its wrist, about the same axis."""
    arrays = {name: getattr(MODEL, name) for name in ("shapedirs", "posedirs", "J_regressor", "weights")}
    arrays |= {"hands_components": MODEL.hands_components, "hands_mean": MODEL.hands_mean, "f": MODEL.faces}
    wrist = MODEL.kinematics.rest_joints(np.zeros((1, 10)))[0, 0]
    large = HandModel("large", {**arrays, "v_template": wrist + 1.5 * (MODEL.v_template - wrist)})
    shape = GRASP_SHAPES[GraspType.MEDIUM_WRAP]
    own, other = shape.grip(MODEL), shape.grip(large)
    np.testing.assert_allclose(other.centre - wrist, 1.5 * (own.centre - wrist), atol=1e-6)
    np.testing.assert_allclose(other.axis, own.axis, atol=1e-6)
    np.testing.assert_allclose(other.approach, own.approach, atol=1e-6)
    np.testing.assert_array_equal(shape.contact_vertices(large), shape.contact_vertices(MODEL))
    betas = np.random.default_rng(1).normal(size=10)
    assert np.linalg.norm(shape.grip(MODEL, betas).centre - own.centre) < 0.02
