"""Hands of fields and of contacts: known hands come back, contacts close, nothing leaves the limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, Limits, load_hand_model
from hoi_ros.hand.kinematics import Kinematics
from hoi_ros.methods.choir.adam_fitting import AdamFitter
from hoi_ros.methods.choir.field import Scheme, anchors_of_field, assignment, basis, hand_field
from hoi_ros.methods.choir.fitting import Beliefs, ContactBeliefs, Fitter
from hoi_ros.methods.choir.pairs import posed_anchors
from hoi_ros.methods.optimisation.cloud_fields import surface_of
from hoi_ros.types import Array, HandBatch

LOOSE = Beliefs(anchor=1e-4, angle=3.0, betas=1.0)


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


@pytest.fixture(scope="module")
def fitter(model: HandModel) -> Fitter:
    return Fitter(model)


def some_hands(model: HandModel, count: int, seed: int) -> HandBatch:
    rng = np.random.default_rng(seed)
    limits = Limits(model.kinematics)
    pose = limits.to_pose(rng.uniform(0.5 * limits.lower, 0.5 * limits.upper, (count, limits.size)))
    return HandBatch(
        rng.normal(0.0, 0.3, (count, 3)), pose, rng.normal(0.0, 0.7, (count, 10)), rng.normal(0.0, 0.05, (count, 3))
    )


def beside(hands: HandBatch, seed: int) -> HandBatch:
    """Other hands some centimetres away."""
    rng = np.random.default_rng(seed)
    return HandBatch(
        hands.global_orient + rng.normal(0.0, 0.15, hands.global_orient.shape),
        0.5 * hands.hand_pose,
        np.zeros_like(hands.betas),
        hands.transl + rng.normal(0.0, 0.03, hands.transl.shape),
    )


def field_of(model: HandModel, fitter: Fitter, hands: HandBatch, scheme: Scheme = "blocks") -> Array:
    anchors = posed_anchors(model, fitter._anchors, hands)
    assigned = torch.from_numpy(assignment(scheme))
    return hand_field(torch.from_numpy(anchors), torch.from_numpy(basis()), assigned).numpy()


def error_mm(model: HandModel, one: HandBatch, two: HandBatch) -> Array:
    joints = [model.joints(h.global_orient, h.hand_pose, h.betas, h.transl) for h in (one, two)]
    return 1e3 * np.linalg.norm(joints[0] - joints[1], axis=-1).mean(axis=1)


@pytest.mark.parametrize("scheme", ["shuffled", "blocks"])
def test_a_hand_comes_back_from_its_field(model: HandModel, fitter: Fitter, scheme: Scheme) -> None:
    hands = some_hands(model, 8, 0)
    fitted = fitter.fit_field(field_of(model, fitter, hands, scheme), assignment(scheme), beside(hands, 1), LOOSE)
    assert error_mm(model, fitted, hands).max() < 0.5  # the paper: below 1 mm


def test_the_quadratic_form_stands_for_the_field(model: HandModel, fitter: Fitter) -> None:
    """Near the anchors of a field, the form's cost is that of all 4096 distances."""
    anchors = posed_anchors(model, fitter._anchors, some_hands(model, 1, 2))
    assigned, points = torch.from_numpy(assignment()), torch.from_numpy(basis())
    field = hand_field(torch.from_numpy(anchors), points, assigned).numpy()
    found, precision = anchors_of_field(field, assignment(), anchors + 0.01)
    moved = anchors + np.random.default_rng(3).normal(0.0, 2e-4, anchors.shape)
    exact = np.square(hand_field(torch.from_numpy(moved), points, assigned).numpy() - field).sum()
    form = np.einsum("bai,baij,baj->", moved - found, precision, moved - found)
    assert form == pytest.approx(exact, rel=0.02)


