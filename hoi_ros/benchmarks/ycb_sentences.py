"""Grasps for sentences about real objects nobody trained on: YCB meshes of ``dexycb_grasps``, views of ``ycb_scenes``.

*Meshes*: two sentences each, about a cloud of the whole surface. The figures are those of ``hoi score affordgrasp``.
Which part a hand touches is told by the mesh's faces; ``PARTS`` has the rule of each part. "right" is the share of
grasps with more than half of their touching skin (within 3 mm) on the part that the sentence means. Meshes stand as the
engine's objects do: the drill, which lies in its file, on its battery; the scissors lie.

*Scenes*: what a camera saw of a table, in two ways. "chosen": of all objects in the scene, is the named one grasped?
The other figures are of grasps on the named object alone: what the scene's labels say is it, above the table, whose
normal is up; the parts are those of its mesh at the pose that the scene states, which is 2 to 7 mm off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.answers import stage
from hoi_ros.methods.affordgrasp.grasp_scoring import DENSE, Judge, Question, summary
from hoi_ros.methods.affordgrasp.semantic_classifier import SemanticClassifier
from hoi_ros.metrics.contact import contact_parts
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import Pipeline, Synthesis
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.clouds import sample_surface, voxel
from hoi_ros.scene.labels import DEFAULT_TYPES, Labels
from hoi_ros.scene.meshes import load_mesh, object_model
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.scene.segmentation import THICKNESS, segment
from hoi_ros.types import Array, Intrinsics, ObjectCloud
from hoi_ros.view import grasps, pictures
from hoi_ros.view.render import Mesh, Picture

Rule = Callable[[Array], NDArray[np.bool_]]

PARTS: Mapping[str, Mapping[str, Rule]] = {  # of places (3, N), m, in the mesh's frame; the rest is "body"
    "025_mug": {"handle": lambda at: at[0] > 0.042},  # beyond the wall
    "019_pitcher_base": {"handle": lambda at: at[0] + at[1] > 0.066},  # beyond the wall, along the diagonal
    "021_bleach_cleanser": {"cap": lambda at: at[2] > 0.109},  # the top 3 cm
    "035_power_drill": {
        "handle": lambda at: (at[1] > -0.085) & (at[1] < 0.02),  # between battery and motor
        "chuck": lambda at: (at[1] > 0.02) & (at[0] < -0.045),  # the nose before the motor
    },
    "037_scissors": {"handle": lambda at: at[1] < 0.02},  # the rings, to where they join
    "024_bowl": {"rim": lambda at: at[2] > 0.012},  # the top third
}
LYING = {"035_power_drill": Rotation.from_euler("x", 90.0, degrees=True).as_matrix()}  # what stands it up
UP, AHEAD = np.array([0.0, 0.0, 1.0]), np.array([-1.0, 0.0, 0.0])
ON = 0.003  # m within which skin touches
SHOWN = 3  # grasps of a sentence


@dataclass(frozen=True)
class Sentence:
    """What is said, and the use that it means."""

    text: str
    affordance: Affordance
    part: str
    force: Array | None = None

    @property
    def use(self) -> Use:
        """What is meant."""
        return Use(self.affordance, self.part, DEFAULT_TYPES, force=self.force)


SENTENCES: Mapping[str, tuple[Sentence, Sentence]] = {
    "025_mug": (
        Sentence("Grip the handle of the mug.", Affordance.HANDLE_GRASP, "handle"),
        Sentence("Wrap your hand around the mug.", Affordance.WRAP_GRASP, "body"),
    ),
    "019_pitcher_base": (
        Sentence("Carry the pitcher by its handle.", Affordance.HANDLE_GRASP, "handle"),
        Sentence("Wrap your hand around the body of the pitcher.", Affordance.WRAP_GRASP, "body"),
    ),
    "021_bleach_cleanser": (
        Sentence("Wrap your hand around the bottle.", Affordance.WRAP_GRASP, "body"),
        Sentence("Twist the cap of the bottle.", Affordance.TWIST, "cap", UP),
    ),
    "035_power_drill": (
        Sentence("Hold the power drill by its handle.", Affordance.HANDLE_GRASP, "handle"),
        Sentence("Twist the chuck of the drill.", Affordance.TWIST, "chuck", AHEAD),
    ),
    "037_scissors": (
        Sentence("Hold the scissors by the handles.", Affordance.HANDLE_GRASP, "handle"),
        Sentence("Grip the handle of the scissors to cut paper.", Affordance.HANDLE_GRASP, "handle"),
    ),
    "024_bowl": (
        Sentence("Lift the bowl by its rim.", Affordance.LIFT, "rim"),
        Sentence("Support the bowl from below.", Affordance.SUPPORT, "body", UP),
    ),
}
CAMERA = Intrinsics(618.02, 618.0, 312.38, 232.38)
SCENES = (  # frame, mesh, its number in the labels
    ("000000", "024_bowl", 13),
    ("000001", "025_mug", 14),
    ("000001", "021_bleach_cleanser", 12),
    ("000002", "019_pitcher_base", 11),
)


def run(data: str, each: int = 16, seed: int = 0, sheets: str = "") -> dict[str, Any]:
    """Measure on ``dexycb_grasps`` and ``ycb_scenes`` of the folder ``data``, ``each`` grasps a sentence.

    Pictures of the best go to the folder ``sheets`` where one is named.
    """
    meshes, scenes = Path(data) / "dexycb_grasps" / "meshes", Path(data) / "ycb_scenes"
    for folder in (meshes, scenes):
        if not folder.is_dir():
            return {"skipped": f"{folder} is not there"}
    model = load_hand_model()
    objects = {name: _standing(meshes / f"{name}.obj") for name in SENTENCES}
    rows, sheet = _of_meshes(model, objects, each, seed)
    seen, views = _of_scenes(model, objects, scenes, each, seed)
    if sheets:
        pictures.save(Path(sheets) / "ycb_meshes.png", pictures.grid(sheet, SHOWN))
        pictures.save(Path(sheets) / "ycb_scenes.png", pictures.grid(views, SHOWN))
    return {"meshes": rows, "scenes": seen}


def parts_of(mesh: trimesh.Trimesh, name: str) -> NDArray[np.int32]:
    """Number (F,) of each face's part, in the order of ("body", *PARTS[name])."""
    numbers = np.zeros(len(mesh.faces), dtype=np.int32)
    for number, rule in enumerate(PARTS[name].values(), start=1):
        numbers[rule(mesh.triangles_center.T)] = number
    return numbers


