"""Meshes from elsewhere: read, repaired where that is safe, refused where they bound no solid, made an object.

The object keeps the mesh's own frame, so its plane z = 0 need not be one it stands on.
"""

from __future__ import annotations

from pathlib import Path

import manifold3d
import numpy as np
import open3d as o3d
import trimesh
from numpy.typing import ArrayLike, NDArray

from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene import convex
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.labels import Labels
from hoi_ros.scene.object_model import ObjectModel

FORMATS = (".glb", ".obj", ".off", ".ply", ".stl")
EXTENT = (0.005, 2.0)  # m: what is smaller or larger is no object for a hand, but one in other units
HOLE = 0.005  # m, radius of the largest hole that is filled
FOLD = 1e-3  # m: a surface folded into itself by less leaves the solid what it is
FOLDED_SHARE = 0.005  # of the area may lie deeper
TOUCH = 5e-6  # m: bodies nearer than twice this are one


def load_mesh(path: str | Path) -> trimesh.Trimesh:
    """The mesh of a file, as it is. Raises Refused(FILE) for what cannot be read, Refused(MESH) for what is no mesh."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise Refused(Reason.FILE, f"{path}: '{path.suffix}' is no mesh format known here; known: {', '.join(FORMATS)}")
    try:
        mesh = trimesh.load_mesh(path, process=False, skip_materials=True)
    except OSError as error:
        raise Refused(Reason.FILE, f"{path}: {error.strerror}") from error
    except Exception as error:  # the readers raise whatever a damaged file makes them stumble over
        raise Refused(Reason.FILE, f"{path} cannot be read as {path.suffix}: {error}") from error
    if not isinstance(mesh, trimesh.Trimesh):
        raise Refused(Reason.MESH, f"{path} holds no triangles")
    return mesh


def check_mesh(vertices: ArrayLike, faces: ArrayLike) -> trimesh.Trimesh:
    """The closed, outward-facing surface of one solid that ``vertices`` (V, 3), m, and ``faces`` (F, 3) mean.

    Seams are welded, holes up to ``HOLE`` filled, faces turned outwards, overlapping bodies united; nothing else moves.
    Raises Refused(MESH) with the offending values for what is empty, not finite, in other units, open, or folded into
    itself.
    """
    vertices, faces = np.array(vertices, float), np.array(faces)  # copies: the repair works in place
    _check_values(vertices, faces)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    if not mesh.is_watertight:
        mesh = _close(mesh)
    mesh = _orient(mesh)
    if (share := folded_share(mesh)) <= FOLDED_SHARE:
        return mesh
    bodies = [_outwards(body) for body in mesh.split(only_watertight=False)]
    if len(bodies) > 1 and (share := max(map(folded_share, bodies))) <= FOLDED_SHARE:
        return _unite(bodies)
    raise Refused(Reason.MESH, f"{share:.1%} of the mesh's surface lie deeper than {FOLD * 1e3:g} mm inside itself")


def object_model(
    mesh: str | Path | trimesh.Trimesh,
    labels: str | Path | Labels | None = None,
    category: str = "object",
    name: str = "",
    seed: int = 0,
) -> ObjectModel:
    """An object made of a mesh from elsewhere, in the mesh's frame (z = 0 is not a plane it stands on), m.

    ``labels`` (see scene/labels.py) names its parts and may say how they are used; without uses the whole is there to
    be wrapped. ``seed`` is that of the convex decomposition. Takes 2 to 40 s. Raises Refused(FILE) for files that
    cannot be read, Refused(MESH) as ``check_mesh`` does and where the convex pieces bulge too far.
    """
    if isinstance(mesh, str | Path):
        name = name or Path(mesh).stem
        mesh = load_mesh(mesh)
    closed = check_mesh(mesh.vertices, mesh.faces)
    if isinstance(labels, str | Path):
        labels = Labels.read(labels)
    labels = labels or Labels(("body",), faces=np.zeros(len(mesh.faces), np.int32))
    vertices, faces = np.array(closed.vertices), np.array(closed.faces, np.int32)
    face_parts = labels.carried_over(mesh, closed)
    pieces, _ = convex.decompose(vertices, faces, face_parts, seed)
    uses = labels.uses or (_wrap(closed, face_parts, labels.names),)
    return ObjectModel(name or "object", category, vertices, faces, face_parts, labels.names, pieces, uses)


def folded_share(mesh: trimesh.Trimesh, samples: int = 20000) -> float:
    """Share of the area whose outer side lies in the solid (or in space turned inside out), deeper than ``FOLD``.

    From each sample a ray leaves along the normal; where the crossings of a closed surface do not sum to zero, the
    winding number there is not that of free space, and the first crossing says how far such space reaches.
    """
    points, face = trimesh.sample.sample_surface(mesh, samples, seed=0)
    normals = mesh.face_normals
    jitter = np.random.default_rng(0).normal(scale=0.05, size=(samples, 3))  # rays that pass between aligned edges
    directions = trimesh.unitize(normals[face] + jitter)
    centre = mesh.bounds.mean(0)

    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    from_numpy = o3d.core.Tensor.from_numpy
    scene.add_triangles(
        from_numpy((mesh.vertices - centre).astype(np.float32)), from_numpy(mesh.faces.astype(np.uint32))
    )
    starts = points - centre + 1e-6 * mesh.scale * normals[face]
    hits = scene.list_intersections(from_numpy(np.concatenate([starts, directions], 1).astype(np.float32)), nthreads=1)
    ray, hit = hits["ray_ids"].numpy().astype(int), hits["primitive_ids"].numpy().astype(int)
    outwards = np.sign((directions[ray] * normals[hit]).sum(1))
    winding = np.bincount(ray, outwards, samples)
    depth = np.full(samples, np.inf)
    np.minimum.at(depth, ray, hits["t_hit"].numpy())
    return float(((winding != 0) & (depth > FOLD)).mean())


def _check_values(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
    if not len(vertices) or not len(faces):
        raise Refused(Reason.MESH, f"the mesh is empty: {len(vertices)} vertices, {len(faces)} faces")
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,) or faces.dtype.kind not in "iu":
        raise Refused(Reason.MESH, f"vertices {vertices.shape} and faces {faces.shape} are not (V, 3) and whole (F, 3)")
    if not np.isfinite(vertices).all():
        raise Refused(Reason.MESH, f"{(~np.isfinite(vertices).all(1)).sum()} vertices of the mesh are not finite")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise Refused(
            Reason.MESH, f"faces name vertices {faces.min()} to {faces.max()} of {len(vertices)} (counted from 0)"
        )
    extent = np.ptp(vertices[np.unique(faces)], axis=0).max()
    if not EXTENT[0] <= extent <= EXTENT[1]:
        in_metres = "; in millimetres? Then scale it by 0.001" if 5 <= extent <= 2000 else ""
        raise Refused(Reason.MESH, f"the mesh measures {extent:.4g} m, not {EXTENT[0]:g} to {EXTENT[1]:g} m{in_metres}")


def _close(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Seams of textures welded, doubled faces dropped, small holes filled."""
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    mesh.update_faces(mesh.unique_faces() & (np.diff(np.sort(mesh.faces, 1)) > 0).all(1))
    mesh.remove_unreferenced_vertices()
    if mesh.is_watertight:
        return mesh
    trimesh.repair.fix_winding(mesh)
    legacy = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices), o3d.utility.Vector3iVector(mesh.faces)
    )
    filled = o3d.t.geometry.TriangleMesh.from_legacy(legacy, o3d.core.float64).fill_holes(HOLE).to_legacy()
    closed = trimesh.Trimesh(np.asarray(filled.vertices), np.asarray(filled.triangles), process=False)
    closed.merge_vertices()
    if not closed.is_watertight:
        edges = np.unique(closed.edges_sorted, axis=0, return_counts=True)[1]
        raise Refused(
            Reason.MESH,
            f"the mesh is not watertight: {(edges == 1).sum()} open edges in holes wider than {2 * HOLE * 1e3:g} mm, "
            f"{(edges > 2).sum()} edges with more than two faces",
        )
    return closed


