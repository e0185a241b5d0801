"""What a node's process is like before anything runs in it."""

import os
import subprocess
import sys


def test_blas_has_no_threads_that_spin() -> None:
    script = "import os, hoi_ros.nodes, numpy, scipy.linalg; print(len(os.listdir('/proc/self/task')))"
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", script]
    threads = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert threads.stdout.strip() == "1"
