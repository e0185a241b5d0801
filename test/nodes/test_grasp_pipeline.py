"""Sentence and cloud through the composition, with a made-up synthesizer: what it is handed, what comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from graph import bottle
from made_synthesizer import MadeSynthesizer
from scipy.spatial.transform import Rotation

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.mirror import mirror_points
from hoi_ros.hand.rigid import turned_hand
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import Pipeline, flat_hand, stated_up
from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting import ShadowHand
from hoi_ros.retargeting.postures import Planner
from hoi_ros.safety import ensure_finite
from hoi_ros.types import Array, HandPose, ObjectCloud, Side

UP = np.array([0.0, 0.0, 1.0])
GRIP = "Grasp the bottle"
TILT = Rotation.from_euler("xyz", [-115.0, 20.0, 30.0], degrees=True).as_matrix()
MODEL = load_hand_model()


def pipeline(robot_hand: str = "shadow_right", **parameters: object) -> Pipeline:
    side: Side = "left" if robot_hand.endswith("left") else "right"
    chosen = Parameters(robot_hand=robot_hand, **parameters)
    return Pipeline(chosen, synthesizer=MadeSynthesizer(), planner=Planner(ShadowHand.embedded(side)))


def skin(hand: HandPose) -> Array:
    return MODEL.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, side=hand.side).vertices[0]


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_turned_hand_is_the_hand_turned(side: Side) -> None:
    hand = replace(flat_hand(side), transl=np.array([0.1, -0.2, 0.3]))
    joints = MODEL.joints(hand.global_orient, hand.hand_pose, hand.betas[None], hand.transl, side)[0]
    hand = replace(hand, keypoints=joints, wrist_pose=np.concatenate([joints[0], [0.0, 0.0, 0.0, 1.0]]))
    turned = turned_hand(hand, TILT)
    np.testing.assert_allclose(skin(turned), skin(hand) @ TILT.T, atol=1e-6)
    np.testing.assert_allclose(turned.keypoints, hand.keypoints @ TILT.T, atol=1e-12)
    np.testing.assert_allclose(turned.wrist_pose[:3], TILT @ joints[0], atol=1e-12)
    np.testing.assert_allclose(Rotation.from_quat(turned.wrist_pose[3:]).as_matrix(), TILT, atol=1e-12)


def test_a_tilted_cloud_gives_the_grasps_of_the_upright_one_tilted() -> None:
    points = bottle((0.0, 0.0, 0.5))
    straight, tilted = pipeline(), pipeline()
    there = straight.synthesize(ObjectCloud(points), GRIP, 3, 5, UP)
    here = tilted.synthesize(ObjectCloud(points @ TILT.T, None, 7, "tilted"), GRIP, 3, 5, TILT @ UP)
    handed = tilted.synthesizer.clouds[0].points  # the least turn leaves the heading open: only heights are the same
    np.testing.assert_allclose(handed[:, 2], straight.synthesizer.clouds[0].points[:, 2], atol=1e-9)
    for a, b in zip(here.grasps, there.grasps, strict=True):
        assert (a.hand.stamp_ns, a.hand.frame_id, a.affordance, a.score) == (7, "tilted", b.affordance, b.score)
        assert a.hand.keypoints[0] @ TILT[:, 2] == pytest.approx(b.hand.keypoints[0, 2], abs=1e-9)
        np.testing.assert_allclose(a.hand.keypoints, joints_of(a.hand), atol=1e-6)


def joints_of(hand: HandPose) -> Array:
    return MODEL.joints(hand.global_orient, hand.hand_pose, hand.betas[None], hand.transl, hand.side)[0]


def test_a_plan_is_turned_with_its_grasp() -> None:
    points = bottle((0.0, 0.0, 0.5))
    straight = pipeline()
    up = straight.synthesize(ObjectCloud(points), GRIP, 2, 0, UP)
    turn = Rotation.from_euler("x", 40.0, degrees=True).as_matrix()  # the least turn undoes just this
    tilted = straight.synthesize(ObjectCloud(points @ turn.T), GRIP, 2, 0, turn @ UP)
    for a, b in zip(straight.plan(tilted), straight.plan(up), strict=True):
        for posture, other in ((a.pre_grasp, b.pre_grasp), (a.grasp, b.grasp), (a.squeeze, b.squeeze)):
            np.testing.assert_allclose(posture.positions, other.positions, atol=1e-3)
            np.testing.assert_allclose(posture.wrist_pose[:3], turn @ other.wrist_pose[:3], atol=1e-4)
        assert np.linalg.norm(a.pre_grasp.wrist_pose[:3] - a.grasp.wrist_pose[:3]) == pytest.approx(0.1)


def test_a_left_robot_gets_left_hands_and_plans() -> None:
    left, right = pipeline("shadow_left"), pipeline()
    points = bottle()
    mirrored = left.synthesize(ObjectCloud(mirror_points(points)), GRIP, 2, 3, UP)
    plain = right.synthesize(ObjectCloud(points), GRIP, 2, 3, UP)
    for a, b in zip(mirrored.grasps, plain.grasps, strict=True):
        assert (a.hand.side, b.hand.side) == ("left", "right")
        np.testing.assert_allclose(a.hand.keypoints, mirror_points(b.hand.keypoints), atol=1e-9)
        np.testing.assert_allclose(a.hand.keypoints, joints_of(a.hand), atol=1e-6)
    assert left.plan(mirrored)[0].grasp.names[0].startswith("lh_")


def test_of_the_objects_on_a_table_the_one_with_the_best_grasp_is_taken() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform(-0.4, 0.4, (30000, 2)), np.zeros(30000)])
    scene = np.concatenate([table, bottle((0.2, 0.0, 0.1), 0.2), bottle((-0.2, 0.0, 0.05), 0.1)])
    robot = pipeline(segment_scene=True)
    steps: list[str] = []
    synthesis = robot.synthesize(ObjectCloud(scene), GRIP, 1, 0, UP, lambda step, *_: steps.append(step))
    assert len(robot.synthesizer.clouds) == 2 and steps.count("synthesis") == 2
    np.testing.assert_allclose(synthesis.upright.cloud.points.mean(0)[:2], [0.2, 0.0], atol=0.01)
    assert synthesis.upright.table == pytest.approx(0.0, abs=2e-3)


def test_who_tells_may_end_the_work() -> None:
    def tell(step: str, progress: float, found: int) -> None:
        if step == "synthesis":
            raise Refused(Reason.CANCELLED, "enough")

    robot = pipeline()
    with pytest.raises(Refused, match="enough"):
        robot.synthesize(ObjectCloud(bottle()), GRIP, 1, 0, UP, tell)
    assert not robot.synthesizer.clouds


@pytest.mark.parametrize(
    ("frame", "parameters", "up"),
    [
        ("base_link", {}, [0, 0, 1]),
        ("", {}, [0, 0, 1]),
        ("camera_color_optical_frame", {}, None),
        ("camera_color_optical_frame", {"up": "0, -1 -0.5"}, [0, -1, -0.5]),
    ],
)
def test_where_up_is(frame: str, parameters: dict[str, str], up: list[float] | None) -> None:
    found = stated_up(Parameters(**parameters), frame)
    assert (found is None and up is None) or list(found) == up


@pytest.mark.parametrize("text", ["up", "0 0", "0 0 0", "0 0 nan", "0 0 inf", "1 2 3 4"])
def test_up_is_a_direction(text: str) -> None:
    with pytest.raises(Refused, match="up is") as refused:
        Parameters(up=text)
    assert refused.value.reason is Reason.PARAMETER


def test_a_number_inside_a_grasp_that_is_not_finite_is_found() -> None:
    grasp = pipeline().synthesize(ObjectCloud(bottle()), GRIP, 1, 0, UP).grasps[0]
    ensure_finite(grasp)
    bent = replace(grasp.hand, betas=np.full(10, np.inf))
    for broken, said in ((replace(grasp, hand=bent), "betas of a HandPose"), (replace(grasp, score=np.nan), "score")):
        with pytest.raises(Refused, match=said):
            ensure_finite(broken)
