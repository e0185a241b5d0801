"""The table and its kinematics, against MuJoCo on Shadow's published model and against finite differences."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from made_robot_hands import HANDS, points, random_positions

from hoi_ros.retargeting.kinematics import J1, J2, PADDING, Fingers, Wrist, finger_index
from hoi_ros.retargeting.shadow_hand import FINGERS
from hoi_ros.retargeting.vector import WristJoints
from hoi_ros.types import Array, Side


@pytest.mark.parametrize("side", ["right", "left"])
def test_table_is_shadows_published_model(shared_data: Path, side: Side) -> None:
    hand = HANDS[side]
    model = mujoco.MjModel.from_xml_path(str(shared_data / "shadow_hand_mjcf" / f"{side}_hand.xml"))
    data = mujoco.MjData(model)
    assert [model.joint(i).name for i in range(model.njnt)] == list(hand.names)
    np.testing.assert_allclose(model.jnt_range, np.stack([hand.lower, hand.upper], axis=1), atol=1e-9)
    assert [model.actuator(i).name.replace("A_", "") for i in range(model.nu)] != []
    assert {model.actuator(i).name.replace("A_", "") for i in range(model.nu)} == set(hand.actuator_names)
    positions = hand.lower + (hand.upper - hand.lower) * np.random.default_rng(0).uniform(size=(100, 24))
    links = hand.link_poses(positions)
    for row, angles in enumerate(positions):
        data.qpos[:] = angles
        mujoco.mj_kinematics(model, data)
        root = data.body(hand.prefix + "forearm")
        for link, poses in links.items():
            place = root.xmat.reshape(3, 3).T @ (data.body(hand.prefix + link).xpos - root.xpos)
            assert np.linalg.norm(place - poses[row, :3, 3]) < 1e-6


def test_left_is_right_mirrored() -> None:
    positions = random_positions(20)
    for name, right in points(HANDS["right"], positions).items():
        np.testing.assert_allclose(points(HANDS["left"], positions)[name], right * (-1.0, 1.0, 1.0), atol=1e-12)
    assert HANDS["left"].limits["lh_THJ1"] == HANDS["right"].limits["rh_THJ1"]


def test_actuators_couple_j1_and_j2() -> None:
    hand, positions = HANDS["right"], random_positions(1)[0]
    angle = dict(zip(hand.names, positions, strict=True))
    motor = dict(zip(hand.actuator_names, hand.actuators(positions), strict=True))
    assert len(motor) == 20
    for finger in FINGERS[1:]:
        assert motor.pop(f"rh_{finger}J0") == pytest.approx(angle[f"rh_{finger}J1"] + angle[f"rh_{finger}J2"])
    assert all(angle[name] == value for name, value in motor.items())


def _by_finger(positions: Array) -> Array:
    padded = np.concatenate([positions, np.zeros((len(positions), 1))], axis=1)
    return padded[:, finger_index()]


@pytest.mark.parametrize("side", ["right", "left"])
def test_fast_kinematics_and_jacobians(side: Side) -> None:
    hand, positions = HANDS[side], random_positions(7)
    tips = np.array([hand.tips[finger] for finger in FINGERS])
    fingers = Fingers(hand, [(J1, tips), (J1, 0.5 * tips), (J2, np.zeros((5, 3)))])
    angles = _by_finger(positions)
    found, jacobian = fingers(angles)
    made = points(hand, positions)
    for k, name in enumerate(("tip", "pad", "middle")):
        np.testing.assert_allclose(found[..., k], made[name], atol=1e-12)
    for finger, hinge in np.argwhere(finger_index() != PADDING):
        step = np.zeros((5, 5))
        step[finger, hinge] = 1e-6
        slope = (fingers(angles + step)[0] - fingers(angles - step)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[:, finger, hinge], slope[:, finger], atol=1e-9)


@pytest.mark.parametrize("side", ["right", "left"])
def test_wrist_turns_the_palm(side: Side) -> None:
    hand, rng = HANDS[side], np.random.default_rng(1)
    positions = np.zeros((7, 24))
    positions[:, :2] = rng.uniform(hand.lower[:2], hand.upper[:2], (7, 2))
    np.testing.assert_allclose(
        Wrist(hand)(positions[:, :2])[0], hand.link_poses(positions)["palm"][:, :3, :3], atol=1e-12
    )
    joints, targets = WristJoints(hand), rng.normal(0.0, 0.1, (7, 3, 4))
    _, jacobian = joints.targets(positions[:, :2], targets)
    for joint, step in enumerate(1e-6 * np.eye(2)):
        ahead, behind = (joints.targets(positions[:, :2] + s, targets)[0] for s in (step, -step))
        np.testing.assert_allclose(jacobian[:, joint], -(ahead - behind) / 2e-6, atol=1e-9)
