"""What touches and what nobody sees, by regions; objects as the prior's words need them."""

from __future__ import annotations

import numpy as np
import pytest

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordance_prior.evidence import TOUCHES, Object, Witness, regions_hidden
from hoi_ros.methods.affordance_prior.grip import extents, gripped_width
from hoi_ros.types import KEYPOINT_NAMES, Array, HandBatch

MODEL = load_hand_model()
HANDS = HandBatch(np.zeros((2, 3)), np.zeros((2, 45)), np.zeros((2, 10)), np.array([[0.0, 0.0, 0.5], [0.3, 0.0, 0.5]]))
MESH = MODEL.mesh(HANDS.global_orient, HANDS.hand_pose, HANDS.betas, HANDS.transl)
INDEX_TIP, PALM, WRIST_PALM = 5, 15, 16
SEEN = np.zeros((2, 21), dtype=bool)


def hidden(*names: str) -> Array:
    lost = np.zeros((1, 21), dtype=bool)
    lost[0, [KEYPOINT_NAMES.index(name) for name in names]] = True
    return lost


@pytest.mark.parametrize(
    ("names", "regions"),
    [
        (("index_pip",), {3}),  # the bone from the knuckle to there
        (("index_dip", "index_tip"), {4, 5}),
        (("thumb_mcp", "thumb_ip", "thumb_tip"), {0, 1, 2}),
        (("little_tip",), {14}),
        (("ring_pip",), {9}),
        (("wrist", "thumb_cmc", "index_mcp"), set()),  # two knuckles
        (("index_mcp", "middle_mcp", "little_mcp"), {15, 16}),
    ],
)
def test_a_region_is_unseen_where_the_end_of_its_bone_is(names: tuple[str, ...], regions: set[int]) -> None:
    assert set(np.flatnonzero(regions_hidden(hidden(*names))[0])) == regions


def near(keypoint: int, within: float = 0.01) -> Array:
    """Vertices of the first hand about one of its keypoints."""
    return MESH.vertices[0][np.linalg.norm(MESH.vertices[0] - MESH.keypoints[0, keypoint], axis=1) < within]


def touched(thing: Object, lost: Array = SEEN) -> list[set[int]]:
    found = Witness(MODEL).known(HANDS, lost, thing, ["", ""])
    return [set(np.flatnonzero(known.touched)) for known in found]


def test_skin_touches_where_points_are() -> None:
    """Points at the first hand's index fingertip touch it there, and not the second hand."""
    assert touched(Object.of(near(8))) == [{INDEX_TIP}, set()]
    wrist = touched(Object.of(near(0, 0.025)))
    assert wrist[0] <= {PALM, WRIST_PALM} and wrist[0] and not wrist[1]


def test_touching_ends_some_millimetres_off() -> None:
    """Points of a flat layer above all of the flat hand."""
    top = MESH.vertices[0, :, 1].max()
    x, _, z = MESH.vertices[0].T
    for away, touches in ((0.8 * TOUCHES, True), (1.2 * TOUCHES, False)):
        layer = Object.of(np.stack([x, np.full(len(x), top + away), z], axis=1))
        assert bool(touched(layer)[0]) is touches


def test_of_what_is_not_seen_nobody_knows_whether_it_touches() -> None:
    lost = SEEN.copy()
    lost[0, 8] = True
    thing = Object.of(near(8))
    assert touched(thing, lost) == [set(), set()]
    first, second = Witness(MODEL).known(HANDS, lost, thing, ["", ""])
    assert first.unseen is not None and set(np.flatnonzero(first.unseen)) == {INDEX_TIP}
    assert second.unseen is not None and not second.unseen.any()


def test_sizes_and_sentences_belong_to_each_hand() -> None:
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3)) * [0.03, 0.02, 0.2]
    thing = Object.of(points + MESH.keypoints[0, [5, 9, 13, 17]].mean(axis=0) - [0.0, 0.02, 0.0])
    first, second = Witness(MODEL).known(HANDS, SEEN, thing, ["Hold it.", "Press it."])
    assert (first.instruction, second.instruction) == ("Hold it.", "Press it.")
    assert first.width == gripped_width(thing.points, MESH.keypoints[0]) and first.width is not None
    assert second.width is None  # 30 cm beside
    for known in (first, second):
        assert known.extents is not None
        np.testing.assert_allclose(known.extents, extents(points))


def test_without_an_object_the_sentence_is_all() -> None:
    for known, said in zip(Witness(MODEL).known(HANDS, SEEN, None, ["a", "b"]), ("a", "b"), strict=True):
        assert known.instruction == said
        assert known.extents is known.width is known.touched is known.unseen is None
