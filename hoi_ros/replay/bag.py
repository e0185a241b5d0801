"""Frames of a recorded bag (MCAP, or a rosbag2 folder of either storage), read without ROS."""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from hoi_ros.nodes import conversions
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandPose, JointGoal

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POSES = "geometry_msgs/msg/PoseArray"
TRUTH = {  # field of `Topics` -> types that it may have
    "truth": (POSES,),
    "true_goal": ("trajectory_msgs/msg/JointTrajectory",),
    "true_wrist": ("geometry_msgs/msg/PoseStamped",),
    "true_object": ("hoi_ros/msg/ObjectState", "geometry_msgs/msg/PoseStamped"),
    "true_hands": ("hoi_ros/msg/HandPoseArray",),
}
ASKED = {"object_cloud": "sensor_msgs/msg/PointCloud2", "instruction": "std_msgs/msg/String"}  # found by type
DEPTH_ENCODINGS = ("16UC1", "32FC1")
LOOK_AHEAD = 200_000_000  # ns of recording within which what belongs to a picture is recorded
NS = 1_000_000_000


@dataclass(frozen=True)
class Topics:
    """Topic names in a bag; empty where there is none, or where they are to be found."""

    image: str = ""
    depth: str = ""
    camera_info: str = ""
    truth: str = ""
    true_goal: str = ""
    true_wrist: str = ""
    object_cloud: str = ""
    instruction: str = ""
    true_object: str = ""
    true_hands: str = ""


@dataclass(frozen=True)
class Recorded:
    """One message as recorded."""

    message: Any  # with the fields of its ROS type
    cdr: bytes
    stamp_ns: int  # of its header

    def shifted(self, by_ns: int) -> Recorded:
        """The same message stamped later. Its first field is a header, whose stamp is bytes 4 to 12 of the CDR."""
        stamp = self.stamp_ns + by_ns
        order = "<" if self.cdr[1] & 1 else ">"
        cdr = self.cdr[:4] + struct.pack(f"{order}iI", *divmod(stamp, NS)) + self.cdr[12:]
        return replace(self, cdr=cdr, stamp_ns=stamp)


@dataclass(frozen=True)
class Frame:
    """One picture with what was recorded for it."""

    image: Recorded
    depth: Recorded | None
    camera_info: Recorded | None  # the one of the nearest stamp, however old
    truth: Array | None  # (21, 3) m, camera frame
    true_goal: JointGoal | None = None
    time_ns: int = 0  # when the picture was recorded
    true_hands: tuple[HandPose, ...] = ()  # in the camera's frame
    true_object: Array | None = None  # (7,) xyz m + xyzw, in `object_frame`
    object_frame: str = ""

    def shifted(self, by_ns: int) -> Frame:
        """The same picture at a later time."""
        depth = self.depth.shifted(by_ns) if self.depth else None
        camera_info = self.camera_info.shifted(by_ns) if self.camera_info else None
        return replace(self, image=self.image.shifted(by_ns), depth=depth, camera_info=camera_info)


@dataclass(frozen=True)
class Asked:
    """A sentence that is said at a time of the recording, about the cloud that was there then."""

    time_ns: int
    sentence: str
    cloud: Recorded
    true_object: Array | None = None  # (7,) xyz m + xyzw: of the object in the cloud's frame


