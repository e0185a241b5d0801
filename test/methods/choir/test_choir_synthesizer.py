"""Grasps from an object alone: fields over places of its surface become hands; a sentence may forbid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_pairs import cloud, cylinder, grips, hands

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.hand.mirror import mirror_points
from hoi_ros.learning import weights
from hoi_ros.methods.choir.field import Place, assignment, basis, hand_field
from hoi_ros.methods.choir.joint_diffusion import CONTACTS, JointDiffusion
from hoi_ros.methods.choir.pairs import posed_anchors
from hoi_ros.methods.choir.refinery import Predicted, Refinery
from hoi_ros.methods.choir.synthesizer import DRAWN, ChoirSynthesizer
from hoi_ros.methods.optimisation.cloud_fields import surface_of
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import Pipeline
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.stages import build
from hoi_ros.types import Array, HandBatch, ObjectCloud

MODEL = load_hand_model()
UP = np.array([0.0, 0.0, 1.0])


def synthesizer() -> ChoirSynthesizer:
    torch.manual_seed(0)
    return ChoirSynthesizer(JointDiffusion(widths=(16, 32)).eval())


def knowing(wanted: HandBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that knew the truth: its fields, over whatever places, are those of known hands by turns."""
    anchors = posed_anchors(MODEL, find_anchors(MODEL), wanted)

    def told(_self: Refinery, place: Place, *_rest: object) -> Predicted:
        points, assigned = torch.from_numpy(basis()), torch.from_numpy(assignment())
        here = place.enter(anchors[np.arange(len(place)) % len(anchors)])
        field = hand_field(torch.from_numpy(here), points, assigned).numpy()
        return Predicted(place, field, torch.zeros(len(place), CONTACTS))

    monkeypatch.setattr(Refinery, "sampled", told)


def shifted(batch: HandBatch, by: Array) -> HandBatch:
    return replace(batch, transl=batch.transl + by)


def seen(frame: str = "table") -> ObjectCloud:
    points, normals, _ = sample_surface(cylinder(), 4000, np.random.default_rng(0))
    return ObjectCloud(points, normals, 5, frame)


@pytest.fixture(scope="module")
def holding() -> HandBatch:
    return grips()


def test_hands_come_from_the_fields_that_the_network_says(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = hands(4)
    knowing(wanted, monkeypatch)
    found = synthesizer().hands(cloud(), 4, 0).fitted
    joints = [MODEL.joints(h.global_orient, h.hand_pose, h.betas, h.transl) for h in (found, wanted)]
    assert 1e3 * np.linalg.norm(joints[0] - joints[1], axis=-1).mean() < 5.0


def test_the_network_is_told_of_no_hand_and_of_no_level() -> None:
    """Whatever it learnt of noisy hands does not matter."""
    one, two = (JointDiffusion(widths=(16, 32)).eval() for _ in range(2))
    torch.nn.init.normal_(one.after[-1].weight, std=0.02)
    two.load_state_dict(one.state_dict())
    with torch.no_grad():
        two.context.kind[1] += 1.0
        for values in two.context.level.parameters():
            values.normal_()
    first, second = (ChoirSynthesizer(network).hands(cloud(), 2, 0).fitted for network in (one, two))
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, getattr(second, name))


def test_hands_of_a_random_network_are_finite_repeatable_and_within_the_limits() -> None:
    one, two, other = (synthesizer().hands(cloud(), 4, seed).hands for seed in (3, 3, 4))
    for name, values in vars(one).items():
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, getattr(two, name))
    assert np.abs(one.transl - other.transl).max() > 0.001
    assert Limits(MODEL.kinematics).violation(one.hand_pose).max() < 1e-6


def test_what_touches_with_more_and_lies_less_deep_scores_more(holding: HandBatch) -> None:
    """Grips, the same two centimetres into the object, and the same a metre away."""
    towards = -MODEL.joints(*vars(holding).values())[:, 9]
    towards[:, 2] = 0.0
    inwards = 0.02 * towards / np.linalg.norm(towards, axis=1, keepdims=True)
    batches = [holding, shifted(holding, inwards), shifted(holding, np.array([1.0, 0.0, 0.0]))]
    (held, feels), (pressed, deeper), (away, nothing) = (synthesizer().felt(batch, cloud()) for batch in batches)
    assert (feels["fingers"] == 5).all() and not nothing["fingers"].any()
    assert (away == 0.0).all() and (held > 0.2).all() and (held <= 1.0).all()
    assert (pressed < held).all()
    assert not nothing["depth"].any()
    mesh = MODEL.mesh(*vars(batches[1]).values())
    depth = -contact_parts(mesh.vertices, cylinder()).distance.min(axis=1)
    assert deeper["depth"] == pytest.approx(depth, abs=0.003)


