"""The table-top families: what makes each the thing it is called, on many instances, beyond what every family keeps."""

from functools import cache

import numpy as np
import open3d as o3d
import pytest
import trimesh

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand.grasp_shapes import GRASP_SHAPES
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

COUNT = 8
WORDS = {  # what the instances of a family must differ in
    "bowl": {"round", "oval", "square", "octagonal"},
    "box": {"closed", "lidded", "gabled"},
    "can": {"soda", "food", "flat", "canister", "potted"},
    "hammer": {"claw", "ball-peen", "cross-peen", "club", "mallet"},
    "screwdriver": {"slotted", "crosshead", "stubby", "long"},
    "power_drill": {"pistol", "T-handled"},
    "spray_bottle": {"round", "oval", "rectangular"},
    "pan": {"sloping", "straight", "curved"},
    "cup": {"round", "faceted", "stemmed"},
    "flashlight": {"conical", "bell", "collar"},
}
AFFORDANCES = {
    "bowl": {Affordance.SUPPORT, Affordance.LIFT, Affordance.WRAP_GRASP},
    "box": {Affordance.WRAP_GRASP, Affordance.LIFT},
    "can": {Affordance.WRAP_GRASP, Affordance.LIFT, Affordance.LEVER},
    "hammer": {Affordance.HANDLE_GRASP},
    "screwdriver": {Affordance.HANDLE_GRASP, Affordance.TWIST},
    "power_drill": {Affordance.HANDLE_GRASP, Affordance.PRESS, Affordance.TWIST},
    "spray_bottle": {Affordance.WRAP_GRASP, Affordance.PRESS, Affordance.TWIST, Affordance.HANDLE_GRASP},
    "pan": {Affordance.HANDLE_GRASP, Affordance.SUPPORT},
    "cup": {Affordance.WRAP_GRASP, Affordance.HANDLE_GRASP},
    "flashlight": {Affordance.HANDLE_GRASP, Affordance.TWIST, Affordance.PRESS},
}


@cache
def instance(category: str, index: int) -> ObjectModel:
    return make_object(category, index, seed=3)


def instances(category: str, count: int = COUNT) -> tuple[ObjectModel, ...]:
    return tuple(instance(category, index) for index in range(count))


def points_of(model: ObjectModel, part: str) -> Array:
    return model.vertices[np.unique(model.faces[model.face_parts == model.part(part)])]


def use_of(model: ObjectModel, affordance: Affordance) -> Use:
    return next(use for use in model.uses if use.affordance is affordance)


def inside(model: ObjectModel, points: Array) -> Array:
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(model.vertices.astype(np.float32), model.faces.astype(np.uint32))
    return scene.compute_occupancy(np.atleast_2d(points).astype(np.float32), nthreads=1).numpy() > 0


@pytest.mark.parametrize("category", sorted(WORDS))
def test_the_kinds_of_a_family_and_its_affordances_all_come_up(category: str) -> None:
    models = instances(category, 20)
    assert {word for model in models for word in model.adjectives} >= WORDS[category]
    assert {use.affordance for model in models for use in model.uses} >= AFFORDANCES[category]


@pytest.mark.parametrize("category", sorted(WORDS))
def test_grips_fit_what_they_close_on(category: str) -> None:
    """Across its axis, a held part is nowhere thicker than the widest grip offered, with a finger's give."""
    for model in instances(category):
        for use in model.uses:
            if use.affordance is not Affordance.HANDLE_GRASP or use.axis is None:
                continue
            points = points_of(model, use.part)
            along = points @ use.axis
            middle = points[np.abs(along - np.median(along)) < 0.25 * np.ptp(along)]
            across = middle - np.outer(middle @ use.axis, use.axis)
            thinnest = np.sort(np.ptp(across @ np.linalg.svd(across - across.mean(0))[2].T, axis=0))[1]
            assert thinnest < max(GRASP_SHAPES[kind].span[1] for kind in use.grasp_types) + 0.015


@pytest.mark.parametrize("category", ["bowl", "cup", "pan"])
def test_tableware_is_open_and_thin(category: str) -> None:
    for model in instances(category):
        body = points_of(model, "body")
        centre = (body.min(axis=0) + body.max(axis=0)) / 2.0
        hollow = np.array([centre[0], centre[1], body[:, 2].max() - 0.3 * np.ptp(body[:, 2])])
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(model.vertices.astype(np.float32), model.faces.astype(np.uint32))
        up = np.array([[*hollow, 0.0, 0.0, 1.0]], dtype=np.float32)
        assert not inside(model, hollow)[0] and np.isinf(scene.cast_rays(up)["t_hit"].numpy())[0]
        mesh = trimesh.Trimesh(model.vertices, model.faces, process=False)
        assert mesh.volume < 0.55 * mesh.convex_hull.volume


