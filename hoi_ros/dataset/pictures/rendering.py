"""RGB-D pictures of grasps: ``render_views``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.pictures import sensor
from hoi_ros.dataset.pictures.arms import random_arm
from hoi_ros.dataset.pictures.backgrounds import draw_background
from hoi_ros.dataset.pictures.casting import Caster, Hits, Kind, Silhouette, pixel_rays, seen_keypoints, within
from hoi_ros.dataset.pictures.materials import random_material
from hoi_ros.dataset.pictures.picture import HAND, OBJECT, WHOLE_HAND, WHOLE_OBJECT, Picture
from hoi_ros.dataset.pictures.shading import Shader, facing_of, kinds
from hoi_ros.dataset.pictures.shapes import Floats, HandSurface, Shape, shape_of
from hoi_ros.dataset.pictures.skin import SkinTexture
from hoi_ros.dataset.pictures.stage import Lights, Thing, clutter, random_lights, stand, table
from hoi_ros.dataset.pictures.viewpoints import FULL, ViewKind, choose_view, crop_camera, scaled, whole_camera
from hoi_ros.hand import HandModel
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.scene.sight import KeypointSight
from hoi_ros.types import Array, HandBatch, Intrinsics

SIZES = ((256, 256), FULL)
LEAST_SEEN = 4  # keypoints, else another view is tried
ATTEMPTS = 10
_OPEN_REACH = 0.05  # m
_ELBOW_ROOM = 0.12  # m between the camera and the arm
_SURE_VIEW = np.array([0.46, 0.34])  # of every whole picture, as the tangent of its angles
_HALF_VIEW = np.array([0.6, 0.46])  # of any whole picture
_TURNS = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])  # spread within a block
_SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], dtype=np.float32)


@dataclass(frozen=True)
class View:
    """A scene before a camera: everything in the camera frame. The hand is thing 0, the object thing 1."""

    kind: ViewKind
    things: tuple[Thing, ...]
    caster: Caster
    silhouettes: tuple[Silhouette, Silhouette]  # of hand and object
    lights: Lights
    darkness: float  # of the skin
    rotation: Array  # (3, 3) of the object's frame into the camera's
    shift: Array  # (3,) m
    hand: HandBatch  # one hand, in the camera frame
    keypoints: Array  # (21, 3) m
    seen: NDArray[np.bool_]  # (21,) keypoints that nothing hides, in the picture or not


class HandLook:
    """What pictures need of one hand model: surface, skin, and the rule of visible keypoints."""

    def __init__(self, model: HandModel) -> None:
        self.model = model
        self.surface = HandSurface(model)
        self.skin = SkinTexture.draw(model)
        self.sight = KeypointSight(model)


@lru_cache(maxsize=2)
def hand_look(model: HandModel) -> HandLook:
    """The look of a model, made once."""
    return HandLook(model)


def render_views(
    obj: ObjectModel,
    hand: HandBatch,
    model: HandModel,
    count: int,
    rng: np.random.Generator,
    sizes: Sequence[tuple[int, int]] = SIZES,
    *,
    carried: bool = True,
    others: Sequence[Shape] = (),
) -> list[Picture]:
    """``count`` views of one hand on an object, each as a picture of every size (width, height), view by view.

    Pictures of a square size are crops around hand and object with the intrinsics of the crop; others show what the
    whole camera sees. ``hand`` holds one hand in the object's frame. ``carried``: the hand may lift and turn the
    object; else it stands upright on its plane. ``others``: shapes (``shape_of``) that may stand around. The same
    generator state gives the same pixels.

    Raises Refused(PARAMETER) where ``hand`` is not one hand, or ``count`` or a size is not positive.
    """
    if len(hand) != 1:
        raise Refused(Reason.PARAMETER, f"pictures show one hand at a time, not {len(hand)}")
    if count < 1 or not sizes or min(min(size) for size in sizes) < 16:
        raise Refused(Reason.PARAMETER, f"{count} views of sizes {list(sizes)}: at least one, of 16 pixels and more")
    look, shape = hand_look(model), shape_of(obj)
    pictures = []
    for number in range(count):
        view = arrange(obj, shape, hand, look, rng, carried=carried, others=others)
        camera = whole_camera(rng)
        pictures += [render(view, look, camera_for(view, camera, size, rng), size, rng, number) for size in sizes]
    return pictures


def camera_for(view: View, camera: Intrinsics, size: tuple[int, int], rng: np.random.Generator) -> Intrinsics:
    """Intrinsics of a picture of ``size`` (width, height): the crop of a square one, else the scaled camera."""
    if size[0] != size[1]:
        return scaled(camera, size)
    points = np.concatenate([thing.shape.vertices for thing in view.things[:2]])
    return crop_camera(rng, camera, points, size[0])


def arrange(
    obj: ObjectModel,
    shape: Shape,
    hand: HandBatch,
    look: HandLook,
    rng: np.random.Generator,
    *,
    carried: bool,
    others: Sequence[Shape],
) -> View:
    """A random scene around a grasp, before a random camera that sees at least some of the hand."""
    mesh = look.model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl)
    skin = look.surface.shape(mesh.vertices[0])
    arm, darkness = random_arm(rng, look.model, hand, mesh.joints[0, 0])
    height = float(np.ptp(obj.vertices[:, 2]))
    bare = random_material(rng, len(obj.part_names), height)
    things = [
        Thing(Kind.HAND, skin, bare, np.eye(3), np.zeros(3)),  # skin has a texture of its own
        Thing(Kind.OBJECT, shape, bare, np.eye(3), np.zeros(3)),
        arm,
    ]
    turn, level = stand(rng, shape, skin, arm.shape, carried=carried)
    things = [thing.moved(turn, np.zeros(3)) for thing in things]
    held = np.concatenate([things[0].shape.vertices, things[1].shape.vertices])
    middle = (held.min(axis=0) + held.max(axis=0)) / 2.0
    if level is not None:
        things.append(table(rng, middle, level))
        things += clutter(rng, others, held, things[2].shape.vertices, things[3], int(rng.integers(0, 6)))
    lights = random_lights(rng)
    radius = float(np.linalg.norm(held - middle, axis=1).max())
    elbow = things[2].rotation[:, 0]
    for attempt in range(ATTEMPTS):
        kind, rotation, shift = choose_view(rng, middle, radius, elbow, table=level is not None)
        if attempt < ATTEMPTS - 1 and _arm_intrudes(things[2].shape.vertices @ rotation.T + shift):
            continue
        seen = tuple(thing.moved(rotation, shift) for thing in things)
        caster = Caster([thing.shape for thing in seen])
        keypoints = mesh.keypoints[0] @ (rotation @ turn).T + shift
        open_to = seen_keypoints(look.sight, caster, kinds(seen), keypoints)
        framed = (np.abs(keypoints[:, :2] / keypoints[:, 2:]) < _SURE_VIEW).all(axis=1)
        if (open_to & framed).sum() >= LEAST_SEEN:
            break
    moved = move_hand(look.model, hand, rotation @ turn, shift)
    alone = Silhouette(seen[0].shape), Silhouette(seen[1].shape)
    return View(
        kind, seen, caster, alone, lights.turned(rotation), darkness, rotation @ turn, shift, moved, keypoints, open_to
    )


def _arm_intrudes(arm: Array) -> bool:
    """Whether an arm (V, 3) in the camera's frame touches the camera, or its far end shows."""
    end = arm[-1]
    shows = end[2] > 0.0 and bool((np.abs(end[:2] / end[2]) < _HALF_VIEW).all())
    return shows or float(np.linalg.norm(arm, axis=1).min()) < _ELBOW_ROOM


