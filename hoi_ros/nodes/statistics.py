"""What a node counts about its inputs, for Status and diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

import numpy as np

from hoi_ros.refusals import Reason

WINDOW = 300  # answers that percentiles are taken over: 10 s at 30 Hz


class Statistics:
    """Counts since activation and the last few latencies. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = 0
        self._answered = 0
        self._replaced = 0
        self._taken = 0
        self._longest = 0
        self._refused: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=WINDOW)
        self._ages: deque[float] = deque(maxlen=WINDOW)
        self._since = (time.monotonic(), 0)  # of the last report, with what had been received by then
        self._recent: dict[Reason, str] = {}  # refusals since the last report

    @property
    def replaced(self) -> int:
        """Inputs replaced by newer ones so far."""
        return self._replaced

    @property
    def received(self) -> int:
        """Inputs received so far."""
        return self._received

    def on_received(self, replaced: bool) -> None:
        """An input came, and took the place of another or not."""
        with self._lock:
            self._received += 1
            self._replaced += replaced
            self._longest = max(self._longest, self._received - self._replaced - self._taken)

    def on_taken(self) -> None:
        """The worker took an input."""
        with self._lock:
            self._taken += 1

    def on_answer(self, reason: Reason, message: str, latency: float, age: float) -> None:
        """An input was answered after ``latency`` s, at ``age`` s on the ROS clock; Reason.NONE unless refused."""
        with self._lock:
            self._latencies.append(latency)
            self._ages.append(age)
            if reason is Reason.NONE:
                self._answered += 1
            else:
                self._refused[reason.name.lower()] += 1
                self._recent[reason] = message

    def count(self, what: str, times: int = 1) -> None:
        """Something else worth counting happened."""
        with self._lock:
            self._counts[what] += times

    def report(self) -> tuple[dict[str, str], dict[Reason, str]]:
        """Values for diagnostics, and the refusals since the last report with the newest sentence of each."""
        with self._lock:
            now = time.monotonic()
            then, before = self._since
            values = {
                "input rate (Hz)": f"{(self._received - before) / max(now - then, 1e-3):.1f}",
                "received": str(self._received),
                "answered": str(self._answered),
                "replaced by newer": str(self._replaced),
                "queue high-water mark": str(self._longest),
                **{f"refused: {name}": str(n) for name, n in sorted(self._refused.items())},
                **{name: str(n) for name, n in sorted(self._counts.items())},
                **_percentiles("latency", self._latencies),
                **_percentiles("age", self._ages),
            }
            recent, self._recent, self._since = self._recent, {}, (now, self._received)
            return values, recent


def _percentiles(name: str, values: deque[float]) -> dict[str, str]:
    if not values:
        return {}
    p50, p95 = np.percentile(values, [50, 95])
    return {f"{name} p50 (ms)": f"{p50 * 1e3:.1f}", f"{name} p95 (ms)": f"{p95 * 1e3:.1f}"}
