"""Objects and grasps on the page of an evaluation: in the worst pictures, and sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from geometry_msgs.msg import PoseStamped
from hoi_ros.msg import ObjectState, Status
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import String
from test_evaluation_page import Read, line, write_result

import hoi_ros.demo
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import as_bytes
from hoi_ros.pipeline import flat_hand
from hoi_ros.refusals import Reason
from hoi_ros.replay.bag import Bag, Topics
from hoi_ros.replay.results import MessageWriter
from hoi_ros.types import Grasp, GraspGoals, Intrinsics, JointGoal
from hoi_ros.view import evaluation_page, pictures
from hoi_ros.view.render import Mesh, picture

CAMERA = Intrinsics(100.0, 100.0, 39.5, 29.5)
PLACE = np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0])  # of the object, before the camera
SENTENCES = ("Grip it.", "Fly to the moon.", "Push <b>it</b>.")
PICTURES = 3


def box(size: float, z: float, colour: Sequence[float] = (1.0, 1.0, 1.0)) -> Mesh:
    made = trimesh.creation.box((size, size, size))
    return Mesh(made.vertices + np.array([0.0, 0.0, z]), made.faces.astype(np.int32), np.array(colour))


# --- what hides what --------------------------------------------------------------------------------------------


def drawn(inside: list[Mesh], depth: float | None = None) -> np.ndarray:
    """A half-clear box 30 pixels wide, half a metre away, on grey."""
    metres = None if depth is None else np.full((30, 40), depth, np.float32)  # of another size than the picture
    return pictures.through(np.full((60, 80, 3), 90, np.uint8), CAMERA, box(0.1, 0.5), inside, metres).astype(float)


def test_an_object_is_half_clear_and_changes_nothing_beside_it():
    alone = drawn([])
    assert np.abs(alone[30, 40] - 90.0).min() > 15.0
    assert (alone[:, :10] == 90.0).all() and (alone[:5] == 90.0).all()


def test_what_is_before_the_object_hides_it_and_what_is_behind_shows_through():
    red = (1.0, 0.0, 0.0)
    before, behind = box(0.02, 0.3, red), box(0.06, 0.8, red)
    grey = np.full((60, 80, 3), 90, np.uint8)
    assert np.array_equal(drawn([before])[30, 40], picture([box(0.1, 0.5), before], CAMERA, grey)[30, 40])
    bare = picture([behind], CAMERA, grey)[30, 40].astype(float)
    shown, alone = drawn([behind])[30, 40], drawn([])[30, 40]
    assert alone[1] > shown[1] > bare[1]  # less green than grey seen through it, more than the red box


def test_what_the_depth_picture_has_before_the_object_hides_most_of_it():
    step = drawn([])[30, 40] - 90.0
    hidden, seen, unknown = (drawn([], depth)[30, 40] - 90.0 for depth in (0.2, 0.9, 0.0))
    assert np.array_equal(seen, step) and np.array_equal(unknown, step)
    assert np.abs(hidden).max() < 0.35 * np.abs(step).max()


def test_a_skeleton_reaches_its_keypoints():
    points = flat_hand("right").keypoints
    mesh = pictures.skeleton(points, 0.002)
    assert mesh.colour.shape == mesh.vertices.shape
    away = np.linalg.norm(mesh.vertices[:, None] - points, axis=-1)
    assert (away.min(axis=0) <= 0.004 + 1e-9).all()
    assert np.isfinite(pictures.skeleton(np.zeros((21, 3)), 0.002).vertices).all()  # bones without length


def test_axes_point_along_the_pose():
    turned = pictures.axes(np.array([1.0, 2.0, 3.0, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]), 0.1)  # x to y, y to -x
    low, high = turned.vertices.min(0), turned.vertices.max(0)
    assert np.abs(high - [1.003, 2.1, 3.1]).max() < 2e-3 and np.abs(low - [0.9, 1.997, 2.997]).max() < 2e-3


# --- on the page ------------------------------------------------------------------------------------------------


def cloud(stamp: int, points: np.ndarray, frame: str) -> PointCloud2:
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    size = {"height": 1, "width": len(points), "point_step": 12, "row_step": 12 * len(points)}
    data = points.astype("<f4").tobytes()
    return PointCloud2(header=conversions.header(stamp, frame), fields=fields, data=data, is_dense=True, **size)


def surface() -> np.ndarray:
    return np.array(trimesh.sample.sample_surface(trimesh.creation.box((0.06, 0.06, 0.06)), 2000, seed=0)[0])


def recording(path: Path, object_frame: str) -> tuple[list[int], str]:
    """The demo's first pictures with an object's pose and cloud and three sentences; the pictures' stamps and frame."""
    stamps: list[int] = []
    with AnyReader([Path(hoi_ros.demo.BAG)]) as reader, MessageWriter(path) as writer:
        for connection, time_ns, cdr in reader.messages():
            is_picture = "image" in connection.topic and "depth" not in connection.topic
            if is_picture and len(stamps) == PICTURES:
                break
            writer.write(connection.topic, connection.msgtype, time_ns, bytes(cdr))
            if not is_picture:
                continue
            header = reader.deserialize(cdr, connection.msgtype).header
            stamps.append(header.stamp.sec * 10**9 + header.stamp.nanosec)
            head = conversions.header(stamps[-1], object_frame or header.frame_id)
            extra: dict[str, Any] = {"/pose": PoseStamped(header=head, pose=conversions.pose(PLACE))}
            if len(stamps) == 1:
                extra["/cloud"] = cloud(stamps[0], surface() + PLACE[:3], header.frame_id)
            for topic, message in extra.items():
                kind, data = as_bytes(message, writer.types)
                writer.write(topic, kind, time_ns + 1, data)
        for row, sentence in enumerate(SENTENCES):
            kind, data = as_bytes(String(data=sentence), writer.types)
            writer.write("/said", kind, time_ns + row, data)
    return stamps, header.frame_id


