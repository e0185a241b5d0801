"""Units spread over processes of this machine or over a Ray cluster. Results come back to the one process that writes.

A worker that dies takes nothing with it: its unit is made again by another.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from hoi_ros.refusals import Reason, Refused

Task = TypeVar("Task")
Result = TypeVar("Result")

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_BREAKS = 3  # in a row without a finished unit


def run(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    ray_address: str = "",
    lost: Callable[[str], None] | None = None,
) -> Iterator[Result]:
    """Results of ``work`` on every task, as they are done. ``lost`` hears of dead workers.

    Raises Refused(INTERNAL) where workers keep dying and nothing gets done; a Refused of ``work`` is passed on.
    """
    if ray_address:
        yield from _run_ray(work, tasks, ray_address)
    elif workers == 1:
        yield from map(work, tasks)
    else:
        yield from _run_processes(work, tasks, workers, lost)


def _run_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, lost: Callable[[str], None] | None
) -> Iterator[Result]:
    left = dict(enumerate(tasks))
    breaks = 0
    os.environ.update(_ONE_THREAD)  # of the workers: they are as many as there are cores
    while left:
        pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
        try:
            futures = {pool.submit(work, task): number for number, task in left.items()}
            for future in as_completed(futures):
                result = future.result()
                del left[futures[future]]
                breaks = 0
                yield result
        except BrokenProcessPool:
            breaks += 1
            if breaks == _BREAKS:
                line = f"workers died {_BREAKS} times in a row with nothing done; {len(left)} units are left"
                raise Refused(Reason.INTERNAL, line) from None
            if lost:
                lost(f"a worker died; {len(left)} units are left and go on")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _run_ray(work: Callable[[Task], Result], tasks: Sequence[Task], address: str) -> Iterator[Result]:
    try:
        import ray
    except ImportError:
        raise Refused(Reason.PARAMETER, "--ray needs the package 'ray', which is not installed") from None
    ray.init(
        address=None if address == "local" else address,
        runtime_env={"env_vars": _ONE_THREAD},
        include_dashboard=False,
        log_to_driver=False,
    )
    try:
        remote: Any = ray.remote(num_cpus=1, max_retries=_BREAKS)(lambda task: work(task))  # it takes no partial
        waiting = [remote.remote(task) for task in tasks]
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            try:
                yield ray.get(done[0])
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, Refused):
                    raise error.cause from None
                raise
            except ray.exceptions.WorkerCrashedError:
                raise Refused(Reason.INTERNAL, f"a unit killed its worker {_BREAKS + 1} times") from None
    finally:
        ray.shutdown()
