"""The benchmark on real hands: labels are where they should be, and its figures by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hoi_ros.benchmarks import hidden_fingers
from hoi_ros.benchmarks.hand_images import SETS, Labelled
from hoi_ros.benchmarks.hidden_fingers import Answer, figures, matching
from hoi_ros.hand import load_hand_model
from hoi_ros.pipeline import DUMMY_CAMERA, flat_hand
from hoi_ros.types import Array, CameraFrame, HandPose
from hoi_ros.view import corrections

BASES, TIPS = [1, 5, 9, 13, 17], [4, 8, 12, 16, 20]
FRAME = CameraFrame(np.full((480, 640, 3), 90, np.uint8), DUMMY_CAMERA)


@pytest.mark.parametrize("name", [name for name in SETS if name.startswith("hand_images")])
def test_labels_lie_in_their_pictures_in_order(name: str, shared_data: Path) -> None:
    """Bones join, none is longer than a palm, and keypoints stand before the camera, at its pixels."""
    hands = list(SETS[name](shared_data / name))
    assert len(hands) == {"freihand": 8, "interhand2.6m": 6, "rhd": 3}[Path(name).name]
    for hand in hands:
        height, width = hand.frame.rgb.shape[:2]
        assert ((hand.pixels > 0) & (hand.pixels < [width, height])).all()
        points = hand.pixels if hand.keypoints is None else hand.keypoints
        palm = np.linalg.norm(points[9] - points[0])
        bones = [np.linalg.norm(points[base + 1 : base + 4] - points[base : base + 3], axis=1) for base in BASES]
        assert np.max(bones) < (1.0 if hand.keypoints is not None else 1.5) * palm
        if hand.keypoints is not None:
            assert 0.05 < palm < 0.13
            np.testing.assert_allclose(hand.frame.intrinsics.project(hand.keypoints), hand.pixels)
            wrist = np.linalg.norm(points[1:] - points[0], axis=1)
            assert wrist[[base - 1 for base in BASES]].max() < 1.2 * palm


def seen(shift: Array, side: str = "right") -> HandPose:
    """A flat hand half a metre ahead, and so far from there."""
    hand = flat_hand("right")
    points = hand.keypoints - hand.keypoints[9] + [0.0, 0.0, 0.5] + shift
    return replace(hand, side=side, keypoints=points, keypoints_2d=DUMMY_CAMERA.project(points))


def labelled(side: str | None = "right") -> Labelled:
    true = seen(np.zeros(3))
    return Labelled("made", FRAME, true.keypoints_2d, true.keypoints, side)  # type: ignore[arg-type]


def test_the_nearest_hand_of_the_side_counts() -> None:
    near, nearer, left = seen(np.array([0.02, 0.0, 0.0])), seen(np.array([0.01, 0.0, 0.0])), seen(np.zeros(3), "left")
    assert matching([near, nearer, left], labelled()) is nearer
    assert matching([near, nearer, left], labelled(None)) is left
    assert matching([left], labelled()) is None
    assert matching([seen(np.array([0.1, 0.0, 0.0]))], labelled()) is None


def answer() -> Answer:
    """Before: 3 mm aside, the index tip 33 mm; after: that tip is where the others are. It and the little's hide."""
    before, after = (seen(np.array([0.003, 0.0, 0.0])) for _ in range(2))
    off = before.keypoints.copy()
    off[8, 0] += 0.03
    before = replace(before, keypoints=off, keypoints_2d=DUMMY_CAMERA.project(off))
    after = replace(after, refinement="affordance_prior", change=0.03 / 21.0, deviation=np.full(21, 0.002))
    return Answer(labelled(), before, after, np.isin(np.arange(21), [8, 20]))


def test_figures_by_hand() -> None:
    """One metre ahead a focal length is 600 px, half a metre 1.2 px a millimetre."""
    found = figures([answer()])
    depth = answer().before.keypoints[:, 2]
    aside = 600.0 * 0.003 / depth
    assert found["found"] == 1 and found["stayed"] == 0 and found["hidden_share"] == pytest.approx(2 / 21)
    shown = np.delete(aside, [8, 20])
    assert found["visible_px"]["before"] == pytest.approx({"mean": shown.mean(), "worst": shown.max()})
    assert found["visible_px"]["largest_rise"] == pytest.approx(0.0, abs=1e-9)
    assert found["hidden_px"]["before"]["worst"] == pytest.approx(11.0 * aside[8])
    assert found["hidden_px"]["after"]["mean"] == pytest.approx(aside[[8, 20]].mean())
    assert found["hidden_moved_mm"] == pytest.approx({"mean": 15.0, "worst": 30.0})
    assert found["visible_moved_mm"]["worst"] == pytest.approx(0.0, abs=1e-9)
    assert found["pa_mpjpe_mm"]["after"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert found["hidden_mm"]["before"]["worst"] > 20.0
    assert found["said_mm"] == pytest.approx({"mean": 2.0, "worst": 2.0})
    assert figures([]) == {"found": 0}


def test_hands_that_stay_and_labels_without_depth() -> None:
    same = replace(answer(), labelled=replace(labelled(), keypoints=None), hidden=np.zeros(21, dtype=bool))
    same = replace(same, after=replace(same.before, refinement="unchanged: all joints are seen"))
    found = figures([same])
    assert found["stayed"] == 1 and "pa_mpjpe_mm" not in found
    assert found["hidden_px"] == {"before": None, "after": None} and found["hidden_moved_mm"] is None


def test_a_sheet_shows_before_and_after() -> None:
    """Four tiles of a case: camera and side, before and after; rings are red where a hidden keypoint is."""
    case = answer()
    shown = corrections.Shown("made", FRAME, case.labelled.pixels, case.before, case.after, case.hidden)
    sheet = corrections.sheet([shown], load_hand_model())
    assert sheet.shape[1] >= 4 * corrections.TILE[1] and sheet.dtype == np.uint8
    red = (np.abs(sheet.astype(int) - corrections.MARK) < 30).all(axis=2)
    tiles = np.array_split(red[:, : 4 * corrections.TILE[1]], 4, axis=1)
    assert all(20 < tile.sum() < 4000 for tile in tiles)
    assert (sheet[:, : corrections.TILE[1]] != sheet[:, corrections.TILE[1] : 2 * corrections.TILE[1]]).any()


def test_without_pictures_it_is_skipped(tmp_path: Path) -> None:
    assert "is not there" in hidden_fingers.run(str(tmp_path))["skipped"]
