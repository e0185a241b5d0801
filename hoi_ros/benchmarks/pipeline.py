"""The nodes in real time on a looped recording: latency, drops, errors, memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import hoi_ros.demo
from hoi_ros.parameters import Parameters
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.run import Schedule, run_nodes

KEPT = (
    "pictures",
    "goals",
    "refused",
    "dropped",
    "unheard",
    "picture_to_goal_ms",
    "node_latency_ms",
    "age_ms",
    "memory_mb",
)


def run(data: str, duration: float = 60.0, rate: float = 30.0) -> dict[str, Any]:
    """Play ``hand_rgbd/hand_rgbd.mcap`` of the folder ``data`` at ``rate`` Hz for ``duration`` s, in a loop.

    Where there is no such recording, the embedded one is played.
    """
    recording = Path(data) / "hand_rgbd" / "hand_rgbd.mcap"
    path = recording if recording.exists() else hoi_ros.demo.BAG
    with tempfile.TemporaryDirectory() as folder, Bag(path) as bag:
        schedule = Schedule("realtime", loops=0, duration=duration, rate=rate)
        _, summary = run_nodes(bag, Parameters(), Path(folder), schedule, lambda: None)
    result = {"bag": path.name, "seconds": duration, "rate_hz": rate}
    return result | {key: summary[key] for key in KEPT} | {"machine": summary["machine"]}
