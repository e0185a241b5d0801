"""Hands and goals of a ``results.mcap``, read back picture by picture, so that no recording is too long."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hoi_ros.nodes import conversions
from hoi_ros.replay.bag import NS, opened_reader, unreadable
from hoi_ros.replay.results import typestore
from hoi_ros.types import HandPose, JointGoal

T = TypeVar("T")
U = TypeVar("U")
HANDS, GOALS = "/hands", ("/joint_goal", "/wrist_goal")


class _Every:
    def __contains__(self, _: object) -> bool:
        return True


EVERY: Container[int] = _Every()


def hands(path: Path, stamps: Container[int] = EVERY) -> Iterator[tuple[int, list[HandPose]]]:
    """Stamp, ns, and hands of each picture of ``stamps``, in the order published. Raises Refused(FILE)."""
    for _, stamp, read in _messages(path, {HANDS}):
        if stamp in stamps:
            yield stamp, [conversions.hand_pose(hand) for hand in read().hands]


def goals(path: Path, stamps: Container[int] = EVERY) -> Iterator[tuple[int, JointGoal]]:
    """Stamp, ns, and goal of each picture of ``stamps``, in the order published. Raises Refused(FILE).

    Only the wrist's goal carries the picture's stamp; the two topics of a goal keep their order.
    """
    waiting: dict[str, deque[tuple[int, Callable[[], Any]]]] = {topic: deque() for topic in GOALS}
    for topic, stamp, read in _messages(path, {*GOALS}):
        waiting[topic].append((stamp, read))
        while all(waiting.values()):
            (_, joints), (stamp, wrist) = (waiting[topic].popleft() for topic in GOALS)
            if stamp in stamps:
                yield stamp, conversions.joint_goal(joints(), wrist())


def common(ones: Iterator[tuple[int, T]], others: Iterator[tuple[int, U]]) -> Iterator[tuple[int, T, U]]:
    """What two streams, whose stamps rise, have of the same stamps."""
    one, other = next(ones, None), next(others, None)
    while one is not None and other is not None:
        if one[0] == other[0]:
            yield one[0], one[1], other[1]
        behind = one[0] - other[0]
        if behind <= 0:
            one = next(ones, None)
        if behind >= 0:
            other = next(others, None)


def _messages(path: Path, topics: set[str]) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """Topic, the stamp of its header, and what reads the rest, of each message of some topics."""
    with closing(opened_reader(path, typestore())) as reader:
        source = reader.messages([c for c in reader.connections if c.topic in topics])
        while True:
            try:
                connection, _, cdr = next(source)
                stamp = _stamp(cdr)
            except StopIteration:
                return
            except Exception as error:  # a reader of foreign bytes fails in many ways
                raise unreadable(path, error) from None
            yield connection.topic, stamp, partial(reader.deserialize, cdr, connection.msgtype)


def _stamp(cdr: bytes) -> int:
    """Of a message's header, its first field, without reading the rest."""
    seconds, rest = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return int(seconds) * NS + int(rest)