def test_bowls_in_the_air_are_supported_from_below_and_lifted_by_a_pinchable_rim() -> None:
    standing = 0
    for model in instances("bowl", 16):
        support = [use for use in model.uses if use.affordance is Affordance.SUPPORT]
        stands = abs(model.vertices[:, 2].min()) < 1e-5
        assert bool(support) != stands
        assert all(use.approach @ [0.0, 0.0, 1.0] > 0.99 for use in support)
        assert points_of(model, "rim")[:, 2].max() == pytest.approx(model.vertices[:, 2].max())
        assert use_of(model, Affordance.LIFT).part == "rim"
        standing += stands
    assert 3 <= standing <= 13


def test_a_hand_fits_under_the_handle_of_a_standing_pan() -> None:
    for model in instances("pan", 12):
        if abs(model.vertices[:, 2].min()) > 1e-5:
            continue
        handle = points_of(model, "handle")
        outer = handle[handle[:, 0] > np.quantile(handle[:, 0], 0.5)]
        assert outer[:, 2].min() > 0.018  # the thickness of a finger


def test_hammers_have_their_weight_and_width_at_the_head() -> None:
    for model in instances("hammer"):
        head, handle = points_of(model, "head"), points_of(model, "handle")
        assert np.ptp(head[:, 0]) > 2.0 * np.ptp(handle[:, 0]) * 0.9
        assert np.ptp(handle[:, 2]) > 0.17 and head[:, 2].max() < handle[:, 2].max() - 0.12
        assert trimesh.Trimesh(model.vertices, model.faces, process=False).center_mass[2] < 0.0


def test_screwdrivers_end_in_a_thin_tip_under_a_handle() -> None:
    for model in instances("screwdriver"):
        tip = model.vertices[model.vertices[:, 2] < model.vertices[:, 2].min() + 0.002]
        assert np.abs(tip[:, :2]).max() < 0.008
        assert points_of(model, "handle")[:, 2].min() > points_of(model, "shaft")[:, 2].min() + 0.02


def test_drills_have_their_trigger_where_the_index_finger_is() -> None:
    for model in instances("power_drill"):
        handle, trigger, body = (points_of(model, part) for part in ("handle", "trigger", "body"))
        grip = use_of(model, Affordance.HANDLE_GRASP)
        level = handle[np.abs(handle[:, 2] - trigger[:, 2].mean()) < 0.02]
        assert trigger[:, 0].max() > level[:, 0].max() + 0.004
        assert trigger[:, 2].min() > handle[:, 2].mean() and trigger[:, 2].max() < body[:, 2].mean()
        assert grip.axis is not None and grip.axis[2] > 0.95
        assert np.ptp(handle[:, 2]) > 0.08  # the breadth of a palm
        assert points_of(model, "chuck")[:, 0].max() > body[:, 0].max()


def test_the_triggers_of_spray_bottles_hang_free_before_the_neck() -> None:
    for model in instances("spray_bottle"):
        trigger, collar = points_of(model, "trigger"), points_of(model, "collar")
        end = trigger[trigger[:, 2] < np.quantile(trigger[:, 2], 0.3)]
        assert end[:, 0].min() > collar[:, 0].max() + 0.001
        gap = np.array([(end[:, 0].min() + collar[:, 0].max()) / 2.0, collar[:, 1].mean(), end[:, 2].mean()])
        assert not inside(model, gap)[0]


def test_raised_tabs_of_cans_leave_room_for_a_finger() -> None:
    tabbed = [model for model in instances("can", 20) if "tab" in model.part_names]
    assert tabbed
    for model in tabbed:
        tab, lid = points_of(model, "tab"), points_of(model, "lid")
        assert tab[:, 2].max() > lid[:, 2].max() + 0.01
        thin = np.ptp(tab @ np.linalg.svd(tab - tab.mean(0), full_matrices=False)[2].T, axis=0).min()
        assert thin < 0.006


def test_boxes_that_are_wrapped_are_narrow_enough() -> None:
    for model in instances("box", 16):
        for use in model.uses:
            if use.affordance is Affordance.WRAP_GRASP:
                body = points_of(model, use.part)
                assert np.ptp(body[:, :2], axis=0).min() < max(GRASP_SHAPES[kind].span[1] for kind in use.grasp_types)
