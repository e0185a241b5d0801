"""Hands and a cloud through the composition, with a made-up refiner: what it is handed, what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from graph import bottle
from scipy.spatial.transform import Rotation
from test_pipeline import FRAME, Finger, Hands

from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import Pipeline, flat_hand
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.nearby import holds
from hoi_ros.types import Array, HandPose, ObjectCloud

UP = np.array([0.0, 0.0, 1.0])
TILT = Rotation.from_euler("xyz", [-115.0, 20.0, 30.0], degrees=True).as_matrix()
OPTICAL = "camera_color_optical_frame"


class Shifter:
    """Moves every hand by a metre, and remembers what it was handed."""

    def __init__(self, by: float = 1.0) -> None:
        self.by = by
        self.clouds: list[ObjectCloud | None] = []
        self.told: list[tuple[str, int]] = []
        self.resets = 0

    def refine_all(
        self, hands: Sequence[HandPose], cloud: ObjectCloud | None, instruction: str, seed: int
    ) -> list[HandPose]:
        self.clouds.append(cloud)
        self.told.append((instruction, seed))
        return [replace(hand, transl=hand.transl + self.by, refinement="made", change=self.by) for hand in hands]

    def reset(self) -> None:
        self.resets += 1


def pipeline(by: float = 1.0, **parameters: object) -> Pipeline:
    return Pipeline(Parameters(refiner="choir", **parameters), refiner=Shifter(by))


def hand_at(place: Array, frame: str = "base_link", track: int = 1) -> HandPose:
    hand = flat_hand("right")
    shift = np.asarray(place) - hand.keypoints[9]
    wrist = np.concatenate([hand.wrist_pose[:3] + shift, hand.wrist_pose[3:]])
    points = {"keypoints": hand.keypoints + shift, "transl": hand.transl + shift, "wrist_pose": wrist}
    return replace(hand, frame_id=frame, track_id=track, **points)


def half(points: Array, eye: Array) -> Array:
    """What of an upright cylinder's wall is seen from a side."""
    outward = points - points.mean(0)
    return points[outward[:, :2] @ (eye - points.mean(0))[:2] > 0.0]


def test_every_hand_comes_back_in_its_place() -> None:
    robot = pipeline()
    given = [hand_at([0.4, 0.15, 0.2], track=5), hand_at([0.4, 0.05, 0.2], track=6)]
    found = robot.refine(given, ObjectCloud(bottle(), frame_id="base_link"), "Grasp it", UP, 4)
    assert [hand.track_id for hand in found] == [5, 6] and robot.refiner.told == [("Grasp it", 4)]
    for hand, old in zip(found, given, strict=True):
        np.testing.assert_allclose(hand.transl, old.transl + 1.0)


def test_of_a_scene_each_hand_gets_the_object_nearest_to_it() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform(-0.4, 0.4, (30000, 2)), np.zeros(30000)])
    scene = np.concatenate([table, bottle((0.25, 0.0, 0.1), 0.2), bottle((-0.25, 0.0, 0.06), 0.12)])
    robot = pipeline(segment_scene=True)
    given = [hand_at([x, 0.1, 0.1], track=number) for number, x in enumerate((-0.25, 0.25, -0.22))]
    found = robot.refine(given, ObjectCloud(scene, frame_id="base_link"), up=UP)
    assert [hand.track_id for hand in found] == [0, 1, 2]
    middles = sorted(cloud.points.mean(0)[0] for cloud in robot.refiner.clouds)
    np.testing.assert_allclose(middles, [-0.25, 0.25], atol=0.02)


def test_the_hidden_side_is_known_where_up_is_and_lies_where_it_is() -> None:
    """One side of a cylinder, in a tilted frame: its points come back all around the axis, as far from it."""
    points, eye = bottle((0.0, 0.0, 0.0)), np.array([1.0, 0.0, 0.3])
    seen = ObjectCloud(half(points, eye) @ TILT.T, frame_id="base_link", viewpoint=TILT @ eye)
    whole, partial = pipeline(), pipeline()
    whole.refine([hand_at([0.0, 0.1, 0.0])], seen, up=TILT @ UP)
    partial.refine([hand_at([0.0, 0.1, 0.0])], seen)
    (found,), (known,) = whole.refiner.clouds, partial.refiner.clouds
    back = found.points @ TILT
    np.testing.assert_allclose(np.linalg.norm(back[:, :2], axis=1), 0.03, atol=0.006)
    assert back[:, 0].min() < -0.015 and (known.points @ TILT)[:, 0].min() > -0.001
    outwards = np.einsum("ni,ni->n", (found.normals @ TILT)[:, :2], back[:, :2]) / 0.03
    assert np.median(outwards) > 0.9 and found.frame_id == "base_link"


