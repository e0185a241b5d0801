"""One person's hand as convex pieces on the bones, cut so that their hulls hardly bulge beyond the skin.

The cut is made once for each hand model, on the mean hand; the corners of its pieces are places on the skin, which any
person's skin then carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import manifold3d
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from hoi_ros.hand import rotations
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandModel
from hoi_ros.types import Array
from hoi_ros.view.render import vertex_normals

BULGE = 0.001  # m, a piece whose hull stands further out of the skin is cut in two
_INSET = 0.0005  # m, the skin is drawn in before it is cut: hulls are then off by +-, not by + alone
_LEAST_VOLUME = 1e-9  # m3, of a piece
_SMALLEST = 0.012  # m, nothing shorter is cut
_SHARE = 0.5  # of the skin's weight that makes a point part of a bone
_PLACES = (0.3, 0.5, 0.7)  # where along a part a cut is tried
_FLEXION = 30.0  # degrees, of the finger joints while the skin is cut: half way to most grasps
_THUMB = (40.0, 10.0, 25.0, -10.0, -5.0, 30.0)  # degrees, of the thumb's degrees of freedom then: opposed


@dataclass(frozen=True)
class BonePiece:
    """The hull of ``vertices`` (K, 3), m, from its joint in the axes of the flat hand; ``joint`` 0..15 carries it."""

    joint: int
    vertices: Array


@dataclass(frozen=True)
class _Cut:
    """Corners of one piece on the skin: vertices (K, 3) of the faces they lie in, and their weights (K, 3)."""

    joint: int
    corners: NDArray[np.int32]
    weights: Array


class HandBody:
    """Convex pieces of the skin of one person, ``betas`` (10,).

    The skin is taken from a half closed hand and carried back bone by bone, so that it sits where it does in a grasp.
    ``eroded`` (m) draws it further in along its normals, for control runs.
    """

    def __init__(self, model: HandModel, betas: Array, eroded: float = 0.0) -> None:
        self.model = model
        self.rest_joints = model.kinematics.rest_joints(betas[None])[0]
        self._half_closed = _HalfClosed(model, betas)
        self._inset = _INSET + eroded

    @cached_property
    def pieces(self) -> tuple[BonePiece, ...]:
        """The pieces, bone by bone."""
        hand, skin = self._half_closed, self._half_closed.drawn_in(self._inset)
        return tuple(
            BonePiece(cut.joint, (points - hand.joints[cut.joint]) @ hand.rotations[cut.joint])
            for cut in _cuts(self.model)
            for points in [(cut.weights[..., None] * skin[cut.corners]).sum(axis=1)]
        )

    def bulge(self) -> Array:
        """How far (P,) each piece's hull stands out of this person's skin, m."""
        hand = self._half_closed
        scene = _scene(hand.skin, self.model.closed_faces)
        placed = [piece.vertices @ hand.rotations[piece.joint].T + hand.joints[piece.joint] for piece in self.pieces]
        return np.array([_bulge(scene, manifold3d.Manifold.hull_points(points)) for points in placed])


class _HalfClosed:
    """A person's half closed hand: skin (778, 3), joints (16, 3) m and their rotations (16, 3, 3)."""

    def __init__(self, model: HandModel, betas: Array) -> None:
        limits = Limits(model.kinematics)
        angles = np.where(limits.axis == 0, _FLEXION, 0.0)
        angles[limits.joint >= 13] = _THUMB
        pose = limits.to_pose(np.radians(angles))
        local = rotations.exp(np.concatenate([np.zeros(3), pose]).reshape(1, 16, 3))
        posed = model.kinematics.forward(local, betas[None], model.kinematics.rest_joints(betas[None])[:, 0])
        self.rotations, self.joints = posed.rotations[0], posed.joints[0]
        self.skin = model.mesh(np.zeros(3), pose, betas).vertices[0]
        self._normals = vertex_normals(self.skin, model.closed_faces)

    def drawn_in(self, depth: float) -> Array:
        """The skin moved inwards by ``depth`` m."""
        return self.skin - depth * self._normals


@cache
def _cuts(model: HandModel) -> tuple[_Cut, ...]:
    """The pieces of the mean hand."""
    hand, faces = _HalfClosed(model, np.zeros(10)), model.closed_faces
    skin = hand.drawn_in(_INSET)
    uncut, drawn_in = _scene(hand.skin, faces), _scene(skin, faces)
    solid = manifold3d.Manifold(manifold3d.Mesh(skin.astype(np.float32), faces.astype(np.uint32)))
    points, weights = (np.concatenate([of, of[faces[:, :2]].mean(axis=1)]) for of in (skin, model.weights))
    cuts = []
    for joint in range(16):
        bone = manifold3d.Manifold.hull_points(points[weights[:, joint] >= _SHARE])
        for hull in _cut(uncut, solid ^ bone):
            corners = np.asarray(hull.to_mesh().vert_properties[:, :3], dtype=np.float32)
            found = drawn_in.compute_closest_points(o3d.core.Tensor.from_numpy(np.ascontiguousarray(corners)))
            near = np.linalg.norm(found["points"].numpy() - corners, axis=1) < 1e-4  # else inside, where cuts cross
            if manifold3d.Manifold.hull_points(corners[near]).volume() < _LEAST_VOLUME:
                continue
            uv = found["primitive_uvs"].numpy()[near].astype(np.float64)
            face = found["primitive_ids"].numpy()[near]
            cuts.append(_Cut(joint, faces[face], np.column_stack([1.0 - uv.sum(axis=1), uv])))
    return tuple(cuts)


def _cut(scene: o3d.t.geometry.RaycastingScene, solid: manifold3d.Manifold) -> list[manifold3d.Manifold]:
    """Hulls of the parts of ``solid``, cut across where it helps most until no hull bulges."""
    hull = solid.hull()
    if _bulge(scene, hull) <= BULGE:
        return [hull]
    points = np.asarray(hull.to_mesh().vert_properties[:, :3], dtype=np.float64)
    best: tuple[float, list[manifold3d.Manifold]] = (np.inf, [])
    for direction in np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2]:
        along = points @ direction
        for place in _PLACES if np.ptp(along) >= _SMALLEST else ():
            halves = solid.split_by_plane(direction, along.min() + place * np.ptp(along))
            excess = sum(max(_bulge(scene, half.hull()) - BULGE, 0.0) for half in halves)
            best = min(best, (excess, list(halves)), key=lambda option: option[0])
    return [part for half in best[1] for part in _cut(scene, half)] or [hull]


def _bulge(scene: o3d.t.geometry.RaycastingScene, hull: manifold3d.Manifold) -> float:
    """Largest distance of a hull's surface to the skin, outside, m."""
    mesh = hull.refine_to_length(0.003).to_mesh()
    samples = np.ascontiguousarray(mesh.vert_properties[:, :3], dtype=np.float32)
    return float(scene.compute_signed_distance(o3d.core.Tensor.from_numpy(samples)).numpy().max())


def _scene(vertices: Array, faces: NDArray[np.int32]) -> o3d.t.geometry.RaycastingScene:
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(vertices.astype(np.float32)), o3d.core.Tensor.from_numpy(faces.astype(np.uint32))
    )
    return scene