def _standing(path: Path) -> ObjectModel:
    """A mesh with its parts, z up."""
    mesh, name = load_mesh(path), path.stem
    uses = tuple(sentence.use for sentence in SENTENCES[name])
    labels = Labels(("body", *PARTS[name]), faces=parts_of(mesh, name), uses=uses)
    if name in LYING:
        mesh.vertices = mesh.vertices @ LYING[name].T
    return object_model(mesh, labels, name=name)


def _of_meshes(
    model: HandModel, objects: Mapping[str, ObjectModel], each: int, seed: int
) -> tuple[dict[str, Any], list[Picture]]:
    """Figures by mesh and sentence, and pictures."""
    answer, judge = stage(), Judge(model, SemanticClassifier.load(load_shipped("affordgrasp_classifier")))
    rows: dict[str, Any] = {}
    figures: list[dict[str, Array]] = []
    sheet: list[Picture] = []
    for name, obj in objects.items():
        points, normals, _ = sample_surface(obj, DENSE, np.random.default_rng(seed))
        rows[name] = {}
        for sentence, use in zip(SENTENCES[name], obj.uses, strict=True):
            question = Question(obj, use, sentence.text, ObjectCloud(points, normals))
            try:
                hands, probability = answer(question, each, seed)
            except Refused as refused:
                rows[name][sentence.text] = {"refused": refused.message}
                continue
            figures.append(judge.judge(question, hands, seed) | {"probability": probability})
            rows[name][sentence.text] = _row(figures[-1])
            vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
            sheet += [_tile(obj, hand, model, sentence.text) for hand in vertices[:SHOWN]]
    rows["all"] = _row({key: np.concatenate([f[key] for f in figures]) for key in figures[0]})
    return rows, sheet


def _row(figures: Mapping[str, Array]) -> dict[str, Any]:
    return summary(figures, np.ones(len(figures["on_part"]), dtype=bool)) | {
        "right": float((figures["on_part"] > 0.5).mean())
    }


