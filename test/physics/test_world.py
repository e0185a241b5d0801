from __future__ import annotations

import numpy as np
import pytest
import trimesh
from made_scenes import MEAN, at_origin, bent, box, index_on_top, pinched_box, plate_between_fingers, solid
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel
from hoi_ros.physics.human_hand import Build, HumanHand
from hoi_ros.physics.simulation import GRAVITY
from hoi_ros.physics.world import GraspWorld
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.types import HandBatch

PRESS = Use(Affordance.PRESS, "body", (), force=np.array([0.0, 0.0, -1.0]))


def twice(hands: HandBatch) -> HandBatch:
    return hands[np.array([0, 0])]


@pytest.fixture(scope="module")
def pinch(model: HandModel) -> tuple[HandBatch, GraspWorld]:
    hands, obj = pinched_box(model, overlap=0.0)
    return hands, GraspWorld(model, MEAN, obj)


def test_a_pinched_box_is_held_in_all_directions(pinch: tuple[HandBatch, GraspWorld]) -> None:
    hands, world = pinch
    settled = world.settle(hands)
    assert settled.kept.all() and settled.moved[0] < 0.005
    for seed in (None, 0, 1):
        held = world.articulated(hands, seed=seed)
        assert held.reason == ("held",)
        assert held.displacement.max() < 0.01 and held.rotation.max() < np.radians(6.0)


def test_without_friction_the_box_slips_out(pinch: tuple[HandBatch, GraspWorld]) -> None:
    hands, world = pinch
    assert not world.articulated(hands, friction=0.0, seed=None).held.any()


def test_a_heavy_box_is_not_held(pinch: tuple[HandBatch, GraspWorld]) -> None:
    hands, world = pinch
    held = world.articulated(hands, mass=5.0, seed=None)
    assert not held.held[0] and held.reason[0] in ("moved", "turned")


def test_an_open_hand_drops_the_box(model: HandModel, pinch: tuple[HandBatch, GraspWorld]) -> None:
    _, world = pinch
    open_hand = at_origin(bent(model, (0.0, 0.0, 0.0), {}))
    assert not world.articulated(open_hand).held[0]


def test_a_settled_hand_stays_where_it_settled(pinch: tuple[HandBatch, GraspWorld]) -> None:
    hands, world = pinch
    again = world.settle(world.settle(hands).hands)
    assert again.kept[0] and again.moved[0] < 0.003


def test_tests_are_deterministic_and_seeds_matter(pinch: tuple[HandBatch, GraspWorld]) -> None:
    hands, world = pinch
    batch = twice(hands)
    first, second = world.articulated(batch, seed=3), world.articulated(batch, seed=3)
    np.testing.assert_array_equal(first.displacement, second.displacement)
    assert not np.array_equal(first.displacement[0], first.displacement[1])  # rows are perturbed differently
    assert not np.array_equal(first.displacement, world.articulated(batch, seed=4).displacement)
    fresh = GraspWorld(world.model, MEAN, world.obj).articulated(batch, seed=3)
    np.testing.assert_array_equal(first.displacement, fresh.displacement)


def test_hidden_overlap_holds_only_a_fixed_hand_and_only_uneroded(model: HandModel) -> None:
    hands, obj = plate_between_fingers(model, overlap=0.0005)
    world = GraspWorld(model, MEAN, obj)
    assert world.fixed(hands, seed=None).held[0]
    assert not world.fixed(hands, eroded=0.003, seed=None).held[0]
    assert world.articulated(hands, seed=None).held[0]
    assert world.articulated(hands, eroded=0.003, seed=None).held[0]


def test_closing_fingers_hold_what_a_fixed_hand_beside_it_does_not(model: HandModel) -> None:
    hands, obj = plate_between_fingers(model, overlap=-0.0005)
    world = GraspWorld(model, MEAN, obj)
    assert not world.fixed(hands, seed=None).held[0]
    assert world.articulated(hands, seed=None).held[0]


