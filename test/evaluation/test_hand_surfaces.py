"""True hands as MANO parameters: vertices, F-scores and contact, through a recording and alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from changed_bags import PICTURES, TRUTH, rewritten
from rosbags.highlevel import AnyReader

from hoi_ros.evaluation.evaluate import Evaluation, evaluate
from hoi_ros.evaluation.hands import Surfaces
from hoi_ros.evaluation.objects import TrueObject
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.evaluation.scoring import Scorer
from hoi_ros.evaluation.whole import whole
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.mirror import mirror_hand
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import as_bytes
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay import published
from hoi_ros.replay.results import MessageWriter, Results
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandPose

SHIFT = np.array([0.002, -0.003, 0.006])  # m: 7 mm
HERE = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def shifted(hand: HandPose, by: Array = SHIFT) -> HandPose:
    wrist = np.concatenate([hand.wrist_pose[:3] + by, hand.wrist_pose[3:]])
    return replace(hand, transl=hand.transl + by, keypoints=hand.keypoints + by, wrist_pose=wrist)


def scenario(bag: Path, **content: Any) -> Scenario:
    return Scenario.model_validate({"version": 1, "name": "some", "bag": str(bag), "mode": "offline"} | content)


def run(bag: Path, out: Path, **content: Any) -> Evaluation:
    return evaluate(scenario(bag, **content), Path(), out, lambda: None)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first pictures of the demo without their true keypoints, beside true hands: those found, and 7 mm off."""
    folder = tmp_path_factory.mktemp("hands")
    plain = rewritten(folder, lambda topic, m, t: [] if topic == TRUTH else [(m, t)])
    run(plain, folder / "before")
    found = dict(published.hands(folder / "before" / "results.mcap"))
    assert len(found) == PICTURES and all(found.values())
    path = folder / "true.mcap"
    with MessageWriter(path) as writer, AnyReader([plain]) as reader:
        for connection, time_ns, cdr in reader.messages():
            writer.write(connection.topic, connection.msgtype, time_ns, bytes(cdr))
        for stamp, hands in found.items():
            far = shifted(hands[0], np.array([0.3, 0.0, 0.0]))  # another hand, of another person
            wrong = replace(far, keypoints=far.keypoints + SHIFT)
            for topic, true in (("/true", [shifted(hands[0]), far]), ("/wrong", [wrong])):
                message = conversions.hand_pose_array(true, conversions.header(stamp, hands[0].frame_id), "some")
                kind, cdr = as_bytes(message, writer.types)
                writer.write(topic, kind, stamp, cdr)
    return path


def test_hands_7_mm_off_through_a_recording(recording: Path, tmp_path: Path):
    result = run(recording, tmp_path, truth={"hand_poses": "/true"})
    figures = result.figures
    assert result.passed, result.reasons
    assert (figures["hand.vertex_mm"], figures["hand.mpjpe_mm"]) == pytest.approx((7.0, 7.0), abs=1e-3)
    assert (figures["hand.f_5"], figures["hand.f_15"]) == (1.0, 1.0)  # moved onto each other first
    assert (figures["hand.r_mpjpe_mm"], figures["hand.st_mpjpe_mm"]) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert not any("contact" in name for name in figures)  # no object


def test_parameters_that_do_not_give_their_keypoints_are_a_fault_that_is_said_once(recording: Path, tmp_path: Path):
    result = run(recording, tmp_path, truth={"hand_poses": "/wrong"})
    assert "hand.vertex_mm" not in result.figures and "hand.mpjpe_mm" in result.figures
    (fault,) = result.faults
    assert "another hand model" in fault and "7 mm off" in fault


def test_a_topic_of_another_type_is_refused(recording: Path, tmp_path: Path):
    with pytest.raises(Refused, match=r"'/camera/color/camera_info' of .* not a hoi_ros/msg/HandPoseArray"):
        run(recording, tmp_path, truth={"hand_poses": "/camera/color/camera_info"})


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def vertices_of(model: HandModel, hand: HandPose) -> Array:
    return model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, hand.side).vertices[0]


def plate_before(points: Array) -> ObjectModel:
    """A plate 1 mm in front of the nearest of the points to a camera, which looks along z."""
    low = points[:, 2].min()
    mesh = trimesh.creation.box([0.5, 0.5, 0.01])
    mesh.apply_translation([*points[:, :2].mean(axis=0), low - 0.001 - 0.005])
    faces = np.array(mesh.faces, np.int32)
    return ObjectModel("plate", "object", np.array(mesh.vertices), faces, np.zeros(len(faces), np.int32), ("body",), ())


@pytest.mark.parametrize("side", ["right", "left"])
def test_contact_is_judged_by_what_the_true_hand_touches(model: HandModel, side: str):
    right = flat_hand("right")
    hand = right if side == "right" else mirror_hand(right)
    surfaces = Surfaces(model, TrueObject(plate_before(vertices_of(model, hand)), model))

    def contact(found: HandPose, true: HandPose) -> list[float]:
        figures = surfaces.figures(found, true, HERE)
        return [value for name, value in figures.items() if "contact" in name]

    assert contact(hand, hand) == [1.0, 1.0, 1.0]
    away = shifted(hand, np.array([0.0, 0.0, 0.01]))
    assert contact(away, hand) == contact(hand, away) == [0.0, 0.0, 0.0]
    assert contact(away, away) == []  # nothing is touched: nothing to judge
    near = shifted(hand, np.array([0.0, 0.0, 0.0005]))  # touches less
    precision, recall, f1 = contact(near, hand)
    assert precision == 1.0 and 0.0 < recall < 1.0 and f1 == pytest.approx(2 * recall / (1 + recall))


def test_a_hand_of_another_shape_has_vertices_to_tell_it_by(model: HandModel):
    thick = replace(flat_hand("right"), betas=np.eye(10)[0] * 2.0)
    thick = replace(thick, keypoints=model.joints(thick.global_orient, thick.hand_pose, thick.betas, thick.transl)[0])
    figures = Surfaces(model).figures(flat_hand("right"), thick, None)
    expected = np.linalg.norm(vertices_of(model, flat_hand("right")) - vertices_of(model, thick), axis=1).mean()
    assert figures["vertex_mm"] == pytest.approx(1e3 * expected) and expected > 0.0005
    with pytest.raises(Refused) as refused:
        Surfaces(model).figures(thick, replace(thick, betas=np.zeros(10)), None)
    assert refused.value.reason is Reason.HAND_MODEL


def test_refined_hands_are_judged_like_those_they_came_from(model: HandModel):
    """The estimate is 10 mm off, the refined hand 2 mm; the picture after has no refined hand."""
    true, results = replace(flat_hand("right"), stamp_ns=1), Results()
    off, near = (shifted(true, np.array([0.0, 0.0, by])) for by in (0.010, 0.002))
    for stamp in (1, 2):
        results.stamps.append(stamp)
        results.truth[stamp], results.true_hands[stamp] = true.keypoints, (true,)
        results.hands.append(replace(off, stamp_ns=stamp))
    results.refined.append(near)
    scorer = Scorer(results, {}, False, Surfaces(model))
    first, second = (line.figures for line in scorer.take(ended=True))
    for name, by in (("hand", 10.0), ("refined", 2.0)):
        assert (first[f"{name}.mpjpe_mm"], first[f"{name}.vertex_mm"]) == pytest.approx((by, by))
    assert not any(name.startswith("refined.") for name in second) and "hand.mpjpe_mm" in second
    assert whole(scorer.kept, results)["refined.mpjpe_mm"] == pytest.approx(2.0)
