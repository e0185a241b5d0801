"""Descriptions say what touches, how far the fingers bend and where the palm looks, and nothing else."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_objects import asked, thing, use

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.hand.limits import Limits, palm_back
from hoi_ros.language import lexicon
from hoi_ros.language.descriptions import FIELDS, Describer, affordance, partial_fields
from hoi_ros.language.grasp_words import GRASPS, grasp_words
from hoi_ros.language.touch import DIGITS, contact_words, toucher, touching_digits
from hoi_ros.scene.affordances import Affordance

MODEL = load_hand_model()
DESCRIBER = Describer(MODEL)
LIMITS = Limits(MODEL.kinematics)
MUG = thing("mug", "body", "handle", sides=(0.08, 0.08, 0.09), adjectives=["tapered"])
GRIP = use(Affordance.HANDLE_GRASP, "handle")
HANDS = [pair for pair in asked() if pair[1].affordance not in (Affordance.NO_GRASP, Affordance.NULL)]

seeds = st.integers(0, 2**32 - 1)
pairs = st.sampled_from(range(10_000)).map(lambda i: HANDS[i % len(HANDS)])
sparse = st.one_of(arrays(bool, (17, 12)), arrays(bool, (17, 12), elements=st.just(False), fill=st.just(False)))


def contact(**parts: list[int]) -> np.ndarray:
    """Contacts (17, 2) of the mug from lists of regions."""
    contacts = np.zeros((17, 2), dtype=bool)
    for part, regions in parts.items():
        contacts[regions, MUG.part(part)] = True
    return contacts


def touchers(text: str) -> set[str]:
    """Digits, and the palm, that a text says touch; joints and directions are told elsewhere."""
    return {name for name in (*DIGITS, "palm") if re.search(rf"\b{name}\b", text)}


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([2, 5], "the tips of the thumb and index finger"),
        ([0, 2, 5], "the thumb and the tip of the index finger"),
        ([4, 7, 10], "the index, middle and ring fingers"),
        ([15, 16], "the palm"),
        ([1, 3, 16], "the palm and the thumb and index finger"),
        ([14], "the tip of the little finger"),
        ([], None),
    ],
)
def test_what_touches(regions: list[int], expected: str | None):
    touched = np.zeros(17, dtype=bool)
    touched[regions] = True
    assert toucher(touched) == expected


def test_the_asked_part_is_named_first():
    words = contact_words(MUG, "handle", contact(body=[5], handle=[2, 8]))
    assert words == "the tips of the thumb and middle finger on its handle and the tip of the index finger on its body"


@settings(deadline=None)
@given(pairs, sparse, seeds)
def test_what_is_named_touches_and_what_touches_is_named(pair, contacts: np.ndarray, seed: int):
    obj, each = pair
    contacts, rng = contacts[:, : len(obj.part_names)], np.random.default_rng(seed)
    actual = {*touching_digits(contacts)} | ({"palm"} if contacts[15:].any() else set())
    pose, orient = LIMITS.sample(rng, 1)[0], rng.normal(size=3)
    told = DESCRIBER.hierarchical(obj, each, contacts, orient, pose, rng).interaction
    assert touchers(told.split(", ", 1)[1]) == actual
    sentence = affordance(obj, each, each.grasp_types[0], contacts, rng)
    grip = sentence.partition(", ")[2]  # before it: what the object is and is for
    assert touchers(re.sub(r"index finger extension|adducted thumb|ring grasp", "", grip)) == actual


@settings(deadline=None)
@given(pairs, sparse, seeds)
def test_descriptions_are_well_formed(pair, contacts: np.ndarray, seed: int):
    obj, each = pair
    contacts, rng = contacts[:, : len(obj.part_names)], np.random.default_rng(seed)
    kind = list(GraspType)[seed % 28]
    texts = [affordance(obj, each, kind, contacts, rng, partial_fields(rng)) for _ in range(4)]
    hierarchy = DESCRIBER.hierarchical(obj, each, contacts, rng.normal(size=3), np.zeros(45), rng, appearance="red")
    for text in (*texts, hierarchy.prompt(), hierarchy.prompt(named=False)):
        assert re.fullmatch(r"[\w ,.'-]+\.", text), text
        assert not re.search(r"  | [,.]|None|_|\ba [aeio]|\ban [^aeiouh]|\b(\w+) \1\b", text), text


def test_partial_descriptions_say_the_chosen_fields_alone():
    contacts = contact(handle=[2, 5])
    said = {
        "category": "mug",
        "shape": "tapered",
        "size": "small",
        "interaction": r"handle\b",
        "intent": r" to (drink|carry|take)",
        "grasp": "pinch",
    }
    for count in range(1, 7):
        for fields in combinations(FIELDS, count):
            text = affordance(MUG, GRIP, GraspType.TIP_PINCH, contacts, np.random.default_rng(3), frozenset(fields))
            assert {name for name, word in said.items() if re.search(word, text)} == set(fields), text
    drawn = [partial_fields(np.random.default_rng(seed)) for seed in range(200)]
    assert {len(fields) for fields in drawn} == {2, 3, 4, 5}
    assert set().union(*drawn) == set(FIELDS)


@pytest.mark.parametrize("grasp", GraspType)
def test_grasps_are_named_where_the_contacts_agree(grasp: GraspType):
    name, digits, counted = GRASPS[grasp]
    contacts = np.zeros((17, 2), dtype=bool)
    for digit in digits:
        contacts[3 * DIGITS.index(digit) + 2, 1] = True
    assert grasp_words(grasp, contacts) == name
    if digits:
        lacking = contacts.copy()
        first = 3 * DIGITS.index(min(digits))
        lacking[first : first + 3] = False
        assert grasp_words(grasp, lacking) is None
    contacts[14] = True
    assert (grasp_words(grasp, contacts) is None) == counted


def test_grasp_names_differ():
    assert len({name for name, _, _ in GRASPS.values()}) == len(GraspType) == 28


def test_fingers_follow_the_joint_angles():
    def bent(**shares: float) -> str:
        angles = np.zeros(LIMITS.size)
        for digit, share in shares.items():
            finger = ("index", "middle", "little", "ring", "thumb").index(digit)  # MANO's order
            chosen = (LIMITS.axis == 0) & ((LIMITS.joint - 1) // 3 == finger)
            angles[chosen] = share * LIMITS.upper[chosen]
        return DESCRIBER.fingers(LIMITS.to_pose(angles))

    assert bent() == "its thumb and fingers straight"
    assert bent(index=0.4) == "its thumb, middle, ring and little fingers straight and its index finger bent"
    fist = bent(thumb=0.2, index=0.8, middle=0.8, ring=0.8, little=0.8)
    assert fist == "its thumb slightly bent and its fingers curled"
    order = [bent(ring=share) for share in (0.05, 0.2, 0.4, 0.7)]
    assert [text.rsplit(" ", 1)[1] for text in order[1:]] == ["bent", "bent", "curled"]
    assert "ring finger slightly bent" in order[1]


def test_the_palm_is_told_to_face_where_it_faces():
    """Against the posed hand: the hollow of a curled hand is on the palm's side."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        orient = rng.normal(size=3) * 2.0
        points = MODEL.joints(orient, np.zeros(45))[0]
        palm = -palm_back(points)
        knuckles = points[9] - points[0]
        words = re.fullmatch(
            r"its palm faces (\w+) with the knuckles pointing (\w+)", DESCRIBER.rotation(orient)
        ).groups()
        for word, vector in zip(words, (palm, knuckles / np.linalg.norm(knuckles)), strict=True):
            assert word == ("up" if vector[2] > 0.7 else "down" if vector[2] < -0.7 else "sideways")


