"""The worst pictures of an evaluation: which they are, what was found in them, and what is true."""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from hoi_ros.evaluation.evaluate import Evaluation
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.nodes import conversions
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Refused
from hoi_ros.replay.bag import NS, Bag, Frame
from hoi_ros.replay.offline import camera_frame
from hoi_ros.replay.results import typestore
from hoi_ros.types import Array, CameraFrame, HandPose, Intrinsics, JointGoal, Side
from hoi_ros.view import pictures
from hoi_ros.view.evaluation_data import Series, lines
from hoi_ros.view.page import embedded
from hoi_ros.view.render import Picture, zoomed
from hoi_ros.view.robot import of_robot

COUNT = 6  # pictures
LOST = 2  # of them such as were refused or not answered
APART = 16  # they are at least this part of the recording apart: neighbours look alike
SIZE = (360, 480)  # H, W in which a camera's picture is shown
ROBOT = (360, 360)


@dataclass(frozen=True)
class Shown:
    """A picture inside the page."""

    source: str
    width: int
    height: int
    alt: str
    caption: str

    @classmethod
    def of(cls, image: Picture, alt: str, caption: str) -> Shown:
        """A picture (H, W, 3)."""
        return cls(embedded(image), image.shape[1], image.shape[0], alt, caption)


@dataclass(frozen=True)
class Bad:
    """One of the worst pictures."""

    line: dict[str, Any]
    seconds: float  # since the first picture
    images: tuple[Shown, ...]
    notes: tuple[str, ...]  # what cannot be shown, and why


@dataclass(frozen=True)
class Given:
    """What was published for some pictures, by their stamps."""

    hands: dict[int, list[HandPose]]
    goals: dict[int, JointGoal]


def drawn(out: Path, bag: Bag, result: Evaluation, numbers: Series) -> list[Bad]:
    """The worst pictures, drawn. The recording is read up to the last of them, and no longer kept than they are."""
    chosen = chosen_of(numbers)
    if not chosen:
        return []
    parameters = Parameters().with_values(result.conditions["scenario"]["parameters"])
    draw = _Drawing(
        load_hand_model(parameters.hand_model_path), "right" if parameters.robot_hand.endswith("right") else "left"
    )
    found = given(out / "results.mcap", {int(numbers.stamps[index]) for index in chosen})
    said = {line["index"]: line for line in lines(out) if line["index"] in chosen}
    bad = {}
    for index, frame in _frames(bag, chosen):
        line = said[index]
        seconds = (line["stamp_ns"] - int(numbers.stamps[0])) / NS
        bad[index] = Bad(line, seconds, *draw(index, frame, found, line["stamp_ns"]))
    return [bad[index] for index in chosen if index in bad]


def _frames(bag: Bag, chosen: Sequence[int]) -> Iterator[tuple[int, Frame]]:
    """Pictures of the recording by their index: played at another rate, they have other stamps than recorded."""
    for index, frame in enumerate(bag.frames()):
        if index in chosen:
            yield index, frame
        if index >= max(chosen):
            return


class _Drawing:
    """Draws what was found in a picture, what is true of it, and the robot hand's goal."""

    def __init__(self, model: HandModel, side: Side) -> None:
        self._model, self._side = model, side

    def __call__(self, index: int, frame: Frame, found: Given, stamp: int) -> tuple[tuple[Shown, ...], tuple[str, ...]]:
        hands, goal = found.hands.get(stamp, []), found.goals.get(stamp)
        shown: list[Shown] = []
        notes: list[str] = []
        try:
            shown += self._on_camera(index, camera_frame(frame, wants_depth=False), hands, frame.truth)
        except Refused as refused:
            notes.append(f"The camera's picture cannot be shown: {refused.message}.")
        if goal is None:
            notes.append("No goal was made from this picture.")
        else:
            shown.append(self._robot(index, goal))
        return tuple(shown), tuple(notes)

    def _on_camera(
        self, index: int, frame: CameraFrame, hands: Sequence[HandPose], truth: Array | None
    ) -> Iterator[Shown]:
        rgb, camera = _small(frame)
        if hands:
            sides = " and ".join(f"the {hand.side} hand" for hand in hands)
            drawn = pictures.on_camera(rgb, camera, hands, self._model)
            yield Shown.of(drawn, f"Picture {index} with {sides} as found, drawn over it", "what was found")
        else:
            yield Shown.of(rgb, f"Picture {index}, in which no hand was found", "no hand was found")
        if truth is not None and (truth[:, 2] > 0.0).all():
            true = rgb.copy()
            pictures.draw_skeleton(true, camera.project(truth))
            yield Shown.of(true, f"Picture {index} with the true keypoints drawn over it", "what is true")
        elif hands:
            yield Shown.of(rgb, f"Picture {index} as recorded", "as recorded")

    def _robot(self, index: int, goal: JointGoal) -> Shown:
        drawn = of_robot(goal.positions, self._side, ROBOT)
        return Shown.of(drawn, f"The Shadow Hand in its goal for picture {index}", "the Shadow Hand's goal")


