"""Which part of a mesh from elsewhere is which, and how the parts are used: read from a file beside the mesh.

JSON: ``{"names": ["body", "handle"], "faces": [0, 0, 1, ...], "uses": [{"affordance": "Handle-grasp", "part":
"handle", "grasp_types": ["MEDIUM_WRAP"], "axis": [0, 0, 1], "approach": null, "cone": 1.0, "force": null,
"neighbours": ["body"]}]}``. ``vertices`` may stand for ``faces``: one number a face or a vertex of the mesh file.
``uses`` is optional, as is all in a use but ``affordance`` and ``part``. NPZ: arrays ``names`` and ``faces`` or
``vertices``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.types import Array

DEFAULT_TYPES = (GraspType.MEDIUM_WRAP, GraspType.PRISMATIC_3_FINGER, GraspType.PALMAR_PINCH)


@dataclass(frozen=True)
class Labels:
    """Part numbers of the faces (F,) or else of the vertices (V,) of a mesh, by ``names``; and uses of the parts."""

    names: tuple[str, ...]
    faces: NDArray[np.int32] | None = None
    vertices: NDArray[np.int32] | None = None
    uses: tuple[Use, ...] = ()

    @classmethod
    def read(cls, path: str | Path) -> Labels:
        """Labels of a .json or .npz file. Raises Refused(FILE) with what is wrong in it."""
        path = Path(path)
        try:
            content = _contents(path)
            numbers = {k: np.asarray(content[k], np.int32) for k in ("faces", "vertices") if k in content}
            names = tuple(map(str, content["names"]))
            uses = tuple(_use(entry, names) for entry in content.get("uses", ()))
        except OSError as error:
            raise Refused(Reason.FILE, f"{path}: {error.strerror}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(Reason.FILE, f"{path} holds no part labels: {type(error).__name__} {error}") from error
        if len(numbers) != 1:
            raise Refused(Reason.FILE, f"{path} must hold either 'faces' or 'vertices', and holds {sorted(content)}")
        return cls(names, numbers.get("faces"), numbers.get("vertices"), uses)

    def carried_over(self, mesh: trimesh.Trimesh, repaired: trimesh.Trimesh) -> NDArray[np.int32]:
        """Part numbers (F',) of the faces of ``repaired``, which the labelled ``mesh`` became.

        Raises Refused(FILE) where the labels are not those of ``mesh``.
        """
        numbers, count = (
            (self.faces, len(mesh.faces)) if self.faces is not None else (self.vertices, len(mesh.vertices))
        )
        if numbers is None or numbers.shape != (count,):
            got = None if numbers is None else numbers.shape
            raise Refused(Reason.FILE, f"labels {got} do not fit a mesh of {len(mesh.faces)} faces, {count} labelled")
        if numbers.min() < 0 or numbers.max() >= len(self.names):
            raise Refused(
                Reason.FILE, f"labels {numbers.min()} to {numbers.max()} do not number {len(self.names)} names"
            )
        if self.faces is None:
            a, b, c = numbers[mesh.faces].T
            numbers = np.where(b == c, b, a)  # the majority of the corners, or the first
        return numbers[SignedDistance(mesh.vertices, mesh.faces).closest_faces(repaired.triangles_center)]


def _contents(path: Path) -> dict[str, Any]:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    return json.loads(path.read_text())


def _use(entry: dict[str, Any], names: tuple[str, ...]) -> Use:
    def vector(key: str) -> Array | None:
        if entry.get(key) is None:
            return None
        values = np.asarray(entry[key], float)
        if values.shape != (3,) or not 1e-9 < np.linalg.norm(values) < np.inf:
            raise ValueError(f"{key} {entry[key]} is no direction")
        return values / np.linalg.norm(values)

    part, neighbours = entry["part"], tuple(entry.get("neighbours", ()))
    if unknown := {part, *neighbours} - set(names):
        raise ValueError(f"unknown parts {sorted(unknown)}; known: {', '.join(names)}")
    known = [a.value for a in Affordance]
    if entry["affordance"] not in known:
        raise ValueError(f"unknown affordance '{entry['affordance']}'; known: {', '.join(known)}")
    types = entry.get("grasp_types")
    if unknown := set(types or ()) - set(GraspType.__members__):
        raise ValueError(f"unknown grasp types {sorted(unknown)}; known: {', '.join(GraspType.__members__)}")
    return Use(
        Affordance(entry["affordance"]),
        part,
        tuple(GraspType[t] for t in types) if types else DEFAULT_TYPES,
        vector("axis"),
        vector("approach"),
        float(entry.get("cone", np.pi)),
        vector("force"),
        neighbours,
    )
