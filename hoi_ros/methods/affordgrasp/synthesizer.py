"""The stage: a cloud and a sentence in, ranked grasps out, or a refusal that says why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.special import expit

from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.language.request import Request, understood
from hoi_ros.language.rewording import reworded
from hoi_ros.learning.weights import load_shipped
from hoi_ros.methods.affordgrasp.ranking import Ranking
from hoi_ros.methods.affordgrasp.sampler import Sampler
from hoi_ros.methods.optimisation.cloud_fields import cloud_fields
from hoi_ros.methods.optimisation.settling import Settler
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import HOLDING, PUSHING, Affordance
from hoi_ros.scene.clouds import Cloud, farthest_points, prepare
from hoi_ros.scene.completion import hidden_side
from hoi_ros.types import Array, Grasp, HandBatch, HandPose, ObjectCloud

LOOKED, POINTS = 2048, 1024  # points of a cloud that are asked about, and the first of them, on which hands are drawn
DRAWN, FOLLOWED = 32, 8  # hands that are drawn, and the likeliest of them that are settled: at least
WIDEST = 0.14  # m across the thinnest way of a part: no hand spans more
APART = 0.025  # m between points of different places
DEEPEST = 4.0  # mm: grasps that are deeper in the cloud come after all others
LEAST = 8  # points that must be afforded
SURE = 0.7  # probability that they must have: on val no more of what is afforded is refused than at 0.5
_KINDS = {
    Affordance.HANDLE_GRASP: "Grip the handle.",
    Affordance.WRAP_GRASP: "Wrap your hand around it.",
    Affordance.LIFT: "Lift it up.",
    Affordance.PULL: "Pull it.",
    Affordance.TWIST: "Twist the cap.",
    Affordance.PRESS: "Press the button.",
    Affordance.SUPPORT: "Support it from below.",
    Affordance.LEVER: "Push the lever.",
}


@dataclass(frozen=True)
class Shown:
    """A cloud as the networks see it, and what of it is asked for."""

    points: Array  # (N, 3) m, farthest first
    normals: Array  # (N, 3)
    chance: Array  # (N,) probability of being what is asked for

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """What is asked for, (N,)."""
        wanted: NDArray[np.bool_] = self.chance >= 0.5
        return wanted


class AffordGrasp:
    """Grasps by the shipped networks, settled on the cloud, for the mean hand."""

    def __init__(self, sampler: Sampler, ranking: Ranking, encoder: TextEncoder, model: HandModel) -> None:
        self._sampler, self.ranking, self._encoder, self._model = sampler, ranking, encoder, model
        self._settler = Settler(model, np.zeros(10))

    @classmethod
    def shipped(cls) -> AffordGrasp:
        """With the shipped weights."""
        ranking = Ranking.load(load_shipped("affordgrasp_ranking"))
        return cls(Sampler.shipped(), ranking, TextEncoder(), load_hand_model())

    def reset(self) -> None:
        """Nothing is remembered but sentences."""

    def synthesize(self, cloud: ObjectCloud, instruction: str, count: int, seed: int) -> list[Grasp]:
        """At most ``count`` grasps in the frame of ``cloud``, in which z is up: best first, those too deep in it last.

        Raises Refused: INSTRUCTION for a sentence that forbids, or asks for nothing the object affords; NO_GRASP for
        what is larger than a hand can hold; CLOUD for a cloud without an object.
        """
        request = understood(instruction)
        shown = self.look(cloud, instruction, request)
        holds = request is None or request.affordance in HOLDING
        if holds and _thickness(shown.points[shown.wanted]) > WIDEST:
            size = _thickness(shown.points[shown.wanted])
            raise Refused(
                Reason.NO_GRASP,
                f"what is to be held is {100 * size:.0f} cm across; a hand spans {100 * WIDEST:.0f} cm",
            )
        hands, felt, score = self.candidates(
            shown, instruction, request, max(FOLLOWED, min(3 * count, count + FOLLOWED)), seed
        )
        deep = np.maximum(felt["depth"], felt["flesh_depth"]) > DEEPEST
        best = np.lexsort((-score, deep))[:count]
        poses = self._poses(hands[best], score[best], cloud)
        return [
            Grasp(
                hand,
                str(request.affordance) if request else "",
                (request.part if request else None) or "object",
                float(score[row]),
                {name: float(values[row]) for name, values in felt.items() if name in _TOLD},
            )
            for hand, row in zip(poses, best, strict=True)
        ]

    def look(self, cloud: ObjectCloud, instruction: str, request: Request | None) -> Shown:
        """The cloud thinned, with the side that one view hides, and what of it a sentence asks for.

        Raises Refused(CLOUD, INSTRUCTION).
        """
        thinned = prepare(Cloud(cloud.points, cloud.normals), LOOKED, viewpoint=cloud.viewpoint)
        assert thinned.normals is not None
        text = self._encoder.encode([_heard(instruction, request)])
        chance: Array = expit(self._sampler.heard(thinned, text, POINTS)[0])
        if (chance >= SURE).sum() < LEAST:
            raise Refused(
                Reason.INSTRUCTION,
                f"'{instruction}' asks for nothing the object has; it affords: {self._offer(thinned)}",
            )
        whole = _completed(Shown(thinned.points[:POINTS], thinned.normals[:POINTS], chance))
        return replace(whole, chance=np.where(_one_place(whole.points, whole.chance), whole.chance, 0.0))

    def candidates(
        self, shown: Shown, instruction: str, request: Request | None, count: int, seed: int
    ) -> tuple[HandBatch, dict[str, Array], Array]:
        """``count`` settled hands, what they feel (N,) by name, and the probability (N,) that they do their work."""
        holds = request is None or request.affordance in HOLDING
        carried = request is None or request.affordance not in (*PUSHING, Affordance.TWIST)
        text = self._encoder.encode([_heard(instruction, request)])
        drawn = self._sampler.hands(shown.points, shown.chance, text, max(DRAWN, 2 * count), seed)
        fields = cloud_fields(shown.points, shown.normals, shown.wanted, carried)
        settled = self._settler.settle(self._as_mean_hand(drawn), fields, holds, count)
        return settled.hands, settled.felt, self.ranking.probability(settled.felt, holds)

    def _offer(self, cloud: ObjectCloud) -> str:
        chances = expit(self._sampler.heard(cloud, self._encoder.encode(list(_KINDS.values())), POINTS))
        found = [str(kind) for kind, chance in zip(_KINDS, chances, strict=True) if (chance >= SURE).sum() >= LEAST]
        return ", ".join(found) or "nothing known"

    def _as_mean_hand(self, hands: HandBatch) -> HandBatch:
        """The same poses by the mean hand, its keypoints' middle where it was."""
        mean = np.zeros_like(hands.betas)
        here, there = (
            self._model.joints(hands.global_orient, hands.hand_pose, betas, hands.transl)
            for betas in (hands.betas, mean)
        )
        return HandBatch(hands.global_orient, hands.hand_pose, mean, hands.transl + (here - there).mean(axis=1))

    def _poses(self, hands: HandBatch, score: Array, cloud: ObjectCloud) -> list[HandPose]:
        keypoints = self._model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        quaternions = Rotation.from_rotvec(hands.global_orient).as_quat()
        return [
            HandPose(
                side="right",
                score=float(score[row]),
                global_orient=hands.global_orient[row],
                hand_pose=hands.hand_pose[row],
                betas=hands.betas[row],
                transl=hands.transl[row],
                keypoints=keypoints[row],
                wrist_pose=np.concatenate([keypoints[row, 0], quaternions[row]]),
                keypoints_2d=np.zeros((21, 2)),
                stamp_ns=cloud.stamp_ns,
                frame_id=cloud.frame_id,
            )
            for row in range(len(hands))
        ]


