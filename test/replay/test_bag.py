"""Reading bags: what belongs together, and every way in which a file is not one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PICTURES, copied
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

import hoi_ros.demo
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Bag, Topics


def refusal(path: Path, topics: Topics | None = None) -> Refused:
    with pytest.raises(Refused) as caught, Bag(path, topics) as bag:
        list(bag.frames())
    assert caught.value.reason is Reason.FILE
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value


def test_demo_bag_is_complete():
    with Bag(hoi_ros.demo.BAG) as bag:
        frames = list(bag.frames())
        assert bag.topics == Topics(
            "/camera/color/image_raw/compressed",
            "/camera/aligned_depth_to_color/image_raw",
            "/camera/color/camera_info",
            "/ground_truth/hand_joints",
        )
        assert len(frames) == len(bag) == 75
    for frame in frames:
        assert frame.depth is not None and frame.camera_info is not None and frame.truth is not None
        assert frame.image.stamp_ns == frame.depth.stamp_ns == frame.camera_info.stamp_ns
    stamps = np.array([frame.image.stamp_ns for frame in frames])
    assert (np.abs(np.diff(stamps) - 1e9 / 15) < 2).all()
    assert hoi_ros.demo.BAG.stat().st_size < 5e6


def test_both_storages_read_alike(short_bag: Path, tmp_path: Path):
    sqlite = copied(short_bag, tmp_path / "sqlite", StoragePlugin.SQLITE3, PICTURES)
    with Bag(short_bag) as one, Bag(sqlite) as other:
        pairs = list(zip(one.frames(), other.frames(), strict=True))
        assert one.topics == other.topics and len(pairs) == PICTURES
    for a, b in pairs:
        assert a.image.cdr == b.image.cdr and a.depth.cdr == b.depth.cdr
        np.testing.assert_array_equal(a.truth, b.truth)


def test_real_recording_pairs_by_stamp(shared_data: Path):
    with Bag(shared_data / "hand_rgbd" / "hand_rgbd.mcap") as bag:
        frames = list(bag.frames())
    assert len(frames) == 35
    assert all(frame.depth.stamp_ns == frame.image.stamp_ns and frame.truth is not None for frame in frames)


def test_frames_can_be_read_again(short_bag: Path):
    with Bag(short_bag) as bag:
        first, second = ([frame.image.stamp_ns for frame in bag.frames()] for _ in range(2))
    assert first == second


def test_a_shifted_frame_is_the_same_message_later(short_bag: Path):
    store = get_typestore(Stores.LATEST)
    with Bag(short_bag) as bag:
        frame = next(bag.frames())
    later = frame.shifted(2_500_000_000)
    for recorded, kind in ((later.image, "CompressedImage"), (later.depth, "Image"), (later.camera_info, "CameraInfo")):
        message = store.deserialize_cdr(recorded.cdr, f"sensor_msgs/msg/{kind}")
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == recorded.stamp_ns
        assert recorded.stamp_ns == frame.image.stamp_ns + 2_500_000_000
        assert message.header.frame_id == "camera_color_optical_frame"
    assert later.image.cdr[12:] == frame.image.cdr[12:]


@pytest.mark.parametrize("size", [0, 5, 40, 1000, 100_000, -1])
def test_a_truncated_bag_is_refused(short_bag: Path, tmp_path: Path, size: int):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(short_bag.read_bytes()[:size])
    refusal(cut)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_corrupt_bag_is_refused(tmp_path: Path, place: float):
    data = bytearray(hoi_ros.demo.BAG.read_bytes())
    at = int(place * len(data))
    data[at : at + 500] = bytes(500)
    path = tmp_path / "corrupt.mcap"
    path.write_bytes(data)
    refusal(path)


def test_a_corrupt_sqlite_bag_is_refused(short_bag: Path, tmp_path: Path):
    folder = copied(short_bag, tmp_path / "sqlite", StoragePlugin.SQLITE3, 2)
    database = next(folder.glob("*.db3"))
    database.write_bytes(database.read_bytes()[:3000])
    refusal(folder)


def test_what_is_no_bag_is_refused(tmp_path: Path):
    text = tmp_path / "notes.txt"
    text.write_text("no bag")
    refusal(text)
    refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "gone.mcap").message
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    assert "rosbags-convert" in refusal(tmp_path / "old.bag").message


def test_an_unknown_topic_names_those_there_are(short_bag: Path):
    assert "/camera/color/image_raw/compressed" in refusal(short_bag, Topics(image="/nowhere")).message


def test_a_bag_without_pictures_is_refused(tmp_path: Path):
    store = get_typestore(Stores.LATEST)
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=store)
        text = store.types["std_msgs/msg/String"](data="hello")
        writer.write(connection, 1, store.serialize_cdr(text, "std_msgs/msg/String"))
    assert "/chatter" in refusal(tmp_path / "bag").message
