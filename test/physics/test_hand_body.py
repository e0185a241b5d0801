from __future__ import annotations

import numpy as np
import pytest
from made_scenes import MEAN, at_origin, box
from scipy.spatial import ConvexHull

from hoi_ros.hand import HandModel, Limits
from hoi_ros.physics.hand_body import HandBody
from hoi_ros.physics.human_hand import Build, HumanHand
from hoi_ros.types import HandBatch

PEOPLE = [MEAN, *np.random.default_rng(0).normal(size=(2, 10))]


@pytest.mark.parametrize("betas", PEOPLE)
def test_hulls_hardly_bulge_beyond_the_skin(model: HandModel, betas: np.ndarray) -> None:
    assert HandBody(model, betas).bulge().max() < 0.0013


def test_eroded_pieces_lie_inside_the_skin(model: HandModel) -> None:
    assert HandBody(model, MEAN, eroded=0.003).bulge().max() < -0.0005


def test_every_bone_has_a_piece_and_pieces_fill_the_hand(model: HandModel) -> None:
    body = HandBody(model, MEAN)
    assert {piece.joint for piece in body.pieces} == set(range(16))
    assert len(body.pieces) < 80
    flat = model.mesh(np.zeros(3), np.zeros(45)).vertices[0]
    outside = np.full(len(flat), np.inf)
    for piece in body.pieces:
        facets = ConvexHull(piece.vertices + body.rest_joints[piece.joint]).equations
        outside = np.minimum(outside, (flat @ facets[:, :3].T + facets[:, 3]).max(axis=1))
    assert np.median(outside) < 0.0008
    assert np.percentile(outside, 95) < 0.003


def test_the_posed_hand_is_reproduced_exactly(model: HandModel) -> None:
    rng = np.random.default_rng(1)
    limits = Limits(model.kinematics)
    hands = HandBatch(
        rng.normal(size=(6, 3)), limits.sample(rng, 6), np.tile(PEOPLE[1], (6, 1)), rng.normal(scale=0.1, size=(6, 3))
    )
    world = HumanHand(model, PEOPLE[1], box((0.03, 0.03, 0.03)), Build())
    joints = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).joints
    for row in range(6):
        world.pose(hands, row)
        np.testing.assert_allclose(world.data.xpos[world.bodies], joints[row], atol=1e-12)
        orient, pose, transl = world.hand_on_object()
        np.testing.assert_allclose(orient, hands.global_orient[row], atol=1e-9)
        np.testing.assert_allclose(pose, hands.hand_pose[row], atol=1e-9)
        np.testing.assert_allclose(transl, hands.transl[row], atol=1e-12)


def test_hinges_turn_about_the_anatomical_axes(model: HandModel) -> None:
    rng = np.random.default_rng(2)
    limits = Limits(model.kinematics)
    angles = 0.6 * limits.to_angles(limits.sample(rng, 1)[0])
    change = 1e-5 * rng.normal(size=limits.size)
    world = HumanHand(model, MEAN, box((0.03, 0.03, 0.03), (1.0, 0.0, 0.0)), Build())
    world.pose(at_origin(limits.to_pose(angles)), 0)
    # The coordinates' scale along an axis is the length of the Jacobian's column: turns are by that much smaller.
    world.data.qpos[world._hinges] = change * world.axis_lengths
    world.place_object()
    np.testing.assert_allclose(world.hand_on_object()[1], limits.to_pose(angles + change), atol=1e-8)
