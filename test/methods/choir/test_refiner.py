"""The refiner as a stage: what moves, what passes marked, what is refused, and its mirror image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from hoi_ros.hand import HandSolver, load_hand_model
from hoi_ros.hand.mirror import mirror_hand, mirror_points
from hoi_ros.hand.model import EMBEDDED
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.pairs import perturbed
from hoi_ros.methods.choir.refiner import ChoirRefiner
from hoi_ros.methods.choir.refinery import Refined, Refinery
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import DUMMY_CAMERA, flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.cloud_files import load
from hoi_ros.scene.clouds import farthest_points
from hoi_ros.stages import build
from hoi_ros.types import Array, HandBatch, HandPose, ObjectCloud, Side

MODEL = load_hand_model()
REACH = 0.15
CENTRE = np.array([0.0, 0.0, 0.5])
FRAME = "camera_color_optical_frame"


@pytest.fixture(scope="module")
def refiner() -> ChoirRefiner:
    return build("refiner", "choir", Parameters(refiner="choir", refiner_reach=REACH))


def surface(shape: trimesh.Trimesh, count: int = 4000) -> ObjectCloud:
    """Points 4 mm apart about ``CENTRE``, so that thinning them to 2 mm takes none."""
    points, faces = trimesh.sample.sample_surface(shape, count, seed=1)
    points, normals = np.asarray(points), np.asarray(shape.face_normals[faces])
    chosen = farthest_points(points, count)
    gaps = np.array([np.linalg.norm(points[chosen[:i]] - points[chosen[i]], axis=1).min() for i in range(1, 1200)])
    kept = chosen[: 1 + int((gaps > 0.004).sum())]
    return ObjectCloud(points[kept] + CENTRE, normals[kept], 5, FRAME)


@pytest.fixture(scope="module")
def can() -> ObjectCloud:
    return surface(trimesh.creation.cylinder(0.033, 0.12, sections=64))


def hand_at(middle: Array, side: Side = "right") -> HandPose:
    """A flat hand in the camera's frame, the root of its middle finger at ``middle`` (3,), m."""
    hand = flat_hand(side)
    shift = middle - hand.keypoints[9]
    points = hand.keypoints + shift
    wrist = np.concatenate([points[0], hand.wrist_pose[3:]])
    pixels = DUMMY_CAMERA.project(points)
    more = {"keypoints": points, "wrist_pose": wrist, "keypoints_2d": pixels}
    return replace(hand, transl=hand.transl + shift, track_id=3, stamp_ns=7, frame_id=FRAME, **more)


BESIDE = CENTRE + np.array([0.02, 0.06, 0.0])


def joints_of(hand: HandPose) -> Array:
    return MODEL.joints(hand.global_orient, hand.hand_pose, hand.betas[None], hand.transl, hand.side)[0]


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_hand_beside_an_object_moves_and_stays_one_hand(refiner: ChoirRefiner, can: ObjectCloud, side: Side) -> None:
    hand = hand_at(BESIDE, side)
    found = refiner.refine(hand, can)
    kept = (found.side, found.track_id, found.stamp_ns, found.frame_id)
    assert found.refinement == "choir" and kept == (side, 3, 7, FRAME)
    np.testing.assert_allclose(found.keypoints, joints_of(found), atol=1e-9)
    np.testing.assert_allclose(found.wrist_pose[:3], found.keypoints[0], atol=1e-9)
    assert found.change == pytest.approx(np.linalg.norm(found.keypoints - hand.keypoints, axis=1).mean())
    assert 0.002 < found.change < 0.2
    np.testing.assert_allclose(found.keypoints_2d, DUMMY_CAMERA.project(found.keypoints), atol=1e-6)


def test_noisy_grasps_of_people_come_nearer_to_what_they_were(refiner: ChoirRefiner, shared_data: Path) -> None:
    folder = shared_data / "dexycb_grasps"
    with np.load(folder / "grasps.npz", allow_pickle=False) as file:
        names = file["obj_name"]
        true = file["joints_obj"][names == "005_tomato_soup_can"][:12].astype(float)
    fit = HandSolver(MODEL).solve(true)
    hands = HandBatch(fit.global_orient, fit.hand_pose, fit.betas, fit.transl)
    noisy = perturbed(MODEL, hands, np.ones(len(true)), np.random.default_rng(0))
    keypoints = MODEL.joints(noisy.global_orient, noisy.hand_pose, noisy.betas, noisy.transl)
    given = [
        replace(
            hand_at(CENTRE),
            global_orient=noisy.global_orient[row],
            hand_pose=noisy.hand_pose[row],
            betas=noisy.betas[row],
            transl=noisy.transl[row],
            keypoints=keypoints[row],
        )
        for row in range(len(true))
    ]
    cloud = replace(load(folder / "meshes" / "005_tomato_soup_can.obj"), frame_id=FRAME)
    found = refiner.refine_all(given, cloud)
    moved = [row for row, hand in enumerate(found) if hand.change]
    before, after = (
        np.mean([np.linalg.norm(hands[row].keypoints - true[row], axis=1).mean() for row in moved])
        for hands in (given, found)
    )
    assert len(moved) >= 9 and before > 0.06 and after < 0.8 * before


