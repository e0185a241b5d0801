"""What was published is on record: it is read beside the pictures that it answers, and nothing runs.

Outputs belong to the picture whose stamp they carry. They are read about as far as the pictures are, so that no
recording is too long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.typesys.store import Typestore

from hoi_ros.nodes import conversions
from hoi_ros.nodes.listener import Listener
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import NS, Asked, Bag, digest, opened_reader, unreadable
from hoi_ros.replay.rescue import whole
from hoi_ros.replay.results import Answer, MessageWriter, Results, typestore

KNOWN = {  # topics by the last part of their names, and their types
    "hands": "hoi_ros/msg/HandPoseArray",
    "hands_refined": "hoi_ros/msg/HandPoseArray",
    "joint_goal": "trajectory_msgs/msg/JointTrajectory",
    "wrist_goal": "geometry_msgs/msg/PoseStamped",
    "object": "hoi_ros/msg/ObjectState",
    "grasps": "hoi_ros/msg/GraspArray",
    "status": "hoi_ros/msg/Status",
}
GOAL = ("joint_goal", "wrist_goal")
REASONS = frozenset(map(int, Reason))
AHEAD = 2 * NS  # ns of stamps that outputs are read ahead of the pictures: their order is not the pictures' own
HELD = 1000  # stamps whose picture may still come


@dataclass(frozen=True)
class Published:
    """One message of the outputs."""

    name: str  # of its topic, of `KNOWN`
    time_ns: int  # when it was recorded
    cdr: bytes
    message: Any

    @property
    def stamp_ns(self) -> int:
        """Of its header."""
        return conversions.stamp_ns(self.message.header)


class Outputs:
    """A recording of what was published. Use as a context manager.

    Raises Refused(FILE) naming the recording and what is wrong with it, on opening and while reading.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = opened_reader(path, typestore())
        try:
            self._connections = self._find()
        except BaseException:
            self._reader.close()
            raise
        self.lacking: list[str] = []  # a sentence on each thing
        if "status" not in map(_name, self._connections):
            self.lacking.append(f"{path.name} has no topic 'status': nobody's refusals and replies are known")

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def digest(self) -> str:
        """sha256 of the recording's bytes."""
        return digest(self.path)

    @property
    def types(self) -> Typestore:
        """The recording's own message types: older ones lack fields."""
        return self._reader.typestore

    def messages(self) -> Iterator[Published]:
        """Every message of a known topic, in the order recorded."""
        source = self._reader.messages(self._connections)
        while True:
            try:
                connection, time_ns, raw = next(source)
                message = self._reader.deserialize(raw, connection.msgtype)
            except StopIteration:
                return
            except Exception as error:  # a reader of foreign bytes fails in many ways
                raise unreadable(self.path, error) from None
            yield Published(_name(connection), time_ns, bytes(raw), message)

    def _find(self) -> list[Connection]:
        there = sorted(self._reader.connections, key=lambda connection: connection.topic)
        found = [c for c in there if c.msgcount and KNOWN.get(_name(c)) == c.msgtype]
        topics: dict[str, str] = {}
        for each in found:
            if (other := topics.setdefault(_name(each), each.topic)) != each.topic:
                both = f"'{other}' and '{each.topic}'"
                raise Refused(Reason.FILE, f"{self.path} has two topics '{_name(each)}': {both}; leave one out")
        if not found:
            has = ", ".join(f"{c.topic} ({c.msgtype})" for c in there) or "nothing"
            known = ", ".join(f"{name} ({kind})" for name, kind in KNOWN.items())
            raise Refused(Reason.FILE, f"{self.path} holds no outputs; they are: {known}; it has: {has}")
        return found


def _name(connection: Connection) -> str:
    return connection.topic.rpartition("/")[2]


@contextmanager
def opened_outputs(path: Path) -> Iterator[Outputs]:
    """Outputs, or what is whole of them where they were cut off. Raises Refused as `Outputs` does."""
    with whole(path, Outputs) as (outputs, cut):
        outputs.lacking += [cut] if cut else []
        yield outputs


def play_recorded(
    bag: Bag, outputs: Outputs, out: Path, results: Results, on_frame: Callable[[], None], said: Sequence[Asked] = ()
) -> None:
    """Every picture of ``bag`` with the outputs of its stamp, which are copied to ``results.mcap`` in ``out``.

    ``said``: the sentences that grasps are about. Without one stamp in common ``results.faults`` says so.
    """
    results.asked += said
    with MessageWriter(out / "results.mcap", outputs.types) as writer:
        answers, pictures = _Answers(outputs, Listener(results), writer), _Span()
        for frame in bag.frames():
            stamp = frame.image.stamp_ns
            pictures.add(stamp)
            results.add_picture(frame)
            answers.give(stamp)
            on_frame()
        answers.read_on(None)
    if not answers.known and answers.span:
        results.faults.append(
            f"no stamp of the outputs is one of the pictures': they go {answers.span}, those of the pictures {pictures}"
        )


