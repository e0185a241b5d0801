"""A solid as convex pieces, for physics: coacd's, with what they add to the solid measured."""

from __future__ import annotations

from dataclasses import dataclass

import coacd
import manifold3d
import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.object_model import Piece
from hoi_ros.types import Array

CONCAVITY = 0.003  # m, coacd's threshold: half of it gives twice the pieces
MAX_BULGE = 0.003  # m: beyond it a grip in simulation may hold what is not there
SEARCHES = ((60, 2), (150, 3))  # coacd's iterations and depth: the quick one, then its own default
SAMPLES = 20000


@dataclass(frozen=True)
class Bulge:
    """What the union of convex pieces adds to a solid, and what it lacks."""

    depth: float  # m, the farthest that the pieces' surface lies outside the solid
    depth_99: float  # m, exceeded on 1 % of the pieces' area
    missing: float  # m, the farthest that the solid's surface lies outside the pieces
    volume_ratio: float  # volume of the union over that of the solid


def decompose(
    vertices: ArrayLike, faces: ArrayLike, face_parts: NDArray[np.int32], seed: int = 0
) -> tuple[tuple[Piece, ...], Bulge]:
    """Convex pieces of the closed mesh ``vertices`` (V, 3), m, ``faces`` (F, 3), and what they add to it.

    Each piece belongs to the part of ``face_parts`` (F,) that most of its surface is nearest to. Raises Refused(MESH)
    where no search keeps the pieces within ``MAX_BULGE`` of the solid.
    """
    vertices, faces = np.asarray(vertices, float), np.asarray(faces)
    exact = SignedDistance(vertices, faces)
    coacd.set_log_level("error")
    for iterations, depth in SEARCHES:
        hulls = coacd.run_coacd(
            coacd.Mesh(vertices, faces),
            threshold=CONCAVITY,
            real_metric=True,
            preprocess_mode="off",  # it remeshes, which adds a millimetre all around
            mcts_iterations=iterations,
            mcts_max_depth=depth,
            seed=seed,
        )
        corners = [np.asarray(points, float) for points, _ in hulls]
        bulge = measure_bulge(corners, vertices, faces)
        if bulge.depth <= MAX_BULGE:
            return tuple(Piece(c, _part(c, exact, face_parts)) for c in corners), bulge
    raise Refused(
        Reason.MESH,
        f"{len(corners)} convex pieces bulge {bulge.depth * 1e3:.1f} mm out of the mesh, more than "
        f"{MAX_BULGE * 1e3:g} mm: a simulated grip would hold what is not there",
    )


def measure_bulge(pieces: list[Array], vertices: ArrayLike, faces: ArrayLike) -> Bulge:
    """How the union of the hulls of ``pieces`` (K, 3) differs from the closed mesh; from 20,000 samples of each."""
    union = manifold3d.Manifold.batch_boolean(
        [manifold3d.Manifold.hull_points(p) for p in pieces], manifold3d.OpType.Add
    ).to_mesh64()
    hulls = trimesh.Trimesh(np.array(union.vert_properties)[:, :3], np.array(union.tri_verts), process=False)
    solid = trimesh.Trimesh(vertices, faces, process=False)
    outside = SignedDistance(solid.vertices, solid.faces).distance(_samples(hulls))
    missing = SignedDistance(hulls.vertices, hulls.faces).distance(_samples(solid))
    return Bulge(
        float(outside.max()), float(np.quantile(outside, 0.99)), float(missing.max()), hulls.volume / solid.volume
    )


def _samples(mesh: trimesh.Trimesh) -> Array:
    return np.concatenate([mesh.vertices, trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)[0]])


def _part(corners: Array, exact: SignedDistance, face_parts: NDArray[np.int32]) -> int:
    points, _ = trimesh.sample.sample_surface(trimesh.convex.convex_hull(corners), 200, seed=0)
    return int(np.bincount(face_parts[exact.closest_faces(points)]).argmax())
