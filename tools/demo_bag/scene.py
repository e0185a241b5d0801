"""One RGB-D picture of the demo's hand in a sleeve, before a blurred room."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hoi_ros.dataset.pictures.skin import Skin
from hoi_ros.hand import HandModel
from hoi_ros.types import Array, Intrinsics
from hoi_ros.view.render import Mesh, cast, shade, smoothed, vertex_normals, zoomed

SIZE = (480, 640)
CAMERA = Intrinsics(612.0, 612.0, 321.4, 238.7)
SAMPLES = 2
SLEEVE = np.array([0.2, 0.28, 0.42])
SLEEVE_LENGTH = 0.35  # m, out of the picture


class Scene:
    """Renders one hand model; the sleeve follows the wrist."""

    def __init__(self, model: HandModel) -> None:
        self._model = model
        self._skin = Skin(model)
        self._rest, self._faces = smoothed(model.v_template, model.closed_faces, 2)
        self._rest_normals = vertex_normals(self._rest, self._faces)
        self._sleeve, self._sleeve_faces = _sleeve(model)
        self._wrist = model.kinematics.rest_joints(np.zeros((1, 10)))[0, 0]
        self._room = _room()

    def render(
        self, global_orient: Array, hand_pose: Array, transl: Array, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Colour (480, 640, 3) RGB and depth (480, 640) mm, 0 where unknown, both with a sensor's noise."""
        mesh = self._model.mesh(global_orient, hand_pose, transl=transl)
        rotation = cv2.Rodrigues(global_orient)[0]
        vertices, _ = smoothed(mesh.vertices[0], self._model.closed_faces, 2)
        sleeve = (self._sleeve - self._wrist) @ rotation.T + mesh.joints[0, 0]
        meshes = [Mesh(vertices, self._faces, np.ones(3)), Mesh(sleeve, self._sleeve_faces, SLEEVE, gloss=0.01)]
        hits = cast(meshes, zoomed(CAMERA, SAMPLES), (SIZE[0] * SAMPLES, SIZE[1] * SAMPLES), occlusion_rays=24)
        colour, gloss = hits.colour.copy(), hits.gloss.copy()
        on_hand = hits.mesh == 0
        corners = self._faces[hits.face[on_hand]]
        place, normal = (
            np.einsum("nij,ni->nj", of_vertex[corners], hits.barycentric[on_hand])
            for of_vertex in (self._rest, self._rest_normals)
        )
        colour[on_hand], gloss[on_hand] = self._skin(place, normal)
        corners = self._sleeve_faces[hits.face[~on_hand]]
        place = np.einsum("nij,ni->nj", self._sleeve[corners], hits.barycentric[~on_hand])
        colour[~on_hand] *= _knit(place)[:, None]
        layer = np.zeros((*hits.mask.shape, 3))
        layer[hits.mask] = shade(replace(hits, colour=colour, gloss=gloss))
        depth = np.zeros(hits.mask.shape)
        depth[hits.mask] = hits.depth
        facing = np.zeros(hits.mask.shape)
        facing[hits.mask] = -(hits.normals * hits.points).sum(1) / np.linalg.norm(hits.points, axis=1)
        return self._colour(layer, hits.mask, rng), _depth(depth, facing, rng)

    def _colour(self, layer: Array, mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.uint8]:
        cover = _shrink(mask[..., None].astype(float))
        picture = _shrink(layer) + self._room * (1.0 - cover)
        picture = cv2.GaussianBlur(picture, (0, 0), 0.6)
        noisy = picture * 255.0 + rng.normal(0.0, 1.6, picture.shape) * np.sqrt(0.3 + picture)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _depth(depth: Array, facing: Array, rng: np.random.Generator) -> NDArray[np.uint16]:
    """A stereo camera's depth: 1 mm of smooth noise, nothing at grazing edges and beyond the working range."""
    coarse, grazing = depth[::SAMPLES, ::SAMPLES], facing[::SAMPLES, ::SAMPLES] < 0.2
    wobble = cv2.resize(rng.normal(0.0, 1.6, (SIZE[0] // 4, SIZE[1] // 4)), SIZE[::-1], interpolation=cv2.INTER_LINEAR)
    millimetres = np.round(coarse * 1e3 + wobble)
    lost = (coarse == 0.0) | grazing | (rng.random(SIZE) < 0.002)
    return np.where(lost, 0, millimetres).astype(np.uint16)


def _sleeve(model: HandModel) -> tuple[Array, NDArray[np.int32]]:
    """A sleeve around the forearm from just behind the wrist: rings of an ellipse along +x of the flat hand."""
    wrist = model.kinematics.rest_joints(np.zeros((1, 10)))[0, 0]
    rear = model.v_template[model.v_template[:, 0] > model.v_template[:, 0].max() - 0.02]
    centre, half = (rear.max(0) + rear.min(0)) / 2.0, (rear.max(0) - rear.min(0)) / 2.0
    profile = [(-0.004, 1.02), (-0.007, 1.12), (-0.005, 1.2), (0.0, 1.22), (0.022, 1.2), (0.024, 1.14), (0.028, 1.16)]
    profile += [(x, 1.18 + 0.9 * x) for x in np.linspace(0.05, SLEEVE_LENGTH, 12)]
    start = max(wrist[0] + 0.006, model.v_template[:, 0].max() - 0.02)
    turn = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    rings = [
        np.column_stack(
            [np.full(64, start + x), centre[1] + half[1] * s * np.cos(turn), centre[2] + half[2] * s * np.sin(turn)]
        )
        for x, s in profile
    ]
    a = np.arange(64)
    b = (a + 1) % 64
    faces = [
        np.concatenate([np.column_stack([i + a, i + b, i + 64 + a]), np.column_stack([i + b, i + 64 + b, i + 64 + a])])
        for i in range(0, 64 * (len(rings) - 1), 64)
    ]
    return np.concatenate(rings), np.concatenate(faces).astype(np.int32)


def _knit(places: Array) -> Array:
    return 1.0 + 0.12 * np.sin(places[:, 0] * 2600.0) * np.sin(np.arctan2(places[:, 1], places[:, 2]) * 90.0)


def _room() -> Array:
    """A blurred room (480, 640, 3), 0..1: wall, window light, a shelf, a plant."""
    height, width = SIZE
    v, u = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    wall = np.array([0.62, 0.6, 0.56]) * (1.08 - 0.25 * v - 0.2 * u)[..., None]
    room = np.ascontiguousarray(wall)
    cv2.rectangle(room, (20, -10), (170, 230), (0.86, 0.9, 0.95), -1)
    cv2.rectangle(room, (90, -10), (98, 230), (0.5, 0.47, 0.43), -1)
    cv2.rectangle(room, (430, 60), (660, 74), (0.36, 0.27, 0.2), -1)
    cv2.rectangle(room, (430, 250), (660, 264), (0.36, 0.27, 0.2), -1)
    books = (
        (440, 0.30, 0.36, 0.5),
        (468, 0.55, 0.3, 0.26),
        (490, 0.3, 0.42, 0.33),
        (520, 0.7, 0.62, 0.42),
        (560, 0.25, 0.25, 0.3),
    )
    for x, *colour in books:
        cv2.rectangle(room, (x, 120 + x % 37), (x + 22, 250), colour, -1)
    cv2.circle(room, (600, 20), 46, (0.3, 0.42, 0.28), -1)
    cv2.rectangle(room, (-10, 400), (660, 500), (0.42, 0.38, 0.35), -1)
    return cv2.GaussianBlur(room, (0, 0), 14)


def _shrink(image: Array) -> Array:
    return image.reshape(SIZE[0], SAMPLES, SIZE[1], SAMPLES, -1).mean((1, 3))
