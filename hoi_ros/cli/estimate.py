"""``hoi estimate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import EstimatorName, Json, Set, finish, note, parameters, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.types import CameraFrame, HandPose, Intrinsics

FIELD_OF_VIEW = 60.0  # degrees across the longer side, where nobody tells


def estimate(
    images: Annotated[list[Path], typer.Argument(help="Pictures, PNG or JPEG.")],
    depth: Annotated[
        list[Path] | None,
        typer.Option(
            "--depth", help="Registered depth of each picture: 16-bit PNG in mm, or .npy in m; as often as pictures."
        ),
    ] = None,
    intrinsics: Annotated[
        str | None, typer.Option("--intrinsics", metavar="FX,FY,CX,CY", help="Pinhole camera, pixels.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="hands.npz to write.")] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Folder for the pictures with the hands on them.")
    ] = None,
    estimator: EstimatorName = "landmarks",
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Hands in pictures, each picture for itself."""
    from hoi_ros.pipeline import Pipeline
    from hoi_ros.replay import files

    chosen = parameters(assignments, estimator=estimator)
    camera = _camera(intrinsics) if intrinsics else None
    if depth and len(depth) != len(images):
        raise Refused(Reason.PARAMETER, f"{len(depth)} depths for {len(images)} pictures; give one for each")
    if camera is None:
        note(f"no --intrinsics: a field of view of {FIELD_OF_VIEW:g} degrees is assumed; distances depend on it")
    found: list[tuple[Path, HandPose]] = []
    with progress("estimating", len(images)) as advance:
        pipeline = Pipeline.build(chosen, ("estimator",))
        for path, frame in _frames(images, depth, camera):
            pipeline.reset()
            hands = pipeline.estimate(frame)
            found += [(path, hand) for hand in hands]
            if pictures:
                _draw(pictures / f"{path.stem}.png", frame, hands, chosen.hand_model_path)
            advance()
    hands = [hand for _, hand in found]
    if out:
        files.save_hands(out, hands, [str(path) for path, _ in found])
    rows = [_row(path, hand) for path, hand in found]
    lines = [_line(row) for row in rows] or [f"no hand in {len(images)} pictures"]
    finish({"pictures": len(images), "hands": rows, "file": str(out) if out else None}, as_json, *lines)


def _frames(
    images: list[Path], depth: list[Path] | None, camera: Intrinsics | None
) -> Iterator[tuple[Path, CameraFrame]]:
    from hoi_ros.types import CameraFrame

    for i, path in enumerate(images):
        rgb = read_picture(path)
        metres = read_depth(depth[i], rgb.shape[:2]) if depth else None
        yield path, CameraFrame(rgb, camera or assumed_camera(rgb.shape[:2]), metres)


def read_picture(path: Path) -> Any:
    """Picture (H, W, 3) uint8, RGB. Raises Refused(FILE)."""
    import cv2

    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if bgr is None:
        why = "is not a picture" if path.exists() else "does not exist"
        raise Refused(Reason.FILE, f"{path} {why}")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_depth(path: Path, shape: tuple[int, int]) -> Any:
    """Depth (H, W) float32, m, for a picture of ``shape``. Raises Refused(FILE, DEPTH_SIZE, DEPTH_VALUES)."""
    import cv2
    import numpy as np

    if not path.is_file():
        raise Refused(Reason.FILE, f"{path} does not exist")
    if path.suffix == ".npy":
        try:
            metres = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise Refused(Reason.FILE, f"{path} is not an array: {error}") from None
        if metres.dtype.kind != "f":
            raise Refused(Reason.FILE, f"{path} holds {metres.dtype}; an .npy depth is floating point, in metres")
    else:
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.dtype != np.uint16:
            raise Refused(Reason.FILE, f"{path} is not a 16-bit picture of depth in mm")
        metres = raw * np.float32(1e-3)
    if metres.shape != shape:
        raise Refused(Reason.DEPTH_SIZE, f"{path} is {metres.shape}, its picture is {shape}")
    usable = np.isfinite(metres) & (metres > 0.0)
    if not usable.any():
        raise Refused(Reason.DEPTH_VALUES, f"{path} has no usable pixel among {metres.size}")
    return np.where(usable, metres, 0.0).astype(np.float32)


def assumed_camera(shape: tuple[int, int]) -> Intrinsics:
    """A camera for a picture of ``shape`` (H, W) that nothing is known of."""
    import math

    from hoi_ros.types import Intrinsics

    height, width = shape
    focal = max(height, width) / 2.0 / math.tan(math.radians(FIELD_OF_VIEW / 2.0))
    return Intrinsics(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0)


def _camera(text: str) -> Intrinsics:
    from hoi_ros.types import Intrinsics

    try:
        fx, fy, cx, cy = (float(value) for value in text.split(","))
    except ValueError:
        raise Refused(Reason.INTRINSICS, f"--intrinsics is '{text}'; give four numbers: FX,FY,CX,CY") from None
    if not (0.0 < fx < 1e6 and 0.0 < fy < 1e6 and abs(cx) < 1e6 and abs(cy) < 1e6):
        raise Refused(Reason.INTRINSICS, f"--intrinsics is '{text}'; no camera has these")
    return Intrinsics(fx, fy, cx, cy)


def _draw(path: Path, frame: CameraFrame, hands: list[HandPose], hand_model_path: str) -> None:
    from hoi_ros.hand import load_hand_model
    from hoi_ros.view.pictures import on_camera, save

    save(path, on_camera(frame.rgb, frame.intrinsics, hands, load_hand_model(hand_model_path)))


def _row(path: Path, hand: HandPose) -> dict[str, Any]:
    wrist = [round(float(v), 4) for v in hand.wrist_pose[:3]]
    return {"image": str(path), "side": hand.side, "score": round(float(hand.score), 3), "wrist_m": wrist}


def _line(row: dict[str, Any]) -> str:
    x, y, z = row["wrist_m"]
    return f"{row['image']}: {row['side']} hand, score {row['score']:.2f}, wrist at ({x:.3f}, {y:.3f}, {z:.3f}) m"
