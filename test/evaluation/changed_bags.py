"""Recordings changed message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

import hoi_ros.demo

TRUTH = "/ground_truth/hand_joints"
PICTURES = 14
STORE = get_typestore(Stores.LATEST)
Change = Callable[[str, Any, int], Iterable[tuple[Any, int]]]


def kept(_topic: str, message: Any, time_ns: int) -> Iterable[tuple[Any, int]]:
    """Nothing is changed."""
    return [(message, time_ns)]


def rewritten(folder: Path, change: Change = kept, pictures: int = PICTURES) -> Path:
    """The first pictures of the demo's bag, each message what ``change`` (topic, message, time) makes of it."""
    with (
        Reader(hoi_ros.demo.BAG) as reader,
        Writer(folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        connections = {c.topic: writer.add_connection(c.topic, c.msgtype, typestore=STORE) for c in reader.connections}
        left = pictures * len(connections)
        for connection, time_ns, raw in chain(reader.messages()):
            if left == 0:
                break
            left -= 1
            message = STORE.deserialize_cdr(raw, connection.msgtype)
            for each, time in change(connection.topic, message, time_ns):
                cdr = STORE.serialize_cdr(each, connection.msgtype)
                writer.write(connections[connection.topic], time, cdr)
    return folder / "bag" / "bag.mcap"


def shift_stamp(message: Any, by_ns: int) -> Any:
    """The message stamped later."""
    stamp = message.header.stamp
    total = stamp.sec * 10**9 + stamp.nanosec + by_ns
    stamp.sec, stamp.nanosec = divmod(total, 10**9)
    return message
