"""Meshes that nobody labelled: read from a folder, with what is known of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manifold3d
import numpy as np

from hoi_ros.dataset.engine import mesh_files
from hoi_ros.dataset.shards import digest
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.files import load_grasps
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.meshes import check_mesh, load_mesh
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import HandBatch

EDGE = 0.01  # m: longer edges are cut, so that parts may end where the faces did not
UNNAMED = "object"  # category of a mesh of which none is told


@dataclass(frozen=True)
class Target:
    """A mesh to be labelled: one part, no uses, no convex pieces yet."""

    obj: ObjectModel
    stated: tuple[tuple[Affordance, str], ...]  # uses that it is known to have: affordance and part
    grasps: HandBatch | None
    content: str  # SHA-256 of its files


def targets(folder: Path, categories: Path | None) -> tuple[list[Target], dict[str, str]]:
    """The meshes of a folder, and of those that cannot be used why.

    ``NAME.grasps.npz`` beside ``NAME.obj`` holds hands in the mesh's frame. ``categories`` is JSON: ``{"NAME": "mug"}``
    or ``{"NAME": {"category": "kettle", "uses": [["Handle-grasp", "handle"], ["Twist", "lid"]]}}``. Raises
    Refused(FILE) for a file that holds something else, or names no mesh of the folder.
    """
    files = {path.stem: path for path in mesh_files(folder)}
    told = _told(categories) if categories else {}
    if unknown := sorted(set(told) - set(files)):
        raise Refused(Reason.FILE, f"{categories} names '{unknown[0]}'; {folder} has: {', '.join(files)}")
    found, unusable = [], {}
    for name, path in files.items():
        category, stated = told.get(name, (UNNAMED, ()))
        try:
            found.append(_target(path, category, stated))
        except Refused as refusal:
            unusable[name] = refusal.message
    return found, unusable


def _target(path: Path, category: str, stated: tuple[tuple[Affordance, str], ...]) -> Target:
    mesh = load_mesh(path)
    closed = check_mesh(mesh.vertices, mesh.faces)
    solid = manifold3d.Manifold(manifold3d.Mesh64(np.array(closed.vertices), closed.faces.astype(np.uint64)))
    fine = solid.refine_to_length(EDGE).to_mesh64()
    vertices, faces = np.array(fine.vert_properties)[:, :3], np.array(fine.tri_verts).astype(np.int32)
    if not len(faces):
        raise Refused(Reason.MESH, f"{path}: its {len(closed.faces)} faces make no manifold ({solid.status()})")
    obj = ObjectModel(path.stem, category, vertices, faces, np.zeros(len(faces), np.int32), ("body",), ())
    beside = path.with_name(f"{path.stem}.grasps.npz")
    hands = load_grasps(beside)[0] if beside.exists() else None
    content = b"".join(file.read_bytes() for file in (path, beside) if file.exists())
    return Target(obj, stated, hands, digest(content))


def _told(path: Path) -> Mapping[str, tuple[str, tuple[tuple[Affordance, str], ...]]]:
    try:
        return {name: _entry(value) for name, value in json.loads(path.read_text()).items()}
    except OSError as error:
        raise Refused(Reason.FILE, f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(Reason.FILE, f"{path} tells no categories: {type(error).__name__} {error}") from None


def _entry(value: Any) -> tuple[str, tuple[tuple[Affordance, str], ...]]:
    if isinstance(value, str):
        return value, ()
    return str(value["category"]), tuple((Affordance(kind), str(part)) for kind, part in value.get("uses", ()))
