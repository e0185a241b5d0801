"""The field: what it holds, that its gradients are exact, and that anchors come back from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoi_ros.methods.choir import field
from hoi_ros.methods.choir.field import Place, Scheme

SCHEMES: tuple[Scheme, ...] = ("ordered", "shuffled", "blocks")


def anchors_near(seed: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.04, (count, field.ANCHORS, 3))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_anchor_has_as_many_basis_points(scheme: Scheme) -> None:
    assert (np.bincount(field.assignment(scheme)) == field.CELLS // field.ANCHORS).all()


def test_blocks_hold_every_anchor_once() -> None:
    folded = field.fold(torch.from_numpy(field.assignment("blocks"))[None].float())[0]
    assert (folded == torch.arange(32.0)[:, None, None, None]).all()


def test_folding_loses_nothing() -> None:
    values = torch.randn(3, field.CELLS)
    assert torch.equal(field.unfold(field.fold(values)), values)


def test_distances_are_those_of_the_basis_points_to_their_anchors() -> None:
    anchors, assigned = anchors_near(0), field.assignment("shuffled")
    found = field.hand_field(torch.from_numpy(anchors), torch.from_numpy(field.basis()), torch.from_numpy(assigned))
    for point in (0, 17, 4095):
        expected = np.linalg.norm(field.basis()[point] - anchors[:, assigned[point]], axis=-1)
        assert found[:, point].numpy() == pytest.approx(expected)


def test_gradients_of_the_hands_field_are_exact() -> None:
    rows = torch.from_numpy(np.random.default_rng(1).choice(field.CELLS, 24, replace=False))
    basis, assigned = torch.from_numpy(field.basis())[rows], torch.from_numpy(field.assignment())[rows]
    anchors = torch.from_numpy(anchors_near(2, 1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: field.hand_field(a, basis, assigned), (anchors,))


@pytest.mark.parametrize("scheme", ["shuffled", "blocks"])
@given(seed=st.integers(0, 1000), away=st.floats(0.0, 0.1))
def test_anchors_come_back_from_their_field(scheme: Scheme, seed: int, away: float) -> None:
    anchors, assigned = anchors_near(seed), field.assignment(scheme)
    wanted = field.hand_field(torch.from_numpy(anchors), torch.from_numpy(field.basis()), torch.from_numpy(assigned))
    found, precision = field.anchors_of_field(wanted.numpy(), assigned, anchors + away / np.sqrt(3.0))
    assert found == pytest.approx(anchors, abs=1e-6)
    assert (np.linalg.eigvalsh(precision) > 1.0).all()


def test_ordered_anchors_look_alike_on_both_sides_of_their_plane() -> None:
    """Why ``ordered`` is not the default: each anchor's basis points lie in one plane, which it may be mirrored in."""
    points = field.basis()[field.assignment("ordered") == 5]
    assert np.linalg.matrix_rank(points - points.mean(axis=0)) == 2
    points = field.basis()[field.assignment("blocks") == 5]
    assert np.linalg.matrix_rank(points - points.mean(axis=0)) == 3


def test_the_objects_field_moves_with_it() -> None:
    rng = np.random.default_rng(3)
    cloud, turn, shift = rng.normal(0.0, 0.05, (200, 3)), Rotation.random(rng=rng), np.array([0.3, -0.2, 0.1])
    here = field.object_field(Place(np.zeros((1, 3)), np.eye(3)[None]), [cKDTree(cloud)])
    moved = field.object_field(Place(shift[None], turn.as_matrix()[None]), [cKDTree(turn.apply(cloud) + shift)])
    assert moved == pytest.approx(here, abs=1e-6)


def test_places_are_left_as_they_were_entered() -> None:
    rng = np.random.default_rng(4)
    place = Place(rng.normal(size=(5, 3)), Rotation.random(5, rng=rng).as_matrix())
    points = rng.normal(size=(5, 7, 3))
    assert place.leave(place.enter(points)) == pytest.approx(points)
