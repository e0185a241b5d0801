"""The files of hands, grasps and goals: plain arrays in .npz, read without pickle.

Shapes are those of the command line's documentation: ``hands.npz``, ``grasps.npz``, ``goals.npz``, ``keypoints.npz``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandBatch, HandPose, JointGoal

HANDS = {
    "side": (),
    "score": (),
    "pose": (48,),
    "betas": (10,),
    "transl": (3,),
    "keypoints": (21, 3),
    "keypoints_2d": (21, 2),
}
GRASPS = {"pose": (48,), "betas": (10,), "transl": (3,), "keypoints": (21, 3), "affordance": (), "score": ()}
CONFIDENCE, DEVIATION = "confidence", "deviation"  # (N, 21), of hands of which an estimator or a refiner told it
TEXTS = ("side", "names", "image", "affordance")
GOALS = {"names": None, "positions": (-1,), "wrist_pose": (7,)}


def save_hands(path: Path, hands: Sequence[HandPose], images: Sequence[str] | None = None) -> None:
    """Write ``hands.npz``: by stamp, or by the name of the picture each hand was found in."""
    key = {"image": np.array(images, dtype=np.str_)} if images is not None else {"stamp_ns": _stamps(hands)}
    pose = [np.concatenate([hand.global_orient, hand.hand_pose]) for hand in hands]
    _save(
        path,
        **key,
        side=np.array([hand.side for hand in hands], dtype="<U5"),
        score=_rows([hand.score for hand in hands]),
        pose=_rows(pose, 48),
        betas=_rows([hand.betas for hand in hands], 10),
        transl=_rows([hand.transl for hand in hands], 3),
        keypoints=_rows([hand.keypoints for hand in hands], 21, 3),
        keypoints_2d=_rows([hand.keypoints_2d for hand in hands], 21, 2),
        confidence=_rows([hand.confidence for hand in hands], 21),
    )


def save_goals(path: Path, goals: Sequence[JointGoal]) -> None:
    """Write ``goals.npz``, with the stamp of the picture each goal was made from."""
    names = goals[0].names if goals else ()
    positions = _rows([goal.positions for goal in goals], len(names))
    wrist_pose = _rows([goal.wrist_pose for goal in goals], 7)
    save_goal_arrays(path, names, positions, wrist_pose, stamp_ns=_stamps(goals))


def save_goal_arrays(
    path: Path, names: Sequence[str], positions: Array, wrist_pose: Array, **more: NDArray[Any]
) -> None:
    """Write ``goals.npz`` of positions (N, J) and wrist poses (N, 7)."""
    _save(path, names=np.array(names, dtype=np.str_), positions=positions, wrist_pose=wrist_pose, **more)


def load_hands(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of a ``hands.npz``.

    Raises Refused(FILE), Refused(KEYPOINTS) for keypoints, confidences or deviations that are not finite.
    """
    arrays = _load(path, HANDS)
    _check_keypoints(path, arrays["keypoints"])
    _check_told(path, arrays)
    if not np.isin(arrays["side"], ("left", "right")).all():
        raise Refused(Reason.FILE, f"{path}: side holds {sorted(set(map(str, arrays['side'])))}; it is left or right")
    return arrays


