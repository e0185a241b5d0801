"""Planted faults are found by name, each alone, and nothing is found where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation import faults
from hoi_ros.evaluation.scoring import Pair
from hoi_ros.hand import load_hand_model
from hoi_ros.pipeline import flat_hand
from hoi_ros.types import HandPose, JointGoal

NAMES = tuple(f"rh_{finger}J{joint}" for finger in ("FF", "MF", "RF", "LF") for joint in (1, 2, 3, 4))
STEP = 33_333_333


def moving(count: int = 40, noise: float = 0.002) -> list[Pair]:
    """A closing hand that moves and turns, estimated with a little noise, and goals for it."""
    model, rng = load_hand_model(), np.random.default_rng(0)
    t = np.linspace(0.0, 1.0, count)
    orient = np.stack([0.8 * np.sin(4 * t), 0.5 + t, -0.3 * t], axis=1)
    pose = np.outer(t, np.tile([0.0, 0.0, 0.9], 15))
    transl = np.stack([0.2 * np.sin(6 * t), 0.1 * t, 0.5 + 0.1 * np.cos(5 * t)], axis=1)
    true = model.joints(orient, pose, np.zeros((count, 10)), transl)
    pairs = []
    for i in range(count):
        quaternion = Rotation.from_rotvec(orient[i]).as_quat()
        keypoints = true[i] + rng.normal(0.0, noise, (21, 3))
        hand = replace(
            flat_hand("right"),
            global_orient=orient[i],
            keypoints=keypoints,
            wrist_pose=np.concatenate([keypoints[0], quaternion]),
            stamp_ns=i * STEP,
        )
        positions = np.tile([0.3, 0.9, 0.5, 0.1], 4) * (0.3 + t[i])
        goal = JointGoal(NAMES, positions, (), np.zeros(0), np.concatenate([true[i, 0], quaternion]), stamp_ns=i * STEP)
        near = replace(goal, positions=positions + rng.normal(0.0, 0.01, 16))
        pairs.append(Pair(i * STEP, hand, true[i], near, goal))
    return pairs


def with_hands(change: Callable[[HandPose], HandPose]) -> list[Pair]:
    return [replace(pair, hand=change(pair.hand)) for pair in moving() if pair.hand]


def with_goals(change: Callable[[JointGoal], JointGoal]) -> list[Pair]:
    return [replace(pair, goal=change(pair.goal)) for pair in moving() if pair.goal]


def late(pictures: int) -> list[Pair]:
    pairs = moving()
    return [replace(pair, hand=pairs[max(i - pictures, 0)].hand) for i, pair in enumerate(pairs)]


def swapped(goal: JointGoal) -> JointGoal:
    return replace(goal, positions=goal.positions.reshape(4, 4)[:, [1, 0, 2, 3]].ravel())


def wxyz(pose: np.ndarray) -> np.ndarray:
    return np.concatenate([pose[:3], np.roll(pose[3:], 1)])


def test_nothing_is_found_where_nothing_is_wrong():
    assert faults.found(moving()) == []
    assert faults.found(moving(count=3)) == []
    assert faults.found([]) == []


def test_a_noisy_hand_is_no_fault():
    assert faults.found(moving(noise=0.02)) == []


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (with_hands(lambda h: replace(h, keypoints=h.keypoints * [-1.0, 1.0, 1.0])), "hands look mirrored"),
        (with_hands(lambda h: replace(h, keypoints=1000.0 * h.keypoints)), "millimetres for metres"),
        (with_hands(lambda h: replace(h, keypoints=0.001 * h.keypoints)), "metres for millimetres"),
        (with_hands(lambda h: replace(h, wrist_pose=wxyz(h.wrist_pose))), "wrists of hands look like wxyz where xyzw"),
        (with_goals(lambda g: replace(g, wrist_pose=wxyz(g.wrist_pose))), "wrists of goals look like wxyz where xyzw"),
        (with_goals(swapped), "J1 and J2 of the fingers look swapped"),
        (late(1), "hands look one picture late"),
        (late(2), "hands look 2 pictures late"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_named_alone(pairs: list[Pair], said: str):
    (sentence,) = faults.found(pairs)
    assert said in sentence
