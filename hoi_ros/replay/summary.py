"""A run in figures: what ``summary.json`` holds."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from hoi_ros.metrics.hands import score_hands
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.results import Results
from hoi_ros.types import HandPose, Intrinsics

LIBRARIES = ("numpy", "scipy", "mediapipe", "opencv-contrib-python", "smplx", "open3d", "rosbags", "ros-rclpy")


def summarize(bag: Bag, parameters: Parameters, mode: str, results: Results) -> dict[str, Any]:
    """Figures of one run. Errors are there where the bag has ground truth, memory where the nodes had a process."""
    answers = [answer for answer in results.answers if answer.reason is not Reason.REPLACED]  # those are `dropped`
    reasons = {(a.stamp_ns, a.reason) for a in answers if a.reason is not Reason.NONE}
    by_node: dict[str, list[float]] = {}
    for answer in answers:
        by_node.setdefault(answer.node, []).append(answer.latency)
    summary: dict[str, Any] = {
        "bag": {"path": str(bag.path), "sha256": bag.digest, "topics": asdict(bag.topics)},
        "mode": mode,
        "pictures": results.sent,
        "goals": len(results.goals),
        "refused": dict(sorted(Counter(reason.name.lower() for _, reason in reasons).items())),
        "dropped": results.dropped,
        "unheard": _unheard(results),
        "hands": dict(sorted(Counter(hand.side for hand in results.hands).items())),
        "picture_to_goal_ms": spread([*results.delays.values()], 1e3),
        "node_latency_ms": {node: spread(values, 1e3) for node, values in sorted(by_node.items())},
        "age_ms": spread([a.age for a in answers], 1e3),
    }
    if results.refined:
        done = Counter(hand.refinement.partition(":")[0] for hand in results.refined)
        moved = [hand.change for hand in results.refined if hand.change]
        summary["refined"] = {"hands": dict(sorted(done.items())), "moved_mm": spread(moved, 1e3)}
    if results.asked:
        summary["sentences"] = {
            "said": len(results.asked),
            "grasps": len(results.grasps),
            "refused": dict(Counter(a.reason.name.lower() for a in results.replies if a.reason is not Reason.NONE)),
            "latency_ms": spread([a.latency for a in results.replies], 1e3),
        }
    if results.truth and results.intrinsics is not None:
        summary["ground_truth"] = _against_truth(results, results.intrinsics)
    if results.memory:
        settled = results.memory[len(results.memory) // 5 :]  # the first fifth warms up caches
        summary["memory_mb"] = {"start": settled[0], "end": settled[-1], "max": max(settled)}
    if results.diagnostics:
        summary["diagnostics"] = results.diagnostics
    return summary | {"parameters": asdict(parameters), "hand_model": results.hand_model, "machine": machine()}


def spread(values: Sequence[float], scale: float = 1.0) -> dict[str, float]:
    """Median, 95th and 99th percentile and largest value; empty for no values."""
    if not len(values):
        return {}
    p50, p95, p99, most = np.percentile(np.asarray(values) * scale, [50, 95, 99, 100])
    return {"p50": round(p50, 3), "p95": round(p95, 3), "p99": round(p99, 3), "max": round(most, 3)}


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0))
    return {"system": platform.platform(), "python": platform.python_version(), "cores": cores, "versions": versions}


def _unheard(results: Results) -> int:
    """What no node said anything of, lost between the processes: pictures, and hands on their way to a goal.

    Hands that a refiner refused are on no way any more.
    """
    of: dict[str, set[int]] = {"pose_estimation": set(), "retargeting": set()}
    for answer in results.answers:
        of.setdefault(answer.node, set()).add(answer.stamp_ns)
    found = {a.stamp_ns for a in results.answers if a.node == "pose_estimation" and a.reason is Reason.NONE}
    ended = {a.stamp_ns for a in results.answers if a.node == "refinement" and a.reason is not Reason.NONE}
    return results.sent - len(of["pose_estimation"]) + len(found - of["retargeting"] - ended)


def _against_truth(results: Results, intrinsics: Intrinsics) -> dict[str, Any]:
    found: dict[int, list[HandPose]] = {stamp: [] for stamp in results.truth}
    for hand in results.hands:
        if hand.stamp_ns in found:
            found[hand.stamp_ns].append(hand)
    return score_hands((hands, results.truth[stamp], intrinsics) for stamp, hands in found.items())
