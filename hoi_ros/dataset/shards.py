"""The tables of a dataset and the files they lie in: uncompressed Arrow IPC, so that a reader maps them into memory.

One unit (an object with all that was made for it) is one file in each table's folder. A file appears under its name
only when it is whole: it is written beside, flushed to the disk and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoi_ros.refusals import Reason, Refused


def _floats(size: int) -> pa.DataType:
    return pa.list_(pa.float32(), size)


SCHEMAS: Mapping[str, pa.Schema] = {
    "objects": pa.schema(
        {
            "name": pa.string(),
            "category": pa.string(),
            "split": pa.string(),
            "vertices": pa.list_(pa.float32()),  # V x 3, m
            "faces": pa.list_(pa.int32()),  # F x 3
            "face_parts": pa.list_(pa.int32()),  # F
            "part_names": pa.list_(pa.string()),
            "pieces": pa.list_(pa.list_(pa.float32())),  # of convex pieces: K x 3, m
            "piece_parts": pa.list_(pa.int32()),
            "uses": pa.string(),  # JSON, a list
            "dimensions": pa.string(),  # JSON, m
            "adjectives": pa.list_(pa.string()),
            "betas": _floats(10),  # the person who uses it
            "no_grasp_instructions": pa.list_(pa.string()),
            "held_out_no_grasp_instructions": pa.list_(pa.string()),
            "null_instructions": pa.list_(pa.string()),  # ask for nothing
            "held_out_null_instructions": pa.list_(pa.string()),
        }
    ),
    "grasps": pa.schema(
        {
            "object": pa.string(),
            "category": pa.string(),
            "split": pa.string(),
            "number": pa.int32(),  # within the object
            "use": pa.int32(),  # within the object's uses
            "affordance": pa.string(),
            "part": pa.string(),
            "grasp_type": pa.int32(),  # GraspType
            "pose": _floats(48),  # global_orient and hand_pose, axis-angle, object frame
            "betas": _floats(10),
            "transl": _floats(3),  # m
            "keypoints": _floats(63),  # K21, m
            "region_contact": pa.list_(pa.bool_()),  # 17 x parts: which region touches which part
            "hand_in_object": pa.float32(),  # m, deepest
            "object_in_hand": pa.float32(),  # m, deepest
            "volume_5mm": pa.float32(),  # cm3, IV
            "volume_2mm": pa.float32(),
            "part_contact": pa.float32(),  # share of the contact that is on the asked part
            "displacement": _floats(6),  # m, of the articulated test in +-x, +-y, +-z; NaN for pushes, turns
            "rotation": _floats(6),  # rad
            "instructions": pa.list_(pa.string()),
            "held_out_instructions": pa.list_(pa.string()),
            "object_description": pa.string(),
            "unnamed_object_description": pa.string(),  # without the category
            "hand_description": pa.string(),
            "interaction_description": pa.string(),
            "affordance_description": pa.string(),
            "partial_description": pa.string(),  # of the same, with fields left out
        }
    ),
    "pictures": pa.schema(
        {
            "object": pa.string(),
            "grasp": pa.int32(),
            "split": pa.string(),
            "view": pa.int32(),
            "kind": pa.string(),  # egocentric or third_person
            "width": pa.int32(),
            "height": pa.int32(),
            "intrinsics": _floats(4),  # fx, fy, cx, cy
            "rgb": pa.binary(),  # JPEG; the next three are PNG
            "depth": pa.binary(),  # 16 bit, mm, as a sensor sees it
            "true_depth": pa.binary(),  # without noise, 16 bit, 0.1 mm
            "masks": pa.binary(),  # bits: pictures.HAND, OBJECT, WHOLE_HAND, WHOLE_OBJECT
            "object_pose": _floats(7),  # in the camera frame, xyz + xyzw
            "global_orient": _floats(3),  # of the hand in the camera frame
            "transl": _floats(3),
            "keypoints": _floats(63),  # camera frame, m
            "visible": pa.list_(pa.bool_(), 21),
            "hand_occlusion": pa.float32(),
            "object_occlusion": pa.float32(),
            "object_description": pa.string(),  # directions as the picture shows them
            "hand_description": pa.string(),
        }
    ),
}


def encode(table: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows of a table as an Arrow IPC file. The same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=SCHEMAS[table])
    with pa.ipc.new_file(sink, SCHEMAS[table]) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def open_table(path: Path, table: str) -> pa.Table:
    """The table of a file, mapped into memory. Raises Refused(FILE) for one that is cut short or of another kind."""
    try:
        with pa.memory_map(str(path)) as source:
            found = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise Refused(Reason.FILE, f"{path} is not a whole Arrow file: {error}") from None
    if found.schema != SCHEMAS[table]:
        raise Refused(Reason.FILE, f"{path} does not hold the columns of '{table}' of this version")
    return found


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all. Raises Refused(FILE) on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            line = f"the disk is full at {path} ({len(data)} bytes wanted); make room and run the same command again"
            raise Refused(Reason.FILE, line) from None
        raise Refused(Reason.FILE, f"{path} cannot be written: {error}") from None