def test_the_mirrored_scene_gives_the_mirrored_hand(refiner: ChoirRefiner, can: ObjectCloud) -> None:
    hand = hand_at(BESIDE)
    assert can.normals is not None
    mirrored = replace(can, points=mirror_points(can.points), normals=mirror_points(can.normals))
    right, left = refiner.refine(hand, can), refiner.refine(mirror_hand(hand), mirrored)
    assert left.side == "left" and left.refinement == right.refinement == "choir"
    for name, value in vars(mirror_hand(right)).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(getattr(left, name), value, atol=1e-6, err_msg=name)


def test_hands_keep_their_places_and_those_far_away_are_marked(refiner: ChoirRefiner, can: ObjectCloud) -> None:
    far = hand_at(CENTRE + np.array([2.0, 0.0, 0.0]), "left")
    given = [far, hand_at(BESIDE, "left"), hand_at(BESIDE)]
    passed, left, right = refiner.refine_all(given, can)
    assert (left.side, right.side) == ("left", "right") and left.change > 0.0 < right.change
    distance = np.linalg.norm(far.keypoints[:, None] - can.points, axis=-1).min()
    assert passed.refinement == f"unchanged: the object is {100 * distance:.0f} cm away" and passed.change == 0.0
    for name in ("global_orient", "hand_pose", "betas", "transl", "keypoints", "keypoints_2d", "wrist_pose"):
        np.testing.assert_array_equal(getattr(passed, name), getattr(far, name))


@pytest.mark.parametrize("beyond", [-0.01, 0.01])
def test_how_near_an_object_must_be(refiner: ChoirRefiner, can: ObjectCloud, beyond: float) -> None:
    """Keypoints on one plane beside points on a wall: the distance is known."""
    wall = np.stack(np.meshgrid(np.arange(-0.2, 0.2, 0.005), np.arange(-0.2, 0.2, 0.005), [0.0]), -1).reshape(-1, 3)
    hand = flat_hand("right")
    near = hand.keypoints[:, 2].max() + REACH + beyond
    at = np.array([*hand.keypoints[9, :2], near])
    cloud = ObjectCloud(wall + at, np.tile([0.0, 0.0, -1.0], (len(wall), 1)))
    said = refiner.refine(hand, cloud).refinement
    assert said.startswith("unchanged: the object is") == (beyond > 0.0)


def test_without_an_object_hands_pass_marked(refiner: ChoirRefiner) -> None:
    given = [hand_at(BESIDE), hand_at(BESIDE, "left")]
    for hand, old in zip(refiner.refine_all(given, None), given, strict=True):
        assert hand.refinement == "unchanged: no object is known"
        np.testing.assert_array_equal(hand.keypoints, old.keypoints)
    assert refiner.refine_all([], None) == []


def test_an_object_larger_than_the_grid_is_used_where_the_hand_is(refiner: ChoirRefiner) -> None:
    wall = surface(trimesh.creation.box((0.6, 0.02, 0.6)), 30000)
    found = refiner.refine(hand_at(CENTRE + np.array([0.0, -0.05, 0.0])), wall)
    assert found.refinement == "choir" and np.isfinite(found.keypoints).all() and found.change < 0.2


def test_the_same_seed_gives_the_same_hands_and_another_cloud_others(refiner: ChoirRefiner, can: ObjectCloud) -> None:
    hand = hand_at(BESIDE)
    first = refiner.refine(hand, can)
    moved = replace(can, points=can.points + np.array([0.0, 0.02, 0.0]))
    other = refiner.refine(hand, moved)
    refiner.reset()
    np.testing.assert_array_equal(refiner.refine(hand, can).keypoints, first.keypoints)
    assert np.abs(other.keypoints - first.keypoints).max() > 1e-3