def _orient(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    if not mesh.is_winding_consistent:
        trimesh.repair.fix_winding(mesh)
    if not mesh.is_winding_consistent:
        raise Refused(Reason.MESH, "the mesh's surface has only one side: its faces cannot all look outwards")
    volume = sum(abs(_volume(body)) for body in mesh.split(only_watertight=False))
    if volume < 1e-4 * np.prod(np.maximum(mesh.extents, 1e-3)):
        raise Refused(Reason.MESH, f"the mesh is flat: it holds {volume * 1e6:.3g} cm3")
    return _outwards(mesh)


def _outwards(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    faces = mesh.faces if _volume(mesh) > 0 else mesh.faces[:, ::-1]
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


def _volume(mesh: trimesh.Trimesh) -> float:
    a, b, c = (mesh.triangles - mesh.bounds[0]).swapaxes(0, 1)
    return float((a * np.cross(b, c)).sum() / 6)


def _unite(bodies: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    """The union of bodies, each grown by ``TOUCH``, so that those which touch leave no slit."""
    solids = []
    for body in bodies:
        grown = body.vertices + TOUCH * body.vertex_normals
        solids.append(manifold3d.Manifold(manifold3d.Mesh64(grown, body.faces.astype(np.uint64))))
    united = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add).to_mesh64()
    return trimesh.Trimesh(np.array(united.vert_properties)[:, :3], np.array(united.tri_verts), process=False)


def _wrap(mesh: trimesh.Trimesh, face_parts: NDArray[np.int32], names: tuple[str, ...]) -> Use:
    """The largest part held as the size of the whole allows; the hand may touch the others."""
    width = trimesh.bounds.oriented_bounds(mesh)[1].min()
    areas = np.bincount(face_parts, mesh.area_faces, len(names))
    part = names[int(areas.argmax())]
    return Use(Affordance.WRAP_GRASP, part, _types_for(width), neighbours=tuple(n for n in names if n != part))


def _types_for(width: float) -> tuple[GraspType, ...]:
    """Grasp types for a thing ``width`` m thin, likeliest first."""
    if width < 0.025:
        return (
            GraspType.PALMAR_PINCH,
            GraspType.TRIPOD,
            GraspType.PRISMATIC_3_FINGER,
            GraspType.SMALL_DIAMETER,
            GraspType.LATERAL,
        )
    if width < 0.055:
        return (
            GraspType.MEDIUM_WRAP,
            GraspType.PRISMATIC_3_FINGER,
            GraspType.QUADPOD,
            GraspType.TRIPOD,
            GraspType.SPHERE_3_FINGER,
        )
    return (
        GraspType.LARGE_DIAMETER,
        GraspType.POWER_SPHERE,
        GraspType.SPHERE_4_FINGER,
        GraspType.POWER_DISK,
        GraspType.PRECISION_SPHERE,
    )
