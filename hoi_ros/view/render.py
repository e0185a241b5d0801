"""Triangle meshes to shaded pictures by ray casting on the CPU: headless, and the same picture every time.

Everything is in the camera optical frame (x right, y down, z forward), metres; pictures are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import open3d as o3d
import trimesh
from numpy.typing import NDArray

from hoi_ros.types import Array, Intrinsics

Picture = NDArray[np.uint8]

LIGHTS = (  # direction towards the light, strength: a key light from above left of the camera, a weak fill from below
    (np.array([-0.45, -0.7, -0.75]), 0.75),
    (np.array([0.8, 0.1, -0.5]), 0.22),
)
AMBIENT = 0.3
OCCLUSION_RAYS = 16
OCCLUSION_REACH = 0.04  # m


@dataclass(frozen=True)
class Mesh:
    """A surface with one colour, or one for each vertex."""

    vertices: Array  # (V, 3) m
    faces: NDArray[np.int32]  # (F, 3), counter-clockwise from outside
    colour: Array  # (3,) or (V, 3), 0..1
    gloss: float = 0.12


@dataclass(frozen=True)
class Hits:
    """What the ray through each pixel meets first. Rows of the arrays belong to the pixels set in `mask`."""

    mask: NDArray[np.bool_]  # (H, W)
    depth: Array  # (N,) m along z
    points: Array  # (N, 3) m
    normals: Array  # (N, 3) unit, towards the camera
    colour: Array  # (N, 3)
    gloss: Array  # (N,)
    mesh: NDArray[np.int64]  # (N,) index of the mesh
    face: NDArray[np.int64]  # (N,) index of the face in its mesh
    barycentric: Array  # (N, 3)
    openness: Array  # (N,) 1 in the open, 0 in a crevice


def cast(
    meshes: Sequence[Mesh], intrinsics: Intrinsics, size: tuple[int, int], occlusion_rays: int = OCCLUSION_RAYS
) -> Hits:
    """Cast one ray through each pixel of a picture of ``size`` (H, W)."""
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    for mesh in meshes:
        vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)
        scene.add_triangles(o3d.core.Tensor.from_numpy(vertices), o3d.core.Tensor.from_numpy(faces))
    height, width = size
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    directions = np.stack(
        [(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy, np.ones_like(u)], -1
    )
    found = scene.cast_rays(np.concatenate([np.zeros_like(directions), directions], -1).astype(np.float32))
    depth = found["t_hit"].numpy()
    mask = np.isfinite(depth)
    mesh_index = found["geometry_ids"].numpy()[mask].astype(np.int64)
    face = found["primitive_ids"].numpy()[mask].astype(np.int64)
    uv = found["primitive_uvs"].numpy()[mask].astype(np.float64)
    barycentric = np.column_stack([1.0 - uv.sum(1), uv])
    points = directions[mask] * depth[mask][:, None]
    normals, colour, gloss = np.zeros((len(face), 3)), np.zeros((len(face), 3)), np.zeros(len(face))
    for index, mesh in enumerate(meshes):
        of = mesh_index == index
        corners = mesh.faces[face[of]]
        normals[of] = _blend(vertex_normals(mesh.vertices, mesh.faces)[corners], barycentric[of])
        of_vertex = np.broadcast_to(mesh.colour, mesh.vertices.shape)
        colour[of] = _blend(of_vertex[corners], barycentric[of])
        gloss[of] = mesh.gloss
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    openness = _openness(scene, points, normals, occlusion_rays)
    return Hits(
        mask, depth[mask].astype(float), points, normals, colour, gloss, mesh_index, face, barycentric, openness
    )


def shade(hits: Hits) -> Array:
    """Colour (N, 3), 0..1, of each hit: wrapped diffuse light, a soft highlight, and shade in crevices."""
    view = -hits.points / np.linalg.norm(hits.points, axis=1, keepdims=True)
    light = np.full((len(hits.points), 3), AMBIENT) * hits.openness[:, None]
    highlight = np.zeros(len(hits.points))
    for direction, strength in LIGHTS:
        towards = direction / np.linalg.norm(direction)
        cosine = hits.normals @ towards
        # Light wraps further round the red channel, as it does under skin.
        wrapped = np.clip((cosine[:, None] + [0.35, 0.2, 0.15]) / [1.35, 1.2, 1.15], 0.0, 1.0)
        light += strength * wrapped * (0.35 + 0.65 * hits.openness[:, None])
        half = view + towards
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        highlight += strength * np.clip((hits.normals * half).sum(1), 0.0, 1.0) ** 24
    return np.clip(hits.colour * light + (hits.gloss * highlight * hits.openness)[:, None], 0.0, 1.0)


def picture(
    meshes: Sequence[Mesh],
    intrinsics: Intrinsics,
    background: Picture,
    *,
    opacity: float = 1.0,
    samples: int = 2,
) -> Picture:
    """Shaded meshes over a background (H, W, 3) with ``samples`` x ``samples`` rays for each pixel."""
    height, width = background.shape[:2]
    fine = zoomed(intrinsics, samples)
    hits = cast(meshes, fine, (height * samples, width * samples))
    layer, cover = np.zeros((*hits.mask.shape, 3)), hits.mask.astype(float)
    layer[hits.mask] = shade(hits)
    layer, cover = _shrink(layer, samples), _shrink(cover[..., None], samples)
    return to_uint8(layer * opacity + background / 255.0 * (1.0 - cover * opacity))


def zoomed(intrinsics: Intrinsics, factor: float) -> Intrinsics:
    """The same camera with ``factor`` times the pixels on each side; pixel centres stay where they are."""
    centre = (intrinsics.cx + 0.5) * factor - 0.5, (intrinsics.cy + 0.5) * factor - 0.5
    return Intrinsics(intrinsics.fx * factor, intrinsics.fy * factor, *centre)


def framing(points: Array, size: tuple[int, int], margin: float = 0.1) -> tuple[Intrinsics, Array]:
    """A camera that shows all of ``points`` (N, 3) along z: its intrinsics, and what to add to the points."""
    height, width = size
    low, high = points.min(0), points.max(0)
    extent = np.maximum(high - low, 1e-3)
    distance = 4.0 * extent.max()
    focal = min(width / extent[0], height / extent[1]) * (1.0 - 2.0 * margin) * (distance - extent[2] / 2.0)
    return Intrinsics(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0), np.array([0, 0, distance]) - (
        low + high
    ) / 2


def smoothed(vertices: Array, faces: NDArray[np.int32], rounds: int) -> tuple[Array, NDArray[np.int32]]:
    """The surface after ``rounds`` of Loop subdivision: four times the faces each, without the facets' edges."""
    fine, fine_faces = trimesh.remesh.subdivide_loop(vertices, faces, iterations=rounds)
    return np.asarray(fine), np.asarray(fine_faces, dtype=np.int32)