class _Span:
    """First and last of some stamps; false where there are none."""

    def __init__(self) -> None:
        self._ends: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return self._ends is not None

    def add(self, stamp: int) -> None:
        """One more."""
        first, last = self._ends or (stamp, stamp)
        self._ends = (min(first, stamp), max(last, stamp))

    def __str__(self) -> str:
        first, last = self._ends or (0, 0)
        return f"from {first / NS:.3f} to {last / NS:.3f} s"


class _Answers:
    """Gives what was published for a picture to a `Listener`, as it would have heard it."""

    def __init__(self, outputs: Outputs, listener: Listener, writer: MessageWriter) -> None:
        self._source, self._listener, self._writer = outputs.messages(), listener, writer
        self._goals = _Goals()
        self._waiting: dict[int, list[tuple[Published, ...]]] = {}  # by stamp
        self._read: int | None = None  # stamp of the last one
        self.span = _Span()
        self.known = False  # whether any stamp was that of a picture

    def give(self, stamp: int) -> None:
        """What answers the picture of a stamp."""
        self.read_on(stamp + AHEAD)
        for belonging in self._waiting.pop(stamp, ()):
            self.known = True
            self._hear(belonging, stamp)

    def read_on(self, until: int | None) -> None:
        """Read until a stamp is later; None: to the end."""
        while until is None or self._read is None or self._read <= until:
            each = next(self._source, None)
            if each is None:
                for pair in self._goals.left():
                    self._keep(pair)
                return
            if each.name == "grasps" or (each.name == "status" and each.message.node == "grasp_synthesis"):
                self._hear((each,), each.stamp_ns)  # of no picture
            elif each.name in GOAL:
                for pair in self._goals.take(each):
                    self._keep(pair)
            else:
                self._keep((each,))

    def _keep(self, belonging: tuple[Published, ...]) -> None:
        """Hold messages of one picture until it comes; the last of them has its stamp."""
        self._read = stamp = belonging[-1].stamp_ns
        self.span.add(stamp)
        self._waiting.setdefault(stamp, []).append(belonging)
        if len(self._waiting) > HELD:
            del self._waiting[next(iter(self._waiting))]

    def _hear(self, belonging: tuple[Published, ...], stamp: int) -> None:
        try:
            for each in belonging:
                _ensure_usable(each)
            for each in belonging:
                getattr(self._listener, f"on_{each.name}")(each.message)
                self._writer.write(f"/{each.name}", KNOWN[each.name], each.time_ns, each.cdr)
        except Refused as refused:
            why = f"{each.name} of the outputs: {refused.message}"
            self._listener.results.answers.append(Answer("player", stamp, refused.reason, why, 0.0, 0.0))


def _ensure_usable(each: Published) -> None:
    """Raises Refused: NOT_FINITE for a goal that no robot could go to, FILE for an unknown reason.

    Of the other messages the `Listener` says so.
    """
    message = each.message
    if each.name == "joint_goal":
        names, positions = len(message.joint_names), message.points[-1].positions
        if len(positions) != names or not np.isfinite(positions).all():
            raise Refused(Reason.NOT_FINITE, f"{names} joints have the positions {positions}")
    elif each.name == "wrist_goal":
        pose = conversions.pose_array(message.pose)
        if not (np.isfinite(pose).all() and pose[3:].any()):
            raise Refused(Reason.NOT_FINITE, f"{pose} is no pose")
    elif each.name == "status" and message.reason not in REASONS:
        raise Refused(Reason.FILE, f"reason {message.reason} is not known here")


class _Goals:
    """Joint goals and wrists that belong together: only the wrist's stamp tells the picture.

    They are recorded one right after the other. Where one of them is lost, the other is left out, and not taken for
    that of the next picture.
    """

    def __init__(self) -> None:
        self._joints, self._wrists = (deque[Published](maxlen=HELD) for _ in GOAL)

    def take(self, each: Published) -> list[tuple[Published, ...]]:
        """Add one of either; the pairs that are known now."""
        if each.name == "wrist_goal":
            self._wrists.append(each)
        elif len(each.message.points):  # without, it stops a robot
            self._joints.append(each)
        return self._pairs(ended=False)

    def left(self) -> list[tuple[Published, ...]]:
        """The pairs that no further message will tell."""
        return self._pairs(ended=True)

    def _pairs(self, ended: bool) -> list[tuple[Published, ...]]:
        found: list[tuple[Published, ...]] = []
        while self._joints and self._wrists:
            older, newer = sorted((self._joints, self._wrists), key=lambda queue: queue[0].time_ns)
            apart = newer[0].time_ns - older[0].time_ns
            if len(older) > 1 and abs(newer[0].time_ns - older[1].time_ns) < apart:
                older.popleft()  # the other half is lost
            elif older is self._wrists and len(older) == 1 and apart and not ended:
                break  # either its goal is lost or the two were recorded the wrong way round: the next wrist tells
            else:
                found.append((self._joints.popleft(), self._wrists.popleft()))
        return found