_TOLD = ("depth", "flesh_depth", "part", "fingers", "hold")


def _heard(instruction: str, request: Request | None) -> str:
    """What the networks read: where keywords understood a sentence and know its object, the same in learnt words."""
    return reworded(request) if request and request.category else instruction


def _completed(shown: Shown) -> Shown:
    """The same with the side that is hidden, of which is wanted what mirrors something wanted."""
    hidden = hidden_side(shown.points, shown.normals)
    if hidden is None:
        return shown
    more = (hidden.points, hidden.normals, shown.chance[hidden.source])
    points, normals, chance = map(np.concatenate, zip(vars(shown).values(), more, strict=True))
    chosen = farthest_points(points, len(shown.points))
    return Shown(points[chosen], normals[chosen], chance[chosen])


def _one_place(points: Array, chance: Array) -> NDArray[np.bool_]:
    """Which points (N,) are not in another place than most of what is asked for: of two cups of a headphone, one."""
    wanted = np.flatnonzero(chance >= 0.5)
    pairs = cKDTree(points[wanted]).query_pairs(APART, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(wanted), len(wanted)))
    _, place = connected_components(links, directed=False)
    largest = np.bincount(place, chance[wanted]).argmax()
    kept = np.ones(len(points), dtype=bool)
    kept[wanted[place != largest]] = False
    return kept


def _thickness(points: Array) -> float:
    """The least extent of points (N, 3), m, along their principal axes."""
    around = points - points.mean(axis=0)
    axes = np.linalg.svd(around, full_matrices=False)[2]
    return float(np.ptp(around @ axes.T, axis=0).min())