def vertex_normals(vertices: Array, faces: NDArray[Any]) -> Array:
    """Unit normals (V, 3), faces weighted by area."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    of_face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices, dtype=np.float64)
    for i in range(3):
        np.add.at(normals, faces[:, i], of_face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def to_uint8(colour: Array) -> Picture:
    """Colours 0..1 as bytes."""
    return np.round(np.clip(colour, 0.0, 1.0) * 255.0).astype(np.uint8)


def _blend(corners: Array, barycentric: Array) -> Array:
    return np.einsum("nij,ni->nj", corners, barycentric)


def _openness(scene: o3d.t.geometry.RaycastingScene, points: Array, normals: Array, count: int) -> Array:
    """Share of a fixed fan of rays around each normal that meets nothing near, (N,)."""
    if count == 0:
        return np.ones(len(points))
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)  # golden-angle spiral, cosine weighted
    radius = np.sqrt((np.arange(count) + 0.5) / count)
    local = np.column_stack([radius * np.cos(turn), radius * np.sin(turn), np.sqrt(1.0 - radius**2)])
    side = np.cross(normals, np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    basis = np.stack([side, np.cross(normals, side), normals], 1)
    directions = np.einsum("kj,njd->nkd", local, basis)
    starts = np.broadcast_to((points + 5e-4 * normals)[:, None], directions.shape)
    rays = np.concatenate([starts, directions], -1).astype(np.float32)
    met = scene.cast_rays(rays)["t_hit"].numpy()
    return 1.0 - (1.0 - np.clip(met / OCCLUSION_REACH, 0.0, 1.0)).mean(1)


def _shrink(image: Array, samples: int) -> Array:
    height, width, channels = image.shape
    return image.reshape(height // samples, samples, width // samples, samples, channels).mean((1, 3))
