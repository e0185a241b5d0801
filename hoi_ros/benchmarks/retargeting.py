"""How well and how fast human hands become goals of the Shadow Hand, beside dex-retargeting 0.5.0.

Both are given the same vectors of the same recording and are scored by the same independent kinematics
(``ShadowHand.link_poses``): the mean distance of the ten vectors palm to tip and middle joint from the human's, 1.2
times as long, in the frame that the wrist joints leave at zero; the mean step of a joint between frames; joint angles
outside a limit; frames in which a finger has J1 > J2. Times are processor times of the calling thread, medians over
frames; ours runs from keypoints to the finished goal, theirs from vectors to angles. Ratios are of the same frame in
the same round; a batch takes as long for each of its frames. Set ``OMP_NUM_THREADS=1``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np

from hoi_ros.benchmarks.dex_retargeting_peer import HUMAN
from hoi_ros.benchmarks.side_by_side import comparison, result
from hoi_ros.retargeting import ContactRetargeter, ShadowHand, VectorRetargeter
from hoi_ros.retargeting.palm import palm_frames
from hoi_ros.retargeting.shadow_hand import COUPLED, FINGERS
from hoi_ros.retargeting.vector import SCALE
from hoi_ros.types import Array, HandPose

REPOSITORY = Path(__file__).parents[2]
PEERS = REPOSITORY / ".venv-peers" / "bin" / "python"  # made by ``make peers``
TOUCHING = 0.015  # m, a human fingertip this near to the mesh is used
TIPS = [4, 8, 12, 16, 20]  # K21
PEER = "dex-retargeting 0.5.0"


def run(data: str, repeats: int = 3, peer_python: str = "") -> dict[str, Any]:
    """Measure on ``hand_video/joints.npz`` and ``dexycb_grasps`` of the folder ``data``; a missing one is left out.

    ``peer_python`` is an interpreter that has dex-retargeting; empty: this one, else the one of ``make peers``, else
    the peer is left out. Ours and theirs take turns, ``repeats`` times.
    """
    measured: dict[str, Any] = {}
    comparisons: list[dict[str, Any]] = []
    python = _interpreter(peer_python)
    skipped = {} if python else {PEER: "not installed: make peers"}
    video, grasps = Path(data) / "hand_video" / "joints.npz", Path(data) / "dexycb_grasps"
    if video.exists():
        with np.load(video, allow_pickle=False) as file:
            measured["vector"], comparisons = _vector(file["joints"].astype(float), repeats, python)
    else:
        skipped["hand_video"] = f"{video} is not there"
    if grasps.exists():
        measured["contact"] = _contact(grasps)
    else:
        skipped["dexycb_grasps"] = f"{grasps} is not there"
    return measured | result(comparisons, skipped)


def _interpreter(given: str) -> str:
    if given or find_spec("dex_retargeting"):
        return given or sys.executable
    return str(PEERS) if PEERS.exists() else ""


def _vector(keypoints: Array, repeats: int, peer_python: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Scores and times of each way, and ours beside the peer."""
    hand = ShadowHand.embedded()
    vectors = (keypoints[:, HUMAN] - keypoints[:, :1]) @ palm_frames(keypoints, "right")
    coupled, free = VectorRetargeter(hand, coupling=True), VectorRetargeter(hand, coupling=False)
    streams: dict[str, list[Array]] = {"stream": [], "stream_uncoupled": [], "dex_retargeting": []}
    batches: dict[str, list[Array]] = {"batch": [], "batch_uncoupled": []}
    positions: dict[str, Array] = {}
    for _ in range(repeats):
        for suffix, retargeter in (("", coupled), ("_uncoupled", free)):
            positions[f"stream{suffix}"], seconds = _stream(retargeter, keypoints)
            streams[f"stream{suffix}"].append(seconds)
            started = thread_time()
            positions[f"batch{suffix}"] = retargeter.retarget_batch(keypoints).positions
            batches[f"batch{suffix}"].append(np.full(len(keypoints), (thread_time() - started) / len(keypoints)))
        if peer_python:
            positions["dex_retargeting"], seconds = _peer(peer_python, vectors)
            streams["dex_retargeting"].append(seconds)

    measured: dict[str, Any] = {"frames": len(keypoints)}
    for name, goal in positions.items():
        measured[name] = _score(hand, goal, vectors)
        if name in batches:
            measured[name]["ms_per_frame"] = 1e3 * float(np.median(batches[name]))
        else:
            measured[name]["ms_per_frame"] = 1e3 * float(np.median(streams[name]))
            measured[name]["ms_p95"] = 1e3 * float(np.percentile(streams[name], 95))
    theirs = {PEER: np.concatenate(streams["dex_retargeting"])} if peer_python else {}
    given = f"hand_video, {len(keypoints)} frames of one hand, {repeats} times"
    ours = {"VectorRetargeter.retarget": streams["stream"], "VectorRetargeter.retarget_batch": batches["batch"]}
    rows = [
        comparison("Shadow Hand goal of a frame", given, {name: np.concatenate(seconds)} | theirs)
        for name, seconds in ours.items()
    ]
    return measured, rows


