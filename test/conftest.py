"""What every test may use: the shared recordings and a ROS graph of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from hoi_ros.nodes import transport

ROOT = Path(__file__).resolve().parent.parent

# A ROS graph of its own for each worker of this run, also for the processes it starts.
worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
os.environ["ROS_DOMAIN_ID"] = str(1 + (8 * run + worker) % 100)
transport.choose()

# The same examples in every run; `make fuzz` looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("fuzz", max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings beside the checkout; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data here")
    return folder
