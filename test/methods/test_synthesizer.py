"""The stage with the shipped weights: what is asked for is gripped, what cannot be is refused, nothing is random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordgrasp.synthesizer import DEEPEST, AffordGrasp
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import sample_surface, seen_from
from hoi_ros.types import Grasp, ObjectCloud

MODEL = load_hand_model()
MUG = make_object("mug", 1000, 0)  # no training saw it
KNIFE = make_object("knife", 1000, 0)


@pytest.fixture(scope="module")
def stage() -> AffordGrasp:
    return AffordGrasp.shipped()


def cloud(obj=MUG, normals: bool = True) -> ObjectCloud:  # type: ignore[no-untyped-def]
    points, directions, _ = sample_surface(obj, 8000, np.random.default_rng(0))
    return ObjectCloud(points, directions if normals else None, 17, "table")


def part_of(grasp: Grasp) -> str:
    """The part of the mug that most of the touching skin is on."""
    hand = grasp.hand
    mesh = MODEL.mesh(hand.global_orient[None], hand.hand_pose[None], hand.betas[None], hand.transl[None])
    contacts = contact_parts(mesh.vertices, MUG)
    return MUG.part_names[np.bincount(contacts.part[contacts.touching(0.005)]).argmax()]


@pytest.mark.parametrize(
    ("sentence", "part", "affordance"),
    [
        ("Grip the handle of the mug.", "handle", "Handle-grasp"),
        ("Carry the cup by its handle.", "handle", "Handle-grasp"),
        ("Wrap your hand around the mug.", "body", "Wrap-grasp"),
    ],
)
def test_a_sentence_is_gripped_where_it_says(stage: AffordGrasp, sentence: str, part: str, affordance: str) -> None:
    grasps = stage.synthesize(cloud(), sentence, 4, 0)
    assert len(grasps) == 4 and [part_of(grasp) for grasp in grasps].count(part) >= 3
    assert {grasp.affordance for grasp in grasps} == {affordance}
    shallow = [g.score for g in grasps if max(g.quality["depth"], g.quality["flesh_depth"]) <= DEEPEST]
    assert shallow == sorted(shallow, reverse=True) and all(0.0 <= grasp.score <= 1.0 for grasp in grasps)
    assert all(grasp.hand.stamp_ns == 17 and grasp.hand.frame_id == "table" for grasp in grasps)


def test_the_same_seed_gives_the_same_grasps_and_another_others(stage: AffordGrasp) -> None:
    one, two, other = (stage.synthesize(cloud(), "Grip the handle.", 2, seed)[0].hand for seed in (0, 0, 1))
    assert np.array_equal(one.keypoints, two.keypoints) and not np.allclose(one.keypoints, other.keypoints)


def test_grasps_follow_the_cloud_wherever_it_lies(stage: AffordGrasp) -> None:
    """Elsewhere, without normals, from one side: still on the handle, with keypoints that are the hand's."""
    shift = np.array([3.0, -2.0, 0.8])
    eye = np.array([0.4, -0.3, 0.3])
    whole = cloud()
    seen = seen_from(MUG, whole.points, whole.normals, eye)
    for given, offset in (
        (replace(whole, points=whole.points + shift), shift),
        (cloud(normals=False), 0.0),
        (ObjectCloud(whole.points[seen]), 0.0),
    ):
        hand = stage.synthesize(given, "Grip the handle of the mug.", 1, 0)[0].hand
        joints = MODEL.joints(hand.global_orient[None], hand.hand_pose[None], hand.betas[None], hand.transl[None])[0]
        np.testing.assert_allclose(hand.keypoints, joints, atol=1e-6)
        handle = MUG.vertices[np.unique(MUG.faces[MUG.face_parts == MUG.part("handle")])].mean(axis=0)
        assert np.linalg.norm(hand.keypoints - offset - handle, axis=1).min() < 0.05


def test_a_cloud_of_few_points_is_grasped(stage: AffordGrasp) -> None:
    """Fewer than the networks look at."""
    few = cloud().points[:: len(cloud().points) // 250]
    assert len(few) < 300
    (grasp,) = stage.synthesize(ObjectCloud(few), "Wrap your hand around the mug.", 1, 0)
    assert np.isfinite(grasp.hand.keypoints).all()


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Do not touch the mug.", Reason.INSTRUCTION),
        ("Push the lever of the mug.", Reason.INSTRUCTION),
        ("No, not the mug!", Reason.INSTRUCTION),  # says no to what the keywords do not know
        ("", Reason.INSTRUCTION),
    ],
)
def test_what_cannot_be_asked_is_refused(stage: AffordGrasp, sentence: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        stage.synthesize(cloud(), sentence, 1, 0)
    assert refused.value.reason is reason


def test_a_knife_is_not_twisted_and_what_it_affords_is_said(stage: AffordGrasp) -> None:
    with pytest.raises(Refused) as refused:
        stage.synthesize(cloud(KNIFE), "Twist the knife.", 1, 0)
    assert refused.value.reason is Reason.INSTRUCTION and "Handle-grasp" in refused.value.message


def test_what_no_hand_spans_is_refused(stage: AffordGrasp) -> None:
    large = replace(cloud(), points=3.0 * cloud().points)
    with pytest.raises(Refused) as refused:
        stage.synthesize(large, "Wrap your hand around the mug.", 1, 0)
    assert refused.value.reason is Reason.NO_GRASP and "cm" in refused.value.message


def test_a_few_points_are_no_object(stage: AffordGrasp) -> None:
    with pytest.raises(Refused) as refused:
        stage.synthesize(ObjectCloud(np.random.default_rng(0).normal(size=(10, 3))), "Lift it.", 1, 0)
    assert refused.value.reason is Reason.CLOUD
