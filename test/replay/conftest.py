"""Bags to play."""

from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

import hoi_ros.demo

PICTURES = 12


def copied(source: Path, target: Path, storage: StoragePlugin, pictures: int) -> Path:
    """The first ``pictures`` of a bag, as a rosbag2 folder of another storage."""
    with Reader(source) as reader, Writer(target, version=9, storage_plugin=storage) as writer:
        connections = {}
        for connection in reader.connections:
            topic, msgtype = connection.topic, connection.msgtype
            connections[connection.id] = writer.add_connection(topic, msgtype, typestore=get_typestore(Stores.LATEST))
        left = pictures * len(connections)
        for connection, time_ns, raw in reader.messages():
            if left == 0:
                break
            writer.write(connections[connection.id], time_ns, raw)
            left -= 1
    return target


@pytest.fixture(scope="session")
def short_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the demo's bag, one .mcap."""
    folder = copied(hoi_ros.demo.BAG, tmp_path_factory.mktemp("bag") / "short", StoragePlugin.MCAP, PICTURES)
    return folder / "short.mcap"
