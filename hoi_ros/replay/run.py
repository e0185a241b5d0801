"""One run of a bag, whichever way, with its files: ``results.mcap``, ``hands.npz``, ``goals.npz``, ``summary.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Asked, Bag
from hoi_ros.replay.graph import Nodes, free_domain
from hoi_ros.replay.results import MessageWriter, Results
from hoi_ros.replay.summary import summarize

MODES = ("lockstep", "realtime")


@dataclass(frozen=True)
class Schedule:
    """How a bag is played to the nodes."""

    mode: str = "lockstep"
    loops: int = 1  # realtime only; 0 is for ever
    duration: float = 0.0  # s, realtime only; 0 is no limit
    rate: float = 0.0  # pictures a second, realtime only; 0 is as recorded
    domain: int | None = None  # ROS domain; None takes one that nobody uses
    timeout: float = 10.0  # s a picture may wait for its answer in lockstep

    def __post_init__(self) -> None:
        """Raises Refused(PARAMETER) for what cannot be played."""
        if self.mode not in MODES:
            raise Refused(Reason.PARAMETER, f"mode is '{self.mode}'; choose one of: {', '.join(MODES)}")
        if self.loops == 0 and self.duration == 0.0:
            raise Refused(Reason.PARAMETER, "loop 0 repeats for ever; give a duration")
        if self.mode == "lockstep" and (self.loops != 1 or self.duration or self.rate):
            raise Refused(Reason.PARAMETER, "lockstep plays a bag once; loop, duration and rate are for realtime")

    def pictures(self, recorded: int) -> int | None:
        """How many pictures of a bag of ``recorded`` will be played, where that is known."""
        return None if self.duration else recorded * self.loops


def play(
    bag: Bag,
    parameters: Parameters,
    out: Path,
    schedule: Schedule | None,
    on_frame: Callable[[], None],
    results: Results,
    said: Sequence[Asked] = (),
) -> None:
    """Play ``bag`` through the nodes, in a process of their own; without a schedule through the pipeline alone.

    ``said``: the sentences that are said meanwhile. What comes is added to ``results`` and written to
    ``results.mcap``; ``on_frame`` is called after each picture.
    """
    out.mkdir(parents=True, exist_ok=True)
    if schedule is None:
        from hoi_ros.replay.offline import play_offline

        with MessageWriter(out / "results.mcap") as writer:
            play_offline(bag, parameters, writer, results, on_frame, said)
    else:
        _play_to_nodes(bag, parameters, out, schedule, on_frame, results, said)


def run_offline(
    bag: Bag, parameters: Parameters, out: Path, on_frame: Callable[[], None], said: Sequence[Asked] = ()
) -> tuple[Results, dict[str, Any]]:
    """Play ``bag`` through the pipeline alone and write its files."""
    results = Results()
    play(bag, parameters, out, None, on_frame, results, said)
    return results, _finish(bag, parameters, "offline", results, out)


def run_nodes(
    bag: Bag,
    parameters: Parameters,
    out: Path,
    schedule: Schedule,
    on_frame: Callable[[], None],
    said: Sequence[Asked] = (),
) -> tuple[Results, dict[str, Any]]:
    """Play ``bag`` through the nodes and write its files."""
    results = Results()
    play(bag, parameters, out, schedule, on_frame, results, said)
    return results, _finish(bag, parameters, schedule.mode, results, out)


def _play_to_nodes(
    bag: Bag,
    parameters: Parameters,
    out: Path,
    schedule: Schedule,
    on_frame: Callable[[], None],
    results: Results,
    said: Sequence[Asked],
) -> None:
    from hoi_ros.nodes.player import Player
    from hoi_ros.pipeline import NONE

    domain = free_domain() if schedule.domain is None else schedule.domain
    overrides = {"use_sim_time": True, "image_transport": "compressed" if bag.compressed else "raw"}
    nodes = Nodes(parameters, domain, out, overrides, bool(said))
    with (
        nodes,
        MessageWriter(out / "results.mcap") as writer,
        Player(
            bag, nodes, domain, writer, parameters.use_depth != "never", results, said, parameters.refiner != NONE
        ) as player,
    ):
        player.await_nodes()
        if schedule.mode == "lockstep":
            player.play_lockstep(schedule.timeout, on_frame)
        else:
            player.play_realtime(schedule.loops, schedule.duration, schedule.rate, on_frame)


def _finish(bag: Bag, parameters: Parameters, mode: str, results: Results, out: Path) -> dict[str, Any]:
    results.save(out)
    summary = summarize(bag, parameters, mode, results)
    (out / "summary.json").write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return summary
