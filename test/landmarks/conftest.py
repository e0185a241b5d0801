"""The real recording, the estimator, and depth pictures of posed hands rendered by Open3D."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import open3d as o3d
import pytest
from scene import CAMERA

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.methods.landmarks import LandmarksEstimator, build
from hoi_ros.parameters import Parameters
from hoi_ros.replay.bag import Bag
from hoi_ros.types import CameraFrame, Intrinsics


@pytest.fixture(scope="session")
def model() -> HandModel:
    return load_hand_model()


@pytest.fixture(scope="session")
def shared_estimator() -> LandmarksEstimator:
    return build(Parameters())


@pytest.fixture
def estimator(shared_estimator: LandmarksEstimator) -> LandmarksEstimator:
    shared_estimator.reset()
    return shared_estimator


@pytest.fixture(scope="session")
def recording(shared_data: Path) -> list[tuple[CameraFrame, np.ndarray]]:
    """Frames with depth, and the true keypoints (21, 3)."""
    frames = []
    with Bag(shared_data / "hand_rgbd" / "hand_rgbd.mcap") as bag:
        for frame in bag.frames():
            rgb = cv2.imdecode(frame.image.message.data, cv2.IMREAD_COLOR)[:, :, ::-1]
            raw = frame.depth.message
            depth = raw.data.view(np.uint16).reshape(raw.height, raw.width).astype(np.float32) * 1e-3
            k = frame.camera_info.message.k
            camera = Intrinsics(k[0], k[4], k[2], k[5])
            frames.append((CameraFrame(rgb, camera, depth, frame.image.stamp_ns, "camera"), frame.truth))
    return frames


@pytest.fixture(scope="session")
def render() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Depth (480, 640) m of a mesh seen by CAMERA, zero where it is not."""

    def depth(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(vertices.astype(np.float32), faces.astype(np.uint32))
        u, v = np.meshgrid(np.arange(640), np.arange(480))
        rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], axis=-1)
        rays = np.concatenate([np.zeros_like(rays), rays], axis=-1).astype(np.float32)
        hit = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
        return np.where(np.isfinite(hit), hit, 0.0).astype(np.float32)

    return depth
