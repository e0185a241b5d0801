"""Recordings to evaluate: a small rendered one, and others changed message by message."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

import hoi_ros.demo
from hoi_ros.replay.results import typestore

ROOT = Path(__file__).parents[2]
TRUTH = "/ground_truth/hand_joints"
PICTURES = 14
STORE = typestore()
Change = Callable[[str, Any, int], Iterable[tuple[Any, int]]]


def kept(_topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
    """Nothing is changed."""
    return [(message, time_ns)]


def rewritten(folder: Path, change: Change = kept, pictures: int = PICTURES) -> Path:
    """The first pictures of the demo's bag, each message what ``change`` (topic, message, time) makes of it."""
    return changed(hoi_ros.demo.BAG, folder / "bag", change, pictures=pictures)


def changed(
    source: Path, target: Path, change: Change = kept, topic: Callable[[str], str] = str, pictures: int | None = None
) -> Path:
    """A recording with each message what ``change`` makes of it, under the name that ``topic`` makes of its topic's.

    ``pictures``: as many messages as these and what is beside them.
    """
    with (
        AnyReader([source], default_typestore=STORE) as reader,
        Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        connections = {
            c.topic: writer.add_connection(topic(c.topic), c.msgtype, typestore=STORE) for c in reader.connections
        }
        left = -1 if pictures is None else pictures * len(connections)
        for connection, time_ns, raw in reader.messages():
            if left == 0:
                break
            left -= 1
            message = STORE.deserialize_cdr(raw, connection.msgtype)
            for each, time in change(connection.topic, message, time_ns):
                cdr = STORE.serialize_cdr(each, connection.msgtype)
                writer.write(connections[connection.topic], time, cdr)
    return target / f"{target.name}.mcap"


def shift_stamp(message: Any, by_ns: int) -> Any:
    """The message stamped later."""
    stamp = message.header.stamp
    total = stamp.sec * 10**9 + stamp.nanosec + by_ns
    stamp.sec, stamp.nanosec = divmod(total, 10**9)
    return message


def rendered_small(folder: Path) -> Path:
    """The story of the rendered recording in three seconds of small pictures; takes some seconds."""
    out = folder / "rendered.mcap"
    command = [sys.executable, "tools/render_evaluation_bag.py", "--out", str(out)]
    subprocess.run([*command, "--seconds", "3", "--rate", "15", "--size", "320x240"], cwd=ROOT, check=True, timeout=280)
    return out
