"""The URDF and MJCF we write, in MuJoCo: the same hand as ours, and one that physics can hold and move."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from made_robot_hands import HANDS, J1, J2, random_positions

from hoi_ros.retargeting import mjcf, urdf, write_mjcf, write_urdf
from hoi_ros.retargeting.bodies import Body, Shape, bodies
from hoi_ros.retargeting.shadow_hand import COUPLED, ShadowHand
from hoi_ros.types import Array, Side

SIDES: list[Side] = ["right", "left"]


def relaxed(hand: ShadowHand) -> Array:
    """A half-closed hand without self-contact."""
    bend = {"J3": 0.6, "J2": 0.5, "J1": 0.5}
    angles = {f"{finger}{joint}": angle for finger in COUPLED for joint, angle in bend.items()}
    angles |= {"THJ4": 0.7, "THJ5": 0.3, "THJ1": 0.3, "WRJ1": -0.1}
    return np.array([angles.get(name.removeprefix(hand.prefix), 0.0) for name in hand.names])


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("write", [write_urdf, write_mjcf])
def test_written_files_load_as_our_hand(tmp_path: Path, side: Side, write) -> None:  # type: ignore[no-untyped-def]
    hand, path = HANDS[side], tmp_path / "hand.xml"
    write(path, side)
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    assert [model.joint(i).name for i in range(model.njnt)] == list(hand.names)
    np.testing.assert_allclose(model.jnt_range, np.stack([hand.lower, hand.upper], axis=1), atol=1e-9)
    positions = random_positions(20)
    links = hand.link_poses(positions)
    for row, angles in enumerate(positions):
        data.qpos[:] = angles
        mujoco.mj_kinematics(model, data)
        for link, poses in links.items():
            if link != "forearm" or write is write_mjcf:  # MuJoCo folds a URDF's fixed root into the world
                body = data.body(hand.prefix + link)
                np.testing.assert_allclose(body.xpos, poses[row, :3, 3], atol=1e-7)
                np.testing.assert_allclose(body.xmat.reshape(3, 3), poses[row, :3, :3], atol=1e-7)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", [Shape("box", (0.03, 0.01, 0.02)), Shape("capsule", (0.01, 0.03))])
def test_inertia_is_mujocos(side: Side, shape: Shape) -> None:
    size = " ".join(map(str, shape.size))
    body = f'<body><freejoint/><geom type="{shape.kind}" size="{size}" mass="2"/></body>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
    np.testing.assert_allclose(np.sort(np.diag(Body(2.0, (shape,)).inertia)), np.sort(model.body_inertia[1]), rtol=1e-9)
    total = sum(body.mass for body in bodies(side).values())
    assert 3.5 < total < 5.0  # kg


@pytest.mark.parametrize("side", SIDES)
def test_physics_holds_and_tracks(side: Side) -> None:
    """Two seconds at rest, then towards a half-closed hand: still, on the goal, J1 no larger than J2."""
    hand = HANDS[side]
    model = mujoco.MjModel.from_xml_string(mjcf(hand))
    data = mujoco.MjData(model)
    assert model.nu == 20
    for goal in (np.zeros(24), relaxed(hand)):
        data.ctrl[:] = hand.actuators(goal)
        for _ in range(1000):
            mujoco.mj_step(model, data)
        assert data.warning.number.sum() == 0
        assert np.abs(hand.actuators(data.qpos) - hand.actuators(goal)).max() < 0.02
        assert np.abs(data.qpos - goal).max() < 0.05
        assert np.abs(data.qvel).max() < 0.05
        assert (data.qpos[J1] < data.qpos[J2] + 0.01).all()
        assert data.ncon == 0


def test_actuators_are_limited_and_named() -> None:
    hand = HANDS["right"]
    model = mujoco.MjModel.from_xml_string(mjcf(hand))
    assert [model.actuator(i).name.replace("A_", "") for i in range(20)] == list(hand.actuator_names)
    assert model.actuator_forcelimited.all()
    assert (np.abs(model.actuator_forcerange) <= 10.0).all()
    np.testing.assert_allclose(model.actuator_ctrlrange[:, 1], hand.actuators(hand.upper), atol=1e-9)


def test_fingers_touch_each_other_but_not_their_neighbours() -> None:
    """A hand at zero touches nothing; a thumb across the palm meets the bent fingers."""
    hand = HANDS["right"]
    model = mujoco.MjModel.from_xml_string(mjcf(hand))
    data = mujoco.MjData(model)
    for angle in np.linspace(0.0, 1.0, 5):
        data.qpos[:] = angle * relaxed(hand)
        mujoco.mj_forward(model, data)
        assert data.ncon == 0
    fist = np.array([{"J3": 1.5, "J2": 1.5, "J1": 1.0}.get(name[-2:], 0.0) for name in hand.names])
    for joint, angle in {"THJ5": 1.0, "THJ4": 1.2, "THJ3": 0.0, "THJ2": 0.6, "THJ1": 1.0}.items():
        fist[hand.names.index(f"rh_{joint}")] = angle
    data.qpos[:] = fist
    mujoco.mj_forward(model, data)
    bodies_ = {
        model.body(model.geom_bodyid[g]).name for contact in data.contact for g in (contact.geom1, contact.geom2)
    }
    assert any(name.startswith("rh_th") for name in bodies_)
    assert any(name.startswith("rh_ff") for name in bodies_)


def test_urdf_of_the_users_hand_keeps_its_names() -> None:
    text = urdf(ShadowHand("right", HANDS["right"].joints, HANDS["right"].tips, "my_"))
    assert 'joint name="my_FFJ1"' in text
    assert "rh_" not in text