def load_goals(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of a ``goals.npz``. Raises Refused(FILE)."""
    arrays = _load(path, GOALS)
    if arrays["positions"].shape[1] != len(arrays["names"]):
        shape, count = arrays["positions"].shape, len(arrays["names"])
        raise Refused(Reason.FILE, f"{path}: positions is {shape} for {count} names")
    return arrays


def save_grasps(path: Path, hands: HandBatch, keypoints: Array, affordance: Sequence[str], score: Array) -> None:
    """Write ``grasps.npz``: right hands with their keypoints (N, 21, 3) in the frame of a mesh or cloud, m."""
    _save(
        path,
        pose=np.concatenate([hands.global_orient, hands.hand_pose], axis=1),
        betas=hands.betas,
        transl=hands.transl,
        keypoints=keypoints,
        affordance=np.array(affordance, dtype=np.str_),
        score=score,
    )


def load_grasps(path: Path) -> tuple[HandBatch, dict[str, NDArray[Any]]]:
    """Hands of a ``grasps.npz``, and all its arrays. Raises Refused(FILE), Refused(KEYPOINTS) for non-finite ones."""
    arrays = _load(path, GRASPS)
    counts = {key: len(arrays[key]) for key in GRASPS}
    if len(set(counts.values())) != 1:
        raise Refused(Reason.FILE, f"{path}: its arrays differ in length: {counts}")
    numbers = np.concatenate([arrays[key] for key in ("pose", "betas", "transl")], axis=1)
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad):
        raise Refused(Reason.KEYPOINTS, f"{path}: {len(bad)} of {len(numbers)} hands are not finite, first {bad[0]}")
    _check_told(path, arrays)
    orient, pose, betas, transl = np.split(numbers.astype(np.float64), [3, 48, 58], axis=1)
    return HandBatch(orient, pose, betas, transl), arrays


def save_refined(path: Path, arrays: Mapping[str, NDArray[Any]], hands: Sequence[HandPose]) -> None:
    """Write the arrays of a ``hands.npz`` or ``grasps.npz`` with its hands refined, and what was done to each.

    ``refinement`` (N,), ``change`` (N,), m, and ``deviation`` (N, 21), m, are those of `HandPose`.
    """
    pose = [np.concatenate([hand.global_orient, hand.hand_pose]) for hand in hands]
    new = {
        "pose": _rows(pose, 48),
        "betas": _rows([hand.betas for hand in hands], 10),
        "transl": _rows([hand.transl for hand in hands], 3),
        "keypoints": _rows([hand.keypoints for hand in hands], 21, 3),
        "refinement": np.array([hand.refinement for hand in hands], dtype=np.str_),
        "change": _rows([hand.change for hand in hands]),
        DEVIATION: _rows([hand.deviation for hand in hands], 21),
    }
    if "keypoints_2d" in arrays:
        new["keypoints_2d"] = _rows([hand.keypoints_2d for hand in hands], 21, 2)
    _save(path, **{**arrays, **new})


def load_keypoints(path: Path) -> Array:
    """Keypoints (N, 21, 3) m of a ``keypoints.npz`` (key ``joints``) or ``hands.npz`` (key ``keypoints``).

    Raises Refused(FILE), Refused(KEYPOINTS) for non-finite ones.
    """
    key = "joints" if "joints" in keys(path) else "keypoints"
    points: Array = _load(path, {key: (21, 3)})[key].astype(np.float64)
    _check_keypoints(path, points)
    return points


def keys(path: Path) -> tuple[str, ...]:
    """Names of the arrays in an .npz. Raises Refused(FILE) for another kind of file."""
    with _opened(path) as archive:
        return tuple(archive.files)


def _load(path: Path, shapes: Mapping[str, tuple[int, ...] | None]) -> dict[str, NDArray[Any]]:
    """Arrays of ``path``, checked against shapes without their leading axis; -1 is any length, None any shape."""
    with _opened(path) as archive:
        missing = [key for key in shapes if key not in archive.files]
        if missing:
            have = ", ".join(archive.files)
            raise Refused(Reason.FILE, f"{path} lacks {', '.join(missing)}; it has: {have}")
        try:
            arrays = {key: archive[key] for key in archive.files}
        except Exception as error:  # a zip of foreign bytes fails in many ways
            raise Refused(Reason.FILE, f"{path} cannot be read: {error}") from None
    for key, shape in shapes.items():
        _check_array(path, key, arrays[key], shape)
    return arrays


def _opened(path: Path) -> Any:
    try:
        archive = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise Refused(Reason.FILE, f"{path} does not exist") from None
    except Exception as error:
        raise Refused(Reason.FILE, f"{path} is not an .npz file: {error}") from None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise Refused(Reason.FILE, f"{path} is a single array, not an .npz file")
    return archive


def _save(path: Path, **arrays: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:  # np.savez would add .npz to a name without it
        np.savez_compressed(stream, **arrays)


def _check_array(path: Path, key: str, values: NDArray[Any], shape: tuple[int, ...] | None) -> None:
    wanted = "text" if key in TEXTS else "numbers"
    if values.dtype.kind not in ("U" if key in TEXTS else "fiu"):
        raise Refused(Reason.FILE, f"{path}: {key} holds {values.dtype}; {wanted} are wanted")
    if shape is not None and not (
        values.ndim == len(shape) + 1 and all(w in (-1, h) for w, h in zip(shape, values.shape[1:], strict=True))
    ):
        sizes = ", ".join(["N", *("any" if w == -1 else str(w) for w in shape)])
        raise Refused(Reason.FILE, f"{path}: {key} is {values.shape}; it must be ({sizes})")


def _check_told(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """What is told of keypoints, where it is."""
    for key in (CONFIDENCE, DEVIATION):
        if key not in arrays:
            continue
        values, count = arrays[key], len(arrays["pose"])
        _check_array(path, key, values, (21,))
        if len(values) != count:
            raise Refused(Reason.FILE, f"{path}: {key} is of {len(values)} hands, pose of {count}")
        if not np.isfinite(values).all():
            raise Refused(Reason.KEYPOINTS, f"{path}: {(~np.isfinite(values)).sum()} numbers of {key} are not finite")


def _check_keypoints(path: Path, points: Array) -> None:
    bad = np.flatnonzero(~np.isfinite(points).all((1, 2)))
    if len(bad):
        raise Refused(Reason.KEYPOINTS, f"{path}: {len(bad)} of {len(points)} hands are not finite, first {bad[0]}")


def _rows(values: Sequence[Any], *shape: int) -> Array:
    return np.array(values, dtype=np.float64).reshape(len(values), *shape)


def _stamps(items: Sequence[HandPose] | Sequence[JointGoal]) -> NDArray[np.int64]:
    return np.array([item.stamp_ns for item in items], dtype=np.int64)


def hand_poses(arrays: Mapping[str, NDArray[Any]]) -> list[HandPose]:
    """Hands of a loaded ``hands.npz``."""
    stamps = arrays.get("stamp_ns", np.zeros(len(arrays["side"]), np.int64))
    untold = np.zeros((len(arrays["side"]), 21))
    confidence = np.asarray(arrays.get(CONFIDENCE, untold + 1.0), np.float64)
    deviation = np.asarray(arrays.get(DEVIATION, untold), np.float64)
    orientation = Rotation.from_rotvec(arrays["pose"][:, :3]).as_quat()
    return [
        HandPose(
            side="left" if arrays["side"][i] == "left" else "right",
            score=float(arrays["score"][i]),
            global_orient=arrays["pose"][i, :3],
            hand_pose=arrays["pose"][i, 3:],
            betas=arrays["betas"][i],
            transl=arrays["transl"][i],
            keypoints=arrays["keypoints"][i],
            wrist_pose=np.concatenate([arrays["keypoints"][i, 0], orientation[i]]),
            keypoints_2d=arrays["keypoints_2d"][i],
            stamp_ns=int(stamps[i]),
            confidence=confidence[i],
            deviation=deviation[i],
        )
        for i in range(len(orientation))
    ]
