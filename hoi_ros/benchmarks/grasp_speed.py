"""How fast a sentence becomes grasps, and in how much memory, beside the optimisation at test time.

The engine's mug, bottle and drill, as clouds of the whole surface with normals, and as one camera sees them, without. A
request is answered ``repeats`` times for 1 and for 16 grasps, its sentence known already; reading a new one is timed
apart, as are the steps: thinning the cloud, the affordance generator, diffusion and adjustment, the cloud's fields,
settling, ranking; and plans of a Shadow Hand for the grasps that are found. The optimisation is told the true mesh and
the true use, and keeps the distances of its last object.

Everything runs in processes of their own, whose peak of resident memory is that of the stage with its planner, and of
the optimisation, alone. "ms" is wall time, "cpu_ms" processor time of all threads: where the two differ much the
machine was not idle. "start_cpu_s" is the processor time until the stage stands, imports and all.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.methods.affordgrasp import synthesizer
from hoi_ros.methods.affordgrasp.grasp_scoring import DENSE
from hoi_ros.methods.affordgrasp.ranking import Ranking
from hoi_ros.methods.affordgrasp.sampler import Sampler
from hoi_ros.methods.affordgrasp.synthesizer import AffordGrasp
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.methods.optimisation.settling import Settler
from hoi_ros.retargeting.postures import Planner
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.clouds import Cloud, prepare, sample_surface, seen_from
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import ObjectCloud

ASKED = {
    "mug": ("Grip the handle of the mug.", Affordance.HANDLE_GRASP),
    "bottle": ("Wrap your hand around the bottle.", Affordance.WRAP_GRASP),
    "power_drill": ("Hold the power drill by its handle.", Affordance.HANDLE_GRASP),
}
COUNTS = (1, 16)
EYE = np.array([0.4, 0.2, 0.4])  # m from the middle of the object
STEPS = {  # who does each step
    "thinning": (synthesizer, "prepare"),
    "generator": (Sampler, "affordance"),
    "diffusion": (Sampler, "hands"),
    "fields": (synthesizer, "cloud_fields"),
    "settling": (Settler, "settle"),
    "ranking": (Ranking, "probability"),
}

Times = dict[str, list[tuple[float, float]]]  # s of wall and of processor, by step


def run(data: str = "", repeats: int = 10, seed: int = 0) -> dict[str, Any]:  # noqa: ARG001 (all measurements take it)
    """Measure ``repeats`` requests of each kind."""
    ours, theirs = (_alone(measure, repeats, seed) for measure in (stage, optimisation))
    ratios = {
        f"times_faster_than_optimisation_{count}": theirs[f"grasps_{count}"]["p50_ms"]
        / ours["whole"][f"grasps_{count}"]["p50_ms"]
        for count in COUNTS
    }
    return {"affordgrasp": ours, "optimisation": theirs} | ratios


def _alone(measure: Callable[[int, int], dict[str, Any]], repeats: int, seed: int) -> dict[str, Any]:
    """In a fresh process, with the peak of its memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found: dict[str, Any] = pool.submit(measure, repeats, seed).result()
        peak: resource.struct_rusage = pool.submit(resource.getrusage, resource.RUSAGE_SELF).result()
    return found | {"memory_mb": peak.ru_maxrss / 1024.0}


def stage(repeats: int, seed: int) -> dict[str, Any]:
    """Of the stage as it is shipped, and of the planner."""
    grasping, planner = AffordGrasp.shipped(), Planner()
    result: dict[str, Any] = {"start_cpu_s": process_time(), "new_sentence": _spread(_new_sentences(repeats))}
    for shown in ("whole", "one_view"):
        result[shown] = {}
        for count in COUNTS:
            times: Times = defaultdict(list)
            for category, (sentence, _) in ASKED.items():
                obj = make_object(category, 0, seed)
                cloud = _cloud(obj, shown == "whole", seed)
                surface = prepare(Cloud(cloud.points, cloud.normals))
                grasping.synthesize(cloud, sentence, count, seed)  # the first is slower
                with _timed_steps(times):
                    for repeat in range(repeats):
                        with _timed(times, "all"):
                            found = grasping.synthesize(cloud, sentence, count, seed + repeat)
                        with _timed(times, "planning"):
                            planner.plan(np.array([grasp.hand.keypoints for grasp in found]), surface)
            steps = {step: _spread(times[step])["p50_ms"] for step in (*STEPS, "planning")}
            result[shown][f"grasps_{count}"] = _spread(times["all"]) | {"steps_p50_ms": steps}
    return result


def optimisation(repeats: int, seed: int) -> dict[str, Any]:
    """Of the engine's synthesis, a third as often."""
    optimiser = GraspOptimiser(load_hand_model())
    result: dict[str, Any] = {}
    for count in COUNTS:
        times: Times = defaultdict(list)
        for category, (_, affordance) in ASKED.items():
            obj = make_object(category, 0, seed)
            use = next(use for use in obj.uses if use.affordance is affordance)
            optimiser.synthesize(obj, use, count, seed, np.zeros(10))
            for repeat in range(max(1, repeats // 3)):
                with _timed(times, "all"):
                    optimiser.synthesize(obj, use, count, seed + repeat, np.zeros(10))
        result[f"grasps_{count}"] = _spread(times["all"])
    return result


def _cloud(obj: ObjectModel, whole: bool, seed: int) -> ObjectCloud:
    points, normals, _ = sample_surface(obj, DENSE, np.random.default_rng(seed))
    if whole:
        return ObjectCloud(points, normals)
    return ObjectCloud(points[seen_from(obj, points, normals, points.mean(axis=0) + EYE)])


def _new_sentences(repeats: int) -> list[tuple[float, float]]:
    """Times of reading sentences that were not read before."""
    encoder = TextEncoder()
    times: Times = defaultdict(list)
    encoder.encode(["Grasp it."])
    for repeat in range(repeats):
        with _timed(times, "all"):
            encoder.encode([f"Grip the handle of mug number {repeat}."])
    return times["all"]


@contextmanager
def _timed_steps(times: Times) -> Iterator[None]:
    """Every call of a step of ``STEPS`` leaves its times."""

    def timed(step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with _timed(times, step):
                return work(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for step, (owner, name) in STEPS.items():
            stack.enter_context(patch.object(owner, name, timed(step, getattr(owner, name))))
        yield


@contextmanager
def _timed(times: Times, name: str) -> Iterator[None]:
    wall, processor = perf_counter(), process_time()
    yield
    times[name].append((perf_counter() - wall, process_time() - processor))


def _spread(times: list[tuple[float, float]]) -> dict[str, float]:
    wall, processor = 1e3 * np.array(times).T
    return {
        "p50_ms": float(np.median(wall)),
        "p95_ms": float(np.percentile(wall, 95)),
        "cpu_p50_ms": float(np.median(processor)),
    }
