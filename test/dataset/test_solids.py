"""The construction toolkit against volumes known in closed form."""

import numpy as np
import pytest
import trimesh

from hoi_ros.dataset.objects import solids
from hoi_ros.refusals import Reason, Refused


def volume(*parts: solids.Solid) -> float:
    model = solids.assemble("thing_0000", "thing", parts, ())
    return trimesh.Trimesh(model.vertices, model.faces, process=False).volume


def polygon_area(radius: float, count: int) -> float:
    return 0.5 * count * radius**2 * np.sin(2.0 * np.pi / count)


def test_a_sharp_block_is_a_box_and_a_rounded_one_is_smaller():
    assert volume(solids.block("a", (0.1, 0.06, 0.04))) == pytest.approx(0.1 * 0.06 * 0.04, rel=1e-4)
    rounded = volume(solids.block("a", (0.1, 0.06, 0.04), rounding=0.01))
    assert 0.9 * 0.1 * 0.06 * 0.04 < rounded < 0.1 * 0.06 * 0.04


def test_a_straight_loft_is_one_piece_and_a_waisted_one_is_not():
    outline = solids.circle(0.03, 24)
    straight = solids.loft("a", solids.stack(outline, np.linspace(0, 0.1, 9)))
    assert len(straight.pieces) == 1
    assert volume(straight) == pytest.approx(polygon_area(0.03, 24) * 0.1, rel=1e-4)
    waisted = solids.loft("a", solids.stack(outline, [0, 0.05, 0.1], [1.0, 0.5, 1.0]))
    assert len(waisted.pieces) == 2
    frustum = polygon_area(0.03, 24) * 0.05 / 3.0 * (1.0 + 0.5 + 0.25)
    assert volume(waisted) == pytest.approx(2.0 * frustum, rel=1e-4)


def test_a_vessel_has_walls_and_a_floor_and_is_open():
    sections = solids.stack(solids.circle(0.04, 32), [0.0, 0.1])
    parts = solids.vessel("cup", sections, thickness=0.004, floor=0.01, fold=1)
    sides = 0.04 * np.cos(np.pi / 32)
    inside = polygon_area((sides - 0.004) / np.cos(np.pi / 32), 32) * 0.09
    assert volume(*parts) == pytest.approx(polygon_area(0.04, 32) * 0.1 - inside, rel=1e-3)
    model = solids.assemble("cup_0000", "cup", parts, ())
    within = np.linalg.norm(model.vertices[:, :2], axis=1) < 0.0365
    assert set(model.vertices[within, 2].round(5)) == {0.01, 0.1}, "the inside runs from the floor to the rim"


def test_a_ring_has_a_hole_of_its_size():
    torus = solids.ring("ring", 0.05, solids.circle(0.01, 16), 40)
    model = solids.assemble("ring_0000", "ring", [torus], ())
    mesh = trimesh.Trimesh(model.vertices, model.faces, process=False)
    assert mesh.euler_number == 0
    assert mesh.volume == pytest.approx(2.0 * np.pi * 0.05 * polygon_area(0.01, 16), rel=0.01)
    assert np.linalg.norm(model.vertices[:, :2], axis=1).min() == pytest.approx(0.04, rel=0.01)


def test_faces_remember_their_part_and_moves_keep_the_shape():
    base = solids.block("base", (0.1, 0.1, 0.02))
    post = solids.block("post", (0.02, 0.02, 0.1)).turned((0, 0, 1), 0.5).moved((0, 0, 0.05)).mirrored(1)
    model = solids.assemble("stand_0000", "stand", [base, post], ())
    assert model.part_names == ("base", "post")
    centres = model.vertices[model.faces].mean(1)
    assert (model.face_parts[centres[:, 2] > 0.021] == 1).all()
    assert model.dimensions["height"] == pytest.approx(0.11, abs=1e-5)


def test_separate_parts_are_refused():
    with pytest.raises(Refused) as refusal:
        solids.assemble(
            "two_0000", "two", [solids.block("a", (0.01,) * 3), solids.block("b", (0.01,) * 3, (1, 0, 0))], ()
        )
    assert refusal.value.reason is Reason.PARAMETER
