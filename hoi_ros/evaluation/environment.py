"""What a result was made with: versions, weights, source and machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from hoi_ros.learning.weights import HASHES, SHIPPED
from hoi_ros.replay.summary import machine


def environment() -> dict[str, Any]:
    """The machine, the hashes of the shipped weights, and the commit, where the package lies in a checkout."""
    weights = json.loads((SHIPPED / HASHES).read_text())
    return {"machine": machine(), "weights": {name: digest[:12] for name, digest in weights.items()}, "git": _commit()}


def _commit() -> str:
    """Of the checkout that this file lies in, "+" where it was changed since; "" where it lies in none."""
    here = Path(__file__).parent
    if not any((parent / ".git").exists() for parent in here.parents):
        return ""
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
