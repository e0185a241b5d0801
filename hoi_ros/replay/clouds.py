"""The object clouds of a recording, as somebody who listens meanwhile has them."""

from __future__ import annotations

from collections.abc import Iterator

from hoi_ros.nodes import conversions
from hoi_ros.replay.bag import Bag, Recorded
from hoi_ros.scene.nearby import holds
from hoi_ros.types import ObjectCloud


class ObjectClouds:
    """Clouds that a bag holds on its topic of them, in the order recorded."""

    def __init__(self, bag: Bag) -> None:
        self._bag = bag
        self._source: Iterator[tuple[str, int, Recorded]] = iter(())
        self._next: tuple[str, int, Recorded] | None = None
        self._time: int | None = None  # that was asked for last

    def until(self, time_ns: int) -> Recorded | None:
        """The last one recorded up to a time, where it was not given before. A time before the last one starts anew."""
        if self._time is None or time_ns < self._time:
            topic = self._bag.topics.object_cloud
            self._source = self._bag.messages({topic}) if topic else iter(())
            self._next = next(self._source, None)
        self._time = time_ns
        found = None
        while self._next is not None and self._next[1] <= time_ns:
            found, self._next = self._next[2], next(self._source, None)
        return found


class KnownCloud:
    """The cloud that a node would hold which hears them."""

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age  # s
        self._recorded: Recorded | None = None
        self._read: ObjectCloud | None = None

    def hear(self, recorded: Recorded | None) -> None:
        """Another one, if it is one."""
        if recorded is not None:
            self._recorded, self._read = recorded, None

    def at(self, stamp_ns: int) -> ObjectCloud | None:
        """What is known at a stamp, ns. Raises Refused: CLOUD, FRAME."""
        recorded = self._recorded
        if recorded is None or not holds(conversions.stamp_ns(recorded.message.header), stamp_ns, self._max_age):
            return None
        if self._read is None:
            self._read = conversions.object_cloud(recorded.message)
        return self._read