def _stream(retargeter: VectorRetargeter, keypoints: Array) -> tuple[Array, Array]:
    retargeter.reset()
    positions, seconds = [], []
    for points in keypoints:
        hand = _hand(points)
        started = thread_time()
        positions.append(retargeter.retarget(hand).positions)
        seconds.append(thread_time() - started)
    return np.array(positions), np.array(seconds)


def _hand(keypoints: Array) -> HandPose:
    """Keypoints as they travel; retargeting reads nothing else."""
    three = np.zeros(3)
    return HandPose("right", 1.0, three, np.zeros(45), np.zeros(10), three, keypoints, np.zeros(7), np.zeros((21, 2)))


def _peer(python: str, vectors: Array) -> tuple[Array, Array]:
    with tempfile.TemporaryDirectory() as folder:
        given, written = (str(Path(folder) / name) for name in ("vectors.npz", "goals.npz"))
        np.savez(given, vectors=vectors)
        command = [python, "-m", "hoi_ros.benchmarks.dex_retargeting_peer", given, written]
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
        with np.load(written, allow_pickle=False) as file:
            return file["positions"].astype(float), file["seconds"]


def _score(hand: ShadowHand, positions: Array, vectors: Array) -> dict[str, Any]:
    links = hand.link_poses(positions)
    palm = links["palm"][:, :3, 3]
    tips = [links[f"{f.lower()}distal"] @ np.append(hand.tips[f], 1.0) for f in FINGERS]
    ends = [tip[:, :3] for tip in tips] + [links[f"{f.lower()}middle"][:, :3, 3] for f in FINGERS]
    error = np.linalg.norm(np.stack(ends, axis=1) - palm[:, None] - SCALE * vectors, axis=2)
    step = np.abs(np.diff(positions, axis=0))
    return {
        "mean_vector_error_mm": 1e3 * float(error.mean()),
        "mean_joint_step_rad": float(step.mean()),
        "median_joint_step_rad": float(np.median(step)),
        **_violations(hand, positions),
    }


def _violations(hand: ShadowHand, positions: Array) -> dict[str, int]:
    j1, j2 = (positions[:, [hand.names.index(f"{hand.prefix}{f}{j}") for f in COUPLED]] for j in ("J1", "J2"))
    return {
        "limit_violations": int(((positions < hand.lower) | (positions > hand.upper)).sum()),
        "frames_j1_over_j2": int((j1 > j2).any(axis=1).sum()),
    }


def _contact(folder: Path) -> dict[str, Any]:
    """Distances of the robot's fingertips from the human's, used ones, on all grasps."""
    with np.load(folder / "grasps.npz", allow_pickle=False) as file:
        keypoints, names = file["joints_obj"], file["obj_name"]
    used = _distances(keypoints[:, TIPS], names, folder / "meshes") < TOUCHING
    retargeter = ContactRetargeter(ShadowHand.embedded())
    started = thread_time()
    goals = retargeter.retarget_batch(keypoints, used)
    seconds = thread_time() - started
    tips = 1e3 * goals.distances[..., 0][used]
    return {
        "grasps": len(keypoints),
        "used_fingertips": int(used.sum()),
        "median_fingertip_distance_mm": float(np.median(tips)),
        "p90_fingertip_distance_mm": float(np.percentile(tips, 90)),
        **_violations(goals.hand, goals.positions),
        "ms_per_grasp": 1e3 * seconds / len(keypoints),
    }


def _distances(points: Array, names: Array, meshes: Path) -> Array:
    """Distances (N, K), m, of points (N, K, 3) from the meshes named for each row."""
    import open3d

    distances = np.empty(points.shape[:2])
    for name in np.unique(names):
        scene = open3d.t.geometry.RaycastingScene()
        scene.add_triangles(open3d.t.io.read_triangle_mesh(str(meshes / f"{name}.obj")))
        rows = names == name
        distances[rows] = scene.compute_distance(points[rows].astype(np.float32)).numpy()
    return distances
