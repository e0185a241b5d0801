"""What waits between a callback and the worker: at most one input, the depth that belongs to it, and goals."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_GOALS = 4  # that wait while one is worked on


class Mailbox(Generic[T]):
    """One slot: a newer input replaces the one that waits. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._slot: T | None = None
        self._closed = False

    def put(self, item: T) -> T | None:
        """Leave ``item``; the one that waited and is replaced by it, None where nothing waited."""
        with self._changed:
            replaced, self._slot = self._slot, item
            self._changed.notify()
            return replaced

    def wait(self) -> bool:
        """Block until something waits; False when closed instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting() or self._closed)
            return not self._closed

    def take(self) -> T | None:
        """What waits, if anything does; nothing once closed."""
        with self._changed:
            if self._closed:
                return None
            item, self._slot = self._slot, None
            return item

    def close(self) -> None:
        """End all waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _waiting(self) -> bool:
        return self._slot is not None


class GoalMailbox(Mailbox[T]):
    """A mailbox with a short queue of goals, which nothing replaces and which are taken first. Thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._goals: deque[T] = deque()

    def put_goal(self, item: T) -> bool:
        """Leave a goal behind those that wait; False when `MOST_GOALS` do, or all is closed."""
        with self._changed:
            if self._closed or len(self._goals) >= MOST_GOALS:
                return False
            self._goals.append(item)
            self._changed.notify()
            return True

    def take(self) -> T | None:
        """The goal that has waited longest, else what is in the slot; nothing once closed."""
        with self._changed:
            if self._goals and not self._closed:
                return self._goals.popleft()
        return super().take()

    def left(self) -> list[T]:
        """What nobody took before the mailbox was closed; it is taken by this."""
        with self._changed:
            items = [*self._goals, *([] if self._slot is None else [self._slot])]
            self._goals.clear()
            self._slot = None
            return items

    def _waiting(self) -> bool:
        return bool(self._goals) or super()._waiting()


class StampedBuffer(Generic[T]):
    """The last few messages of a topic, found by stamp. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._changed = threading.Condition()
        self._items: deque[tuple[int, T]] = deque(maxlen=size)

    def put(self, stamp: int, item: T) -> None:
        """Keep ``item`` of ``stamp``, ns."""
        with self._changed:
            self._items.append((stamp, item))
            self._changed.notify_all()

    def wait_for(self, stamp: int, slop: int, deadline: float) -> T | None:
        """The item nearest to ``stamp`` within ``slop``, ns; None when there is none by ``deadline`` (monotonic s)."""
        with self._changed:
            self._changed.wait_for(lambda: self._nearest(stamp, slop) is not None, deadline - time.monotonic())
            return self._nearest(stamp, slop)

    def stamps(self) -> list[int]:
        """Stamps kept, ns, oldest first."""
        with self._changed:
            return [stamp for stamp, _ in self._items]

    def _nearest(self, stamp: int, slop: int) -> T | None:
        distance, item = min(
            ((abs(s - stamp), i) for s, i in self._items), key=lambda p: p[0], default=(slop + 1, None)
        )
        return item if distance <= slop else None
