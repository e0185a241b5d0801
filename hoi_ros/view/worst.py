"""The worst pictures of an evaluation: which they are, what was found in them, and what is true."""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.evaluate import Evaluation
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.nodes import conversions
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Refused
from hoi_ros.replay.bag import NS, Bag, Frame
from hoi_ros.replay.offline import camera_frame
from hoi_ros.replay.results import typestore
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, CameraFrame, HandPose, Intrinsics, JointGoal, ObjectState, Side
from hoi_ros.view import pictures
from hoi_ros.view.evaluation_data import Series, lines
from hoi_ros.view.grasps import of_points
from hoi_ros.view.page import embedded
from hoi_ros.view.render import Mesh, Picture, picture, zoomed
from hoi_ros.view.robot import of_robot

COUNT = 6  # pictures
LOST = 2  # of them such as were refused or not answered
APART = 16  # they are at least this part of the recording apart: neighbours look alike
SIZE = (360, 480)  # H, W in which a camera's picture is shown
ROBOT = (360, 360)
BONE = 1.7  # px, half the width of a true bone
MOST_POINTS = 4000  # of a found object's cloud


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
    objects: dict[int, ObjectState]


def drawn(out: Path, bag: Bag, result: Evaluation, numbers: Series, solid: ObjectModel | None) -> list[Bad]:
    """The worst pictures, drawn. The recording is read up to the last of them, and no longer kept than they are.

    ``solid``: the true object, for pictures whose true pose of it is known.
    """
    chosen = chosen_of(numbers)
    if not chosen:
        return []
    parameters = Parameters().with_values(result.conditions["scenario"]["parameters"])
    side: Side = "right" if parameters.robot_hand.endswith("right") else "left"
    draw = _Drawing(load_hand_model(parameters.hand_model_path), side, solid)
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

    def __init__(self, model: HandModel, side: Side, solid: ObjectModel | None) -> None:
        self._model, self._side, self._solid = model, side, solid

    def __call__(self, index: int, frame: Frame, found: Given, stamp: int) -> tuple[tuple[Shown, ...], tuple[str, ...]]:
        hands, goal = found.hands.get(stamp, []), found.goals.get(stamp)
        shown: list[Shown] = []
        notes: list[str] = []
        try:
            seen = camera_frame(frame, wants_depth=False)
            rgb, camera = _small(seen)
            thing = found.objects.get(stamp)
            if thing is not None and not _in_view("The found object", thing.frame_id, seen.frame_id, notes):
                thing = None
            shown.append(self._found(index, rgb, camera, hands, thing))
            true = self._true_thing(frame, seen.frame_id, notes)
            shown += self._true(index, rgb, camera, frame, true, bool(hands or thing))
        except Refused as refused:
            notes.append(f"The camera's picture cannot be shown: {refused.message}.")
        if goal is None:
            notes.append("No goal was made from this picture.")
        else:
            shown.append(self._robot(index, goal))
        return tuple(shown), tuple(notes)

    def _true_thing(self, frame: Frame, camera: str, notes: list[str]) -> Mesh | None:
        """The true object where it is, m; None where that is not known, with a note where it should be."""
        if self._solid is None:
            return None
        if frame.true_object is None:
            notes.append("Where the object truly is was not recorded for this picture.")
            return None
        if not _in_view("The true object", frame.object_frame, camera, notes):
            return None
        place = Rotation.from_quat(frame.true_object[3:])
        return Mesh(place.apply(self._solid.vertices) + frame.true_object[:3], self._solid.faces, pictures.TRUE)

    def _found(
        self, index: int, rgb: Picture, camera: Intrinsics, hands: Sequence[HandPose], thing: ObjectState | None
    ) -> Shown:
        what = [f"the {hand.side} hand" for hand in hands]
        if not (hands or thing):
            return Shown.of(rgb, f"Picture {index}, in which no hand was found", "no hand was found")
        caption = "what was found" if hands else "no hand was found"
        many = thing is not None and len(thing.points) > 0
        drawn = pictures.on_camera(rgb, camera, hands, self._model, [_cloud(thing.points)] if thing and many else [])
        if thing is not None:
            what.append("the object")
            caption += f"; the object {'in blue' if many else 'as its axes'}"
            if not many:  # axes lie inside the object: they are drawn over what is before it
                drawn = picture([pictures.axes(thing.pose)], camera, drawn)
        return Shown.of(drawn, f"Picture {index} with {' and '.join(what)} as found, drawn over it", caption)

    def _true(
        self, index: int, rgb: Picture, camera: Intrinsics, frame: Frame, thing: Mesh | None, changed: bool
    ) -> Iterator[Shown]:
        """What is true, where that is known; else the picture alone where it was drawn over."""
        points = frame.truth if frame.truth is not None and (frame.truth[:, 2] > 0.0).all() else None
        what = ["keypoints"] * (points is not None) + ["object"] * (thing is not None)
        if not what:
            if changed:
                yield Shown.of(rgb, f"Picture {index} as recorded", "as recorded")
            return
        if thing is None:
            assert points is not None
            drawn = rgb.copy()
            pictures.draw_skeleton(drawn, camera.project(points))
        else:
            radius = BONE * float(np.median(points[:, 2])) / camera.fx if points is not None else 0.0
            inside = [pictures.skeleton(points, radius)] if points is not None else []
            drawn = pictures.through(rgb, camera, thing, inside, _depth(frame))
        caption = "what is true" + ("; the object in green" if thing is not None else "")
        yield Shown.of(drawn, f"Picture {index} with the true {' and the true '.join(what)} drawn over it", caption)

    def _robot(self, index: int, goal: JointGoal) -> Shown:
        drawn = of_robot(goal.positions, self._side, ROBOT)
        return Shown.of(drawn, f"The Shadow Hand in its goal for picture {index}", "the Shadow Hand's goal")