class Bag:
    """A recorded bag. Use as a context manager; iterate over `frames()` as often as wanted.

    Raises Refused(FILE) naming the bag and what is wrong with it, on opening and while reading.
    """

    def __init__(self, path: str | Path, topics: Topics | None = None) -> None:
        self.path = Path(path)
        self._types = get_typestore(Stores.LATEST)
        self._reader = opened_reader(self.path, self._types)
        try:
            self.topics = self._find(topics or Topics())
        except BaseException:
            self.close()
            raise
        self.compressed = self._connections(self.topics.image)[0].msgtype == COMPRESSED

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __len__(self) -> int:
        return sum(c.msgcount for c in self._connections(self.topics.image))

    @property
    def digest(self) -> str:
        """sha256 of the recording's bytes."""
        return digest(self.path)

    def frames(self, slop_ns: int = 10_000_000) -> Iterator[Frame]:
        """Pictures in the order recorded, with the depth and truth of the nearest stamp, at most ``slop_ns`` off.

        True keypoints are those of ``truth``, in a bag without them those of the first of ``true_hands``.
        """
        waiting: deque[tuple[int, Recorded]] = deque()
        topics = {name: field for field, name in asdict(self.topics).items() if name and field not in ASKED}
        beside: dict[str, deque[Recorded]] = {field: deque(maxlen=64) for field in topics.values()}

        def complete(time_ns: int, image: Recorded) -> Frame:
            def near(field: str, slop: float = slop_ns) -> Recorded | None:
                return _nearest(beside.get(field, ()), image.stamp_ns, slop)

            truth, goal, wrist = near("truth"), near("true_goal"), near("true_wrist")
            hands, thing = _hands(near("true_hands")), near("true_object")
            keypoints = conversions.keypoints(truth.message) if truth else None
            if not self.topics.truth and hands:
                keypoints = hands[0].keypoints
            return Frame(
                image,
                near("depth"),
                near("camera_info", math.inf),
                keypoints,
                conversions.joint_goal(goal.message, wrist.message) if goal and wrist else None,
                time_ns,
                hands,
                conversions.rigid_pose(thing.message.pose) if thing else None,
                thing.message.header.frame_id if thing else "",
            )

        for topic, time_ns, recorded in self.messages(topics.keys()):
            while waiting and time_ns > waiting[0][0] + LOOK_AHEAD:
                yield complete(*waiting.popleft())
            if topic == self.topics.image:
                waiting.append((time_ns, recorded))
            else:
                beside[topics[topic]].append(recorded)
        for each in waiting:
            yield complete(*each)

    def asked(self, said: Sequence[tuple[float, str]] = ()) -> list[Asked]:
        """Every sentence with the last cloud before it, with the first one of all where there is none before.

        ``said``: when (s after the first picture) and what, in place of the recording's own sentences. Without a topic
        of clouds, depth pictures are made ones. Raises Refused(FILE) where something is said and there is neither.
        """
        if not said and not (self.topics.instruction and self.topics.object_cloud):
            return []
        first = next(self.frames()).time_ns
        left = deque(sorted([(first + round(at * NS), text) for at, text in said] or self._sentences()))
        found: list[Asked] = []
        last: Callable[[], Recorded] | None = None
        for time_ns, cloud in self._clouds():
            while left and last is not None and left[0][0] < time_ns:
                found.append(Asked(*left.popleft(), last()))
            last = cloud
        return self._with_objects(found + [Asked(*each, last()) for each in left if last is not None])

    def _clouds(self) -> Iterator[tuple[int, Callable[[], Recorded]]]:
        """When there was a cloud, and what gives it: those of depth are made where they are wanted."""
        if self.topics.object_cloud:
            for _, time_ns, recorded in self.messages({self.topics.object_cloud}):
                yield time_ns, partial(_same, recorded)
            return
        if not self.topics.depth:
            raise Refused(
                Reason.FILE, f"{self.path} has neither an object cloud ({ASKED['object_cloud']}) nor depth to speak of"
            )
        for frame in self.frames():
            if frame.depth is not None and frame.camera_info is not None:
                yield frame.time_ns, partial(self._cloud_of, frame.depth, frame.camera_info.message)

    def _cloud_of(self, depth: Recorded, camera_info: Any) -> Recorded:
        from hoi_ros.nodes.serialized import as_bytes  # the pipeline with it, which bags do without

        cloud = conversions.depth_cloud(depth.message, camera_info)
        return Recorded(cloud, as_bytes(cloud, self._types)[1], depth.stamp_ns)

    def _with_objects(self, asked: list[Asked], slop_ns: int = 50_000_000) -> list[Asked]:
        """The same with where the object truly was, by the stamps of the clouds."""
        if not self.topics.true_object:
            return asked
        poses = {recorded.stamp_ns: recorded for _, _, recorded in self.messages({self.topics.true_object})}
        near = (_nearest(poses.values(), each.cloud.stamp_ns, slop_ns) for each in asked)
        return [
            replace(each, true_object=conversions.pose_array(pose.message.pose) if pose else None)
            for each, pose in zip(asked, near, strict=True)
        ]

    def _sentences(self) -> list[tuple[int, str]]:
        connections = self._connections(self.topics.instruction)
        return [
            (time_ns, self._reader.deserialize(raw, connection.msgtype).data)  # type: ignore[attr-defined]
            for connection, time_ns, raw in self._reader.messages(connections)
        ]

    def messages(self, names: Set[str]) -> Iterator[tuple[str, int, Recorded]]:
        """Topic, time of recording and content of every message of some topics, whose types have headers."""
        connections = [c for c in self._reader.connections if c.topic in names]
        source = self._reader.messages(connections)
        while True:
            try:
                connection, time_ns, raw = next(source)
                message = self._reader.deserialize(raw, connection.msgtype)
            except StopIteration:
                return
            except Exception as error:
                raise unreadable(self.path, error) from None
            stamp = message.header.stamp  # type: ignore[attr-defined]
            stamp_ns = stamp.sec * NS + stamp.nanosec
            yield connection.topic, time_ns, Recorded(message, bytes(raw), stamp_ns or time_ns)

    def _connections(self, topic: str) -> list[Connection]:
        return [c for c in self._reader.connections if c.topic == topic]

    def _find(self, wanted: Topics) -> Topics:
        """Topics by name where wanted, else by type; colour and depth are told apart by their encoding."""
        kinds = {c.topic: c.msgtype for c in self._reader.connections if c.msgcount}
        for name in asdict(wanted).values():
            if name and name not in kinds:
                raise Refused(Reason.FILE, f"{self.path} has no topic '{name}'; it has: {', '.join(sorted(kinds))}")
        for field, right in TRUTH.items():
            name = getattr(wanted, field)
            if name and kinds[name] not in right:
                raise Refused(Reason.FILE, f"'{name}' of {self.path} is a {kinds[name]}, not a {' or '.join(right)}")
        colour: list[str] = []
        depths: list[str] = []
        for topic in (t for t, kind in kinds.items() if kind in (IMAGE, COMPRESSED)):
            first = self._first(topic)
            encoding = first.encoding if hasattr(first, "encoding") else first.format
            is_depth = encoding in DEPTH_ENCODINGS or "compressedDepth" in encoding
            (depths if is_depth else colour).append(topic)
        image = wanted.image or _pick(colour, "color", "rgb", "colour")
        if not image:
            raise Refused(Reason.FILE, f"{self.path} has no colour pictures; its topics: {', '.join(sorted(kinds))}")
        raw_depth = [t for t in depths if kinds[t] == IMAGE]
        infos = sorted(t for t, kind in kinds.items() if kind == CAMERA_INFO)
        near = max(infos, key=lambda t: _shared(t, image), default="")
        truth = wanted.truth or _pick([t for t, kind in kinds.items() if kind == POSES], "hand", "truth")
        depth = wanted.depth or _pick(raw_depth, "aligned", "registered")
        cloud, sentence = (
            getattr(wanted, field) or next(iter(sorted(t for t, each in kinds.items() if each == kind)), "")
            for field, kind in ASKED.items()
        )
        wanted = replace(wanted, object_cloud=cloud, instruction=sentence)
        return replace(wanted, image=image, depth=depth, camera_info=wanted.camera_info or near, truth=truth)

    def _first(self, topic: str) -> Any:
        try:
            connection, _, raw = next(self._reader.messages(self._connections(topic)))
            return self._reader.deserialize(raw, connection.msgtype)
        except Exception as error:
            raise unreadable(self.path, error) from None


