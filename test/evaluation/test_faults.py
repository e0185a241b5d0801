"""Planted faults are found by name, each alone, and nothing is found where nothing is wrong.

In made pairs first, then end to end: in what was published for a rendered recording, which is changed and judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from changed_bags import Change, changed, kept, rendered_small
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation import faults
from hoi_ros.evaluation.evaluate import Evaluation, evaluate
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.evaluation.scoring import Pair
from hoi_ros.hand import load_hand_model
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import flat_hand
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.results import Results
from hoi_ros.replay.run import play
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
    flat = flat_hand("right")
    pairs = []
    for i in range(count):
        quaternion = Rotation.from_rotvec(orient[i]).as_quat()
        keypoints = true[i] + rng.normal(0.0, noise, (21, 3))
        hand = replace(
            flat,
            global_orient=orient[i],
            keypoints=keypoints,
            wrist_pose=np.concatenate([keypoints[0], quaternion]),
            stamp_ns=i * STEP,
        )
        positions = np.tile([0.3, 0.9, 0.5, 0.1], 4) * (0.3 + t[i])
        goal = JointGoal(NAMES, positions, (), np.zeros(0), np.concatenate([true[i, 0], quaternion]), stamp_ns=i * STEP)
        near = replace(goal, positions=positions + rng.normal(0.0, 0.01, 16))
        pairs.append(Pair(i * STEP, hand, None, true[i], near, goal))
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


def test_a_delay_is_found_under_an_error_that_is_larger():
    """Off by 40 mm whatever is done: undoing the delay leaves most of the error."""

    def off(pairs: list[Pair]) -> list[Pair]:
        aside = np.array([0.0, 0.0, 0.04])
        return [replace(p, hand=replace(p.hand, keypoints=p.hand.keypoints + aside)) for p in pairs if p.hand]

    (sentence,) = faults.found(off(late(2)))
    assert "hands look 2 pictures late" in sentence
    assert faults.found(off(moving())) == []


def test_the_lag_of_a_filter_is_no_fault():
    """Half a picture, 17 ms, between this truth and the one before."""
    pairs = moving()
    before = [pairs[0], *pairs[:-1]]
    halfway = [0.5 * (a.hand.keypoints + b.hand.keypoints) for a, b in zip(pairs, before, strict=True)]
    lagging = [replace(p, hand=replace(p.hand, keypoints=k)) for p, k in zip(pairs, halfway, strict=True)]
    assert faults.found(lagging) == []


# --- end to end ---------------------------------------------------------------------------------------------------

PICTURES = 45


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recording, ``rendered.mcap``, and what the pipeline publishes for it, ``results.mcap``."""
    folder = tmp_path_factory.mktemp("rendered")
    with Bag(rendered_small(folder)) as bag:
        play(bag, Parameters(), folder, None, lambda: None, Results())
    return folder


def judged(bag: Path, outputs: Path, out: Path) -> Evaluation:
    """With the thresholds by which dropped pictures are asked for, and no other."""
    truth = {"joint_goal": "/ground_truth/joint_goal", "wrist_goal": "/ground_truth/wrist_goal"}
    asked = {"answered": {"min": 1.0}, "missing": {"max": 0.0}}
    content = {"bag": str(bag), "outputs": str(outputs), "mode": "recorded", "truth": truth, "thresholds": asked}
    return evaluate(Scenario.model_validate({"version": 1, **content}), Path(), out, lambda: None)