def _in_view(what: str, frame: str, camera: str, notes: list[str]) -> bool:
    """Whether a frame is the camera's, with a note where it is not."""
    if frame != camera:
        notes.append(f"{what} is in '{frame}', the picture in '{camera}': it is not drawn.")
    return frame == camera


def _cloud(points: Array) -> Mesh:
    """At most `MOST_POINTS` of an object's points, m."""
    return replace(of_points(points[:: -(-len(points) // MOST_POINTS)]), colour=pictures.FOUND)


def _depth(frame: Frame) -> NDArray[np.float32] | None:
    """The depth picture, m, where there is one that can be read."""
    if frame.depth is None:
        return None
    message = frame.depth.message
    try:
        return conversions.depth(message, (message.height, message.width))
    except Refused:
        return None


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
    """What was published for the pictures of ``stamps`` in ``results.mcap``, which is read once, message by message.

    Only the wrist's goal carries the picture's stamp; the two topics of a goal keep their order.
    """
    hands: dict[int, list[HandPose]] = defaultdict(list)
    goals: dict[int, JointGoal] = {}
    objects: dict[int, ObjectState] = {}
    waiting: dict[str, deque[bytes]] = {"/joint_goal": deque(), "/wrist_goal": deque()}
    if not stamps:
        return Given(hands, goals, objects)
    with AnyReader([path], default_typestore=typestore()) as reader:
        wanted = {c.topic: c for c in reader.connections if c.topic in ("/hands", "/object", *waiting)}

        def read(topic: str, cdr: bytes) -> Any:
            return reader.deserialize(cdr, wanted[topic].msgtype)

        for connection, _, cdr in reader.messages(wanted.values()):
            if connection.topic not in waiting:
                if (stamp := _stamp(cdr)) in stamps:
                    message = read(connection.topic, cdr)
                    if connection.topic == "/hands":
                        hands[stamp] += map(conversions.hand_pose, message.hands)
                    else:
                        with suppress(Refused):  # it was refused when it was scored
                            objects[stamp] = conversions.object_state(message)
                continue
            waiting[connection.topic].append(cdr)
            while all(waiting.values()):
                pair = {topic: queue.popleft() for topic, queue in waiting.items()}
                if (stamp := _stamp(pair["/wrist_goal"])) in stamps:
                    goals[stamp] = conversions.joint_goal(*(read(topic, cdr) for topic, cdr in pair.items()))
    return Given(hands, goals, objects)


def _stamp(cdr: bytes) -> int:
    """Of a message's header, its first field, without reading the rest."""
    seconds, rest = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return int(seconds) * NS + int(rest)
