"""Recordings that were cut off, by a robot that lost its power say: what is whole of them is played."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from mcap.reader import NonSeekingReader
from mcap.writer import Writer

from hoi_ros.refusals import Refused
from hoi_ros.replay.bag import Bag, Topics

Source = TypeVar("Source", bound=AbstractContextManager[Any])


def opened(path: Path, topics: Topics) -> AbstractContextManager[tuple[Bag, str]]:
    """A bag, and a sentence on what it lacks; "" where it is whole. Raises Refused as `Bag` does."""
    return whole(path, lambda source: Bag(source, topics))


@contextmanager
def whole(path: Path, read: Callable[[Path], Source]) -> Iterator[tuple[Source, str]]:
    """What ``read`` makes of a recording, or of what is whole of it, and a sentence on what is lacking then.

    Raises Refused as ``read`` does.
    """
    with tempfile.TemporaryDirectory(prefix="hoi_rescue") as folder:
        try:
            found, lacking = read(path), ""
        except Refused:
            copy = Path(folder) / "whole.mcap"
            source = _mcap(path)
            lacking = rescue(source, copy) if source else ""
            if not lacking:
                raise
            found = read(copy)
        with found:
            yield found, lacking


def rescue(path: Path, copy: Path) -> str:
    """Write the whole messages of an MCAP file that was cut off to ``copy``; a sentence on what was lost.

    "" where not one message is whole, or the file has its end and is broken elsewhere.
    """
    messages, read, size = 0, 0, path.stat().st_size
    with path.open("rb") as source, copy.open("wb") as target:
        writer = Writer(target)
        writer.start(profile="ros2")
        schemas: dict[int, int] = {}
        channels: dict[int, int] = {}
        with suppress(Exception):  # a reader of foreign bytes fails in many ways
            for schema, channel, message in NonSeekingReader(source).iter_messages(log_time_order=False):
                if channel.id not in channels:
                    if schema is not None and schema.id not in schemas:
                        schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
                    of = schemas[schema.id] if schema is not None else 0
                    channels[channel.id] = writer.register_channel(
                        channel.topic, channel.message_encoding, of, channel.metadata
                    )
                writer.add_message(
                    channels[channel.id], message.log_time, message.data, message.publish_time, message.sequence
                )
                messages, read = messages + 1, source.tell()
            return ""
        writer.finish()
    if not messages:
        return ""
    return f"{path.name} was cut off: {messages} messages are whole, the first {read / size:.0%} of the file"


def _mcap(path: Path) -> Path | None:
    """The one MCAP file of a recording; None where there is none, or several."""
    files = (
        [path] if path.suffix == ".mcap" and path.is_file() else sorted(path.glob("*.mcap")) if path.is_dir() else []
    )
    return files[0] if len(files) == 1 else None
