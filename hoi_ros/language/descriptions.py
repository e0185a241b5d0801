"""Descriptions of a grasp for what learns from words: GenHOI's three levels, and the affordance prior's sentence.

Everything said is read off the object, the joint angles and the contacts. (methods.md, 004 Prompt and 000 Text)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoi_ros.hand import HandModel, Limits
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.hand.limits import palm_back
from hoi_ros.hand.rotations import exp
from hoi_ros.language import lexicon
from hoi_ros.language.grasp_words import grasp_words
from hoi_ros.language.touch import DIGITS, Mask, contact_words, toucher
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array

FLEXION = ((0.12, "straight"), (0.3, "slightly bent"), (0.55, "bent"), (np.inf, "curled"))
"""Words for a digit by the sum of its flexion angles over the sum of their upper limits: the first it is below."""

FIELDS = ("category", "shape", "size", "interaction", "intent", "grasp")
"""What a description of an affordance may leave out."""

_FLAT = 0.25  # height over length below which an object lies rather than stands
_END_ON = 0.85  # cosine of the line of sight to the object's z axis
_VERBS = {  # what the hand is doing to it, and how it is held
    Affordance.HANDLE_GRASP: (("gripping", "holding", "grasping"), ("gripped by", "held by", "grasped by")),
    Affordance.PRESS: (("pressing", "pushing"), ("pressed on", "pushed on")),
    Affordance.LIFT: (("lifting", "raising"), ("lifted by", "picked up by", "raised by")),
    Affordance.WRAP_GRASP: (("wrapping around", "enclosing", "clasping"), ("held around", "grasped around")),
    Affordance.TWIST: (("twisting", "turning"), ("twisted at", "turned at")),
    Affordance.SUPPORT: (("supporting", "steadying"), ("supported at", "steadied at")),
    Affordance.PULL: (("pulling",), ("pulled by", "pulled at")),
    Affordance.LEVER: (("levering", "tilting"), ("levered by", "tilted by")),
}


@dataclass(frozen=True)
class Hierarchy:
    """GenHOI's description of object, hand and interaction; ``unnamed_object`` does not say the category."""

    object: str
    unnamed_object: str
    hand: str
    interaction: str

    def prompt(self, named: bool = True) -> str:
        """The three levels as one text."""
        return f"{self.object if named else self.unnamed_object}. {self.hand}. {self.interaction}."


