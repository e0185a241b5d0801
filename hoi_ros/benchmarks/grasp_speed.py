"""How fast a sentence becomes grasps, and in how much memory, beside the optimisation at test time.

The engine's mug, bottle and drill, as clouds of the whole surface with normals, and as one camera sees them, without. A
request is answered ``repeats`` times for 1 and for 16 grasps, its sentence known already; reading a new one is timed
apart, as are the steps: thinning the cloud, the affordance generator, diffusion and adjustment, the cloud's fields,
settling, ranking; and plans of a Shadow Hand for the grasps that are found. The optimisation is told the true mesh and
the true use, and keeps the distances of its last object; it and the stage, on the whole cloud, take turns.

Both parts run in processes of their own; "memory_mb" is the peak of resident memory of the stage with its planner
alone. "ms" is wall time, "cpu_ms" processor time of all threads: where the two differ much the machine was not idle.
"start_cpu_s" is the processor time until the stage stands, imports and all.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np

from hoi_ros.benchmarks.side_by_side import comparison, result, take_turns
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
from hoi_ros.types import Array, ObjectCloud

ASKED = {
    "mug": ("Grip the handle of the mug.", Affordance.HANDLE_GRASP),
    "bottle": ("Wrap your hand around the bottle.", Affordance.WRAP_GRASP),
    "power_drill": ("Hold the power drill by its handle.", Affordance.HANDLE_GRASP),
}
COUNTS = (1, 16)
EYE = np.array([0.4, 0.2, 0.4])  # m from the middle of the object
STEPS = {  # who does each step
    "thinning": (synthesizer, "prepare"),
    "generator": (Sampler, "heard"),
    "diffusion": (Sampler, "hands"),
    "fields": (synthesizer, "cloud_fields"),
    "settling": (Settler, "settle"),
    "ranking": (Ranking, "probability"),
}

Times = dict[str, list[tuple[float, float]]]  # s of wall and of processor, by step


def run(data: str = "", repeats: int = 10, seed: int = 0) -> dict[str, Any]:  # noqa: ARG001 (all measurements take it)
    """Measure ``repeats`` requests of each kind."""
    ours, peak = _alone(stage, repeats, seed)
    comparisons, _ = _alone(beside_optimisation, repeats, seed)
    return {"affordgrasp": ours | {"memory_mb": peak}} | result(comparisons, {})


def _alone(measure: Callable[[int, int], Any], repeats: int, seed: int) -> tuple[Any, float]:
    """What is measured in a fresh process, and the peak of its memory, MiB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(measure, repeats, seed).result()
        peak: resource.struct_rusage = pool.submit(resource.getrusage, resource.RUSAGE_SELF).result()
    return found, peak.ru_maxrss / 1024.0


def stage(repeats: int, seed: int) -> dict[str, Any]:
    """Of the stage as it is shipped, and of the planner."""
    grasping, planner = AffordGrasp.shipped(), Planner()
    result: dict[str, Any] = {"start_cpu_s": process_time(), "new_sentence": _spread(_new_sentences(repeats))}
    for shown in ("whole", "one_view"):
        result[shown] = {}
        for number in COUNTS:
            times: Times = defaultdict(list)
            for category, (sentence, _) in ASKED.items():
                obj = make_object(category, 0, seed)
                cloud = cloud_of(obj, shown == "whole", seed)
                surface = prepare(Cloud(cloud.points, cloud.normals))
                grasping.synthesize(cloud, sentence, number, seed)  # the first is slower
                with _timed_steps(times):
                    for repeat in range(repeats):
                        with _timed(times, "all"):
                            found = grasping.synthesize(cloud, sentence, number, seed + repeat)
                        with _timed(times, "planning"):
                            planner.plan(np.array([grasp.hand.keypoints for grasp in found]), surface)
            steps = {step: _spread(times[step])["p50_ms"] for step in (*STEPS, "planning")}
            result[shown][f"grasps_{number}"] = _spread(times["all"]) | {"steps_p50_ms": steps}
    return result


def beside_optimisation(repeats: int, seed: int) -> list[dict[str, Any]]:
    """The stage and the optimisation by turns, ``repeats`` of each category and number of grasps."""
    grasping, optimiser = AffordGrasp.shipped(), GraspOptimiser(load_hand_model())
    given = f"{', '.join(ASKED)}: ours a cloud and a sentence, the optimisation mesh and use"
    rows = []
    for number in COUNTS:
        parts = [_by_turns(grasping, optimiser, category, number, repeats, seed) for category in ASKED]
        seconds = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        rows.append(comparison(f"{number} grasp{'s' * (number > 1)}", given, seconds))
    return rows


def _by_turns(
    grasping: AffordGrasp, optimiser: GraspOptimiser, category: str, number: int, repeats: int, seed: int
) -> dict[str, Array]:
    sentence, affordance = ASKED[category]
    obj = make_object(category, 0, seed)
    use = next(use for use in obj.uses if use.affordance is affordance)
    cloud, our_seeds, their_seeds = cloud_of(obj, True, seed), count(seed), count(seed)
    works = {
        "affordgrasp": lambda: grasping.synthesize(cloud, sentence, number, next(our_seeds)),
        "optimisation": lambda: optimiser.synthesize(obj, use, number, next(their_seeds), np.zeros(10)),
    }
    seconds = take_turns(works, repeats + 1)
    return {name: values[1:] for name, values in seconds.items()}  # the first is slower


def cloud_of(obj: ObjectModel, whole: bool, seed: int) -> ObjectCloud:
    """Points of the whole surface with normals, or those that one camera sees, without."""
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
