"""Objects that nodes publish, from the message to the figures, where their error is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import trimesh
from hoi_ros.msg import ObjectState
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.hands import Surfaces
from hoi_ros.evaluation.objects import TrueObject
from hoi_ros.evaluation.scoring import Scorer
from hoi_ros.evaluation.whole import whole
from hoi_ros.hand import load_hand_model
from hoi_ros.nodes import conversions
from hoi_ros.nodes.listener import Listener
from hoi_ros.replay.results import Results
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

SIDES = np.array([0.06, 0.06, 0.10])  # m; half the diagonal of the box is 65.6 mm
POSE = np.concatenate([[0.1, -0.05, 0.6], Rotation.from_euler("xyz", [0.4, -0.7, 1.1]).as_quat()])
FRAME = "camera"


def model_of(mesh: trimesh.Trimesh) -> ObjectModel:
    faces = np.array(mesh.faces, np.int32)
    return ObjectModel("it", "object", np.array(mesh.vertices), faces, np.zeros(len(faces), np.int32), ("body",), ())


def box() -> ObjectModel:
    return model_of(trimesh.creation.box(SIDES))


def moved(shift: Any = (0.0, 0.0, 0.0), turn: Any = (0.0, 0.0, 0.0)) -> Array:
    """The true pose shifted in the camera's frame, m, and turned about its own axes, degrees."""
    turned = Rotation.from_quat(POSE[3:]) * Rotation.from_euler("xyz", turn, degrees=True)
    return np.concatenate([POSE[:3] + shift, turned.as_quat()])


def heard(poses: list[Array | None], solid: ObjectModel, points: Array | None = None, frame: str = FRAME) -> Any:
    """Lines, figures of the whole and faults of pictures in which objects were published at ``poses``, or were not."""
    results = Results()
    listener = Listener(results)
    for stamp, pose in enumerate(poses, start=1):
        results.stamps.append(stamp)
        results.true_objects[stamp], results.true_object_frame = POSE, FRAME
        if pose is None:
            continue
        message = ObjectState(header=conversions.header(stamp, frame), pose=conversions.pose(pose), score=1.0)
        if points is not None:
            message.cloud = cloud_of(points, message.header)
        listener.on_object(message)
    model = load_hand_model()
    true = TrueObject(solid, model)
    scorer = Scorer(results, {}, False, Surfaces(model, true), true)
    lines = scorer.take(ended=True)
    return lines, whole(scorer.kept, results), results.faults


def cloud_of(points: Array, header: Any) -> Any:
    from sensor_msgs.msg import PointCloud2, PointField

    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    data = points.astype("<f4").tobytes()
    return PointCloud2(
        header=header, fields=fields, height=1, width=len(points), point_step=12, row_step=len(data), data=data
    )


def test_a_shift_is_every_error_of_the_pose():
    lines, figures, faults = heard([moved((0.003, 0.0, -0.004))], box())
    for name in ("object.oce_mm", "object.mce_mm", "object.add_mm"):
        assert lines[0].figures[name] == pytest.approx(5.0, abs=1e-6)
        assert figures[name] == pytest.approx(5.0, abs=1e-6)
    assert lines[0].figures["object.add_s_mm"] == pytest.approx(5.0, abs=1e-6)  # no other corner is nearer
    assert (figures["object.found"], figures["object.add_05d"], faults) == (1.0, 1.0, [])
    assert not any(name.startswith(("object.chamfer", "object.fs")) for name in figures)  # it had no points


def test_half_a_turn_is_seen_by_corresponding_vertices_alone():
    """About the box's own z: each corner is 2 * 0.03 * sqrt(2) m from itself, and another one has taken its place."""
    lines, figures, _ = heard([moved(turn=(0.0, 0.0, 180.0))], box())
    found = lines[0].figures
    assert found["object.add_mm"] == pytest.approx(60.0 * np.sqrt(2.0))
    assert (found["object.oce_mm"], found["object.mce_mm"], found["object.add_s_mm"]) == pytest.approx(
        (0.0,) * 3, abs=1e-6
    )
    assert figures["object.add_05d"] == 0.0  # 84.9 mm are more than half the diagonal, 65.6 mm


def test_the_recall_is_over_all_pictures_with_a_true_object():
    poses = [moved(), moved((0.06, 0.0, 0.0)), moved((0.07, 0.0, 0.0)), None]
    _, figures, _ = heard(poses, box())
    assert (figures["object.found"], figures["object.add_05d"]) == (0.75, 0.5)
    assert figures["object.oce_mm"] == pytest.approx(130.0 / 3.0)


def test_an_object_nobody_publishes_has_no_figures():
    _, figures, faults = heard([None, None], box())
    assert not any(name.startswith("object") for name in figures) and not faults


def test_points_off_the_surface_by_8_mm():
    """A ball and points all around it, against SciPy on the same kind of samples."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    directions = np.random.default_rng(1).normal(size=(4000, 3))
    own = 0.058 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    points = Rotation.from_quat(POSE[3:]).apply(own) + POSE[:3]
    lines, _, _ = heard([POSE], model_of(ball), points)
    found = lines[0].figures
    assert 2 * 0.8**2 < found["object.chamfer_cm2"] < 2 * 0.8**2 + 0.2  # cm^2: both ways, and a little for samples
    assert (found["object.fs_5"], found["object.fs_10"]) == pytest.approx((0.0, 1.0), abs=0.01)
    samples = trimesh.sample.sample_surface(ball, 5000, seed=3)[0]
    expected = sum((cKDTree(a).query(b)[0] ** 2).mean() for a, b in ((own, samples), (samples, own))) * 1e4
    assert found["object.chamfer_cm2"] == pytest.approx(expected, rel=0.02)


def test_another_frame_is_a_fault_that_is_said_once():
    lines, figures, faults = heard([moved(), moved()], box(), frame="map")
    assert not any("object" in name for line in lines for name in line.figures)
    assert figures["object.found"] == 1.0 and "object.add_05d" not in figures
    assert faults == ["objects were found in 'map', the true one is in 'camera': they are not compared"]
