"""Grasps from an object alone: fields over places of its surface become hands; a sentence may forbid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_pairs import cloud, cylinder, hands

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.methods.choir.field import Place, assignment, basis, hand_field
from hoi_ros.methods.choir.joint_diffusion import CONTACTS, JointDiffusion
from hoi_ros.methods.choir.pairs import posed_anchors
from hoi_ros.methods.choir.refinery import Predicted, Refinery
from hoi_ros.methods.choir.synthesizer import ChoirSynthesizer
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.types import ObjectCloud


def synthesizer() -> ChoirSynthesizer:
    torch.manual_seed(0)
    return ChoirSynthesizer(JointDiffusion(widths=(16, 32)).eval())


def test_hands_come_from_the_fields_that_the_network_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that knew the truth: its fields of known hands, over whatever places, give these hands."""
    model, wanted = load_hand_model(), hands(4)
    anchors = posed_anchors(model, find_anchors(model), wanted)

    def told(_self: Refinery, place: Place, *_rest: object) -> Predicted:
        points, assigned = torch.from_numpy(basis()), torch.from_numpy(assignment())
        field = hand_field(torch.from_numpy(place.enter(anchors)), points, assigned).numpy()
        return Predicted(place, field, torch.zeros(len(place), CONTACTS))

    monkeypatch.setattr(Refinery, "sampled", told)
    found = synthesizer().hands(cloud(), 4, 0).fitted
    joints = [model.joints(h.global_orient, h.hand_pose, h.betas, h.transl) for h in (found, wanted)]
    assert 1e3 * np.linalg.norm(joints[0] - joints[1], axis=-1).mean() < 5.0


def test_grasps_are_finite_repeatable_and_within_the_limits() -> None:
    points, normals, _ = sample_surface(cylinder(), 4000, np.random.default_rng(0))
    seen = ObjectCloud(points, normals, 5, "table")
    one, two = (synthesizer().synthesize(seen, "Grasp it.", 2, 3) for _ in range(2))
    assert len(one) == 2
    for grasp, again in zip(one, two, strict=True):
        assert np.isfinite(grasp.hand.keypoints).all()
        assert np.array_equal(grasp.hand.keypoints, again.hand.keypoints)
        assert (grasp.hand.frame_id, grasp.hand.stamp_ns) == ("table", 5)
        assert 0.0 <= grasp.score <= 1.0
        limits = Limits(load_hand_model().kinematics)
        assert limits.violation(grasp.hand.hand_pose[None]).max() < 1e-6
    assert one[0].score >= one[1].score


def test_what_forbids_is_refused() -> None:
    points, normals, _ = sample_surface(cylinder(), 1000, np.random.default_rng(0))
    with pytest.raises(Refused) as refused:
        synthesizer().synthesize(ObjectCloud(points, normals), "Do not touch it.", 2, 0)
    assert refused.value.reason is Reason.INSTRUCTION


def test_hands_that_touch_score_above_hands_that_do_not() -> None:
    surface: CloudSurface = cloud()
    near = synthesizer().hands(surface, 6, 0)
    score, felt = synthesizer().felt(near, surface)
    assert (score[felt["fingers"] < 2] == 0.0).all()
    assert (felt["depth"] >= 0.0).all()
