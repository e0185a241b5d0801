"""dex-retargeting 0.5.0 on our own URDF of the Shadow Hand; runs in an environment of its own (``make peers``).

``python -m hoi_ros.benchmarks.dex_retargeting_peer VECTORS.npz OUT.npz``: ``vectors`` (N, 10, 3), m, unscaled, in the
palm's frame, tips first; out come ``positions`` (N, 24), rad, in the order of our table and ``seconds`` (N,), processor
time of each frame.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from time import thread_time

import numpy as np

from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.retargeting.urdf import write_urdf
from hoi_ros.types import Array

HUMAN = (4, 8, 12, 16, 20, 2, 6, 10, 14, 18)  # what its shadow_hand_right.yml compares, tips first


def retarget(vectors: Array) -> tuple[Array, Array]:
    """Joint positions (N, 24) and seconds (N,) of its teleoperation configuration with the low-pass filter off."""
    import torch
    from dex_retargeting.retargeting_config import RetargetingConfig  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    links = [f"rh_{finger.lower()}{part}" for part in ("tip", "middle") for finger in FINGERS]
    with tempfile.TemporaryDirectory() as folder:
        urdf = Path(folder) / "shadow_hand_right.urdf"
        write_urdf(urdf, "right")
        retargeting = RetargetingConfig(
            type="vector",
            urdf_path=str(urdf),
            target_origin_link_names=["rh_palm"] * len(links),
            target_task_link_names=links,
            target_link_human_indices=np.array([[0] * len(HUMAN), HUMAN]),
            scaling_factor=1.2,
            low_pass_alpha=-1.0,
        ).build()
    order = [retargeting.joint_names.index(name) for name in ShadowHand.embedded().names]
    positions, seconds = [], []
    for frame in vectors.astype(np.float32):
        started = thread_time()
        goal = retargeting.retarget(frame)
        seconds.append(thread_time() - started)
        positions.append(goal[order])
    return np.array(positions), np.array(seconds)


if __name__ == "__main__":
    given, written = sys.argv[1:]
    with np.load(given, allow_pickle=False) as file:
        goals, times = retarget(file["vectors"])
    np.savez(written, positions=goals, seconds=times)