def move_hand(model: HandModel, hand: HandBatch, rotation: Array, shift: Array) -> HandBatch:
    """Hands after a rotation (3, 3) and a shift (3,) m of their frame: MANO turns about J0(betas), not the origin."""
    pivot = model.kinematics.rest_joints(hand.betas)[:, 0]
    orient = Rotation.from_matrix(rotation) * Rotation.from_rotvec(hand.global_orient)
    transl = (pivot + hand.transl) @ rotation.T + shift - pivot
    return HandBatch(orient.as_rotvec(), hand.hand_pose, hand.betas, transl)


def render(
    view: View, look: HandLook, camera: Intrinsics, size: tuple[int, int], rng: np.random.Generator, number: int = 0
) -> Picture:
    """One picture of a view, with everything that is true of it."""
    width, height = size
    shader = Shader(view.things, view.caster, view.lights, look.skin, view.darkness)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2).astype(np.float32)
    rays = pixel_rays(camera, grid)
    hits = view.caster.first(rays)
    nearest = max(float(thing.shape.vertices[:, 2].max()) for thing in view.things[:3])
    picture, behind = draw_background(rng, size, nearest)
    colour, facing = _shaded(shader, view, camera, grid, rays, hits, picture.reshape(-1, 3), size)
    known = hits.surface >= 0
    depth = np.where(known, hits.depth, behind.ravel()).reshape(height, width)
    masks = np.zeros((height, width), np.uint8)
    surface = hits.surface.reshape(height, width)
    for index, (visible, whole) in enumerate(((HAND, WHOLE_HAND), (OBJECT, WHOLE_OBJECT))):
        masks[surface == index] |= visible | whole
        masks[view.silhouettes[index].mask(camera, size)] |= whole
    return Picture(
        rgb=sensor.expose(colour, rng),
        depth=sensor.measure(depth, facing, camera, rng),
        true_depth=depth,
        masks=masks,
        intrinsics=camera,
        object_pose=np.concatenate([view.shift, Rotation.from_matrix(view.rotation).as_quat()]),
        hand=view.hand,
        keypoints=view.keypoints,
        visible=view.seen & within(camera.project(view.keypoints), size),
        kind=view.kind,
        view=number,
    )