def test_a_hand_that_pushes_from_one_side_alone_holds_nothing(holding: HandBatch) -> None:
    """A flat hand in a plate is pushed out one way; around the cylinder fingers push against thumb and palm."""
    flat = HandBatch(*(np.zeros((1, size)) for size in (3, 45, 10, 3)))
    middle = np.median(MODEL.mesh(*vars(flat).values()).vertices[0], axis=0)
    side = np.arange(-0.15, 0.151, 0.004)
    plate = middle + np.stack(np.meshgrid(side, [0.0], side), -1).reshape(-1, 3)
    score, felt = synthesizer().felt(flat, surface_of(plate, np.tile([0.0, 1.0, 0.0], (len(plate), 1))))
    assert felt["fingers"][0] >= 4
    assert felt["balance"][0] < 0.02 and score[0] < 0.02
    assert (synthesizer().felt(holding, cloud())[1]["balance"] > 0.25).all()


def test_a_hand_through_a_thin_wall_lies_deep() -> None:
    """No skin is more than a millimetre deep in a wall of two millimetres, but the wall lies half a finger deep."""
    flat = HandBatch(*(np.zeros((1, size)) for size in (3, 45, 10, 3)))
    joints = MODEL.joints(*vars(flat).values())[0]
    along = (joints[12] - joints[9]) / np.linalg.norm(joints[12] - joints[9])
    aside = np.linalg.svd(along[None])[2][1:]
    side = np.arange(-0.08, 0.081, 0.003)
    sheet = joints[10] + np.stack(np.meshgrid(side, side), -1).reshape(-1, 2) @ aside
    wall = np.concatenate([sheet + 0.001 * along, sheet - 0.001 * along])
    normals = np.repeat([along, -along], len(sheet), axis=0)
    score, felt = synthesizer().felt(flat, surface_of(wall, normals))
    assert 0.004 < felt["depth"][0] < 0.012
    assert score[0] < 0.1


def test_the_best_come_first_and_what_does_not_touch_is_left_out(
    holding: HandBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = shifted(holding, np.array([0.4, 0.0, 0.0]))
    pairs = zip(vars(holding).values(), vars(far).values(), strict=True)
    knowing(HandBatch(*(np.concatenate([near[:1], away[:2]]) for near, away in pairs)), monkeypatch)
    found = synthesizer().best(cloud(), 3, 0)
    assert len(found.hands) == 3 < 3 * DRAWN // 3  # every third of those that are drawn touches
    assert (np.diff(found.score) <= 0.0).all() and found.score.min() > 0.0
    touching = contact_parts(MODEL.mesh(*vars(found.hands).values()).vertices, cylinder()).distance.min(axis=1)
    assert touching.max() < 0.002
    knowing(far, monkeypatch)
    assert synthesizer().synthesize(seen(), "Grasp it.", 2, 0) == []


def test_what_forbids_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        synthesizer().synthesize(seen(), "Do not touch it.", 2, 0)
    assert refused.value.reason is Reason.INSTRUCTION


def test_without_shipped_weights_it_refuses_by_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    with pytest.raises(Refused, match="'choir_synthesis' are not shipped") as refused:
        build("synthesizer", "choir", Parameters(synthesizer="choir"))
    assert refused.value.reason is Reason.PARAMETER


@pytest.fixture
def small_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = JointDiffusion(widths=(16, 32))
    weights.save(tmp_path / "small.safetensors", network.state_dict(), network.config)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "shipped")
    weights.ship("choir_synthesis", tmp_path / "small.safetensors")


@pytest.mark.usefixtures("small_shipped")
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_pipeline_gets_grasps_and_goals_of_them(
    side: str, holding: HandBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A left hand holds the mirror image, which is the cylinder again."""
    knowing(holding, monkeypatch)
    pipeline = Pipeline.build(Parameters(synthesizer="choir", robot_hand=f"shadow_{side}"), ("synthesizer",))
    synthesis = pipeline.synthesize(seen("base_link"), "Grasp it.", 2, 0, UP)
    assert len(synthesis.grasps) == 2
    wanted = MODEL.joints(*vars(holding).values())
    for grasp in synthesis.grasps:
        hand = grasp.hand
        assert (hand.side, hand.frame_id, hand.stamp_ns, grasp.affordance) == (side, "base_link", 5, "")
        points = mirror_points(hand.keypoints) if side == "left" else hand.keypoints
        assert np.linalg.norm(wanted - points, axis=-1).mean(axis=1).min() < 0.01
        assert grasp.quality["fingers"] >= 2
        np.testing.assert_allclose(hand.wrist_pose[:3], hand.keypoints[0], atol=1e-9)
    goals = pipeline.plan(synthesis)
    assert len(goals) == 2 and np.isfinite(goals[0].grasp.positions).all()
