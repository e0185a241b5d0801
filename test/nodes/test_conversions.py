"""Pictures, depth and cameras of messages: known answers, every refusal, and whatever hypothesis thinks of."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from graph import camera_info as camera_of
from graph import depth
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hoi_ros.nodes import conversions
from hoi_ros.refusals import Reason, Refused

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (4, 5, 3), np.uint8)


def image(pixels: np.ndarray, encoding: str, padding: int = 0, **changes: Any) -> Image:
    """A message of ``pixels`` (H, W[, C]) with ``padding`` bytes after each row."""
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    height, width = pixels.shape[:2]
    fields = {"height": height, "width": width, "encoding": encoding, "step": data.shape[1], "data": data.tobytes()}
    return Image(**(fields | changes))


def compressed(kind: str, pixels: np.ndarray = RGB) -> bytes:
    buffer = io.BytesIO()
    Picture.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def camera_info(k: list[float], width: int = 640, height: int = 480) -> CameraInfo:
    return CameraInfo(width=width, height=height, k=k)


def reason(function: Any, *arguments: Any) -> tuple[Reason, str]:
    with pytest.raises(Refused) as caught:
        function(*arguments)
    return caught.value.reason, caught.value.message


# --- pictures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 1, 7])
@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("rgba8", np.dstack([RGB, RGB[..., 0]]), RGB),
        ("bgra8", np.dstack([RGB[..., ::-1], RGB[..., 0]]), RGB),
        ("mono8", RGB[..., 0], np.repeat(RGB[..., :1], 3, axis=2)),
    ],
)
def test_pictures_of_every_encoding(encoding: str, pixels: np.ndarray, expected: np.ndarray, padding: int) -> None:
    picture = conversions.rgb(image(pixels, encoding, padding))
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous
    np.testing.assert_array_equal(picture, expected)


def test_an_rgb8_picture_is_not_copied() -> None:
    message = image(RGB, "rgb8")
    assert np.shares_memory(conversions.rgb(message), np.frombuffer(message.data, np.uint8))


def test_compressed_pictures() -> None:
    np.testing.assert_array_equal(conversions.rgb(CompressedImage(format="png", data=compressed("PNG"))), RGB)
    flat = np.full((64, 48, 3), (200, 100, 50), np.uint8)
    jpeg = CompressedImage(format="rgb8; jpeg compressed bgr8", data=compressed("JPEG", flat))
    np.testing.assert_allclose(conversions.rgb(jpeg).astype(int), flat, atol=3)


@pytest.mark.parametrize(
    ("message", "expected", "said"),
    [
        (image(RGB, "bayer_rggb8"), Reason.ENCODING, "bayer_rggb8"),
        (image(RGB, ""), Reason.ENCODING, "one of: rgb8, bgr8, mono8"),
        (image(RGB, "16UC1"), Reason.ENCODING, "16UC1"),
        (Image(encoding="rgb8"), Reason.PICTURE_SIZE, "0x0"),
        (image(RGB, "rgb8", height=0), Reason.PICTURE_SIZE, "5x0"),
        (image(RGB, "rgb8", width=2**31, height=2**31), Reason.PICTURE_SIZE, "at most"),
        (image(RGB, "rgb8", step=14), Reason.PICTURE_DATA, "step is 14; 5 pixels of rgb8 take 15"),
        (image(RGB, "rgb8", step=16), Reason.PICTURE_DATA, "60 bytes; 4 rows of 16 make 64"),
        (image(RGB, "rgb8", data=b"\0" * 59), Reason.PICTURE_DATA, "59 bytes"),
        (image(RGB, "rgb8", data=b""), Reason.PICTURE_DATA, "0 bytes"),
        (CompressedImage(format="jpeg", data=b""), Reason.PICTURE_DATA, "neither JPEG nor PNG"),
        (CompressedImage(format="gif", data=compressed("GIF")), Reason.PICTURE_DATA, "neither JPEG nor PNG"),
        (CompressedImage(format="jpeg", data=compressed("JPEG")[:400]), Reason.PICTURE_DATA, "corrupt"),
        (CompressedImage(format="png", data=compressed("PNG")[:-30]), Reason.PICTURE_DATA, "corrupt"),
    ],
)
def test_a_picture_that_cannot_be_one_is_refused(message: Any, expected: Reason, said: str) -> None:
    got, sentence = reason(conversions.rgb, message)
    assert got is expected and said in sentence


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    got, sentence = reason(conversions.rgb, CompressedImage(format="png", data=bomb))
    assert got is Reason.PICTURE_SIZE and "12000x12000" in sentence
    vast = bomb.replace(size, struct.pack(">IIBBBBB", 2**30, 2**30, 8, 2, 0, 0, 0))
    assert reason(conversions.rgb, CompressedImage(format="png", data=vast))[0] in (
        Reason.PICTURE_SIZE,
        Reason.PICTURE_DATA,
    )


# --- depth --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 3])
def test_depth_in_millimetres_and_metres(big: bool, padding: int) -> None:
    order = ">" if big else "<"
    expected = np.array([[0.5, 0.0, 1.25], [2.0, 0.001, 65.535]], np.float32)
    millimetres = np.round(expected * 1000).astype(f"{order}u2")
    metres = expected.astype(f"{order}f4")
    metres[0, 1] = np.nan
    for pixels, encoding in ((millimetres, "16UC1"), (metres, "32FC1")):
        got = conversions.depth(image(pixels, encoding, padding, is_bigendian=int(big)), (2, 3))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_what_is_no_distance_is_unknown() -> None:
    pixels = np.array([[np.nan, -1.0, np.inf], [-np.inf, 0.0, 0.7]], np.float32)
    np.testing.assert_array_equal(
        conversions.depth(image(pixels, "32FC1"), (2, 3)), np.array([[0, 0, 0], [0, 0, 0.7]], np.float32)
    )


@pytest.mark.parametrize(
    ("message", "expected", "said"),
    [
        (image(np.ones((2, 3), np.float32), "rgb8"), Reason.ENCODING, "one of: 16UC1, 32FC1"),
        (image(np.ones((2, 4), np.float32), "32FC1"), Reason.DEPTH_SIZE, "4x2, the picture is 3x2"),
        (image(np.ones((2, 3), np.float32), "32FC1", step=11), Reason.PICTURE_DATA, "step is 11"),
        (image(np.full((2, 3), np.nan, np.float32), "32FC1"), Reason.DEPTH_VALUES, "6 NaN"),
        (image(np.full((2, 3), -1.0, np.float32), "32FC1"), Reason.DEPTH_VALUES, "6 negative"),
        (image(np.zeros((2, 3), np.uint16), "16UC1"), Reason.DEPTH_VALUES, "6 zero"),
    ],
)
def test_depth_that_is_none_is_refused(message: Image, expected: Reason, said: str) -> None:
    got, sentence = reason(conversions.depth, message, (2, 3))
    assert got is expected and said in sentence


# --- camera -------------------------------------------------------------------------------------------------------


def test_intrinsics() -> None:
    message = camera_info([600.0, 0.0, 320.0, 0.0, 610.0, 240.0, 0.0, 0.0, 1.0])
    camera = conversions.intrinsics(message, (480, 640))
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (600.0, 610.0, 320.0, 240.0)
    assert not conversions.distorted(message)
    message.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    assert conversions.distorted(message)


def test_a_rectified_picture_has_the_camera_of_p() -> None:
    message = camera_info([600.0, 0.0, 320.0, 0.0, 610.0, 240.0, 0.0, 0.0, 1.0])
    message.p = [500.0, 0.0, 310.0, -30.0, 0.0, 510.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    camera = conversions.intrinsics(message, (480, 640))
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500.0, 510.0, 310.0, 230.0)


@pytest.mark.parametrize(
    "k",
    [
        [0.0] * 9,
        [np.nan, 0, 320, 0, 600, 240, 0, 0, 1],
        [600, 0, np.inf, 0, 600, 240, 0, 0, 1],
        [-600, 0, 320, 0, 600, 240, 0, 0, 1],
        [600, 0, 320, 0, 1e300, 240, 0, 0, 1],
        [600, 0, 32_000, 0, 600, 240, 0, 0, 1],
    ],
)
def test_intrinsics_no_camera_has_are_refused(k: list[float]) -> None:
    message = camera_info([float(v) for v in k])
    got, sentence = reason(conversions.intrinsics, message, (480, 640))
    assert got is Reason.INTRINSICS and "fx=" in sentence
    message.p = [float(v) for v in np.insert(np.reshape(k, (3, 3)), 3, 0.0, axis=1).ravel()]
    assert reason(conversions.intrinsics, message, (480, 640))[0] is Reason.INTRINSICS


def test_intrinsics_of_another_picture_size_are_refused() -> None:
    message = camera_info([600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0], 1280, 720)
    got, sentence = reason(conversions.intrinsics, message, (480, 640))
    assert got is Reason.INTRINSICS and "1280x720" in sentence and "640x480" in sentence


# --- whatever comes -----------------------------------------------------------------------------------------------

sizes = st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1))
encodings = st.one_of(st.sampled_from([*conversions.CHANNELS, *conversions.DEPTH]), st.text(max_size=8))
images = st.builds(
    Image,
    height=sizes,
    width=sizes,
    step=sizes,
    encoding=encodings,
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=600),
)
numbers = st.floats(width=64)
small = st.integers(1, 6)


@st.composite
def fitting_images(draw: st.DrawFn) -> Image:
    """Images whose sizes agree, with any bytes in them."""
    encoding = draw(st.sampled_from([*conversions.CHANNELS, *conversions.DEPTH]))
    item = conversions.CHANNELS.get(encoding, 4 if encoding == "32FC1" else 2)
    height, width, padding = draw(small), draw(small), draw(st.integers(0, 3))
    step = width * item + padding
    data = draw(st.binary(min_size=step * height, max_size=step * height))
    big = draw(st.integers(0, 1))
    return Image(height=height, width=width, step=step, encoding=encoding, is_bigendian=big, data=data)


@given(st.one_of(images, fitting_images()))
def test_any_image_becomes_a_picture_or_a_refusal(message: Image) -> None:
    try:
        picture = conversions.rgb(message)
        assert picture.shape == (message.height, message.width, 3) and picture.dtype == np.uint8
    except Refused:
        pass


@given(st.one_of(images, fitting_images()))
def test_any_image_becomes_depth_or_a_refusal(message: Image) -> None:
    try:
        metres = conversions.depth(message, (message.height, message.width))
        assert np.isfinite(metres).all() and (metres >= 0).all() and (metres > 0).any()
    except Refused:
        pass


@given(st.sampled_from(["JPEG", "PNG"]), st.integers(0, 1000), st.binary(max_size=20), st.text(max_size=8))
def test_any_bytes_become_a_picture_or_a_refusal(kind: str, at: int, junk: bytes, form: str) -> None:
    data = compressed(kind)
    at %= len(data)
    try:
        picture = conversions.rgb(CompressedImage(format=form, data=data[:at] + junk + data[at + len(junk) :]))
        assert picture.ndim == 3 and picture.shape[2] == 3
    except Refused:
        pass


@given(st.lists(numbers, min_size=9, max_size=9), sizes, sizes)
def test_any_camera_info_becomes_a_camera_or_a_refusal(k: list[float], width: int, height: int) -> None:
    message = camera_info(k, width, height)
    try:
        camera = conversions.intrinsics(message, (480, 640))
        assert min(camera.fx, camera.fy) > 0 and np.isfinite(camera.matrix).all()
    except Refused:
        pass


def test_a_depth_pictures_points_project_onto_its_pixels():
    metres = np.full((48, 64), np.nan, np.float32)
    metres[10, 20], metres[30, 5] = 0.7, 1.9
    message = depth(5_000_000_007, metres)
    camera = camera_of(5_000_000_007)
    found = conversions.object_cloud(conversions.depth_cloud(message, camera))
    np.testing.assert_allclose(found.points[:, 2], [0.7, 1.9], rtol=1e-6)
    pixels = conversions.intrinsics(camera).project(found.points)
    np.testing.assert_allclose(pixels, [[20, 10], [5, 30]], atol=1e-4)
    assert (found.stamp_ns, found.frame_id) == (5_000_000_007, "camera")
