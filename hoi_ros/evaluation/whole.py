"""Figures of a whole recording, from what was kept of its pictures."""

from __future__ import annotations

import numpy as np
from scipy.integrate import trapezoid

from hoi_ros.evaluation.figures import FRAME_FIGURES
from hoi_ros.evaluation.scoring import Kept
from hoi_ros.refusals import Reason
from hoi_ros.replay.bag import NS
from hoi_ros.replay.results import Results
from hoi_ros.types import Array


def whole(kept: Kept, results: Results) -> dict[str, float]:
    """Every figure there is data for, by name. ``results``: what pictures do not have: sentences, and memory."""
    figures = {name: float(np.nanmean(kept.figures[name])) for name in FRAME_FIGURES if kept.figures.get(name)}
    count = len(kept.stamps)
    figures["frames"] = float(count)
    if not count:
        return figures
    verdicts = {name: kept.verdicts.get(name, 0) / count for name in ("pass", "fail", "refused", "unanswered")}
    figures |= {
        "answered": 1.0 - verdicts["unanswered"],
        "refused": verdicts["refused"],
        "unanswered": verdicts["unanswered"],
        "failed": verdicts["fail"],
        "lost": float(kept.lost),
    }
    stamps = np.array(kept.stamps)
    figures["backwards"] = float((np.diff(stamps) <= 0).sum())
    if count > 2:
        figures["missing"] = missing(stamps)
    if kept.true_hands:
        figures["hand.found"] = kept.found / kept.true_hands
    if kept.found:
        figures["hand.auc"] = float(trapezoid(kept.within / kept.found, dx=1.0 / (len(kept.within) - 1)))
    if kept.objects:
        figures["object.found"] = kept.objects / kept.true_objects
    if kept.recalled is not None:
        figures["object.add_05d"] = kept.recalled / kept.true_objects
    if len(kept.figures.get("hand.acceleration", ())):
        figures["hand.acceleration_error_m_s2"] = float(np.mean(kept.figures["hand.acceleration"]))
    if kept.goals:
        if kept.coupling is not None:
            figures["goal.coupling_violation_rad"] = kept.coupling
        span = (stamps[-1] - stamps[0]) / NS
        if span > 0.0:
            figures["goal.rate_hz"] = (kept.goals - 1) / span
    if len(kept.figures.get("goal.jerk", ())):
        figures["goal.jerk_p95_rad_s3"] = float(np.percentile(kept.figures["goal.jerk"], 95))
    if delays := kept.figures.get("latency.total_ms"):
        p50, p95, p99 = np.percentile(delays, [50, 95, 99])
        figures |= {"latency.p50_ms": float(p50), "latency.p95_ms": float(p95), "latency.p99_ms": float(p99)}
    if results.asked:
        figures |= sentences(results)
    if len(memory := results.memory) >= 5:
        figures["memory.growth_mb"] = memory[-1] - memory[len(memory) // 5]
    return figures


def sentences(results: Results) -> dict[str, float]:
    """Of what was asked in words."""
    answered = [reply for reply in results.replies if reply.reason is Reason.NONE]
    figures = {"grasp.sentences": float(len(results.asked)), "grasp.answered": len(answered) / len(results.asked)}
    if answered:
        figures["grasp.count"] = len(results.grasps) / len(answered)
    if results.replies:
        latencies = [1e3 * reply.latency for reply in results.replies]
        figures["grasp.latency_p95_ms"] = float(np.percentile(latencies, 95))
    return figures


def missing(stamps: Array) -> float:
    """Share of the pictures that a recording lacks: what its gaps leave room for at its usual step.

    That is the lower quartile of the steps, which holds until three in four of them are gaps.
    """
    steps = np.diff(np.sort(stamps))
    usual = float(np.percentile(steps, 25))
    if usual <= 0.0:
        return 0.0
    lost = np.maximum(np.round(steps / usual) - 1.0, 0.0).sum()
    return float(lost / (lost + len(stamps)))
