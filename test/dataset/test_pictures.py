"""Pictures: what is said of them is true, by other means than those that made them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from hoi_ros.benchmarks.pictures import held_to, reprojection, visible_by_mujoco
from hoi_ros.dataset.pictures import (
    HAND,
    OBJECT,
    SIZES,
    WHOLE_HAND,
    WHOLE_OBJECT,
    Picture,
    Shown,
    decode,
    encode,
    render_views,
    shape_of,
    sheets,
)
from hoi_ros.dataset.pictures.casting import Caster, Kind, seen_keypoints
from hoi_ros.dataset.pictures.rendering import arrange, hand_look, move_hand
from hoi_ros.dataset.pictures.sensor import BASELINE, measure
from hoi_ros.dataset.pictures.shapes import HandSurface, Shape, box, creased
from hoi_ros.dataset.pictures.stage import stand
from hoi_ros.dataset.pictures.viewpoints import crop_camera
from hoi_ros.hand import load_hand_model
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.scene.sight import KeypointSight
from hoi_ros.types import Array, HandBatch, Intrinsics

MODEL = load_hand_model()
CAMERA = Intrinsics(600.0, 600.0, 319.5, 239.5)
FACING = Rotation.from_matrix([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # fingers up, palm to the camera


def mug() -> ObjectModel:
    """A can with a bar at its side: two parts."""
    can = trimesh.creation.cylinder(0.04, 0.1, sections=48).apply_translation([0.0, 0.0, 0.05])
    bar = trimesh.creation.box((0.012, 0.02, 0.08)).apply_translation([0.07, 0.0, 0.05])
    vertices = np.concatenate([can.vertices, bar.vertices])
    faces = np.concatenate([can.faces, bar.faces + len(can.vertices)]).astype(np.int32)
    parts = np.repeat([0, 1], [len(can.faces), len(bar.faces)]).astype(np.int32)
    return ObjectModel("mug_0", "mug", vertices, faces, parts, ("body", "handle"), ())


def made(count: int, seed: int = 0, sizes: tuple[tuple[int, int], ...] = SIZES) -> list[Picture]:
    rng = np.random.default_rng(seed)
    obj = mug()
    return [
        picture
        for number in range(count)
        for picture in render_views(obj, held_to(obj, MODEL, rng), MODEL, 1, rng, sizes, carried=number % 2 > 0)
    ]


PICTURES = made(6)


def test_the_same_seed_gives_the_same_pixels() -> None:
    for one, two in zip(PICTURES[:2], made(1), strict=True):
        for name in ("rgb", "depth", "true_depth", "masks", "visible", "object_pose"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert not np.array_equal(PICTURES[0].rgb, made(1, seed=1)[0].rgb)


def test_sizes_and_types() -> None:
    for picture, (width, height) in zip(PICTURES, SIZES * 6, strict=True):
        assert picture.rgb.shape == (height, width, 3) and picture.rgb.dtype == np.uint8
        assert picture.depth.shape == (height, width) and picture.depth.dtype == np.uint16
        assert picture.true_depth.shape == (height, width) and picture.true_depth.dtype == np.float32
        assert picture.masks.shape == (height, width) and picture.masks.dtype == np.uint8


def test_depth_under_the_masks_lies_on_the_meshes() -> None:
    for picture in PICTURES:
        hand, obj, noisy = reprojection(picture, mug(), MODEL)
        assert max(hand.max(initial=0.0), obj.max(initial=0.0)) < 0.002
        assert np.median(noisy) < 0.002 and np.percentile(noisy, 95) < 0.01


def test_keypoints_follow_from_the_hand_parameters() -> None:
    for picture in PICTURES:
        hand = picture.hand
        joints = MODEL.joints(hand.global_orient, hand.hand_pose, hand.betas, hand.transl)[0]
        assert np.allclose(joints, picture.keypoints, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_moving_a_hand_moves_its_mesh_rigidly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn, shift = Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3)
    hand = HandBatch(
        rng.normal(size=(2, 3)), rng.normal(0, 0.3, (2, 45)), rng.normal(size=(2, 10)), rng.normal(size=(2, 3))
    )
    moved = move_hand(MODEL, hand, turn, shift)
    before, after = (MODEL.mesh(h.global_orient, h.hand_pose, h.betas, h.transl).vertices for h in (hand, moved))
    assert np.allclose(before @ turn.T + shift, after, atol=1e-9)


def test_what_is_seen_is_part_of_what_is_there() -> None:
    for picture in PICTURES:
        assert not (picture.mask(HAND) & ~picture.mask(WHOLE_HAND)).any()
        assert not (picture.mask(OBJECT) & ~picture.mask(WHOLE_OBJECT)).any()
        assert not (picture.mask(HAND) & picture.mask(OBJECT)).any()
    assert any((picture.mask(WHOLE_OBJECT) & picture.mask(HAND)).any() for picture in PICTURES)


def test_occlusion_is_the_papers() -> None:
    masks = np.zeros((2, 8), np.uint8)
    masks[0, :7] = WHOLE_OBJECT  # 7 pixels, of which 3 are seen
    masks[0, :3] |= OBJECT
    picture = replace(PICTURES[0], masks=masks)
    assert picture.object_occlusion == pytest.approx(1.0 - 4.0 / 8.0)
    assert picture.hand_occlusion == 0.0


def test_a_crop_shows_hand_and_object() -> None:
    for picture in PICTURES[::2]:
        pose = picture.object_pose
        points = mug().vertices @ Rotation.from_quat(pose[3:]).as_matrix().T + pose[:3]
        pixels = picture.intrinsics.project(np.concatenate([points, picture.keypoints]))
        assert ((pixels > -20) & (pixels < 276)).all()
        assert np.ptp(pixels, axis=0).max() > 120


def test_a_crop_is_a_window_of_the_whole_picture() -> None:
    points = np.array([[-0.1, 0.0, 0.5], [0.1, 0.1, 0.6], [0.0, -0.1, 0.4]])
    crop = crop_camera(np.random.default_rng(0), CAMERA, points, 256)
    zoom = crop.fx / CAMERA.fx
    corner = np.array([(CAMERA.cx + 0.5) - (crop.cx + 0.5) / zoom, (CAMERA.cy + 0.5) - (crop.cy + 0.5) / zoom])
    assert crop.fy / CAMERA.fy == pytest.approx(zoom)
    assert np.allclose((CAMERA.project(points) + 0.5 - corner) * zoom - 0.5, crop.project(points))


def test_visible_keypoints_are_those_of_mujocos_rays() -> None:
    look, rng, obj = hand_look(MODEL), np.random.default_rng(3), mug()
    shape = shape_of(obj)
    for _ in range(15):
        view = arrange(obj, shape, held_to(obj, MODEL, rng), look, rng, carried=True, others=[shape])
        assert np.array_equal(visible_by_mujoco(view, look), view.seen)


def sight(*before: Shape, turn: Rotation = FACING) -> tuple[Array, Array]:
    """Keypoints and which of them a camera 40 cm before the flat hand sees, with things between them."""
    surface = HandSurface(MODEL)
    posed = MODEL.mesh(turn.as_rotvec(), np.zeros(45))
    shift = np.array([0.0, 0.0, 0.4]) - posed.joints[0].mean(axis=0)
    shapes = [surface.shape(posed.vertices[0] + shift), *before]
    kinds = np.array([Kind.HAND, *[Kind.OBJECT] * len(before)])
    keypoints = posed.keypoints[0] + shift
    return keypoints, seen_keypoints(KeypointSight(MODEL), Caster(shapes), kinds, keypoints)


def test_the_flat_hand_shows_every_keypoint_from_both_sides() -> None:
    assert sight()[1].all()
    assert sight(turn=Rotation.from_euler("y", 180, degrees=True) * FACING)[1].all()


def test_from_the_thumbs_side_fingers_hide_each_other() -> None:
    turn = Rotation.from_euler("y", 90, degrees=True) * FACING
    keypoints, seen = sight(turn=turn)
    nearest, farthest = (5, 17) if keypoints[5, 2] < keypoints[17, 2] else (17, 5)
    assert seen[nearest + 1 : nearest + 4].all()
    assert not seen[farthest : farthest + 4].any()


def test_a_plate_hides_what_lies_behind_it() -> None:
    keypoints, _ = sight()
    tip = keypoints[12]
    plate = box(np.array([0.02, 0.02, 0.001])).moved(np.eye(3), 0.8 * tip)
    assert list(np.flatnonzero(~sight(plate)[1])) == [12]
    behind = box(np.array([1.0, 1.0, 0.001])).moved(np.eye(3), np.array([0.0, 0.0, 0.5]))
    assert sight(behind)[1].all()


@settings(max_examples=20, deadline=None)
@given(arrays(np.uint16, (7, 9)), arrays(np.uint8, (7, 9)), arrays(np.uint8, (7, 9, 3)))
def test_pictures_survive_the_way_to_disk(depth: Array, masks: Array, rgb: Array) -> None:
    for image in (depth, masks, rgb):
        back = decode(encode(image))
        assert back.dtype == image.dtype and np.array_equal(back, image)


@pytest.mark.parametrize("data", [b"", b"no picture", encode(PICTURES[0].masks)[:40]])
def test_bytes_that_are_no_picture(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        decode(data)
    assert refused.value.reason == Reason.PICTURE_DATA


def test_what_cannot_be_rendered() -> None:
    obj, rng = mug(), np.random.default_rng(0)
    hand = held_to(obj, MODEL, rng)
    two = HandBatch(*(np.repeat(a, 2, axis=0) for a in (hand.global_orient, hand.hand_pose, hand.betas, hand.transl)))
    for bad in (
        lambda: render_views(obj, two, MODEL, 1, rng),
        lambda: render_views(obj, hand, MODEL, 0, rng),
        lambda: render_views(obj, hand, MODEL, 1, rng, ()),
        lambda: render_views(obj, hand, MODEL, 1, rng, ((4, 480),)),
    ):
        with pytest.raises(Refused) as refused:
            bad()
        assert refused.value.reason == Reason.PARAMETER


def test_a_measured_plane_is_near_the_true_one() -> None:
    depth = np.full((200, 300), 0.8, np.float32)
    got = measure(depth, np.ones_like(depth), CAMERA, np.random.default_rng(0))
    known = got > 0
    assert known.mean() > 0.97
    error = got[known] / 1e3 - 0.8
    assert abs(error.mean()) < 3e-4 and 5e-4 < error.std() < 3e-3


def test_the_second_eye_loses_the_left_of_what_is_near() -> None:
    depth = np.full((60, 400), 1.2, np.float32)
    depth[:, 200:260] = 0.5
    lost = measure(depth, np.ones_like(depth), CAMERA, np.random.default_rng(0)) == 0
    shadow = round(CAMERA.fx * BASELINE * (1 / 0.5 - 1 / 1.2))
    assert lost[:, 202 - shadow : 198].all()
    assert lost[:, 265:].mean() < 0.05 and lost[:, : 190 - shadow].mean() < 0.05


def test_no_depth_where_there_is_nothing_or_at_grazing_rays() -> None:
    depth = np.full((40, 40), 0.6, np.float32)
    depth[:20] = 0.0
    facing = np.ones_like(depth)
    facing[30:] = 0.05
    got = measure(depth, facing, CAMERA, np.random.default_rng(0))
    assert not got[:20].any() and not got[30:].any() and (got[22:29] > 0).mean() > 0.97


def test_normals_stop_at_creases_alone() -> None:
    cube = box(np.array([0.1, 0.2, 0.3]))
    flat = trimesh.Trimesh(cube.vertices, cube.faces, process=False).face_normals
    assert np.allclose(cube.normals, flat[:, None], atol=1e-6)
    ball = trimesh.creation.icosphere(3, 0.05)
    smooth = creased(np.asarray(ball.vertices), ball.faces.astype(np.int32))
    assert np.allclose(smooth.normals, ball.vertices[ball.faces] / 0.05, atol=0.02)


def test_the_finer_skin_is_closed_and_keeps_the_models_vertices() -> None:
    posed = MODEL.mesh(np.zeros(3), MODEL.hands_mean).vertices[0]
    skin = HandSurface(MODEL).shape(posed)
    assert np.array_equal(skin.vertices[:778], posed)
    closed = trimesh.Trimesh(skin.vertices, skin.faces, process=False)
    assert closed.is_watertight and closed.volume > 0.0
    assert len(skin.faces) == 4 * len(MODEL.closed_faces)


def test_what_is_not_carried_stands_upright() -> None:
    obj, hand = shape_of(mug()), box(np.array([0.1, 0.1, 0.1])).moved(np.eye(3), np.array([0.0, 0.0, 0.2]))
    for seed in range(5):
        turn, table = stand(np.random.default_rng(seed), obj, hand, hand, carried=False)
        assert np.allclose(turn[2], [0.0, 0.0, 1.0]) and table == 0.0
    below = hand.moved(np.eye(3), np.array([0.0, 0.0, -0.25]))
    assert stand(np.random.default_rng(0), obj, hand, below, carried=False)[1] is None


def test_a_sheet_for_every_category_and_affordance() -> None:
    obj, rng = mug(), np.random.default_rng(0)
    grasps = [Shown(obj, held_to(obj, MODEL, rng), name, f"{name}: body") for name in ("Lift", "Press", "Lift")]
    found = sheets(grasps, MODEL, limit=2)
    assert sorted(found) == ["affordance Lift", "affordance Press", "category mug"]
    assert all(sheet.dtype == np.uint8 and sheet.std() > 5.0 for sheet in found.values())