def test_another_hand_model_is_the_one_that_is_fitted(can: ObjectCloud, tmp_path: Path) -> None:
    with np.load(EMBEDDED, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    larger = {name: 1.1 * arrays[name] for name in ("v_template", "shapedirs", "posedirs")}
    np.savez(tmp_path / "larger.npz", **(arrays | larger))
    path = str(tmp_path / "larger.npz")
    found = build("refiner", "choir", Parameters(refiner="choir", refiner_reach=REACH, hand_model_path=path)).refine(
        hand_at(BESIDE), can
    )
    model = load_hand_model(path)
    joints = model.joints(found.global_orient, found.hand_pose, found.betas[None], found.transl)[0]
    np.testing.assert_allclose(found.keypoints, joints, atol=1e-9)
    assert np.linalg.norm(joints - joints_of(found), axis=1).max() > 0.005


@pytest.mark.parametrize("name", ["global_orient", "hand_pose", "betas", "transl", "keypoints"])
def test_a_hand_that_is_not_finite_is_refused(refiner: ChoirRefiner, can: ObjectCloud, name: str) -> None:
    values = getattr(hand_at(BESIDE), name).copy()
    values[0] = np.nan
    with pytest.raises(Refused, match="not finite") as refused:
        refiner.refine_all([hand_at(BESIDE), replace(hand_at(BESIDE), **{name: values})], can)
    assert refused.value.reason is Reason.NOT_FINITE


@pytest.mark.parametrize("name", ["global_orient", "hand_pose", "betas", "transl", "keypoints"])
def test_numbers_that_no_hand_has_are_refused(refiner: ChoirRefiner, can: ObjectCloud, name: str) -> None:
    values = getattr(hand_at(BESIDE), name).copy()
    values[0] = -1e20
    with pytest.raises(Refused, match=r"1e\+20") as refused:
        refiner.refine(replace(hand_at(BESIDE), **{name: values}), can)
    assert refused.value.reason is Reason.KEYPOINTS


def test_where_a_hand_is_its_parameters_say(refiner: ChoirRefiner, can: ObjectCloud) -> None:
    hand = hand_at(BESIDE)
    found = refiner.refine(replace(hand, transl=hand.transl + np.array([5.0, 0.0, 0.0])), can)
    assert found.refinement.startswith("unchanged: the object is 4")


def test_a_cloud_in_another_frame_is_refused_by_both_names(refiner: ChoirRefiner, can: ObjectCloud) -> None:
    with pytest.raises(Refused, match=f"'{FRAME}'.*'base_link'") as refused:
        refiner.refine(hand_at(BESIDE), replace(can, frame_id="base_link"))
    assert refused.value.reason is Reason.FRAME


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros((0, 3)), "0 points"),
        (np.tile(CENTRE, (5000, 1)), "1 points"),
        (CENTRE + 0.01 * np.random.default_rng(0).standard_normal((20, 3)), "20 points|19 points"),
        (np.full((500, 3), np.nan), "500 of 500 points are not finite"),
        (np.vstack([np.full((1, 3), np.inf), np.zeros((500, 3))]), "1 of 501 points are not finite"),
    ],
)
def test_a_cloud_without_an_object_is_refused(refiner: ChoirRefiner, points: Array, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        refiner.refine(hand_at(BESIDE), ObjectCloud(points, None, 0, FRAME))
    assert refused.value.reason is Reason.CLOUD


def made_refiner(reach: float, told: list[float], monkeypatch: pytest.MonkeyPatch) -> ChoirRefiner:
    """Moves every hand by 8 cm along z, and notes the levels that it is told."""

    def refine(_self: Refinery, hands: HandBatch, _surface: CloudSurface, level: float, _seed: int) -> Refined:
        told.append(level)
        moved = replace(hands, transl=hands.transl + np.array([0.0, 0.0, 0.08]))
        return Refined(moved, moved, np.ones((len(hands), 778)))

    monkeypatch.setattr(Refinery, "refine", refine)
    return ChoirRefiner(Refinery(JointDiffusion(widths=(16, 32)).eval()), reach)


def test_a_hand_that_would_be_moved_too_far_stays(can: ObjectCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    hand = hand_at(BESIDE)
    assert np.linalg.norm(can.points[:, None] - hand.keypoints, axis=-1).min() < 0.07  # in reach of both
    moved = made_refiner(0.09, [], monkeypatch).refine(hand, can)
    assert moved.refinement == "choir"
    np.testing.assert_allclose(moved.keypoints, hand.keypoints + np.array([0.0, 0.0, 0.08]), atol=1e-6)
    stayed = made_refiner(0.07, [], monkeypatch).refine(hand, can)
    assert stayed.refinement == "unchanged: choir would move it by 80 mm, refiner_reach is 70 mm"
    assert stayed.change == 0.0
    assert np.array_equal(stayed.keypoints, hand.keypoints)


@pytest.mark.parametrize(("reach", "level"), [(0.15, 1.0), (0.075, 0.5), (0.3, 1.0)])
def test_the_farther_a_hand_may_be_off_the_noisier_it_is_told_to_be(
    reach: float, level: float, can: ObjectCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the benchmark's noise is 5 cm along each axis, a third of 15 cm; more of it was never seen."""
    told: list[float] = []
    made_refiner(reach, told, monkeypatch).refine(hand_at(BESIDE), can)
    assert told == [pytest.approx(level)]
