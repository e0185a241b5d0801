"""Convex pieces: bulges of known depth, and refusal beyond the limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from shapes import ball, box, cup

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene import convex
from hoi_ros.scene.convex import decompose, measure_bulge
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.meshes import object_model


def test_a_box_is_its_own_piece():
    vertices, faces = box(0.1, 0.06, 0.02)
    (piece,), bulge = decompose(vertices, faces, np.zeros(len(faces), np.int32))
    assert len(piece.vertices) == 8 and bulge.volume_ratio == pytest.approx(1)
    assert max(bulge.depth, bulge.missing) < 1e-6


def test_the_bulge_of_one_hull_over_a_cup_is_known():
    vertices, faces = cup(0.004)
    bulge = measure_bulge([vertices], vertices, faces)
    assert bulge.depth == pytest.approx(0.036, rel=0.02)  # the middle of the lid is a radius away from the wall
    assert bulge.missing < 1e-5
    solid = 0.04**2 * 0.1 - 0.036**2 * 0.096
    assert bulge.volume_ratio == pytest.approx(0.04**2 * 0.1 / solid, rel=1e-3)


def test_what_pieces_lack_is_measured():
    vertices, faces = box(0.1, 0.06, 0.02)
    bulge = measure_bulge([np.clip(vertices, -0.045, None)], vertices, faces)
    assert bulge.missing == pytest.approx(0.005, abs=1e-6) and bulge.depth < 1e-6


def test_pieces_of_a_cup_leave_its_inside_free():
    vertices, faces = cup(0.004, segments=24)
    pieces, bulge = decompose(vertices, faces, np.zeros(len(faces), np.int32))
    assert bulge.depth <= convex.MAX_BULGE and len(pieces) > 5
    inner = np.array([[0.0, 0, 0.05], [0.03, 0, 0.05], [0, 0, 0.09]])
    for piece in pieces:
        hull = trimesh.convex.convex_hull(piece.vertices)
        assert (SignedDistance(hull.vertices, hull.faces).distance(inner) > 0).all()


def test_pieces_that_bulge_too_far_are_refused(monkeypatch):
    monkeypatch.setattr(convex, "CONCAVITY", 0.05)
    vertices, faces = cup(0.004)
    with pytest.raises(Refused, match=r"bulge .* mm") as caught:
        decompose(vertices, faces, np.zeros(len(faces), np.int32))
    assert caught.value.reason is Reason.MESH


def test_pieces_belong_to_the_part_they_lie_on():
    vertices, faces = ball(0.03, 32)
    pieces, _ = decompose(vertices, faces, np.full(len(faces), 3, np.int32))
    assert {piece.part for piece in pieces} == {3}


@pytest.mark.parametrize("name", ["011_banana", "040_large_marker"])
def test_recorded_meshes_decompose_within_the_limit(shared_data: Path, name):
    made = object_model(shared_data / f"dexycb_grasps/meshes/{name}.obj")
    bulge = measure_bulge([piece.vertices for piece in made.pieces], made.vertices, made.faces)
    assert bulge.depth <= convex.MAX_BULGE and bulge.missing < 0.0025 and 0.99 < bulge.volume_ratio < 1.15
