"""Objects on tables: made scenes, and recorded ones with labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shapes import ball, box, model

from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.clouds import sample_surface
from hoi_ros.scene.segmentation import TableScene, segment


def made_scene(*centres: tuple[float, float], seed: int = 0):
    """A tilted table with balls on it, and which object (or 0) each point is of."""
    rng = np.random.default_rng(seed)
    table = np.column_stack([rng.uniform(-0.4, 0.4, (40000, 2)), np.zeros(40000)])
    points, _, _ = sample_surface(model(ball(0.04, 32)), 4000, rng)
    things = [points + np.array([x, y, 0.04]) for x, y in centres]
    scene = np.concatenate([table, *things]) + rng.normal(scale=0.001, size=(40000 + 4000 * len(centres), 3))
    owner = np.repeat(np.arange(len(centres) + 1), [40000] + [4000] * len(centres))
    tilt = np.deg2rad(130)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return scene @ turn.T + [0, 0.1, 0.9], owner, turn[:, 2]


def test_balls_on_a_table_are_found_apart_and_the_same_each_time():
    points, owner, up = made_scene((-0.15, 0), (0.0, 0.1), (0.2, -0.1))
    scene = segment(points)
    assert scene.plane[:3] == pytest.approx(up, abs=0.01)
    assert len(scene.objects) == 3
    for found in scene.objects:
        number = np.bincount(owner[found]).argmax()
        assert (owner[found] == number).mean() > 0.97 and len(found) > 0.85 * 4000
    again = segment(points)
    assert all((a == b).all() for a, b in zip(scene.objects, again.objects, strict=True))


def test_what_hangs_beside_the_table_is_not_on_it():
    points, _, _ = made_scene((0, 0), (0.6, 0))
    assert len(segment(points).objects) == 1


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.empty((0, 3)), "0 points"),
        (np.ones((1, 3)), "1 points"),
        (np.random.default_rng(0).uniform(-1, 1, (5000, 3)), "no table"),
        (np.linspace([0, 0, 1], [1, 0, 1], 1000), "no table"),
        (made_scene()[0], "nothing larger"),
    ],
)
def test_scenes_without_table_or_objects_are_refused(points, words):
    with pytest.raises(Refused, match=words) as caught:
        segment(points)
    assert caught.value.reason is Reason.CLOUD


def test_a_box_alone_stands_on_no_table():
    points, _, _ = sample_surface(model(box(0.1, 0.06, 0.02)), 20000, np.random.default_rng(0))
    with pytest.raises(Refused, match="cm2"):
        segment(points + np.array([0, 0, 0.5]))


def recorded(depth: np.ndarray, labels: np.ndarray, f: float, cx: float, cy: float):
    row, column = np.nonzero(depth > 0)
    z = depth[row, column] / 1000
    return np.stack([(column - cx) / f * z, (row - cy) / f * z, z], -1), labels[row, column].astype(int)


def overlaps(scene: TableScene, labels: np.ndarray) -> dict[int, float]:
    """Intersection over union of each label with the object that fits it best."""
    best = {}
    for label in set(labels.tolist()) - {0}:
        true = labels == label
        counts = [(true[o].sum(), len(o)) for o in scene.objects]
        best[label] = max(both / (true.sum() + size - both) for both, size in counts)
    return best


@pytest.mark.parametrize("name", ["learn0", "learn40"])
def test_recorded_kinect_scenes(shared_data: Path, name):
    folder = shared_data / "tabletop_rgbd"
    labels = cv2.imread(str(folder / f"{name}_label.png"), cv2.IMREAD_UNCHANGED) // 10
    labels[labels < 2] = 0
    points, labels = recorded(cv2.imread(str(folder / f"{name}_depth_mm.png"), -1), labels, 525, 319.5, 239.5)
    assert min(overlaps(segment(points), labels).values()) > 0.92


@pytest.mark.parametrize(("name", "hard"), [("000000", {13}), ("000001", set()), ("000002", {10, 11})])
def test_recorded_ycb_scenes(shared_data: Path, name, hard):
    """The bowl's floor is as low as the table; the banana touches the pitcher."""
    folder = shared_data / "ycb_scenes"
    labels = np.load(folder / f"{name}-labels.npz")["labels"]
    points, labels = recorded(cv2.imread(str(folder / f"{name}-depth.png"), -1), labels, 618.0, 312.38, 232.38)
    found = overlaps(segment(points), labels)
    assert min(overlap for label, overlap in found.items() if label not in hard) > 0.84
    assert all(found[label] > 0.65 for label in hard - {10})
