"""The prior as a stage, by a random network: what moves, what stays and why, mirror images, what is refused."""

from __future__ import annotations

from dataclasses import replace

import made_prior
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.mirror import mirror_hand, mirror_points
from hoi_ros.hand.pose import projected
from hoi_ros.methods.affordance_prior.occlusion import hidden_by_cloud, hidden_by_self
from hoi_ros.methods.affordance_prior.refiner import AffordancePriorRefiner
from hoi_ros.methods.in_turn import InTurn
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import DUMMY_CAMERA, flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array, HandPose, ObjectCloud

MODEL = load_hand_model()
FRAME = "camera_color_optical_frame"
CENTRE = np.array([0.0, 0.0, 0.5])
FACING = -np.pi / 2


@pytest.fixture(scope="module")
def refiner() -> AffordancePriorRefiner:
    return made_prior.build(Parameters())


def hand_at(middle: Array) -> HandPose:
    """A flat right hand that shows the camera its palm, the root of its middle finger at ``middle`` (3,), m."""
    hand, orient = flat_hand("right"), np.array([FACING, 0.0, 0.0])
    points = MODEL.joints(orient, hand.hand_pose, hand.betas, hand.transl)[0]
    shift = middle - points[9]
    points = points + shift
    wrist = np.concatenate([points[0], Rotation.from_rotvec(orient).as_quat()])
    more = {"keypoints": points, "wrist_pose": wrist, "keypoints_2d": DUMMY_CAMERA.project(points)}
    more |= {"global_orient": orient, "transl": hand.transl + shift}
    return replace(hand, track_id=3, stamp_ns=7, frame_id=FRAME, **more)


def before(hand: HandPose, *keypoints: int) -> ObjectCloud:
    """A plate that hides keypoints of a hand from the camera."""
    middle = 0.8 * hand.keypoints[list(keypoints)].mean(axis=0)
    box = trimesh.creation.box((0.05, 0.05, 0.01), trimesh.transformations.translation_matrix(middle))
    points, _ = trimesh.sample.sample_surface(box, 2000, seed=0)
    return ObjectCloud(np.asarray(points), None, 7, FRAME)


def test_hidden_fingers_move_and_seen_ones_stay(refiner: AffordancePriorRefiner) -> None:
    hand = hand_at(CENTRE)
    cloud = before(hand, 7, 8, 12)
    (found,) = refiner.refine_all([hand], cloud, "Grasp the mug by its handle")
    moved = 1e3 * np.linalg.norm(found.keypoints - hand.keypoints, axis=1)
    assert found.refinement == "affordance_prior"
    assert moved[[8, 12]].max() > 2.0
    seen = ~(hidden_by_self(MODEL, hand) | hidden_by_cloud(hand.keypoints, cloud.points))
    assert seen.sum() > 10 and moved[seen].mean() < 0.5
    assert found.change == pytest.approx(1e-3 * moved.mean())
    assert found.deviation[8] > 3.0 * found.deviation[seen].mean()
    np.testing.assert_allclose(found.keypoints_2d, DUMMY_CAMERA.project(found.keypoints), atol=1e-6)
    kept = (found.side, found.track_id, found.stamp_ns, found.frame_id)
    assert kept == ("right", 3, 7, FRAME)
    np.testing.assert_array_equal(found.global_orient, hand.global_orient)
    again = refiner.refine_all([hand], cloud, "Grasp the mug by its handle")[0]
    np.testing.assert_array_equal(found.keypoints, again.keypoints)


def test_words_and_seeds_matter(refiner: AffordancePriorRefiner) -> None:
    hand = hand_at(CENTRE)
    cloud = before(hand, 7, 8, 12)
    first = refiner.refine_all([hand], cloud, "Grasp the mug by its handle")[0]
    for said, seed in (("Press the keyboard", 0), ("Grasp the mug by its handle", 1)):
        other = refiner.refine_all([hand], cloud, said, seed)[0]
        assert np.abs(first.keypoints - other.keypoints).max() > 1e-5


@pytest.mark.parametrize("said", ["", "Mug am Henkel greifen", "x" * 10_000, "Do not touch it"])
def test_any_sentence_will_do(refiner: AffordancePriorRefiner, said: str) -> None:
    hand = hand_at(CENTRE)
    (found,) = refiner.refine_all([hand], before(hand, 8, 12), said)
    assert found.refinement == "affordance_prior" and np.isfinite(found.keypoints).all()


def test_without_an_object_the_hand_hides_itself_alone(refiner: AffordancePriorRefiner) -> None:
    hand = hand_at(CENTRE)
    (found,) = refiner.refine_all([hand], None, "Grasp the mug")
    assert not hidden_by_self(MODEL, hand).any()
    assert found.refinement == "unchanged: all joints are seen"
    np.testing.assert_array_equal(found.keypoints, hand.keypoints)


