"""How true and how fast the dataset's pictures are.

Hands are held to random places of the dataset's own objects (they need not hold them: what is measured is geometry).

- *reprojection*: distance from the points that true depth and the mask of hand or object give, in the camera frame, to
  the mesh that the picture's own labels give (the hand model posed by the stated parameters; the object at the stated
  pose), mm. The noisy depth is reported beside it.
- *agreement of visibility*: share of keypoints for which the rule of ``scene.sight`` gives the same answer
  with MuJoCo's rays through MuJoCo's meshes as with Open3D's.

Times are processor times of the calling process, per picture and with everything that is true of it. ``arranging`` is
the part of a view that its pictures of all sizes share.
"""

from __future__ import annotations

from time import process_time
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.objects import FAMILIES, make_object
from hoi_ros.dataset.pictures import HAND, OBJECT, SIZES, Picture, shape_of
from hoi_ros.dataset.pictures.casting import Kind, within
from hoi_ros.dataset.pictures.rendering import HandLook, View, arrange, camera_for, hand_look, render
from hoi_ros.dataset.pictures.viewpoints import whole_camera
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.scene.distances import SignedDistance
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

_ABOVE = 0.035  # m from the palm's bones to the surface it is held to


def run(frames: int = 500, seed: int = 0, data: str = "") -> dict[str, Any]:  # noqa: ARG001 (all measurements take it)
    """Measure ``frames`` views, the sizes in turn."""
    model = load_hand_model()
    look, rng = hand_look(model), np.random.default_rng(seed)
    objects = [make_object(category, index, seed) for category in FAMILIES for index in range(2)]
    others = [shape_of(obj) for obj in objects]
    times: dict[str, list[float]] = {name: [] for name in ("arranging", *map(_named, SIZES))}
    hand_gaps, object_gaps, noisy_gaps, same, seen = [], [], [], [], []
    for number in range(frames):
        obj = objects[number // 2 % len(objects)]
        hand = held_to(obj, model, rng)
        start = process_time()
        view = arrange(obj, others[number // 2 % len(objects)], hand, look, rng, carried=number % 3 > 0, others=others)
        camera = whole_camera(rng)
        times["arranging"].append(process_time() - start)
        size = SIZES[number % len(SIZES)]
        start = process_time()
        picture = render(view, look, camera_for(view, camera, size, rng), size, rng)
        times[_named(size)].append(process_time() - start)
        by_mujoco = visible_by_mujoco(view, look) & within(picture.intrinsics.project(view.keypoints), size)
        same.append(by_mujoco == picture.visible)
        seen.append(picture.visible)
        hand_gap, object_gap, noisy_gap = reprojection(picture, obj, model)
        hand_gaps.append(hand_gap)
        object_gaps.append(object_gap)
        noisy_gaps.append(noisy_gap)
    return {
        "frames": frames,
        "visibility_agreement": float(np.mean(same)),
        "frames_in_full_agreement": float(np.mean([both.all() for both in same])),
        "visible_share": float(np.mean(seen)),
        "hand_reprojection": _spread(np.concatenate(hand_gaps)),
        "object_reprojection": _spread(np.concatenate(object_gaps)),
        "noisy_reprojection": _spread(np.concatenate(noisy_gaps)),
        **{f"{name}_median_ms": float(np.median(values) * 1e3) for name, values in times.items()},
        **{f"{name}_p90_ms": float(np.percentile(values, 90) * 1e3) for name, values in times.items()},
    }


def held_to(obj: ObjectModel, model: HandModel, rng: np.random.Generator) -> HandBatch:
    """A half-closed hand with its palm to a random place of the object, in the object's frame."""
    vertex = int(rng.integers(len(obj.vertices)))
    face = obj.vertices[obj.faces[(obj.faces == vertex).any(axis=1).argmax()]]
    normal = np.cross(face[1] - face[0], face[2] - face[0])
    normal /= np.linalg.norm(normal)
    side = np.cross(normal, rng.normal(size=3))
    side /= np.linalg.norm(side)
    turn = np.column_stack([side, normal, np.cross(side, normal)])  # the flat hand's palm faces -y
    pose = model.hands_mean * rng.uniform(0.0, 1.3) + rng.normal(0.0, 0.08, 45)
    betas = rng.normal(0.0, 0.8, 10)
    pivot = model.kinematics.rest_joints(betas[None])[0, 0]
    palm = model.kinematics.rest_points(betas[None])[0, [0, 5, 17]].mean(axis=0) - pivot
    transl = obj.vertices[vertex] + _ABOVE * normal - turn @ palm - pivot
    return HandBatch(Rotation.from_matrix(turn).as_rotvec()[None], pose[None], betas[None], transl[None])


def reprojection(picture: Picture, obj: ObjectModel, model: HandModel) -> tuple[Array, Array, Array]:
    """Distances, m, of the depth under the masks to hand and object, and those of the noisy depth to their own mesh."""
    hand, pose = picture.hand, picture.object_pose
    skin = model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl).vertices[0]
    placed = obj.vertices @ Rotation.from_quat(pose[3:]).as_matrix().T + pose[:3]
    true: list[Array] = []
    noisy: list[Array] = []
    for bit, vertices, faces in ((HAND, skin, model.closed_faces), (OBJECT, placed, obj.faces)):
        surface = SignedDistance(vertices, faces)
        mask = picture.mask(bit)
        for depth, gaps in ((picture.true_depth, true), (picture.depth / np.float32(1e3), noisy)):
            row, column = np.nonzero(mask & (depth > 0.0))
            lens = picture.intrinsics
            rays = np.column_stack([(column - lens.cx) / lens.fx, (row - lens.cy) / lens.fy, np.ones(len(row))])
            gaps.append(np.abs(surface.distance(rays * depth[row, column, None])))
    return true[0], true[1], np.concatenate(noisy)


def visible_by_mujoco(view: View, look: HandLook) -> NDArray[np.bool_]:
    """Keypoints (21,) that nothing hides, with the rays and meshes of MuJoCo."""
    spec = mujoco.MjSpec()
    fingers: list[int] = []
    for thing in view.things:
        groups = look.sight.face_fingers.repeat(4) if thing.kind == Kind.HAND else np.full(len(thing.shape.faces), -1)
        for finger in np.unique(groups):
            used, faces = np.unique(thing.shape.faces[groups == finger], return_inverse=True)
            name = f"mesh{len(fingers)}"
            spec.add_mesh(
                name=name,
                uservert=thing.shape.vertices[used].ravel(),
                userface=faces.ravel().astype(np.int32),
                inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            )
            spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, contype=0, conaffinity=0)
            fingers.append(-2 if thing.kind == Kind.ARM else int(finger))
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    mujoco.mj_kinematics(compiled, data)
    rays = view.keypoints / view.keypoints[:, 2:]
    geoms, depth = np.zeros(21, dtype=np.int32), np.zeros(21)
    mujoco.mj_multiRay(compiled, data, np.zeros(3), rays.ravel(), None, True, -1, geoms, depth, None, 21, 1e3)
    finger = np.where(geoms >= 0, np.array(fingers)[geoms], -1)
    depth = np.where(geoms >= 0, depth, np.inf)
    return look.sight.decide(depth, finger, finger == -2, view.keypoints)


def _named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _spread(gaps: Array) -> dict[str, float]:
    median, p99 = np.percentile(gaps, [50, 99])
    return {"median_mm": float(median * 1e3), "p99_mm": float(p99 * 1e3), "largest_mm": float(gaps.max() * 1e3)}
