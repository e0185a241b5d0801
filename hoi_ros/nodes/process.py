"""One process of nodes, from start to an orderly end."""

from __future__ import annotations

import ctypes
import signal
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from hoi_ros.nodes import transport

if TYPE_CHECKING:
    from hoi_ros.nodes.stage_node import StageNode

WAKE = 0.2  # s between looks at whether to stop


def spin(*kinds: Callable[[], StageNode]) -> None:
    """Run one node of each kind until SIGINT or SIGTERM, then end their workers and leave the graph.

    What a callback or the middleware raises is logged and does not end the process.
    """
    transport.choose()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # rclpy's own handlers would invalidate the context while workers still publish.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    nodes = [kind() for kind in kinds]
    for node in nodes:
        executor.add_node(node)
        node.start()
    while not stop.is_set():
        try:
            executor.spin_once(timeout_sec=WAKE)
        except Exception:
            get_logger("hoi_ros").error(traceback.format_exc())
    for node in nodes:
        node.destroy_node()
    executor.shutdown()
    rclpy.shutdown()


def give_back_memory() -> None:
    """Return what was freed to the system: glibc keeps it for the threads that loaded a model, up to 60 MB a life.

    Raising no block to the heap at all (M_MMAP_THRESHOLD) would do so too, but then every picture is mapped anew, which
    tripled the time from picture to goal.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
