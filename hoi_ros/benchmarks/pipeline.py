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


def run(data: str, duration: float = 60.0) -> dict[str, Any]:
    """Play ``hand_rgbd/hand_rgbd.mcap`` of the folder ``data``, else the embedded recording, for ``duration`` s."""
    recording = Path(data) / "hand_rgbd" / "hand_rgbd.mcap"
    path = recording if recording.exists() else hoi_ros.demo.BAG
    with tempfile.TemporaryDirectory() as folder, Bag(path) as bag:
        schedule = Schedule("realtime", loops=0, duration=duration)
        _, summary = run_nodes(bag, Parameters(), Path(folder), schedule, lambda: None)
    return (
        {"bag": path.name, "seconds": duration} | {key: summary[key] for key in KEPT} | {"machine": summary["machine"]}
    )
