"""Grasps of a true object: what follows from where the hands are, and what a mirror does not change."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.grasps import GraspJudge
from hoi_ros.hand import load_hand_model
from hoi_ros.hand.mirror import mirror_hand, mirror_points, mirror_pose
from hoi_ros.hand.rigid import turned_hand
from hoi_ros.pipeline import flat_hand
from hoi_ros.replay.bag import Asked
from hoi_ros.replay.results import Results
from hoi_ros.scene.object_model import ObjectModel, Piece
from hoi_ros.types import Array, Grasp, HandPose

POSE = np.concatenate([[0.1, -0.05, 0.6], Rotation.from_euler("xyz", [0.4, -0.7, 1.1]).as_quat()])
CLOUD: Any = SimpleNamespace(stamp_ns=5)
MODEL = load_hand_model()


def lopsided() -> ObjectModel:
    """A wedge, convex, and no mirror image of itself."""
    mesh = trimesh.convex.convex_hull(0.06 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2.0]]))
    faces = np.array(mesh.faces, np.int32)
    vertices = np.array(mesh.vertices)
    pieces = (Piece(vertices, 0),)
    return ObjectModel("it", "object", vertices, faces, np.zeros(len(faces), np.int32), ("body",), pieces)


def hand_at(place: Array, turn: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> HandPose:
    """A flat right hand whose middle knuckle is at a place (3,), m, of the object's frame, turned, degrees."""
    turned = turned_hand(flat_hand("right"), Rotation.from_euler("xyz", turn, degrees=True).as_matrix())
    by = place - turned.keypoints[9]
    return carried(turned, np.concatenate([by, [0.0, 0.0, 0.0, 1.0]]))


def carried(hand: HandPose, pose: Array) -> HandPose:
    """A hand of an object's frame where the object is at a pose."""
    turned = turned_hand(hand, Rotation.from_quat(pose[3:]).as_matrix())
    wrist = np.concatenate([turned.wrist_pose[:3] + pose[:3], turned.wrist_pose[3:]])
    return replace(turned, transl=turned.transl + pose[:3], keypoints=turned.keypoints + pose[:3], wrist_pose=wrist)


def figures(hands: list[HandPose], solid: ObjectModel, pose: Array = POSE, use: str = "Wrap-grasp") -> dict[str, float]:
    """Of hands given in the object's frame."""
    grasps = [Grasp(replace(carried(hand, pose), stamp_ns=CLOUD.stamp_ns), use, "body", 1.0) for hand in hands]
    results = Results(asked=[Asked(0, "Hold it.", CLOUD, pose)], grasps=grasps)
    return GraspJudge(solid, MODEL).figures(results)


TOUCHING = [hand_at(np.array([0.02, 0.02, z]), (90.0 * z, 10.0, 300.0 * z)) for z in (0.0, 0.03, 0.06)]


def test_a_hand_a_metre_away_holds_nothing():
    """The object falls for 35 steps of 1/240 s, by 10.7 cm, of which 10 are counted."""
    found = figures([hand_at(np.array([1.0, 0.0, 0.0]))], lopsided())
    assert (found["grasp.iv_cm3"], found["grasp.contact"], found["grasp.within_5mm"]) == (0.0, 0.0, 1.0)
    assert found["grasp.sd_cm"] == pytest.approx(10.0)
    assert "grasp.entropy" not in found and found["grasp.acc"] in (0.0, 1.0)


def test_only_grasps_that_hold_are_simulated_and_at_most_16_of_them():
    far, near = hand_at(np.array([1.0, 0.0, 0.0])), hand_at(np.array([0.02, 0.02, 0.02]))
    assert "grasp.sd_cm" not in figures([far], lopsided(), use="Press")
    assert figures([far] * 16 + [near] * 4, lopsided())["grasp.sd_cm"] == pytest.approx(10.0)
    assert figures([near], lopsided())["grasp.sd_cm"] < 9.0


def test_where_the_object_is_changes_nothing():
    here = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert figures(TOUCHING, lopsided()) == pytest.approx(figures(TOUCHING, lopsided(), here), abs=1e-6)


def test_left_hands_are_judged_as_right_ones_of_the_mirrored_object():
    solid = lopsided()
    corners = mirror_points(solid.vertices)
    mirrored = replace(solid, vertices=corners, faces=solid.faces[:, ::-1], pieces=(Piece(corners, 0),))
    right = figures(TOUCHING, solid)
    left = figures([mirror_hand(hand) for hand in TOUCHING], mirrored, mirror_pose(POSE))
    wrong = figures([mirror_hand(hand) for hand in TOUCHING], solid, use="Press")
    assert left["grasp.iv_cm3"] > 0.0 and left["grasp.contact"] == 1.0
    for name in ("grasp.iv_cm3", "grasp.within_5mm", "grasp.contact", "grasp.acc"):
        assert left[name] == pytest.approx(right[name], abs=1e-6)
    assert left["grasp.sd_cm"] == pytest.approx(right["grasp.sd_cm"], abs=0.01) and right["grasp.sd_cm"] < 9.9
    assert wrong["grasp.iv_cm3"] != pytest.approx(right["grasp.iv_cm3"], abs=0.05)


def test_variety_is_of_twenty_grasps_or_more():
    """Twenty that differ are a cluster each: ln 20, no distance."""
    hands = [hand_at(np.array([1.0, 0.01 * i**2, 0.02 * (i % 3)])) for i in range(20)]
    found = figures(hands, lopsided(), use="Press")
    assert found["grasp.entropy"] == pytest.approx(np.log(20.0)) and found["grasp.cluster_size"] < 1e-6
    assert found == figures(hands, lopsided(), use="Press")
    assert "grasp.entropy" not in figures(hands[:19], lopsided(), use="Press")


def test_figures_are_made_anew_when_more_grasps_have_come():
    judge = GraspJudge(lopsided(), MODEL)
    results = Results(asked=[Asked(0, "Hold it.", CLOUD, POSE)])
    assert judge.figures(results) == {}
    hand = replace(carried(hand_at(np.array([1.0, 0.0, 0.0])), POSE), stamp_ns=CLOUD.stamp_ns)
    results.grasps.append(Grasp(hand, "Press", "body", 1.0))
    assert judge.figures(results)["grasp.contact"] == 0.0
    near = replace(carried(hand_at(np.array([0.02, 0.02, 0.02])), POSE), stamp_ns=CLOUD.stamp_ns)
    results.grasps.append(Grasp(near, "Press", "body", 1.0))
    assert judge.figures(results)["grasp.contact"] == 0.5
    results.grasps.append(Grasp(replace(near, stamp_ns=6), "Press", "body", 1.0))  # of a cloud without a true pose
    assert judge.figures(results)["grasp.contact"] == 0.5
