"""A long recording through ``hoi evaluate``: whether its memory stays what it was."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import hoi_ros.demo
from hoi_ros.evaluation.evaluate import evaluate
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.replay.bag import CAMERA_INFO, COMPRESSED, POSES, Bag, Recorded
from hoi_ros.replay.results import MessageWriter
from hoi_ros.replay.summary import machine

SAMPLES = 50  # of the memory


def run(data: str = "", minutes: float = 20.0, mode: str = "offline") -> dict[str, Any]:  # noqa: ARG001  # it brings its own
    """Evaluate the embedded recording's pictures, repeated for ``minutes``; MB of this process over the run."""
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "long.mcap"
        pictures = _repeated(bag, minutes)
        scenario = Scenario.model_validate({"version": 1, "bag": str(bag), "mode": mode})
        memory: list[float] = []
        seen = 0

        def after_picture() -> None:
            nonlocal seen
            if seen % max(1, pictures // SAMPLES) == 0:
                memory.append(_resident())
            seen += 1

        started = time.monotonic()
        result = evaluate(scenario, Path(folder), Path(folder) / "out", after_picture)
        taken = time.monotonic() - started
        size = bag.stat().st_size
    settled = memory[len(memory) // 5 :]
    return {
        "pictures": pictures,
        "minutes": minutes,
        "mode": mode,
        "bag_mb": round(size / 1e6, 1),
        "seconds": round(taken, 1),
        "pictures_per_second": round(pictures / taken, 1),
        "memory_mb": {
            "after_a_fifth": round(settled[0], 1),
            "end": round(settled[-1], 1),
            "most": round(max(settled), 1),
        },
        "passed": result.passed,
        "machine": machine(),
    }


def _repeated(path: Path, minutes: float) -> int:
    """Write the embedded recording again and again; the number of its pictures."""
    pictures = 0
    with Bag(hoi_ros.demo.BAG) as source, MessageWriter(path) as writer:
        frames = list(source.frames())
        period = (
            frames[-1].image.stamp_ns - frames[0].image.stamp_ns + frames[1].image.stamp_ns - frames[0].image.stamp_ns
        )
        topics, stop = source.topics, frames[0].image.stamp_ns + round(minutes * 60e9)
        truths = {recorded.stamp_ns: recorded for _, _, recorded in source.messages({topics.truth})}
        kinds = {topics.image: COMPRESSED, topics.camera_info: CAMERA_INFO}
        for loop in range(round(minutes * 60e9 / period) + 1):
            for frame in frames:
                later = frame.shifted(loop * period)
                if later.image.stamp_ns >= stop:
                    return pictures
                pictures += 1
                beside = {topics.image: later.image, topics.camera_info: later.camera_info}
                for topic, recorded in beside.items():
                    _write(writer, topic, kinds[topic], recorded)
                _write(writer, topics.truth, POSES, truths[frame.image.stamp_ns].shifted(loop * period))
    return pictures


def _write(writer: MessageWriter, topic: str, kind: str, recorded: Recorded | None) -> None:
    if recorded is not None:
        writer.write(topic, kind, recorded.stamp_ns, recorded.cdr)


def _resident() -> float:
    """Resident memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