def test_displacement_of_a_free_fall(model: HandModel) -> None:
    far = HandBatch(np.zeros((1, 3)), np.zeros((1, 45)), MEAN[None], np.array([[1.0, 0.0, 0.0]]))
    world = GraspWorld(model, MEAN, box((0.04, 0.04, 0.04)))
    time = 35 / 240
    assert world.displacement_sd(far)[0] == pytest.approx(min(0.5 * GRAVITY * time**2, 0.1), rel=0.05)
    below = world.displacement_sd(far, gravity=np.array([0.0, 0.0, 0.0]))
    assert below[0] == pytest.approx(0.0, abs=1e-12)


def test_a_thrown_object_gains_no_energy_from_the_hand(model: HandModel) -> None:
    hand = HumanHand(model, MEAN, box((0.03, 0.03, 0.03)), Build(fingers=False))
    palm = model.mesh(np.zeros(3), np.zeros(45)).vertices[0]
    centre = palm.mean(axis=0)
    for direction in np.concatenate([np.eye(3), -np.eye(3)]):
        hand.pose(at_origin(np.zeros(45)), 0, shift=centre - 0.15 * direction)
        hand.data.qvel[:3] = 0.5 * direction
        touched = False
        for _ in range(150):
            hand.step(1)
            touched |= hand.touching()
            speed, spin = hand.data.qvel[:3], hand.data.qvel[3:]
            inertia = hand.model.body_inertia[hand.object_body]
            energy = 0.5 * 0.1 * speed @ speed + 0.5 * inertia @ spin**2
            assert energy <= 0.5 * 0.1 * 0.5**2 * 1.01
        assert touched


def test_a_pressing_finger_carries_the_force(model: HandModel) -> None:
    world = GraspWorld(model, MEAN, box((0.08, 0.08, 0.06), (0.0, 0.0, 0.03)))
    pushed = world.push(index_on_top(model, 0.06, 0.0005), PRESS)
    assert pushed.reason == ("pushed",)
    assert pushed.force[0] == pytest.approx(5.0, rel=0.01)
    assert pushed.slip[0] < 0.001 and pushed.depth[0] < 0.001


def test_a_finger_that_does_not_reach_misses(model: HandModel) -> None:
    world = GraspWorld(model, MEAN, box((0.08, 0.08, 0.06), (0.0, 0.0, 0.03)))
    assert world.push(index_on_top(model, 0.06, 0.03), PRESS).reason == ("missed",)


def test_a_finger_slips_down_a_steep_face(model: HandModel) -> None:
    wedge = trimesh.creation.box((0.3, 0.08, 0.06))
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("y", -50, degrees=True).as_matrix()
    wedge.apply_transform(turn)
    top = 0.03 / np.cos(np.radians(50.0))
    wedge.apply_translation([0.0, 0.0, -top])  # its face goes through the origin, falling towards -x
    pushed = GraspWorld(model, MEAN, solid(wedge)).push(index_on_top(model, 0.0, 0.0), PRESS)
    assert not pushed.pushed[0]


def test_a_push_beside_the_part_misses_it(model: HandModel) -> None:
    block, knob = trimesh.creation.box((0.08, 0.08, 0.06)), trimesh.creation.box((0.01, 0.01, 0.01))
    block.apply_translation([0.0, 0.0, 0.03])
    knob.apply_translation([0.0, 0.0, 0.0])
    obj = solid(block, knob, parts=("block", "knob"))
    use = Use(Affordance.PRESS, "knob", (), force=PRESS.force)
    assert GraspWorld(model, MEAN, obj).push(index_on_top(model, 0.06, 0.0), use).reason == ("missed",)


def test_what_cannot_be_tested_is_refused(model: HandModel, pinch: tuple[HandBatch, GraspWorld]) -> None:
    hands, world = pinch
    other = HandBatch(hands.global_orient, hands.hand_pose, hands.betas + 0.5, hands.transl)
    broken = HandBatch(hands.global_orient, hands.hand_pose * np.nan, hands.betas, hands.transl)
    for bad, reason in ((other, Reason.PARAMETER), (broken, Reason.NOT_FINITE)):
        with pytest.raises(Refused) as refused:
            world.articulated(bad)
        assert refused.value.reason is reason
    with pytest.raises(Refused, match="no force"):
        world.push(hands, Use(Affordance.WRAP_GRASP, "body", ()))