def opened_reader(path: Path, types: Typestore) -> AnyReader:
    """A reader of a bag's messages, open. Raises Refused(FILE) naming what is wrong with it."""
    if not path.exists():
        raise Refused(Reason.FILE, f"{path} does not exist")
    if path.suffix == ".bag":
        raise Refused(Reason.FILE, f"{path} is a ROS 1 bag; convert it with: rosbags-convert")
    try:
        reader = AnyReader([path], default_typestore=types)
        reader.open()
    except Exception as error:  # a reader of foreign bytes fails in many ways
        raise unreadable(path, error) from None
    return reader


def unreadable(path: Path, error: Exception) -> Refused:
    """The refusal of a bag that a reader stumbled over."""
    why = " ".join(str(error).split()) or type(error).__name__
    return Refused(Reason.FILE, f"{path} cannot be read as a bag: {why}")


def digest(path: Path) -> str:
    """sha256 of a recording's bytes."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    total = sha256()
    for file in files:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                total.update(block)
    return total.hexdigest()


def _same(recorded: Recorded) -> Recorded:
    return recorded


def _hands(recorded: Recorded | None) -> tuple[HandPose, ...]:
    """True hands; none where one of them cannot be used, as of keypoints."""
    try:
        return tuple(map(conversions.hand_pose, recorded.message.hands)) if recorded else ()
    except Refused:
        return ()


def _nearest(candidates: Iterable[Recorded], stamp_ns: int, slop_ns: float) -> Recorded | None:
    best = min(candidates, key=lambda r: abs(r.stamp_ns - stamp_ns), default=None)
    return best if best is not None and abs(best.stamp_ns - stamp_ns) <= slop_ns else None


def _shared(a: str, b: str) -> int:
    """How many leading names two topics share."""
    return next((i for i, (x, y) in enumerate(zip(a.split("/"), b.split("/"), strict=False)) if x != y), 99)


def _pick(topics: list[str], *words: str) -> str:
    """The first topic by name, those with one of ``words`` in their name first."""
    return min(topics, key=lambda t: (not any(w in t.lower() for w in words), t), default="")