def test_points_and_jacobian_of_vertices_are_those_of_the_mesh(model: HandModel) -> None:
    """Against the posed mesh and central differences of it."""
    rows = np.array([5, 320, 700, 744])
    kinematics, hand = model.vertex_kinematics(rows), some_hands(model, 1, 4)
    limits = Limits(model.kinematics)
    axes = limits.columns[None]

    def points(pose: Array) -> Array:
        return model.mesh(hand.global_orient, pose, hand.betas, hand.transl).vertices[:, rows]

    turns = Rotation.from_rotvec(hand.hand_pose.reshape(15, 3)).as_matrix()[None]
    root = Rotation.from_rotvec(hand.global_orient).as_matrix()[:, None]
    local = np.concatenate([root, turns], axis=1)
    wrist = model.kinematics.rest_joints(hand.betas)[:, 0] + hand.transl
    posed = kinematics.forward(local, hand.betas, wrist)
    assert posed.keypoints == pytest.approx(points(hand.hand_pose), abs=1e-12)
    jacobian = kinematics.jacobian(posed, axes, limits.joint, shape=True)
    for dof in (0, 4, 25):
        changed = []
        for step in (1e-6, -1e-6):
            joint = limits.joint[dof] - 1
            turned = turns.copy()
            turned[0, joint] = turns[0, joint] @ Rotation.from_rotvec(step * axes[0, dof]).as_matrix()
            pose = Rotation.from_matrix(turned[0]).as_rotvec().reshape(1, 45)
            changed.append(points(pose))
        assert jacobian[..., 6 + dof] == pytest.approx((changed[0] - changed[1]) / 2e-6, abs=1e-6)


def test_keypoints_are_still_the_default(model: HandModel) -> None:
    arrays = (model.v_template, model.shapedirs, model.posedirs, model.J_regressor, model.weights, model.tip_vertices)
    assert Kinematics(*arrays).rest_points(np.zeros((1, 10))).shape == (1, 21, 3)


def plane(height: float) -> tuple[Array, Array]:
    x, y = np.meshgrid(np.linspace(-0.15, 0.15, 61), np.linspace(-0.15, 0.15, 61))
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1)
    return points, np.tile([0.0, 0.0, 1.0], (len(points), 1))


def test_skin_that_should_touch_does_and_none_is_inside(model: HandModel, fitter: Fitter) -> None:
    hands = HandBatch(np.zeros((2, 3)), np.zeros((2, 45)), np.zeros((2, 10)), np.zeros((2, 3)))
    vertices = fitter.vertices(hands)
    low = vertices[0, :, 2].min()
    lowest = vertices[..., 2] < low + 0.004
    for height in (low - 0.006, low + 0.004):  # a gap, then flesh inside
        fitted = fitter.fit_contacts(hands, surface_of(*plane(height)), lowest.astype(float), ContactBeliefs())
        off = fitter.vertices(fitted)[..., 2] - height
        assert off.min() > -0.002
        assert np.median(off[lowest]) < 0.003


def test_fits_stay_within_the_limits(model: HandModel, fitter: Fitter) -> None:
    hands = some_hands(model, 4, 5)
    wild = HandBatch(hands.global_orient, 4.0 * hands.hand_pose, hands.betas, hands.transl)
    fitted = fitter.fit_field(field_of(model, fitter, wild), assignment(), hands, LOOSE)
    assert Limits(model.kinematics).violation(fitted.hand_pose).max() < 1e-6


def test_adam_finds_the_same_hand_in_more_steps(model: HandModel, fitter: Fitter) -> None:
    hands = some_hands(model, 2, 6)
    start = beside(hands, 7)
    field = field_of(model, fitter, hands)
    slow = AdamFitter(model).fit_field(field, start, most=200)
    assert error_mm(model, slow, hands).max() < 0.3 * error_mm(model, start, hands).max()
    quick = fitter.fit_field(field, assignment(), start, LOOSE)
    assert error_mm(model, quick, hands).max() < error_mm(model, slow, hands).max()