def _of_scenes(
    model: HandModel, objects: Mapping[str, ObjectModel], folder: Path, each: int, seed: int
) -> tuple[dict[str, Any], list[Picture]]:
    """Figures by mesh and sentence, and pictures."""
    whole = Pipeline.build(Parameters(segment_scene=True), ("synthesizer",))
    alone = Pipeline(Parameters(), synthesizer=whole.synthesizer)
    rows: dict[str, Any] = {}
    views: list[Picture] = []
    for frame, name, number in SCENES:
        scene = Scene.read(folder, frame)
        table = segment(scene.points).plane
        rows[name] = {}
        for sentence in SENTENCES[name]:
            try:
                chosen = whole.synthesize(scene.cut(), sentence.text, each, seed)
                found = alone.synthesize(scene.cut(number, table), sentence.text, each, seed, table[:3])
            except Refused as refused:
                rows[name][sentence.text] = {"refused": refused.message}
                continue
            hands = [grasp.hand for grasp in found.grasps]
            vertices = np.concatenate(
                [model.mesh(h.global_orient, h.hand_pose, h.betas, h.transl).vertices for h in hands]
            )
            contacts = contact_parts(scene.in_mesh(vertices, number), objects[name])
            on = contacts.share_on((objects[name].part(sentence.part),), ON)
            rows[name][sentence.text] = {
                "chosen": scene.is_on(chosen, number),
                "grasps": len(hands),
                "on_part": float(on.mean()),
                "right": float((on > 0.5).mean()),
            }
            views.append(_titled(pictures.on_camera(scene.rgb, CAMERA, hands[:1], model), sentence.text))
            surface = grasps.of_points(found.upright.cloud.points[voxel(found.upright.cloud.points, 0.004)], 0.003)
            upright = vertices[: SHOWN - 1] @ found.upright.turn.T
            views += [_tile(surface, hand, model, sentence.text) for hand in upright]
    return rows, views


@dataclass(frozen=True)
class Scene:
    """One view of a table."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    points: Array  # (N, 3) m, in the camera's frame
    labels: NDArray[np.int64]  # (N,) number of the object, 0 for the table
    poses: Mapping[int, Array]  # number -> (7,), quaternion wxyz and place, m, of the mesh in the camera's frame

    @classmethod
    def read(cls, folder: Path, frame: str) -> Scene:
        """Of the files of one frame."""
        rgb = np.ascontiguousarray(cv2.imread(str(folder / f"{frame}-color.png"))[..., ::-1])
        depth = cv2.imread(str(folder / f"{frame}-depth.png"), cv2.IMREAD_UNCHANGED) / 1e3
        with np.load(folder / f"{frame}-labels.npz", allow_pickle=False) as file:
            labels, numbers, poses = file["labels"], file["rois"][:, 1].astype(int), file["poses_refined"]
        v, u = np.nonzero(depth)
        z = depth[v, u]
        points = np.stack([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z], axis=1)
        of = {int(number): pose.astype(np.float64) for number, pose in zip(numbers, poses, strict=True)}
        return cls(rgb, points, labels[v, u].astype(np.int64), of)

    def cut(self, number: int | None = None, table: Array | None = None) -> ObjectCloud:
        """The whole scene, or one object above the plane (4,) of the ``table``, on which labels have ragged edges."""
        kept = np.ones(len(self.points), dtype=bool) if number is None else self.labels == number
        if table is not None:
            kept &= self.points @ table[:3] + table[3] > THICKNESS
        return ObjectCloud(self.points[kept], frame_id="camera_optical_frame")

    def in_mesh(self, points: Array, number: int) -> Array:
        """Points (..., 3), m, of the camera's frame in that of an object's mesh."""
        turn = Rotation.from_quat(self.poses[number][:4], scalar_first=True).as_matrix()
        moved: Array = (points - self.poses[number][4:]) @ turn
        return moved

    def is_on(self, synthesis: Synthesis, number: int) -> bool:
        """Whether the object that is grasped has most of its points in common with the one of that number."""
        place = synthesis.upright.cloud.points @ synthesis.upright.turn
        labels = self.labels[cKDTree(self.points).query(place)[1]]
        return bool((labels == number).mean() > 0.5)


def _tile(thing: ObjectModel | Mesh, hand: Array, model: HandModel, title: str) -> Picture:
    """A hand (778, 3) from two sides."""
    return _titled(np.hstack([grasps.of_grasp(thing, hand, model.closed_faces, side) for side in (1, -1)]), title)


def _titled(image: Picture, title: str) -> Picture:
    height, width = grasps.TILE
    return pictures.titled(pictures.fitted(image, (height, 2 * width)), title)