def test_a_cloud_of_a_camera_needs_no_up() -> None:
    robot = pipeline()
    cloud = ObjectCloud(bottle((0.0, 0.0, 0.6)), frame_id=OPTICAL)
    robot.refine([hand_at([0.0, 0.1, 0.6], OPTICAL)], cloud)
    (handed,) = robot.refiner.clouds
    np.testing.assert_array_equal(handed.points, cloud.points)
    np.testing.assert_array_equal(handed.viewpoint, np.zeros(3))


def test_the_same_cloud_is_looked_at_once() -> None:
    robot, cloud = pipeline(), ObjectCloud(bottle(), frame_id="base_link")
    for _ in range(3):
        robot.refine([hand_at([0.4, 0.15, 0.2])], cloud, up=UP)
    first, second, third = robot.refiner.clouds
    assert first is second is third
    robot.refine([hand_at([0.4, 0.15, 0.2])], replace(cloud), up=UP)
    assert robot.refiner.clouds[-1] is not first
    robot.reset()
    robot.refine([hand_at([0.4, 0.15, 0.2])], replace(cloud), up=UP)
    assert robot.refiner.resets == 1


def test_without_hands_or_an_object_the_refiner_is_told_so() -> None:
    robot = pipeline()
    assert robot.refine([], ObjectCloud(np.full((3, 3), np.nan))) == []
    assert len(robot.refine([hand_at([0.0, 0.0, 0.5])], None)) == 1
    assert robot.refiner.clouds == [None, None]


@pytest.mark.parametrize(
    ("cloud", "reason", "said"),
    [
        (ObjectCloud(np.zeros((0, 3))), Reason.CLOUD, "0 points"),
        (ObjectCloud(bottle()[:20]), Reason.CLOUD, "20 points"),
        (ObjectCloud(np.full((100, 3), np.nan)), Reason.CLOUD, "not finite"),
        (ObjectCloud(1000.0 * bottle()), Reason.CLOUD, "millimetres"),
        (ObjectCloud(0.01 * bottle()), Reason.CLOUD, "measures 0.0016 m"),
        (ObjectCloud(bottle(), frame_id="map"), Reason.FRAME, "'base_link'.*'map'"),
    ],
)
def test_a_cloud_of_no_use_is_refused(cloud: ObjectCloud, reason: Reason, said: str) -> None:
    for up in (None, UP):
        with pytest.raises(Refused, match=said) as refused:
            pipeline().refine([hand_at([0.4, 0.15, 0.2])], cloud, up=up)
        assert refused.value.reason is reason


@pytest.mark.parametrize("cloud", [ObjectCloud(bottle(), frame_id="base_link"), None])
def test_a_hand_that_is_not_finite_goes_neither_in_nor_out(cloud: ObjectCloud | None) -> None:
    hand = hand_at([0.4, 0.15, 0.2])
    unknown = np.where(np.arange(21) == 20, np.inf, 0.0)
    bent = (replace(hand, keypoints=np.full((21, 3), np.nan)), replace(hand, deviation=unknown))
    for robot, given in ((pipeline(), bent[0]), (pipeline(), bent[1]), (pipeline(by=np.nan), hand)):
        with pytest.raises(Refused) as refused:
            robot.refine([given], cloud, up=UP)
        assert refused.value.reason is Reason.NOT_FINITE


def test_a_step_follows_the_refined_hand_and_a_refusal_moves_nothing() -> None:
    def step(see: object) -> tuple[object, Finger]:
        finger = Finger()
        hand = hand_at([0.4, 0.15, 0.2])
        robot = Pipeline(Parameters(refiner="choir"), Hands(hand), finger, refiner=Shifter())
        return robot.step(FRAME, see), finger

    def refusing() -> ObjectCloud:
        raise Refused(Reason.CLOUD, "nothing in it")

    result, finger = step(lambda: ObjectCloud(bottle(), frame_id="base_link"))
    assert set(result.timings) == {"estimator", "refiner", "retargeter"} and finger.followed == [1]
    np.testing.assert_allclose(result.goal.wrist_pose, result.refined[0].wrist_pose)
    np.testing.assert_allclose(result.refined[0].transl, result.hands[0].transl + 1.0)
    result, finger = step(refusing)
    assert result.refusals["refiner"].reason is Reason.CLOUD and result.goal is None is result.refined
    assert set(result.timings) == {"estimator", "refiner"} and len(result.hands) == 1 and finger.followed == []


def test_none_builds_nothing() -> None:
    assert Pipeline.build(Parameters(), ("refiner",)).refiner is None
    with pytest.raises(Refused, match="one of: none, choir"):
        Parameters(refiner="magic")


@pytest.mark.parametrize(("apart", "held"), [(0, True), (4_999_999_999, True), (5_000_000_001, False)])
def test_a_cloud_holds_for_its_age_both_ways(apart: int, held: bool) -> None:
    assert holds(10**10, 10**10 + apart, 5.0) is held is holds(10**10 + apart, 10**10, 5.0)
