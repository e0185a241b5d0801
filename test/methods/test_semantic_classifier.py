"""The semantic classifier: what it may not depend on, and what it is trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordgrasp.classifier_training import Draws, Grasps, scaled, score
from hoi_ros.methods.affordgrasp.hand_surface import SEEN, hand_order
from hoi_ros.methods.affordgrasp.semantic_classifier import CLASSES, OBJECT_POINTS, SemanticClassifier
from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.clouds import farthest_points, sample_surface

MODEL = load_hand_model()


@pytest.fixture(scope="module")
def grasps() -> Grasps:
    """A flat hand whose palm looks down on a can, called two things."""
    points = sample_surface(make_object("can", 0, 0), 3000, np.random.default_rng(0))[0]
    above = points[:, 2].max() + 0.03
    hand = MODEL.mesh(np.array([[np.pi / 2, 0.0, 0.0]]), np.zeros((1, 45)), np.zeros((1, 10)), np.zeros((1, 3)))
    vertices = hand.vertices[:, hand_order(MODEL)] - hand.vertices.mean(axis=1, keepdims=True) + [0.0, 0.0, above]
    out = np.cross(hand.keypoints[0, 17] - hand.keypoints[0, 0], hand.keypoints[0, 5] - hand.keypoints[0, 0])
    palms = -out / np.linalg.norm(out)
    return Grasps(
        np.repeat(vertices, 2, axis=0).astype(np.float32),
        np.tile(palms, (2, 1)).astype(np.float32),
        np.zeros(2, dtype=np.int64),
        points[farthest_points(points, OBJECT_POINTS)][None].astype(np.float32),
        np.array([CLASSES.index(Affordance.LIFT), CLASSES.index(Affordance.SUPPORT)]),
    )


def test_there_are_ten_classes() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 10


def test_the_answer_does_not_depend_on_where_things_are(grasps: Grasps) -> None:
    torch.manual_seed(0)
    model = SemanticClassifier(32, 1, 2, 16, 8).eval()
    away = np.array([1.0, -2.0, 0.5], dtype=np.float32)
    objects = grasps.objects[grasps.owner]
    with torch.no_grad():
        here, there = (model(*scaled(grasps.hands + shift, objects + shift)) for shift in (np.float32(0.0), away))
        alone = model(*scaled(grasps.hands[:1], objects[:1]))
    torch.testing.assert_close(here, there, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(here[:1], alone, atol=1e-5, rtol=1e-4)


def test_hands_that_keep_off_and_hands_anywhere_are_drawn(grasps: Grasps) -> None:
    hands, objects, radius, label = Draws(grasps, 200)(np.random.default_rng(0))
    assert hands.shape == (200, SEEN, 3) and objects.shape == (200, OBJECT_POINTS, 3)
    assert objects.norm(dim=-1).max() <= 1.0 + 1e-5
    counts = torch.bincount(label, minlength=10)
    for kind in (Affordance.NO_GRASP, Affordance.NULL):
        assert 10 <= counts[CLASSES.index(kind)] <= 32
    assert {int(number) for number in label.unique()} == {
        CLASSES.index(kind) for kind in (Affordance.LIFT, Affordance.SUPPORT, Affordance.NO_GRASP, Affordance.NULL)
    }
    kept_off = label == CLASSES.index(Affordance.NO_GRASP)
    near = torch.cdist(hands, objects).amin((1, 2)) * radius
    used = (label == CLASSES.index(Affordance.LIFT)) | (label == CLASSES.index(Affordance.SUPPORT))
    assert near[kept_off].min() > near[used].max()


def test_scores_count_what_is_named_rightly(grasps: Grasps) -> None:
    class Lifts(SemanticClassifier):
        """It calls everything Lift."""

        def forward(self, hand: torch.Tensor, obj: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            answer = torch.zeros(len(hand), 10)
            answer[:, CLASSES.index(Affordance.LIFT)] = 1.0
            return answer

    table = score(Lifts(32, 1, 2, 16, 8), grasps)
    assert table["all"] == {"grasps": 2, "accuracy": 0.5}
    assert (table["Lift"]["accuracy"], table["Support"]["accuracy"]) == (1.0, 0.0)
