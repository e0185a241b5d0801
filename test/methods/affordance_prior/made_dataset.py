"""A dataset of two cylinders: hands beside each, seen by cameras half a metre away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.manifest import Record, table_path
from hoi_ros.dataset.pictures import encode, encode_colour
from hoi_ros.dataset.reader import Dataset, object_row
from hoi_ros.dataset.shards import SCHEMAS, digest, write_whole
from hoi_ros.dataset.shards import encode as encode_table
from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.scene.object_model import ObjectModel, Piece

MODEL = load_hand_model()
LIMITS = Limits(MODEL.kinematics)
RADIUS, HEIGHT = 0.03, 0.16  # m
NUMBERS = (7, 3)  # of the grasps, in the order of their rows
OF = (3, 7, 3)  # the grasps in the pictures
PLACE = np.array([0.05, -0.02, 0.5, *Rotation.from_rotvec([np.pi, 0.0, 0.3]).as_quat()])
CAMERA = (300.0, 310.0, 4.0, 3.0)
DEPTH = np.arange(48, dtype=np.uint16).reshape(6, 8) * 20  # mm
WORDS = ("Hold the can.", "Grip the jar by its lid.")  # of the grasps


def made(folder: Path, split: str = "test") -> Dataset:
    """Two units, of which the second has no pictures."""
    for number, name in enumerate(("can_0009", "jar_0009")):
        obj = cylinder(name)
        hands = [grasp(name, split, row) for row in range(len(NUMBERS))]
        tables = {
            "objects": [dict.fromkeys(SCHEMAS["objects"].names) | object_row(obj, split, np.zeros(10))],
            "grasps": hands,
            "pictures": [picture(hands, view) for view in range(len(OF))] if number == 0 else [],
        }
        files = {table: encode_table(table, rows) for table, rows in tables.items()}
        for table, data in files.items():
            write_whole(table_path(folder, table, name), data)
        hashes = {table: digest(data) for table, data in files.items()}
        Record(name, obj.category, split, hashes, {}, {}, {}).save(folder)
    return Dataset(folder)


def cylinder(name: str) -> ObjectModel:
    """Along z."""
    mesh = trimesh.creation.cylinder(RADIUS, HEIGHT, sections=96)
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces, np.int32)
    parts = np.zeros(len(faces), np.int32)
    return ObjectModel(name, name.split("_")[0], vertices, faces, parts, ("body",), (Piece(vertices, 0),))


def grasp(name: str, split: str, row: int) -> dict[str, Any]:
    """A half-closed hand: the angles of row 1 are twice those of row 0."""
    orient, transl = np.array([0.1, 0.2 * row, 0.0]), np.array([-0.09, 0.01, 0.05])
    fingers = LIMITS.to_pose(0.25 * (row + 1) * np.maximum(LIMITS.upper, 0.0))
    points = MODEL.joints(orient, fingers, np.full(10, 0.1 * row), transl)[0]
    return dict.fromkeys(SCHEMAS["grasps"].names) | {
        "object": name,
        "category": name.split("_")[0],
        "split": split,
        "number": NUMBERS[row],
        "grasp_type": row,
        "pose": np.float32([*orient, *fingers]),
        "betas": np.full(10, 0.1 * row, np.float32),
        "transl": np.float32(transl),
        "keypoints": np.float32(points).ravel(),
        "region_contact": [region == 5 for region in range(17)],
        "instructions": [WORDS[row], "something else"],
        "affordance_description": f"A can is held {row}.",
        "partial_description": "A can is handled.",
    }


def picture(hands: list[dict[str, Any]], view: int) -> dict[str, Any]:
    """Of the grasp ``OF[view]``; keypoint ``view`` is hidden, and all of the thumb."""
    hand = hands[NUMBERS.index(OF[view])]
    turn, betas = Rotation.from_quat(PLACE[3:]), np.float64(hand["betas"])
    wrist = MODEL.kinematics.rest_joints(betas[None])[0, 0]
    orient = (turn * Rotation.from_rotvec(hand["pose"][:3])).as_rotvec()
    transl = turn.apply(wrist + hand["transl"]) + PLACE[:3] - wrist
    points = MODEL.joints(orient, np.float64(hand["pose"][3:]), betas, transl)[0]
    return dict.fromkeys(SCHEMAS["pictures"].names) | {
        "object": hand["object"],
        "grasp": OF[view],
        "split": hand["split"],
        "view": view,
        "width": 8,
        "height": 6,
        "intrinsics": np.float32(CAMERA),
        "rgb": encode_colour(np.full((6, 8, 3), (200, 100, 40 * view), np.uint8)),
        "depth": encode(DEPTH),
        "object_pose": np.float32(PLACE),
        "global_orient": np.float32(orient),
        "transl": np.float32(transl),
        "keypoints": np.float32(points).ravel(),
        "visible": [keypoint != view and not 1 <= keypoint <= 4 for keypoint in range(21)],
    }
