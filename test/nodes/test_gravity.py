"""Where up is, with a stand-in for tf2_ros (there are no wheels of it): which way the transform is read."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from scipy.spatial.transform import Rotation

from hoi_ros.nodes import conversions
from hoi_ros.nodes.gravity import GravityFrame
from hoi_ros.refusals import Reason, Refused

CAMERA_IN_BASE = Rotation.from_euler("xyz", [-115.0, 20.0, 30.0], degrees=True)
HEAD = conversions.header(5, "camera_optical_frame")


class TransformException(Exception):  # as tf2_ros calls it
    pass


class Buffer:
    """Knows how the camera stands in base_link; tf2 gives the pose of the source frame in the target frame."""

    def lookup_transform(self, target: str, source: str, time: Any, timeout: Any) -> TransformStamped:
        if (target, source, time.nanoseconds) != ("camera_optical_frame", "base_link", 5):
            raise TransformException(f"'{source}' is not part of the same tree")
        found = TransformStamped()
        q = found.transform.rotation
        q.x, q.y, q.z, q.w = CAMERA_IN_BASE.inv().as_quat().tolist()
        return found


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    closed: list[bool] = []
    listener = SimpleNamespace(unregister=lambda: closed.append(True))
    stand_in = SimpleNamespace(
        Buffer=Buffer, TransformListener=lambda *_: listener, TransformException=TransformException
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", stand_in)
    return closed


def test_up_is_the_z_of_the_frame_as_the_camera_sees_it(closed: list[bool]) -> None:
    gravity = GravityFrame(None, "base_link")
    np.testing.assert_allclose(CAMERA_IN_BASE.apply(gravity.up(HEAD)), [0.0, 0.0, 1.0], atol=1e-12)
    gravity.close()
    assert closed == [True]


def test_frames_that_nothing_joins_are_named(closed: list[bool]) -> None:
    with pytest.raises(Refused, match="no transform from 'moon' to 'camera_optical_frame'") as refused:
        GravityFrame(None, "moon").up(HEAD)
    assert refused.value.reason is Reason.FRAME


def test_without_tf2_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(Refused, match="tf2_ros is not here") as refused:
        GravityFrame(None, "base_link")
    assert refused.value.reason is Reason.PARAMETER