def _shaded(
    shader: Shader,
    view: View,
    camera: Intrinsics,
    grid: Floats,
    rays: Floats,
    hits: Hits,
    behind: Floats,
    size: tuple[int, int],
) -> tuple[Floats, Floats]:
    """Light (H, W, 3) of each pixel and how squarely (H, W) its surface faces the camera.

    Pixels on an outline get four rays more, for smooth edges. Shadow and openness come from one ray a pixel, whose
    direction goes round within blocks of 4 x 4 pixels, smoothed over such blocks.
    """
    width, height = size
    known = np.flatnonzero(hits.surface >= 0)
    found = hits.chosen(known)
    points = rays[known].T * found.depth
    normals, colours, gloss = shader.surfaces(found, points)
    lit, openness = np.ones((2, len(grid)), dtype=np.float32)
    turns = np.tile(_TURNS, (height // 4 + 1, width // 4 + 1))[:height, :width].ravel()[known]
    lit[known] = shader.lit(points, normals, turns)
    half = np.flatnonzero(turns < 8)  # openness is smooth: every second pixel will do
    counted = np.ones(len(grid), dtype=np.float32)
    openness[known], counted[known] = 0.0, turns < 8
    openness[known[half]] = shader.openness(points[:, half], normals[:, half], 2 * turns[half], _OPEN_REACH)
    lit, openness, counted = (_smoothed(values.reshape(height, width)) for values in (lit, openness, counted))
    openness /= counted
    picture = behind.copy()
    picture[known] = shader.light(normals, colours, gloss, points, lit[known], openness[known]).T
    facing = np.ones(len(grid), dtype=np.float32)
    facing[known] = facing_of(normals, points)
    edges = _outline(hits, size)
    fine = (grid[edges][:, None] + _SUBPIXELS).reshape(-1, 2)
    fine_rays = pixel_rays(camera, fine)
    fine_hits = view.caster.first(fine_rays)
    owner = np.repeat(edges, len(_SUBPIXELS))
    samples = behind[owner]
    at = np.flatnonzero(fine_hits.surface >= 0)
    found, points = fine_hits.chosen(at), fine_rays[at].T * fine_hits.depth[at]
    normals, colours, gloss = shader.surfaces(found, points)
    samples[at] = shader.light(normals, colours, gloss, points, lit[owner[at]], openness[owner[at]]).T
    picture[edges] = samples.reshape(len(edges), len(_SUBPIXELS), 3).mean(axis=1)
    return picture.reshape(height, width, 3), facing.reshape(height, width)


def _smoothed(values: Floats) -> Floats:
    """Means (H * W,) of two blocks of 4 x 4 pixels, one over the other."""
    return cv2.blur(cv2.blur(values, (4, 4)), (4, 4), anchor=(1, 1)).ravel()


def _outline(hits: Hits, size: tuple[int, int]) -> NDArray[np.int64]:
    """Pixels whose neighbour belongs to another surface or to a part of it farther off."""
    surface = hits.surface.reshape(size[1], size[0]).astype(np.float32)
    depth = np.where(hits.surface >= 0, hits.depth, 10.0).reshape(size[1], size[0])
    kernel = np.ones((3, 3), np.uint8)
    changed = cv2.dilate(surface, kernel) != cv2.erode(surface, kernel)
    stepped = cv2.dilate(depth, kernel) - cv2.erode(depth, kernel) > 0.008
    return np.flatnonzero(changed | stepped)
