"""The user's hand from URDF text: its names, limits and places; what is not a Shadow Hand is refused by reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_robot_hands import HANDS, hand_pose, keypoints_of, random_positions

from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting import build, read_hand, urdf
from hoi_ros.retargeting.shadow_hand import FINGERS
from hoi_ros.types import Side

RIGHT, URDF = HANDS["right"], urdf(HANDS["right"])


def without(name: str, text: str = URDF) -> str:
    return re.sub(rf'<joint name="{name}".*?</joint>', "", text, flags=re.DOTALL)


def with_limits(name: str, lower: str, upper: str) -> str:
    pattern = rf'(<joint name="{name}".*?<limit) lower="[^"]*" upper="[^"]*"'
    return re.sub(pattern, rf'\1 lower="{lower}" upper="{upper}"', URDF, flags=re.DOTALL)


@pytest.mark.parametrize("side", ["right", "left"])
def test_our_own_urdf_comes_back(side: Side) -> None:
    hand = HANDS[side]
    read = read_hand(urdf(hand), side)
    assert read.limits == hand.limits
    positions = random_positions(10)
    for link, poses in hand.link_poses(positions).items():
        if link not in ("forearm", "wrist"):
            np.testing.assert_allclose(read.link_poses(positions)[link], poses, atol=1e-8)
    assert read.tips == hand.tips


@pytest.mark.parametrize("prefix", ["", "robot/rh_", "sim_", "lab_rh_"])
def test_other_prefixes(prefix: str) -> None:
    read = read_hand(URDF.replace('"rh_', f'"{prefix}'), "right")
    assert read.names == tuple(name.replace("rh_", prefix) for name in RIGHT.names)
    goal = build(Parameters(robot_description=URDF.replace('"rh_', f'"{prefix}'))).retarget(
        hand_pose(keypoints_of(RIGHT, random_positions(1))[0])
    )
    assert goal.names == read.names
    assert f"{prefix}FFJ0" in goal.actuator_names


def test_both_hands_in_one_description() -> None:
    links = [text[text.index("<link") : text.rindex("</robot>")] for text in (URDF, urdf(HANDS["left"]))]
    both = f'<robot name="two">{"".join(links)}</robot>'
    assert read_hand(both, "left").names == HANDS["left"].names
    assert read_hand(both, "right").names == RIGHT.names


def test_limits_are_the_users() -> None:
    read = read_hand(with_limits("rh_FFJ3", "0.1", "0.4"), "right")
    assert read.limits["rh_FFJ3"] == (0.1, 0.4)
    goal = build(Parameters(robot_description=with_limits("rh_FFJ3", "0.1", "0.4"))).retarget(
        hand_pose(keypoints_of(RIGHT, np.zeros((1, 24)), 1.2)[0])
    )
    assert 0.1 <= goal.positions[RIGHT.names.index("rh_FFJ3")] <= 0.4


def test_description_of_limits_alone() -> None:
    bare = re.sub(r"\s*<origin[^>]*/>", "", with_limits("rh_LFJ5", "0", "0.5"))
    read = read_hand(bare, "right")
    assert read.limits["rh_LFJ5"] == (0.0, 0.5)
    assert read.tips == RIGHT.tips
    np.testing.assert_array_equal(
        read.link_poses(random_positions(3))["lfdistal"], RIGHT.link_poses(random_positions(3))["lfdistal"]
    )


def test_places_are_the_users() -> None:
    """A longer finger, mounted through a fixed link, and an arm that holds the forearm."""
    longer = URDF.replace('<origin xyz="0 0 0.025" rpy="0 0 0"', '<origin xyz="0 0 0.03" rpy="0 0 0"')
    mount = (
        '<link name="base"/><link name="mount"/>'
        '<joint name="arm" type="revolute"><parent link="base"/><child link="rh_forearm"/><axis xyz="0 0 1"/></joint>'
        '<joint name="mount_joint" type="fixed"><parent link="rh_palm"/><child link="mount"/>'
        '<origin xyz="0.003 0 0"/></joint></robot>'
    )
    text = longer.replace("</robot>", mount)
    knuckle = text.index('name="rh_FFJ4"')
    text = text[:knuckle] + text[knuckle:].replace('<parent link="rh_palm"', '<parent link="mount"', 1)
    zero = np.zeros((1, 24))
    read, ours = (h.link_poses(zero)["ffdistal"][0, :3, 3] for h in (read_hand(text, "right"), RIGHT))
    np.testing.assert_allclose(read - ours, (0.003, 0.0, 0.005), atol=1e-9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not XML"),
        ("hello", "not XML"),
        (URDF[:-200], "not XML"),
        ("<mujoco/>", "<mujoco>, not <robot>"),
        ('<robot name="empty"/>', "lacks 24 of the hand's 24 joints: rh_WRJ2"),
        (without("rh_MFJ2", without("rh_THJ4")), "lacks 2 of the hand's 24 joints: rh_MFJ2, rh_THJ4"),
        (urdf(HANDS["left"]), "asks for a right one"),
        (URDF.replace('"rh_', '"a_').replace("</robot>", "") + URDF.replace('"rh_', '"b_').split(">", 1)[1], "several"),
        (with_limits("rh_FFJ1", "nan", "1"), "the lower limit of rh_FFJ1 is 'nan'"),
        (with_limits("rh_FFJ1", "0", "inf"), "'inf', not a finite number"),
        (with_limits("rh_FFJ1", "0", "x"), "'x', not a finite number"),
        (with_limits("rh_FFJ1", "1", "0.5"), "inverted: 1.0 > 0.5"),
        (with_limits("rh_FFJ1", "0", "90"), "cannot be radians"),
        (with_limits("rh_FFJ1", "1.0", "1.5").replace('upper="1.5708"', 'upper="0.9"'), "cannot stay below J2"),
        (URDF.replace('name="rh_THJ5" type="revolute"', 'name="rh_THJ5" type="continuous"'), "rh_THJ5 is continuous"),
        (URDF.replace('<axis xyz="0 -1 0"', '<axis xyz="0 0 0"'), "axis of rh_FFJ4 is zero"),
        (URDF.replace('<axis xyz="0 -1 0"', '<axis xyz="0 1"'), "not three numbers"),
        (URDF.replace('<parent link="rh_ffknuckle"', '<parent link="rh_mfknuckle"'), "rh_FFJ3 hangs from link"),
        (URDF.replace('xyz="0.033 0 0.095"', 'xyz="0.033 0 0.95"'), "rh_FFJ4 is at"),
    ],
)
def test_what_is_no_shadow_hand_is_refused(text: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        read_hand(text, "right")
    assert refused.value.reason is Reason.ROBOT_DESCRIPTION
    assert words in refused.value.message


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE robot [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE robot [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE robot SYSTEM "http://localhost/robot.dtd">',
    ],
)
def test_entities_are_not_read(declaration: str) -> None:
    with pytest.raises(Refused, match="document type"):
        read_hand(declaration + URDF, "right")


def _cut(text: str, start: int, length: int) -> str:
    return text[:start] + text[start + length :]


def _swap(text: str, start: int, length: int) -> str:
    return text[:start] + text[start : start + length][::-1] + text[start + length :]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(URDF)), st.integers(1, 3000), st.sampled_from([_cut, _swap]))
def test_damaged_text_is_refused_or_a_hand(start: int, length: int, damage: Callable[[str, int, int], str]) -> None:
    hand = None
    with suppress(Refused):
        hand = read_hand(damage(URDF, start, length), "right")
    if hand is not None:
        assert (hand.lower <= hand.upper).all()
        assert set(hand.tips) == set(FINGERS)
        assert all(np.isfinite(poses).all() for poses in hand.link_poses(np.zeros((1, 24))).values())
