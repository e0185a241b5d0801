from __future__ import annotations

import numpy as np
import pytest
import trimesh
from made_scenes import MEAN, at_origin, bent, box, index_on_top, pinched_knob, solid

from hoi_ros.hand import HandModel
from hoi_ros.physics import turning
from hoi_ros.physics.human_hand import Build, HumanHand, Wrist
from hoi_ros.physics.turning import Hub
from hoi_ros.physics.world import GraspWorld
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

Scene = tuple[HandBatch, ObjectModel, Array]


@pytest.fixture(scope="module")
def knob(model: HandModel) -> Scene:
    return pinched_knob(model)


def twist(axis: Array) -> Use:
    return Use(Affordance.TWIST, "body", (), force=axis)


def test_a_pinched_knob_turns_either_way(model: HandModel, knob: Scene) -> None:
    hands, obj, axis = knob
    world = GraspWorld(model, MEAN, obj)
    for way in (axis, -axis):
        turned = world.turn(hands, twist(way))
        assert turned.reason == ("turned",)
        assert turned.torque[0] == pytest.approx(1.0, abs=0.02)  # at rest the part carries all of it
        assert turned.slip[0] < 0.002 and abs(turned.angle[0]) < np.radians(5.0) and turned.depth[0] < 0.002


def test_without_friction_the_fingers_slide_round_the_knob(model: HandModel, knob: Scene) -> None:
    hands, obj, axis = knob
    turned = GraspWorld(model, MEAN, obj).turn(hands, twist(axis), friction=0.0)
    assert turned.reason == ("slipped",)
    assert abs(turned.torque[0]) < 0.2 and turned.slip[0] > 0.02


def test_a_torque_beyond_the_grip_slips(model: HandModel, knob: Scene) -> None:
    hands, obj, axis = knob
    hand = HumanHand(model, MEAN, obj, Build(wrist=Wrist.TURNS, mass=None))
    hand.set_friction(0.6)
    (hub,) = turning.find_hubs(obj, 0, axis)
    outcomes = [
        turning.turn(hand, hands, axis, [Hub(hub.centre, size * hub.radius)], np.arange(1), 0.6) for size in (1.0, 5.0)
    ]
    assert [outcome.reason for outcome in outcomes] == [("turned",), ("slipped",)]
    carried = outcomes[1].torque[0] * 5.0 * hub.torque
    assert carried < 0.6 * 40.0 * hub.radius  # friction on what the fingers press with


def test_an_open_hand_misses(model: HandModel, knob: Scene) -> None:
    _, obj, axis = knob
    open_hand = at_origin(bent(model, (0.0, 0.0, 0.0), {}))
    assert GraspWorld(model, MEAN, obj).turn(open_hand, twist(axis)).reason == ("missed",)


def test_one_finger_turns_nothing(model: HandModel) -> None:
    world = GraspWorld(model, MEAN, box((0.08, 0.08, 0.06), (0.0, 0.0, 0.03)))
    turned = world.turn(index_on_top(model, 0.06, 0.0005), twist(np.array([0.0, 0.0, 1.0])))
    assert not turned.turned[0] and turned.torque[0] == 0.0


def test_a_grip_beside_the_part_misses_it(model: HandModel, knob: Scene) -> None:
    hands, obj, axis = knob
    below = trimesh.creation.box((0.01, 0.01, 0.01))
    below.apply_translation(obj.vertices.mean(axis=0) - 0.2 * axis)
    whole = solid(trimesh.Trimesh(obj.vertices, obj.faces), below, parts=("body", "foot"))
    use = Use(Affordance.TWIST, "foot", (), force=axis)
    assert GraspWorld(model, MEAN, whole).turn(hands, use).reason == ("missed",)


def test_the_wrist_turns_about_the_axis(model: HandModel, knob: Scene) -> None:
    _, obj, axis = knob
    hand = HumanHand(model, MEAN, obj, Build(wrist=Wrist.TURNS, mass=None))
    far = HandBatch(np.zeros((1, 3)), np.zeros((1, 45)), MEAN[None], np.array([[1.0, 0.0, 0.0]]))
    hand.pose(far, 0)
    centre = hand.wrist() + 0.1 * np.cross(axis, [0.0, 0.0, 1.0])
    hand.turn_about(axis, centre)
    before = hand.wrist() - centre
    hand.data.qpos[3] = 0.5
    hand.place_object()
    after = hand.wrist() - centre
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before))
    assert np.cross(before, after) @ axis == pytest.approx(np.sin(0.5) * before @ before)
    assert hand.turned() == 0.5


def test_every_knob_of_a_part_is_a_hub_with_its_own_torque() -> None:
    knobs = [trimesh.creation.cylinder(radius=radius, height=0.03, sections=64) for radius in (0.02, 0.03)]
    knobs[1].apply_translation([0.2, 0.0, 0.0])
    hubs = turning.find_hubs(solid(trimesh.util.concatenate(knobs)), 0, np.array([0.0, 0.0, 1.0]))
    small, large = sorted(hubs, key=lambda hub: hub.radius)
    np.testing.assert_allclose([small.centre, large.centre], [[0.0, 0.0, 0.0], [0.2, 0.0, 0.0]], atol=1e-9)
    assert (small.torque, large.torque) == pytest.approx((5.0 * 0.02, 5.0 * 0.03))


def test_turning_needs_an_axis(model: HandModel, knob: Scene) -> None:
    hands, obj, _ = knob
    with pytest.raises(Refused, match="no axis to turn about"):
        GraspWorld(model, MEAN, obj).turn(hands, Use(Affordance.TWIST, "body", ()))


def test_no_hands_no_answers(model: HandModel, knob: Scene) -> None:
    hands, obj, axis = knob
    world, none = GraspWorld(model, MEAN, obj), hands[np.zeros(1, dtype=bool)]
    for passed in (
        world.turn(none, twist(axis)).turned,
        world.push(none, twist(axis)).pushed,
        world.articulated(none).held,
    ):
        assert passed.dtype == bool and len(passed) == 0