def _small(frame: CameraFrame) -> tuple[Picture, Intrinsics]:
    """The picture at the size in which it is shown, with its camera."""
    height, width = frame.rgb.shape[:2]
    scale = min(SIZE[0] / height, SIZE[1] / width)
    return pictures.fitted(frame.rgb, (round(height * scale), round(width * scale))), zoomed(frame.intrinsics, scale)


def measure(numbers: Series) -> str:
    """The figure by which pictures are the worst: an error where there is truth, else the latency."""
    return "hand.r_mpjpe_mm" if numbers.has("hand.r_mpjpe_mm") else "latency.total_ms"


def chosen_of(numbers: Series) -> list[int]:
    """Indices of up to `COUNT` pictures to look at, far from each other.

    First two that were refused or not answered, then those of the largest root-relative error, without truth of the
    largest latency; where there are fewer of one kind, more of the other.
    """
    of = numbers.of(measure(numbers))
    large = [int(i) for i in np.argsort(-of, kind="stable") if np.isfinite(of[i])]
    lost = np.flatnonzero(np.isin(numbers.verdicts, ("refused", "unanswered"))).tolist()
    step = max(len(numbers) // APART, 1)
    large, lost = _apart(large, step), _apart(lost, step)
    rest = COUNT - LOST
    return [*lost[:LOST], *large[:rest], *lost[LOST:], *large[rest:]][:COUNT]


def _apart(ranked: Sequence[int], step: int) -> list[int]:
    """Up to `COUNT` of ``ranked``, from its beginning, no two nearer than ``step``."""
    chosen: list[int] = []
    for index in ranked:
        if all(abs(index - other) >= step for other in chosen):
            chosen.append(index)
        if len(chosen) == COUNT:
            break
    return chosen


def given(path: Path, stamps: Collection[int]) -> Given:
    """Hands and goals for the pictures of ``stamps`` in ``results.mcap``, which is read once, message by message.

    Only the wrist's goal carries the picture's stamp; the two topics of a goal keep their order.
    """
    hands: dict[int, list[HandPose]] = defaultdict(list)
    goals: dict[int, JointGoal] = {}
    waiting: dict[str, deque[bytes]] = {"/joint_goal": deque(), "/wrist_goal": deque()}
    if not stamps:
        return Given(hands, goals)
    with AnyReader([path], default_typestore=typestore()) as reader:
        wanted = {c.topic: c for c in reader.connections if c.topic in ("/hands", *waiting)}

        def read(topic: str, cdr: bytes) -> Any:
            return reader.deserialize(cdr, wanted[topic].msgtype)

        for connection, _, cdr in reader.messages(wanted.values()):
            if connection.topic == "/hands":
                if _stamp(cdr) in stamps:
                    hands[_stamp(cdr)] += map(conversions.hand_pose, read("/hands", cdr).hands)
                continue
            waiting[connection.topic].append(cdr)
            while all(waiting.values()):
                pair = {topic: queue.popleft() for topic, queue in waiting.items()}
                if (stamp := _stamp(pair["/wrist_goal"])) in stamps:
                    goals[stamp] = conversions.joint_goal(*(read(topic, cdr) for topic, cdr in pair.items()))
    return Given(hands, goals)


def _stamp(cdr: bytes) -> int:
    """Of a message's header, its first field, without reading the rest."""
    seconds, rest = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return int(seconds) * NS + int(rest)