def outputs(path: Path, stamps: list[int], frame: str, found: ObjectState) -> None:
    """An object in the first picture; grasps for the first sentence, a refusal of the second, nothing of the third."""
    goal = JointGoal(("rh_FFJ3",), np.zeros(1), (), np.zeros(0), PLACE, stamp_ns=stamps[0])
    grasp = Grasp(flat_hand("right"), "Wrap-grasp", "body", 0.9, {"flesh_depth": 1.25})
    head = conversions.header(stamps[0], frame)
    found.header = head
    found.cloud.header = head
    status = Status(header=head, node="grasp_synthesis", outcome=1, reason=int(Reason.INSTRUCTION), message="no moon")
    answer = Status(
        header=head, node="pose_estimation", outcome=1, reason=int(Reason.NO_HAND), message="no such answer"
    )
    grasps = conversions.grasp_array([grasp] * 2, [GraspGoals(goal, goal, goal)] * 2, head, SENTENCES[0], "")
    with MessageWriter(path) as writer:
        for topic, message in (("/object", found), ("/grasps", grasps), ("/status", status), ("/status", answer)):
            writer.write(topic, *as_bytes(message, writer.types)[:1], stamps[0], as_bytes(message, writer.types)[1])


def prepare(out: Path, object_frame: str = "", points: np.ndarray | None = None) -> None:
    """The result of a recording with a true object, where one with some points was found."""
    trimesh.creation.box((0.06, 0.06, 0.06)).export(out / "box.obj")
    stamps, frame = recording(out / "bag.mcap", object_frame)
    write_result(out, [line(i, stamp, truth=True) for i, stamp in enumerate(stamps)], {"frames": 3.0}, "objects")
    state = ObjectState(pose=conversions.pose(PLACE), score=1.0)
    if points is not None:
        state.cloud = cloud(stamps[0], points, frame)
    outputs(out / "results.mcap", stamps, frame, state)


def page(out: Path, object_frame: str = "", points: np.ndarray | None = None) -> Read:
    prepare(out, object_frame, points)
    with Bag(out / "bag.mcap", Topics(true_object="/pose")) as bag:
        return Read(evaluation_page.write(out, bag, None, out / "box.obj"))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    return page(tmp_path_factory.mktemp("objects"), points=surface() + PLACE[:3])


def test_the_true_object_is_drawn_into_what_is_true(read: Read):
    alts = [image["alt"] for image in read.all("img")]
    assert sum(alt.endswith("with the true keypoints and the true object drawn over it") for alt in alts) == PICTURES
    assert read.text.count("what is true; the object in green") == PICTURES


def test_a_found_object_is_drawn_into_what_was_found(read: Read):
    assert any("Picture 0 with the object as found" in image["alt"] for image in read.all("img"))
    assert "no hand was found; the object in blue" in read.text


def test_an_object_in_another_frame_is_not_drawn_but_told(tmp_path: Path):
    read = page(tmp_path, object_frame="world")
    assert read.text.count("The true object is in 'world', the picture in ") == PICTURES
    assert not any("true object drawn" in image["alt"] for image in read.all("img"))
    assert "no hand was found; the object as its axes" in read.text  # found without points


def test_each_sentence_has_its_best_grasp_or_its_refusal(read: Read):
    headings = [text for level, text in read.headings if level == 3 and text.startswith("“")]
    assert [re.sub(r", at [\d.]+ s: ?", " gets ", text) for text in headings] == [
        "“Grip it.” gets 2 grasps", "“Fly to the moon.” gets no grasp", "“Push <b>it</b>.” gets no grasp",
    ]  # fmt: skip
    assert "instruction: no moon." in read.text and "no such answer" not in read.text
    assert "no grasps came, and no node says why." in read.text
    grasps = [image for image in read.all("img") if "grasp" in image["alt"]]
    assert [image["alt"] for image in grasps] == [
        "The best grasp for sentence 1, “Grip it.”, on the true object, from two sides"
    ]
    for figure in ("affordance Wrap-grasp", "part body", "score 0.90", "quality: flesh depth 1.25"):
        assert figure in read.text


def test_a_grasp_without_truth_is_on_its_cloud(tmp_path: Path):
    prepare(tmp_path)
    with Bag(tmp_path / "bag.mcap") as bag:
        read = Read(evaluation_page.write(tmp_path, bag))
    assert any("on the cloud that it was made for" in image["alt"] for image in read.all("img"))
    assert "true object" not in read.text
