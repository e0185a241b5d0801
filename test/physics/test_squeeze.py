from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scenes import MEAN, pinched_box
from scipy.optimize import nnls

from hoi_ros.hand import HandModel
from hoi_ros.physics import squeeze as module
from hoi_ros.physics.human_hand import Build, HumanHand


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 120))
def test_newton_on_the_dual_agrees_with_active_sets(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(size=(6, count)), np.full((1, count), 10.0)])
    aim = np.append(np.zeros(6), 10.0)
    expected = nnls(np.concatenate([rows, module._SPREAD * np.eye(count)]), np.append(aim, np.zeros(count)))[0]
    np.testing.assert_allclose(module._non_negative(rows, aim), expected, atol=1e-6)


def test_the_squeeze_stays_within_its_torque_and_closes_the_pinch(model: HandModel) -> None:
    hands, obj = pinched_box(model, 0.0)
    hand = HumanHand(model, MEAN, obj, Build())
    hand.pose(hands, 0)
    torques = module.squeeze(hand, 0.6)
    assert 0.02 < np.abs(torques).max() <= module.TORQUE + 1e-12
    still = hand.data.xipos[hand.object_body].copy()
    hand.squeeze(torques)
    hand.run(0.2)
    forces = hand.contact_forces()
    assert np.linalg.norm(forces, axis=1).sum() > 3.0  # the pads press
    assert np.linalg.norm(forces.sum(axis=0)) < 0.2  # and balance
    assert np.linalg.norm(hand.data.xipos[hand.object_body] - still) < 0.005


def test_levers_are_the_motion_of_the_skin(model: HandModel) -> None:
    hands, obj = pinched_box(model, 0.001)
    hand = HumanHand(model, MEAN, obj, Build())
    hand.pose(hands, 0)
    contacts = hand.contacts()
    levers = hand.levers(contacts)
    body = contacts.bodies[0]
    local = hand.data.xmat[body].reshape(3, 3).T @ (contacts.points[0] - hand.data.xpos[body])
    step = 1e-6
    for dof in range(hand.servos):
        hand.data.qpos[:] = hand.model.qpos0
        hand.data.qpos[hand.model.jnt_qposadr[hand.model.actuator_trnid[dof, 0]]] = step
        hand.place_object()
        moved = hand.data.xmat[body].reshape(3, 3) @ local + hand.data.xpos[body] - contacts.points[0]
        np.testing.assert_allclose(moved / step, levers[0, dof], atol=1e-6)


def test_no_skin_near_no_squeeze(model: HandModel) -> None:
    hands, obj = pinched_box(model, 0.0)
    hand = HumanHand(model, MEAN, obj, Build())
    hand.pose(hands, 0, shift=np.array([0.5, 0.0, 0.0]))
    assert module.squeeze(hand, 0.6) == pytest.approx(np.zeros(26))
