from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_scenes import box
from scipy.spatial.transform import Rotation

from hoi_ros.physics.lifting import LIFT, SHORT, Lifted, ShadowLift, table_under
from hoi_ros.physics.simulation import GRAVITY
from hoi_ros.refusals import Refused
from hoi_ros.retargeting.postures import Plan
from hoi_ros.retargeting.shadow_hand import NAMES, ShadowHand
from hoi_ros.scene.object_model import ObjectModel

HAND = ShadowHand.embedded()


def plate(height: float) -> ObjectModel:
    """A plate 5 mm thick, its foot at ``height``; straight index and middle finger leave 4 mm between them."""
    return box((0.005, 0.03, 0.08), (0.0, 0.0, 0.04 + height))


def between_two_fingers(squeezed: float) -> Plan:
    """The hand above the plate, fingers down; index and middle spread, then closed on it by ``squeezed`` rad each."""
    rest, closed = np.zeros((1, 24)), np.zeros((1, 24))
    for name, angle in (("FFJ4", -1.0), ("MFJ4", 1.0)):
        rest[0, NAMES.index(name)] = 0.1 * angle
        closed[0, NAMES.index(name)] = -squeezed * angle
    turn = Rotation.from_euler("x", np.pi)  # fingers down
    middle = np.array([0.022, 0.0, 0.13])  # between the two first bones, in the palm
    place = np.array([0.0, 0.0, 0.06]) - turn.apply(middle)
    palm = np.concatenate([place, turn.as_quat()])[None]
    back = palm + np.array([[0, 0, 0.1, 0, 0, 0, 0]])
    down = np.array([[0.0, 0.0, -1.0]])
    return Plan(HAND, rest, rest, closed, back, palm, down, np.ones((1, 5), dtype=bool), np.zeros(1))


def lifted(obj: ObjectModel, plan: Plan, **load: float) -> Lifted:
    return ShadowLift(obj, **load).lift(plan)


def test_a_plate_between_two_fingers_rises_with_the_hand() -> None:
    outcome = lifted(plate(0.0), between_two_fingers(0.3))
    assert outcome.reason == ("lifted",) and outcome.lifted.all()
    assert outcome.raised[0] == pytest.approx(LIFT, abs=0.005)


def test_without_friction_or_squeeze_it_stays_and_too_heavy_it_slips() -> None:
    assert lifted(plate(0.0), between_two_fingers(0.3), friction=0.0).reason == ("not raised",)
    assert not lifted(plate(0.0), between_two_fingers(-0.1)).lifted[0]
    heavy = lifted(plate(0.0), between_two_fingers(0.3), mass=5.0)
    assert not heavy.lifted[0] and heavy.raised[0] < LIFT - SHORT


def test_a_holder_keeps_what_reaches_below_the_table_until_the_hand_has_closed() -> None:
    obj, plan = plate(-0.01), between_two_fingers(0.3)
    assert table_under(obj) is None and table_under(plate(0.0)) == 0.0
    moved: dict[str, float] = {}
    ShadowLift(obj).lift(plan, lambda doing, world: moved.update({doing: world.motion()[0]}))
    assert moved["squeezing"] < 0.003  # nothing stands under it
    assert lifted(obj, plan).reason == ("lifted",)
    fallen = lifted(obj, between_two_fingers(-0.1))
    assert fallen.reason == ("missed",)


def test_a_hand_that_comes_through_the_object_knocks_it_over() -> None:
    plan = between_two_fingers(0.3)
    aside = plan.pre_palm + np.array([[0.1, 0.0, -0.1, 0, 0, 0, 0]])
    assert lifted(plate(0.0), replace(plan, pre_palm=aside)).reason == ("knocked over",)


def test_the_same_lift_ends_the_same_twice_in_one_world() -> None:
    world, plan = ShadowLift(plate(0.0)), between_two_fingers(0.3)
    both = replace(plan, **{n: np.repeat(getattr(plan, n), 2, axis=0) for n in vars(plan) if n != "hand"})
    outcome = world.lift(both)
    assert outcome.raised[0] == outcome.raised[1] == world.lift(plan).raised[0]


def test_what_is_not_finite_is_refused() -> None:
    plan = between_two_fingers(0.3)
    with pytest.raises(Refused):
        ShadowLift(plate(0.0)).lift(replace(plan, squeeze=np.full((1, 24), np.nan)))


def test_the_weight_is_the_objects_alone() -> None:
    """The arm carries the hand: no servo sags under it."""
    world = ShadowLift(plate(0.0), mass=0.2)
    world.lift(between_two_fingers(0.3))
    assert world.model.body_mass[world.object_body] * -world.model.opt.gravity[2] == pytest.approx(0.2 * GRAVITY)
    assert np.abs(world.data.qpos[:2]).max() < 1e-3