def of_hands(change: Callable[[Any], None]) -> Change:
    """Each hand changed in place."""

    def changing(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        for hand in message.hands if topic == "/hands" else ():
            change(hand)
        return [(message, time_ns)]

    return changing


def mirror(hand: Any) -> None:
    for point in (*hand.keypoints, hand.wrist.position):
        point.x = -point.x


def enlarge(hand: Any) -> None:
    for point in (*hand.keypoints, hand.wrist.position):
        point.x, point.y, point.z = 1e3 * point.x, 1e3 * point.y, 1e3 * point.z


def w_first(pose: Any) -> None:
    q = pose.orientation
    q.x, q.y, q.z, q.w = q.w, q.x, q.y, q.z


def wrist_goals_w_first(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
    if topic == "/wrist_goal":
        w_first(message.pose)
    return [(message, time_ns)]


def swap(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
    if topic == "/joint_goal":
        names, positions = message.joint_names, message.points[0].positions.copy()
        for finger in ("FF", "MF", "RF", "LF"):
            one, two = names.index(f"rh_{finger}J1"), names.index(f"rh_{finger}J2")
            positions[[one, two]] = positions[[two, one]]
        message.points[0].positions = positions
    return [(message, time_ns)]


def one_picture_late() -> Change:
    """Each picture's answer is given for the next one."""
    before: list[Any] = []

    def change(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        if topic != "/hands":
            return [(message, time_ns)]
        own = message.hands
        message.hands = [replace(hand, header=message.header) for hand in before]
        before[:] = own
        return [(message, time_ns)]

    return change


def without_every_fifth(*topics: str) -> Change:
    seen: Counter[str] = Counter()

    def change(topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
        seen[topic] += 1
        drop = (not topics or topic in topics) and seen[topic] % 5 == 3
        return [] if drop else [(message, time_ns)]

    return change


def test_what_was_published_passes_as_it_is(rendered: Path, tmp_path: Path):
    outputs = changed(rendered / "results.mcap", tmp_path / "same", kept)
    result = judged(rendered / "rendered.mcap", outputs, tmp_path)
    assert result.passed and result.verdicts["pass"] == PICTURES
    assert result.figures["hand.found"] == 1.0 and result.figures["goal.joint_error_deg"] < 9.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_hands(mirror), "hands look mirrored"),
        (of_hands(enlarge), "hands look like millimetres for metres"),
        (of_hands(lambda hand: w_first(hand.wrist)), "wrists of hands look like wxyz where xyzw is meant"),
        (wrist_goals_w_first, "wrists of goals look like wxyz where xyzw is meant"),
        (swap, "J1 and J2 of the fingers look swapped"),
        (one_picture_late(), "hands look one picture late"),
        (without_every_fifth("/status", "/joint_goal", "/wrist_goal"), "9 of 45 pictures have no answer"),
        (without_every_fifth("/wrist_goal"), "9 of 45 pictures have no answer"),
    ],
    ids=["mirrored", "mm", "hands wxyz", "goals wxyz", "swapped", "late", "dropped", "half of goals dropped"],
)
def test_what_was_published_wrong_is_red_with_its_name(rendered: Path, tmp_path: Path, change: Change, said: str):
    outputs = changed(rendered / "results.mcap", tmp_path / "wrong", change)
    result = judged(rendered / "rendered.mcap", outputs, tmp_path)
    (reason,) = result.reasons
    assert not result.passed and said in reason


def test_pictures_that_the_recording_lacks_are_named(rendered: Path, tmp_path: Path):
    with Bag(rendered / "rendered.mcap") as bag:
        lose = without_every_fifth(bag.topics.image)
    bag_with_gaps = changed(rendered / "rendered.mcap", tmp_path / "gaps", lose)
    result = judged(bag_with_gaps, rendered / "results.mcap", tmp_path)
    (reason,) = result.reasons
    assert not result.passed and "9 of 45 pictures are missing from the recording" in reason


def watched(pairs: list[Pair]) -> list[str]:
    watch = faults.Watch()
    for pair in pairs:
        watch.add(pair)
    return watch.found()


def mirrored_from(first: int, count: int) -> list[Pair]:
    pairs = moving(count)
    return [
        replace(pair, hand=replace(pair.hand, keypoints=pair.hand.keypoints * [-1.0, 1.0, 1.0]))
        if pair.hand and i >= first
        else pair
        for i, pair in enumerate(pairs)
    ]


def test_a_fault_that_begins_late_is_said_once_with_the_picture():
    (sentence,) = watched(mirrored_from(620, 1000))
    assert sentence.startswith("from picture 600 on hands look mirrored")
    (sentence,) = watched(mirrored_from(300, 500))  # in no window that was whole before the end
    assert sentence.startswith("from picture 200 on hands look mirrored")


def test_a_fault_from_the_beginning_is_said_once_without_it():
    (sentence,) = watched(mirrored_from(0, 1000))
    assert sentence.startswith("hands look mirrored")


def test_a_long_recording_without_a_fault_has_none():
    assert watched(moving(1000)) == []
