"""The sentences of an evaluation: what came of each, and its best grasp on the object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from hoi_ros.evaluation.evaluate import Evaluation
from hoi_ros.evaluation.scenario import Scenario
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.metrics.contact import contact_parts, touches
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.metrics.volumes import intersection_volume
from hoi_ros.nodes import conversions
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import stated_up
from hoi_ros.refusals import Reason
from hoi_ros.replay.bag import NS, Asked, Bag
from hoi_ros.replay.results import typestore
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.scene.upright import on_table, upright
from hoi_ros.types import Array, Grasp
from hoi_ros.view import pictures
from hoi_ros.view.grasps import of_grasp, of_points
from hoi_ros.view.render import Mesh, Picture
from hoi_ros.view.worst import Shown

COUNT = 4  # sentences
MOST_POINTS = 8000
IMAGE_UP = np.array([0.0, -1.0, 0.0])  # of a camera that nobody says the tilt of


@dataclass(frozen=True)
class Told:
    """One sentence and what came of it."""

    text: str
    seconds: float  # since the first picture
    outcome: str
    refused: bool
    reason: str  # why; "" where it was answered
    figures: dict[str, str]  # of the best grasp, by name
    image: Shown | None  # it, on the object


def told(out: Path, bag: Bag, result: Evaluation, solid: ObjectModel | None) -> tuple[list[Told], int]:
    """Up to `COUNT` sentences in their order, those without grasps before others, and how many were said in all.

    ``solid``: the true object, for sentences whose true pose of it is known; others are drawn with their cloud.
    """
    scenario = Scenario.model_validate(result.conditions["scenario"])
    asked = bag.asked([(each.at, each.text) for each in scenario.instructions])
    if not asked:
        return [], 0
    answers = _answers(out / "results.mcap", asked)
    lacking = [row for row, grasps in enumerate(answers.grasps) if not grasps]
    answered = [row for row in range(len(asked)) if row not in lacking]
    begin = next(bag.frames()).time_ns
    draw = _Drawing(scenario.node_parameters(), solid)
    found = []
    for row in sorted([*lacking, *answered][:COUNT]):
        seconds = (asked[row].time_ns - begin) / NS
        if grasps := answers.grasps[row]:
            image, figures = draw(row, asked[row], grasps[0])
            outcome = f"{len(grasps)} {'grasp' if len(grasps) == 1 else 'grasps'}"
            found.append(Told(asked[row].sentence, seconds, outcome, False, "", figures, image))
        else:
            why = answers.refusals.get(row, "no grasps came, and no node says why")
            found.append(Told(asked[row].sentence, seconds, "no grasp", True, why, {}, None))
    return found, len(asked)


@dataclass(frozen=True)
class _Answers:
    grasps: list[list[Grasp]]  # of each sentence, best first
    refusals: dict[int, str]  # row of the sentence -> reason and message


def _answers(path: Path, asked: list[Asked]) -> _Answers:
    """Grasps belong to the sentence and the cloud that they carry, refusals to those that are left, in order."""
    grasps: list[list[Grasp]] = [[] for _ in asked]
    refusals: list[tuple[int, str]] = []  # stamp of receipt
    for topic, message in _messages(path):
        stamp = conversions.stamp_ns(message.header)
        if topic == "/status":
            if message.node == "grasp_synthesis" and message.reason:
                refusals.append((stamp, f"{Reason(message.reason).name.lower()}: {message.message}"))
            continue
        rows = (
            row
            for row, each in enumerate(asked)
            if not grasps[row] and (each.sentence, each.cloud.stamp_ns) == (message.instruction, stamp)
        )
        if (row := next(rows, None)) is not None:
            grasps[row] = [conversions.grasp(grasp) for grasp in message.grasps]
    left = [row for row in range(len(asked)) if not grasps[row]]
    return _Answers(grasps, dict(zip(left, (why for _, why in sorted(refusals)), strict=False)))


def _messages(path: Path) -> Iterator[tuple[str, Any]]:
    """Topic and content of every message that answers a sentence."""
    with AnyReader([path], default_typestore=typestore()) as reader:
        wanted = [c for c in reader.connections if c.topic in ("/grasps", "/status")]
        for connection, _, cdr in reader.messages(wanted):
            yield connection.topic, reader.deserialize(cdr, connection.msgtype)


class _Drawing:
    """Draws a grasp on the object it is for, z up, and measures it where the true one is known."""

    def __init__(self, parameters: Parameters, solid: ObjectModel | None) -> None:
        self._parameters, self._solid = parameters, solid
        self._model: HandModel = load_hand_model(parameters.hand_model_path)

    def __call__(self, row: int, asked: Asked, grasp: Grasp) -> tuple[Shown, dict[str, str]]:
        """The picture, and figures of a grasp as texts."""
        hand, faces = pictures.vertices_of(grasp.hand, self._model), pictures.faces_of(self._model, grasp.hand.side)
        figures = {"affordance": grasp.affordance, "part": grasp.part, "score": f"{grasp.score:.2f}"}
        figures |= {f"quality: {name.replace('_', ' ')}": f"{value:.3g}" for name, value in grasp.quality.items()}
        if self._solid is not None and asked.true_object is not None:
            turn = Rotation.from_quat(asked.true_object[3:]).inv()
            hand = turn.apply(hand - asked.true_object[:3])
            thing = Mesh(self._solid.vertices, self._solid.faces, pictures.TRUE)
            figures |= _against(hand, faces, self._solid)
            what = "the true object"
        else:
            thing, hand = self._on_cloud(asked, hand)
            what = "the cloud that it was made for"
        sides: Picture = np.hstack([of_grasp(thing, hand, faces, side) for side in (1, -1)])
        alt = f"The best grasp for sentence {row + 1}, “{asked.sentence}”, on {what}, from two sides"
        return Shown.of(sides, alt, f"the best grasp, on {what}, from two sides"), figures

    def _on_cloud(self, asked: Asked, hand: Array) -> tuple[Mesh, Array]:
        """The object's points, those of a scene's nearest object, and the hand's vertices (778, 3), m, with z up."""
        cloud = conversions.object_cloud(asked.cloud.message)
        up = stated_up(self._parameters, cloud.frame_id)
        if self._parameters.segment_scene:
            objects = on_table(cloud, up)
        else:
            objects = [upright(cloud, IMAGE_UP if up is None else up)]
        turned = [(each, hand @ each.turn.T) for each in objects]
        nearest, placed = min(turned, key=lambda pair: float(cdist(pair[0].cloud.points[::10], pair[1]).min()))
        points = nearest.cloud.points
        return of_points(points[:: -(-len(points) // MOST_POINTS)]), placed


def _against(hand: Array, faces: NDArray[np.int32], solid: ObjectModel) -> dict[str, str]:
    """Figures of one hand (778, 3), m, in the frame of the true object, by what they are."""
    volume = 1e6 * float(intersection_volume(hand[None], faces, solid)[0])
    depth = 1e3 * float(two_way_depth(hand[None], faces, solid).two_way[0])
    contact = bool(touches(contact_parts(hand[None], solid))[0])
    return {
        "volume shared with the true object [IV]": f"{volume:.3g} cm³",
        "two-way depth in the true object": f"{depth:.3g} mm",
        "touches the true object": "yes" if contact else "no",
    }