def test_what_the_estimator_did_not_see_is_hidden(refiner: AffordancePriorRefiner) -> None:
    confidence = np.where(np.isin(np.arange(21), [8, 12]), 0.4, 0.9)
    hand = replace(hand_at(CENTRE), confidence=confidence)
    (found,) = refiner.refine_all([hand], None, "Grasp the mug")
    moved = 1e3 * np.linalg.norm(found.keypoints - hand.keypoints, axis=1)
    assert found.refinement == "affordance_prior" and moved[[8, 12]].min() > 1.0
    assert moved[np.delete(np.arange(21), [8, 12])].max() < 1.0
    (stays,) = refiner.refine_all([replace(hand, confidence=np.full(21, 0.4))], None, "Grasp the mug")
    assert stays.refinement == "unchanged: all joints are seen"


@pytest.mark.parametrize("said", ["", "Den Krug am Henkel greifen"])
def test_a_hand_that_nothing_tells_of_stays(refiner: AffordancePriorRefiner, said: str) -> None:
    hand = replace(hand_at(CENTRE), global_orient=np.zeros(3))  # edge on, it hides some of itself
    (found,) = refiner.refine_all([hand], None, said)
    assert found.refinement == "unchanged: nothing tells what it holds"
    np.testing.assert_array_equal(found.keypoints, hand.keypoints)


def test_a_hand_in_no_picture_stays(refiner: AffordancePriorRefiner) -> None:
    hand = replace(hand_at(CENTRE), keypoints_2d=np.zeros((21, 2)))
    (found,) = refiner.refine_all([hand], before(hand, 8, 12), "")
    assert found.refinement.startswith("unchanged: no camera") and found.change == 0.0
    np.testing.assert_array_equal(found.hand_pose, hand.hand_pose)


def test_the_mirrored_scene_gives_the_mirrored_hand(refiner: AffordancePriorRefiner) -> None:
    hand = hand_at(CENTRE)
    cloud = before(hand, 8, 12)
    mirrored = replace(cloud, points=mirror_points(cloud.points))
    right = refiner.refine_all([hand], cloud, "Hold the mug")[0]
    left = refiner.refine_all([mirror_hand(hand)], mirrored, "Hold the mug")[0]
    assert left.side == "left" and left.refinement == "affordance_prior"
    np.testing.assert_allclose(left.keypoints, mirror_points(right.keypoints), atol=1e-6)


def test_hands_of_a_batch_are_those_of_each_alone(refiner: AffordancePriorRefiner) -> None:
    one, two = hand_at(CENTRE), hand_at(CENTRE + np.array([0.0, 0.0, 0.1]))
    cloud = before(one, 8, 12)
    both = refiner.refine_all([one, two], cloud, "Hold the mug")
    for hand, found in zip((one, two), both, strict=True):
        alone = refiner.refine_all([hand], cloud, "Hold the mug")
        np.testing.assert_allclose(found.keypoints, alone[0].keypoints, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("transl", np.array([np.nan, 0.0, 0.5]), Reason.NOT_FINITE), ("hand_pose", np.full(45, 1e6), Reason.KEYPOINTS)],
)
def test_numbers_that_no_hand_has_are_refused(
    refiner: AffordancePriorRefiner, name: str, value: Array, reason: Reason
) -> None:
    with pytest.raises(Refused) as refused:
        refiner.refine_all([replace(hand_at(CENTRE), **{name: value})], None, "")
    assert refused.value.reason is reason


def test_a_cloud_in_another_frame_is_refused(refiner: AffordancePriorRefiner) -> None:
    hand = hand_at(CENTRE)
    with pytest.raises(Refused) as refused:
        refiner.refine_all([hand], replace(before(hand, 8), frame_id="base_link"), "")
    assert refused.value.reason is Reason.FRAME


class Mover:
    """A refiner that moves every hand up by a centimetre, or none."""

    def __init__(self, name: str, by: float) -> None:
        self.name, self.by = name, by

    def refine_all(
        self, hands: list[HandPose], _cloud: ObjectCloud | None, _instruction: str, _seed: int
    ) -> list[HandPose]:
        shift = np.array([0.0, -self.by, 0.0])
        said = self.name if self.by else f"unchanged: {self.name}"
        return [replace(h, keypoints=h.keypoints + shift, refinement=said, change=self.by) for h in hands]

    def reset(self) -> None:
        """Nothing is remembered."""


@pytest.mark.parametrize(
    ("first", "second", "said", "change"),
    [
        (0.01, 0.01, "a; b", 0.02),
        (0.01, 0.0, "a", 0.01),
        (0.0, 0.01, "b", 0.01),
        (0.0, 0.0, "unchanged: a; unchanged: b", 0.0),
    ],
)
def test_refiners_in_turn_tell_what_each_did(first: float, second: float, said: str, change: float) -> None:
    chain = InTurn((Mover("a", first), Mover("b", second)))
    (found,) = chain.refine_all([hand_at(CENTRE)], None)
    assert found.refinement == said
    assert found.change == pytest.approx(change)


def test_pixels_follow_the_camera_that_a_hand_tells() -> None:
    hand = hand_at(CENTRE)
    np.testing.assert_allclose(projected(hand, hand.keypoints + 0.01), DUMMY_CAMERA.project(hand.keypoints + 0.01))
