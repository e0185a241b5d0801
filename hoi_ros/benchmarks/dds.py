"""Round trips between two processes over DDS, with the package's transport setting and with Fast DDS as it comes.

A camera's set of messages (``image`` rgb8 and ``depth`` 16UC1 of 640x480, ``camera_info``; 1.5 MB), best effort as
cameras send and our nodes listen, and reliable; and a ``GraspArray`` of 16. Each goes to another process and back as
bytes, so what is measured is the way, not the making of messages; a trip ends when all of it is back, and is lost when
that takes longer than half a second. "arrived" is the share of trips that were not lost; times are wall times of those.
Both settings run at once in four processes on two ROS domains that nobody else uses, and take turns.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hoi_ros.benchmarks.side_by_side import comparison, result, turns
from hoi_ros.nodes import transport
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.graph import free_domain
from hoi_ros.types import Array

REPOSITORY = Path(__file__).parents[2]
OURS, PEER = "the package's transport", "Fast DDS as it comes"
WHAT = {  # loads of ``dds_end``
    "rgbd_best_effort": "round trip of 640x480 RGB-D, best effort",
    "rgbd_reliable": "round trip of 640x480 RGB-D, reliable",
    "grasps": "round trip of 16 grasps",
}
END = 10.0  # s that a process gets to end by itself


class Ends:
    """Two processes, one that sends and one that answers, with one transport setting. Use as a context manager."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self.middleware = self.profile = ""  # the RMW's name, the file of its transports

    def __enter__(self) -> Ends:
        """Raises Refused(INTERNAL) where they do not find each other."""
        self._log = tempfile.TemporaryFile()
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        own = {"ROS_DOMAIN_ID": str(free_domain()), "PYTHONPATH": path}
        environment = {name: value for name, value in os.environ.items() if name not in transport.CHOICES} | own
        self._processes = [self._start(role, environment) for role in ("echo", "ping")]
        try:
            self.middleware, self.profile = self._answer().split()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            try:
                process.communicate(timeout=END)  # closes its stdin
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self._log.close()

    def trip(self, load: str) -> float:
        """Seconds there and back; NaN when it was lost."""
        stdin = self._processes[-1].stdin
        assert stdin is not None
        stdin.write(f"{load}\n")
        stdin.flush()
        answer = self._answer()
        return np.nan if answer == "lost" else float(answer) / 1e3

    def _start(self, role: str, environment: dict[str, str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hoi_ros.nodes.dds_end", role, self._setting]
        pipe = subprocess.PIPE
        out = pipe if role == "ping" else subprocess.DEVNULL
        return subprocess.Popen(command, stdin=pipe, stdout=out, stderr=self._log, text=True, env=environment)

    def _answer(self) -> str:
        stdout = self._processes[-1].stdout
        assert stdout is not None
        line = stdout.readline().strip()
        if not line:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines() or ["(nothing was logged)"]
            raise Refused(Reason.INTERNAL, f"a process of the round trip ended: {said[-1]}")
        return line


def run(data: str = "", rounds: int = 100, loads: Sequence[str] = tuple(WHAT)) -> dict[str, Any]:  # noqa: ARG001 (all measurements take it)
    """Measure ``rounds`` trips of each load. Raises Refused(INTERNAL) where two processes do not find each other."""
    comparisons = []
    with ExitStack() as stack:
        ends = {OURS: stack.enter_context(Ends("package"))}
        if "fastrtps" in ends[OURS].middleware:
            ends[PEER] = stack.enter_context(Ends("default"))
        for load in loads:
            for end in ends.values():
                end.trip(load)  # the first is slower
            seconds = {name: np.full(rounds, np.nan) for name in ends}
            for number, name in turns(ends, rounds):
                seconds[name][number] = ends[name].trip(load)
            comparisons.append(_row(load, seconds))
        profiles = {name: end.profile for name, end in ends.items()}
        skipped = {} if PEER in ends else {PEER: f"this ROS runs on {ends[OURS].middleware}"}
    return result(comparisons, skipped) | {"profiles": profiles}


def _row(load: str, seconds: dict[str, Array]) -> dict[str, Any]:
    row = comparison(WHAT[load], "two processes on this machine", seconds)
    (_, ours), *theirs = seconds.items()
    row["ours"]["arrived"] = _arrived(ours)
    for name, values in theirs:
        row["peers"][name]["arrived"] = _arrived(values)
    return row


def _arrived(seconds: Array) -> float:
    return float(np.isfinite(seconds).mean())