class Describer:
    """Describes grasps by the hands of one model."""

    def __init__(self, model: HandModel) -> None:
        self._limits = Limits(model.kinematics)
        rest = model.kinematics.rest_points(np.zeros((1, 10)))[0]
        forward = rest[9] - rest[0]
        self._palm, self._forward = -palm_back(rest), forward / np.linalg.norm(forward)
        flexion = self._limits.axis == 0
        joint = self._limits.joint
        in_mano = dict(zip(("index", "middle", "little", "ring", "thumb"), range(5), strict=True))
        self._flexions = [flexion & ((joint - 1) // 3 == in_mano[digit]) for digit in DIGITS]

    def hierarchical(
        self,
        obj: ObjectModel,
        use: Use,
        contacts: Mask,
        global_orient: Array,
        hand_pose: Array,
        rng: np.random.Generator,
        camera: Array | None = None,
        appearance: str = "",
    ) -> Hierarchy:
        """Object, hand and interaction by GenHOI's templates.

        ``contacts`` (17, P): which region touches which part; ``global_orient`` (3,) and ``hand_pose`` (45,), rad, in
        the object's frame. ``camera`` (3, 3) rotates that frame into the camera's, and directions are then those of
        the picture; without it the object stands in its own frame, z up. ``appearance``: a word such as "red".
        """
        verb = lexicon.pick(rng, _VERBS[use.affordance][0])
        touch = contact_words(obj, use.part, contacts)
        detail = f"with {touch}" if touch else "without touching it"
        noun = lexicon.pick(rng, lexicon.nouns(obj.category, obj.adjectives))
        look = _look(obj, rng, appearance)
        stance = f"it is {_orientation(obj, camera)}"
        return Hierarchy(
            object=f"the object is {lexicon.with_article(noun.counted)} with {look}, and {stance}",
            unnamed_object=f"the object is an item with {look}, and {stance}",
            hand=f"the hand has {self.fingers(hand_pose)}, and {self.rotation(global_orient, camera)}",
            interaction=f"the hand is {verb} it, {detail}",
        )

    def fingers(self, hand_pose: Array) -> str:
        """How far each digit of ``hand_pose`` (45,) is bent: "its thumb straight and its other fingers curled"."""
        angles = self._limits.to_angles(hand_pose)
        groups: dict[str, list[str]] = {}
        for digit, chosen in zip(DIGITS, self._flexions, strict=True):
            share = angles[chosen].sum() / self._limits.upper[chosen].sum()
            word = next(word for bound, word in FLEXION if share < bound)
            groups.setdefault(word, []).append(digit)
        return lexicon.listed([f"its {_digits(digits)} {word}" for word, digits in groups.items()])

    def rotation(self, global_orient: Array, camera: Array | None = None) -> str:
        """Where palm and knuckles of a hand of ``global_orient`` (3,) look: "its palm faces down"."""
        turn = exp(global_orient[None])[0]
        palm, forward = _direction(turn @ self._palm, camera), _direction(turn @ self._forward, camera)
        return f"its palm faces {palm} with the knuckles pointing {forward}"


def affordance(
    obj: ObjectModel,
    use: Use,
    grasp_type: GraspType,
    contacts: Mask,
    rng: np.random.Generator,
    fields: frozenset[str] = frozenset(FIELDS),
) -> str:
    """One sentence on how the object is used, for the affordance prior; ``fields`` of ``FIELDS`` are said.

    ``contacts`` (17, P) as above: the grasp type is named with the digits that touch, and left out where they
    contradict its name.
    """
    noun = lexicon.pick(rng, lexicon.nouns(obj.category, obj.adjectives)) if "category" in fields else lexicon.OBJECT
    kinds = {"size": lexicon.size_words(obj), "shape": lexicon.shape_words(obj)}
    adjectives = [lexicon.pick(rng, words) for kind, words in kinds.items() if words and kind in fields]
    phrase = [lexicon.with_article(" ".join((*adjectives, noun.counted))), "is"]
    phrase.append(_handled(obj, use, rng) if "interaction" in fields else "handled")
    if "intent" in fields:
        words = lexicon.intents(obj.category, use.affordance, use.part, "them" if noun.plural else "it")
        phrase.append(f"to {lexicon.pick(rng, words)}")
    sentence = " ".join(phrase)
    if "grasp" in fields:
        if name := grasp_words(grasp_type, contacts):
            sentence += f", in {lexicon.with_article(name)}"
        if touch := toucher(contacts.any(axis=1)):
            sentence += f", with {touch}"
    return f"{sentence[0].upper()}{sentence[1:]}."


def partial_fields(rng: np.random.Generator) -> frozenset[str]:
    """Some of ``FIELDS``, at least two: descriptions from pictures rarely have them all."""
    count = int(rng.integers(2, len(FIELDS)))
    return frozenset(str(field) for field in rng.choice(FIELDS, count, replace=False))


def _handled(obj: ObjectModel, use: Use, rng: np.random.Generator) -> str:
    """How it is used and where: "gripped by its handle"."""
    verb = lexicon.pick(rng, _VERBS[use.affordance][1])
    words = lexicon.part_words(use.part, obj.category)
    if words is None:
        return verb.rsplit(" ", 1)[0]
    return f"{verb} the {words.word} of its {words.owner}" if words.owner else f"{verb} its {words.word}"


def _look(obj: ObjectModel, rng: np.random.Generator, appearance: str) -> str:
    """Shape and appearance: "a small tapered shape, a body and a handle"."""
    sizes, shapes = lexicon.size_words(obj), lexicon.shape_words(obj)
    words = [lexicon.pick(rng, sizes)] if sizes else []
    words += [appearance] if appearance else []
    words += [lexicon.pick(rng, shapes).removesuffix("-shaped")] if shapes else []
    parts = dict.fromkeys(lexicon.part_words(part, obj.category) for part in obj.part_names)
    said = [lexicon.with_article(" ".join((*words, "shape")))] if words else []
    said += [part.word if part.plural else lexicon.with_article(part.word) for part in parts if part and not part.owner]
    return lexicon.listed(said) if said else "a plain shape"


def _orientation(obj: ObjectModel, camera: Array | None) -> str:
    """How the object stands, or how its z axis lies in the picture."""
    sides = np.ptp(obj.vertices, axis=0)
    resting = "lying flat" if sides[2] < _FLAT * sides[:2].max() else "standing upright"
    if camera is None:
        return resting
    right, down, away = camera[:, 2]
    if abs(away) > _END_ON:
        return f"seen from {'above' if away < 0.0 else 'below'}"
    lean = np.degrees(np.arctan2(right, -down))
    if abs(lean) < 30.0:
        return resting
    if abs(lean) > 150.0:
        return "upside down"
    if 60.0 < abs(lean) < 120.0:
        return "turned on its side"
    return f"tilted to the {'right' if lean > 0.0 else 'left'}"


def _direction(vector: Array, camera: Array | None) -> str:
    """The main direction of a unit vector (3,) in the object's frame, or as the camera sees it."""
    if camera is None:
        return "up" if vector[2] > 0.7 else "down" if vector[2] < -0.7 else "sideways"
    seen = camera @ vector
    axis = int(np.argmax(np.abs(seen)))
    words = (("left", "right"), ("up", "down"), ("towards the camera", "away from the camera"))
    return words[axis][int(seen[axis] > 0.0)]


def _digits(digits: list[str]) -> str:
    fingers = [digit for digit in digits if digit != "thumb"]
    if len(fingers) == 4:
        return "thumb and fingers" if len(digits) == 5 else "fingers"
    return " ".join((lexicon.listed(digits), *(["finger" if len(fingers) == 1 else "fingers"] if fingers else [])))
