"""What came out of a bag: collected as it comes, and written as files."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hoi_ros.nodes import conversions
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Asked, Frame
from hoi_ros.replay.files import save_goals, save_grasps, save_hands
from hoi_ros.types import Array, Grasp, HandBatch, HandPose, Intrinsics, JointGoal, ObjectState

BEFORE = 0.03  # m: a finger's or a palm's thickness


@dataclass(frozen=True)
class Answer:
    """What one node said about one picture."""

    node: str
    stamp_ns: int
    reason: Reason  # NONE when answered
    message: str
    latency: float  # s in the node
    age: float  # s on the ROS clock


@dataclass
class Results:
    """What the pipeline gave for the pictures of a bag."""

    hands: list[HandPose] = field(default_factory=list)
    refined: list[HandPose] = field(default_factory=list)  # the same after a refiner, where there is one
    goals: list[JointGoal] = field(default_factory=list)
    objects: list[ObjectState] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)  # to pictures
    asked: list[Asked] = field(default_factory=list)  # sentences that were said
    replies: list[Answer] = field(default_factory=list)  # to them
    grasps: list[Grasp] = field(default_factory=list)  # of all of them
    truth: dict[int, Array] = field(default_factory=dict)  # stamp -> (21, 3) m
    true_goals: dict[int, JointGoal] = field(default_factory=dict)  # stamp -> of the picture
    true_hands: dict[int, tuple[HandPose, ...]] = field(default_factory=dict)  # stamp -> in the camera's frame
    true_objects: dict[int, Array] = field(default_factory=dict)  # stamp -> (7,) xyz m + xyzw
    true_object_frame: str = ""  # that `true_objects` are in
    hidden: dict[int, float] = field(default_factory=dict)  # stamp -> share of the true keypoints behind something
    delays: dict[int, float] = field(default_factory=dict)  # stamp -> s from sending the picture to its joint goal
    stamps: list[int] = field(default_factory=list)  # of the pictures that were sent, in their order
    dropped: dict[str, int] = field(default_factory=dict)  # node -> inputs replaced by newer ones while they waited
    memory: list[float] = field(default_factory=list)  # MB, resident, of the nodes' process, about once a second
    hand_model: str = ""
    faults: list[str] = field(default_factory=list)  # what is wrong with all that came
    diagnostics: dict[str, dict[str, str]] = field(default_factory=dict)  # node -> its last values
    intrinsics: Intrinsics | None = None

    def add_picture(self, frame: Frame) -> None:
        """Count a picture that is about to be answered, and keep what it is to be compared with."""
        stamp = frame.image.stamp_ns
        self.stamps.append(stamp)
        if self.intrinsics is None and frame.camera_info is not None:
            with suppress(Refused):  # the nodes say so for each picture
                self.intrinsics = conversions.intrinsics(frame.camera_info.message)
        if frame.truth is not None:
            self.truth[stamp] = frame.truth
            if frame.depth is not None and self.intrinsics is not None:
                with suppress(Refused):
                    self.hidden[stamp] = hidden_share(frame.depth.message, frame.truth, self.intrinsics)
        if frame.true_goal is not None:
            self.true_goals[stamp] = frame.true_goal
        if frame.true_hands:
            self.true_hands[stamp] = frame.true_hands
        if frame.true_object is not None:
            self.true_objects[stamp], self.true_object_frame = frame.true_object, frame.object_frame

    @property
    def sent(self) -> int:
        """Number of pictures."""
        return len(self.stamps)

    def save(self, folder: Path) -> None:
        """Write ``hands.npz`` and ``goals.npz``; ``hands_refined.npz`` and ``grasps.npz`` where there are any."""
        save_hands(folder / "hands.npz", self.hands)
        if self.refined:
            save_hands(folder / "hands_refined.npz", self.refined)
        save_goals(folder / "goals.npz", self.goals)
        if self.grasps and all(grasp.hand.side == "right" for grasp in self.grasps):  # the file knows no left hands
            hands = [grasp.hand for grasp in self.grasps]
            save_grasps(
                folder / "grasps.npz",
                HandBatch.of(hands),
                np.array([hand.keypoints for hand in hands]),
                [str(grasp.affordance) for grasp in self.grasps],
                np.array([grasp.score for grasp in self.grasps]),
            )


def hidden_share(depth: Any, keypoints: Array, intrinsics: Intrinsics) -> float:
    """Share of keypoints (21, 3), m, that something in a depth picture stands before; NaN where none is in sight.

    Keypoints lie inside the hand: only what is ``BEFORE`` nearer hides one.
    """
    metres = conversions.depth(depth, (depth.height, depth.width))
    column, row = np.round(intrinsics.project(keypoints)).astype(int).T
    height, width = metres.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = metres[row[inside], column[inside]]
    known = np.isfinite(seen) & (seen > 0.0)
    return float((seen[known] < keypoints[inside, 2][known] - BEFORE).mean()) if known.any() else float("nan")


class MessageWriter:
    """Writes serialized messages to one MCAP file. Use as a context manager; an interrupted one leaves no file.

    ``types``: of the messages, where they are not this package's as it is.
    """

    def __init__(self, path: Path, types: Typestore | None = None) -> None:
        self._path = path
        self.types = types or typestore()
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> MessageWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(dir=self._path.parent, prefix=".recording"))
        self._writer = Writer(self._folder / "bag", version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        return self

    def write(self, topic: str, msgtype: str, time_ns: int, cdr: bytes) -> None:
        """Append one message received at ``time_ns``."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, msgtype, typestore=self.types)
        self._writer.write(self._connections[topic], time_ns, cdr)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self._writer.close()
            (self._folder / "bag" / "bag.mcap").replace(self._path)
        else:
            self._writer.abort()
        shutil.rmtree(self._folder)


def typestore() -> Typestore:
    """Message types of ROS with those of this package, read from its ``.msg`` files."""
    store = get_typestore(Stores.LATEST)
    for file in sorted(message_definitions().glob("*.msg")):
        store.register(get_types_from_msg(file.read_text(), f"hoi_ros/msg/{file.stem}"))
    return store


def message_definitions() -> Path:
    """Folder of the ``.msg`` files: in the source tree, or in the share/ folder of an installation above this file."""
    for parent in Path(__file__).resolve().parents:
        for folder in (parent / "msg", parent / "share" / "hoi_ros" / "msg"):
            if (folder / "HandPoseArray.msg").is_file():
                return folder
    raise FileNotFoundError("the .msg files of hoi_ros lie in no folder above the installed package")