def test_directions_are_those_of_the_picture():
    """A camera that looks along the object's y, z up in the picture."""
    camera = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    rest = MODEL.joints(np.zeros(3), np.zeros(45))[0]
    palm, knuckles = -palm_back(rest), rest[9] - rest[0]
    words = DESCRIBER.rotation(np.zeros(3), camera)
    for vector, said in ((palm, words.split(" with ")[0]), (knuckles, words.split("pointing ")[1])):
        x, y, z = camera @ vector / np.linalg.norm(vector)
        main = max((abs(x), "right" if x > 0 else "left"), (abs(y), "down" if y > 0 else "up"), (abs(z), "camera"))[1]
        assert main in said


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        ((0, -1, 0), "standing upright"),
        ((0, -0.7, -0.7), "standing upright"),
        ((0, 0, -1), "seen from above"),
        ((0, 0, 1), "seen from below"),
        ((0, 1, 0), "upside down"),
        ((1, 0, 0), "turned on its side"),
        ((0.7, -0.7, 0), "tilted to the right"),
        ((-0.7, -0.7, 0), "tilted to the left"),
    ],
)
def test_orientation_of_the_object(up, expected: str):
    z = np.array(up, float) / np.linalg.norm(up)
    x = np.cross(z, [0.31, 0.52, 0.77])
    x /= np.linalg.norm(x)
    camera = np.column_stack([x, np.cross(z, x), z])
    rng = np.random.default_rng(0)
    told = DESCRIBER.hierarchical(MUG, GRIP, contact(), np.zeros(3), np.zeros(45), rng, camera).object
    assert told.endswith(f"and it is {expected}")


def test_what_lies_is_not_said_to_stand():
    rng = np.random.default_rng(0)
    knife = thing("knife", "handle", "blade", sides=(0.25, 0.03, 0.02))
    told = DESCRIBER.hierarchical(knife, GRIP, contact(), np.zeros(3), np.zeros(45), rng)
    assert told.object.endswith("it is lying flat")


def test_the_unnamed_object_has_no_category():
    for obj, each in HANDS:
        rng = np.random.default_rng(1)
        contacts = np.zeros((17, len(obj.part_names)), dtype=bool)
        told = DESCRIBER.hierarchical(obj, each, contacts, np.zeros(3), np.zeros(45), rng)
        assert told.unnamed_object.startswith("the object is an item with ")
        assert not any(re.search(rf"\b{noun}\b", told.unnamed_object) for noun in lexicon.every_noun(obj.category)
                       if noun != "object")  # fmt: skip


def test_known_description():
    rng = np.random.default_rng(1)
    told = DESCRIBER.hierarchical(
        MUG, GRIP, contact(handle=[2, 5], body=[8]), np.zeros(3), np.zeros(45), rng, appearance="white"
    )
    look = "a small white tapered shape, a body and a handle"
    assert told.object == f"the object is a mug with {look}, and it is standing upright"
    assert re.fullmatch(r"the hand has its thumb and fingers straight, and its palm faces \w+ with the .*", told.hand)
    touch = "the tips of the thumb and index finger on its handle and the tip of the middle finger on its body"
    assert re.fullmatch(rf"the hand is (gripping|holding|grasping) it, with {touch}", told.interaction)
