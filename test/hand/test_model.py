"""The NumPy hand is the hand of smplx, and its surface, anchors and mirror image are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
import trimesh

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.anchors import ANCHOR_REGIONS, find_anchors
from hoi_ros.hand.closing import boundary_loops, close
from hoi_ros.hand.mano_file import EMBEDDED, read_hand_file
from hoi_ros.hand.mirror import mirror_hand, mirror_points
from hoi_ros.types import KEYPOINT_NAMES, Array, HandPose, Side

TO_K21 = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
SMPLX_TIPS = [744, 320, 443, 554, 671]


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def random_parameters(count: int) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(3)
    sizes = ((1.0, 3), (0.5, 45), (1.0, 10), (0.3, 3))
    return tuple(rng.normal(0.0, scale, (count, size)) for scale, size in sizes)  # type: ignore[return-value]


def posed_by(module: smplx.MANO, parameters: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
    orient, pose, betas, transl = (torch.tensor(p, dtype=torch.float32) for p in parameters)
    with torch.no_grad():
        out = module(betas=betas, global_orient=orient, hand_pose=pose, transl=transl)
    vertices, joints = out.vertices.numpy(), out.joints.numpy()
    return vertices, np.concatenate([joints, vertices[:, SMPLX_TIPS]], axis=1)[:, TO_K21]


@pytest.mark.parametrize("side", ["right", "left"])
def test_equals_smplx(model: HandModel, side: Side) -> None:
    parameters = random_parameters(5)
    vertices, keypoints = posed_by(model.smplx(5, side), parameters)
    mesh = model.mesh(*parameters, side=side)
    np.testing.assert_allclose(mesh.vertices, vertices, atol=1e-6)
    np.testing.assert_allclose(mesh.keypoints, keypoints, atol=1e-6)
    np.testing.assert_allclose(model.joints(*parameters, side=side), keypoints, atol=1e-6)


def test_smplx_loads_the_embedded_file_itself(model: HandModel, tmp_path: Path) -> None:
    path = tmp_path / "MANO_RIGHT.npz"  # smplx tells the side from the name
    path.write_bytes(EMBEDDED.read_bytes())
    module = smplx.create(str(path), "mano", is_rhand=True, ext="npz", use_pca=False, flat_hand_mean=True, batch_size=2)
    parameters = random_parameters(2)
    vertices, _ = posed_by(module, parameters)
    np.testing.assert_allclose(model.mesh(*parameters).vertices, vertices, atol=1e-6)


def test_pose_correctives_reach_the_fingertips() -> None:
    arrays = read_hand_file(EMBEDDED)
    arrays["posedirs"] = np.random.default_rng(0).normal(0.0, 1e-3, (778, 3, 135))
    arrays["weights"] = np.random.default_rng(0).dirichlet(np.ones(16), 778)
    model = HandModel("random", arrays)
    parameters = random_parameters(4)
    vertices, keypoints = posed_by(model.smplx(4), parameters)
    np.testing.assert_allclose(model.joints(*parameters), keypoints, atol=1e-6)
    np.testing.assert_allclose(model.mesh(*parameters).vertices, vertices, atol=1e-6)


def test_left_hand_mirrors_the_right(model: HandModel) -> None:
    orient, pose, betas, transl = random_parameters(3)
    right = model.mesh(orient, pose, betas, transl)
    flip = np.array([1.0, -1.0, -1.0])
    left = model.mesh(orient * flip, pose * np.tile(flip, 15), betas, mirror_points(transl), "left")
    np.testing.assert_allclose(mirror_points(right.vertices), left.vertices, atol=1e-12)


def test_single_hands_and_shared_shapes_broadcast(model: HandModel) -> None:
    orient, pose, betas, transl = random_parameters(3)
    together = model.joints(orient, pose, betas[0], transl)
    alone = model.joints(orient[1], pose[1], betas[0], transl[1])
    assert alone.shape == (1, 21, 3)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-15)


def test_mirroring_twice_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    hand = HandPose(
        "right",
        0.9,
        *(rng.normal(size=n) for n in (3, 45, 10, 3)),
        *(rng.normal(size=s) for s in ((21, 3), 7, (21, 2))),
    )
    there = mirror_hand(hand)
    back = mirror_hand(there)
    assert (there.side, back.side) == ("left", "right")
    assert there.keypoints[0, 0] == -hand.keypoints[0, 0]
    for name in ("global_orient", "hand_pose", "transl", "keypoints", "wrist_pose"):
        np.testing.assert_array_equal(getattr(back, name), getattr(hand, name))


def test_closed_surface_stays_as_it_is(model: HandModel) -> None:
    assert trimesh.Trimesh(model.v_template, model.faces, process=False).is_watertight
    np.testing.assert_array_equal(model.closed_faces, model.faces)


def test_open_wrist_is_closed(model: HandModel) -> None:
    """MANO's mesh lacks the faces around the wrist; take a patch away as there, with 14 faces missing."""
    whole = trimesh.Trimesh(model.v_template, model.faces, process=False)
    centre = int(np.argmax(model.v_template[:, 0]))
    ring = [centre, *whole.vertex_neighbors[centre]]
    opened = model.faces[~np.isin(model.faces, ring[:2]).any(axis=1)]
    assert len(boundary_loops(opened)) == 1
    loop = boundary_loops(opened)[0]
    closed = close(opened)
    assert len(closed) == len(opened) + len(loop) - 2
    mesh = trimesh.Trimesh(model.v_template, closed, process=False)
    mesh.remove_unreferenced_vertices()
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(whole.volume, rel=0.05)


def test_anchors_lie_on_their_regions_on_the_palms_side(model: HandModel) -> None:
    anchors = find_anchors(model)
    np.testing.assert_array_equal(np.unique(anchors.vertex_regions), np.arange(17))
    np.testing.assert_allclose(anchors.weights.sum(axis=1), 1.0)
    assert (anchors.weights >= 0.0).all()
    np.testing.assert_array_equal(anchors.regions, ANCHOR_REGIONS)
    around = anchors.vertex_regions[anchors.corners]
    assert (around == ANCHOR_REGIONS[:, None]).any(axis=1).all()
    triangles = model.v_template[anchors.corners]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    fingers = ANCHOR_REGIONS > 2
    assert (normals[fingers, 1] < 0.0).all()  # the flat hand's palm faces -y


def test_anchors_follow_the_skin(model: HandModel) -> None:
    anchors = find_anchors(model)
    orient, pose, betas, transl = random_parameters(2)
    points = anchors.points(model.mesh(orient, 0.2 * pose, betas, transl).vertices)
    assert points.shape == (2, 32, 3)
    keypoints = model.joints(orient, 0.2 * pose, betas, transl)
    tips = [KEYPOINT_NAMES.index(f"{f}_tip") for f in ("thumb", "index", "middle", "ring", "little")]
    reach = np.linalg.norm(points[:, [4, 11, 17, 24, 31]] - keypoints[:, tips], axis=2)
    assert (reach < 0.02).all()
