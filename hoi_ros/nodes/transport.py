"""Transports of Fast DDS over which pictures arrive; to be set before rclpy starts.

As it comes, Fast DDS puts a picture of 0.9 MB into a shared memory of 0.5 MB and loses it without a word: 2 of 40
best-effort pictures came through between two processes. Over UDP with large socket buffers 40 of 40 did, from cameras
on the default transports too. Where the kernel allows no such buffers there is a larger shared memory, which both sides
need. ``FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA`` is no way out: it hears nobody who has not set it, and one start in
fifteen found no one at all and could not end.
"""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = Path(__file__).parent / "fastdds"
BUFFER = 4_194_304  # bytes, of the sockets in udp.xml
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
# Renamed in Fast DDS 3, which warns of its old name.
VARIABLE = f"{'FASTRTPS' if os.environ.get('ROS_DISTRO') == 'jazzy' else 'FASTDDS'}_DEFAULT_PROFILES_FILE"
CHOICES = (VARIABLE, "FASTDDS_BUILTIN_TRANSPORTS")

ADVICE = (
    f"allow larger buffers (sysctl -w net.core.rmem_max={BUFFER}) or set {VARIABLE}={PROFILES / 'shared_memory.xml'}"
)


def choose() -> None:
    """Choose the transports for this process and those it starts, unless the environment already has."""
    if any(name in os.environ for name in CHOICES):
        return
    allowed = int(RMEM_MAX.read_text()) if RMEM_MAX.exists() else 0
    profile = PROFILES / ("udp.xml" if allowed >= BUFFER else "shared_memory.xml")
    os.environ[VARIABLE] = str(profile)
