"""Quick work for the engine: three grasps of a box for every unit. Imported by worker processes, too."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from hoi_ros.dataset.manifest import Record, Tally
from hoi_ros.dataset.orders import Made, Order
from hoi_ros.dataset.presets import split_of
from hoi_ros.dataset.shards import SCHEMAS, digest, encode


def row(order: Order, number: int) -> dict[str, object]:
    rng = np.random.default_rng([order.seed, order.unit.index, number])
    values: dict[str, object] = dict.fromkeys(SCHEMAS["grasps"].names)
    return values | {
        "object": order.unit.name,
        "category": order.unit.category,
        "split": split_of(order.unit.category, order.unit.index),
        "number": number,
        "pose": np.float32(rng.standard_normal(48)),
        "instructions": ["Grip the handle."],
    }


def make(order: Order) -> Made:
    files = {"grasps": encode("grasps", [row(order, number) for number in range(3)])}
    record = Record(
        order.unit.name,
        order.unit.category,
        split_of(order.unit.category, order.unit.index),
        {table: digest(data) for table, data in files.items()},
        {"grasps": 3},
        {"Handle-grasp": 3},
        {"depth": 5},
        {"synthesis": Tally(8, 3, 0.1)},
    )
    return Made(record, files)


def make_with_a_death(order: Order) -> Made:
    """The first that comes to unit number 1 of a category dies as if killed."""
    trap = Path(os.environ["HOI_TEST_TRAP"])
    if order.unit.index == 0 and order.unit.category == "mug" and not trap.exists():
        trap.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return make(order)


def always_die(order: Order) -> Made:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(order)


def fail_on_mugs(order: Order) -> Made:
    if order.unit.category == "mug":
        raise ZeroDivisionError("a fault")
    return make(order)
