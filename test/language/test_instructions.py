"""Sentences: enough of them, in good English, and true of the object."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_objects import UP, asked, family_objects, thing, use

from hoi_ros.dataset.objects import FAMILIES, make_object
from hoi_ros.language import lexicon
from hoi_ros.language.instructions import slots, write
from hoi_ros.language.phrasings import PHRASINGS
from hoi_ros.scene.affordances import Affordance

seeds = st.integers(0, 2**32 - 1)
pairs = st.sampled_from(range(10_000)).map(lambda i: asked()[i % len(asked())])
GRASPED = [a for a in Affordance if a not in (Affordance.NO_GRASP, Affordance.NULL)]
COMMON = set(
    "a the to it is and of on in at by for with your you me i so from be up one hand fingers please like".split()  # noqa: SIM905
)


def some(pair, seed: int, count: int = 12) -> list[str]:
    return [s for held in (False, True) for s in write(*pair, np.random.default_rng(seed), count, held)]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", re.sub(r"\{\w+\}", " ", text.lower())))


def test_thirty_phrasings_of_every_affordance_and_eight_held_out():
    for affordance in Affordance:
        seen, held_out = ({t.text for t in kind} for kind in vars(PHRASINGS[affordance]).values())
        assert len(seen) >= 30 and len(held_out) >= 8
        assert seen.isdisjoint(held_out)


def test_most_phrasings_fit_every_use():
    """Thirty phrasings in the file are little if a use can say few of them."""
    for obj, each in asked():
        values = slots(obj, each, np.random.default_rng(0))
        fitting = sum(t.fits(values) for t in PHRASINGS[each.affordance].seen)
        assert fitting >= (20 if each.affordance in GRASPED else 30), (obj.name, each)
        assert sum(t.fits(values) for t in PHRASINGS[each.affordance].held_out) >= 4


@pytest.mark.parametrize("affordance", GRASPED)
def test_held_out_phrasings_use_words_of_their_own(affordance: Affordance):
    known = set().union(*(words(t.text) for t in PHRASINGS[affordance].seen)) | COMMON
    assert [t.text for t in PHRASINGS[affordance].held_out if words(t.text) <= known] == []


def test_phrasings_belong_to_one_affordance():
    texts = [t.text for p in PHRASINGS.values() for t in (*p.seen, *p.held_out)]
    assert len(texts) == len(set(texts))


def test_phrasings_know_all_slots_and_every_slot_is_used():
    values = slots(thing("mug", "body"), use(Affordance.PRESS, "body"), np.random.default_rng(0))
    used = set().union(*(t.slots for p in PHRASINGS.values() for t in (*p.seen, *p.held_out)))
    assert used == set(values)


@given(pairs, seeds)
def test_sentences_are_well_formed(pair, seed: int):
    for sentence in some(pair, seed):
        assert re.fullmatch(r"[A-Z][\w ,;:'-]*[.?!]?", sentence), sentence  # who types leaves out full stops
        assert not re.search(r"  | [,.;:?!]|None|_|\d", sentence), sentence
        assert not re.search(r"\b(\w+) \1\b", sentence.replace("handle bottle handle", "")), sentence
        for article, word in re.findall(r"\b([Aa]n?) (\w+)", sentence):
            assert (article.lower() == "an") == (word[0] in "aeiou"), sentence
        head, plural = lexicon.part_words(pair[1].part, pair[0].category), lexicon.nouns(pair[0].category)[0].plural
        if plural:
            assert not re.search(r"\bits\b", sentence), sentence
        elif head is None or not head.plural:
            assert not re.search(r"\b(them|their|these)\b", sentence), sentence


@given(pairs, seeds)
def test_sentences_name_what_they_are_about(pair, seed: int):
    obj, each = pair
    if each.affordance is Affordance.NULL:
        return
    for sentence in some(pair, seed):
        assert any(noun.word in sentence.lower() for noun in lexicon.nouns(obj.category, obj.adjectives)) or (
            (head := lexicon.part_words(each.part, obj.category)) and head.word in sentence
        ), sentence


@given(pairs, seeds)
def test_the_same_seed_says_the_same(pair, seed: int):
    assert some(pair, seed) == some(pair, seed)


@given(pairs, seeds)
def test_phrasings_repeat_only_when_all_were_used(pair, seed: int):
    sentences = write(*pair, np.random.default_rng(seed), 15)
    assert len(sentences) == 15
    first_words = [" ".join(s.split()[:4]) for s in sentences]
    assert len(set(first_words)) > 7


@given(pairs, seeds)
def test_words_of_size_and_shape_are_true(pair, seed: int):
    obj, _ = pair
    sides = np.ptp(obj.vertices, axis=0)
    said = set(" ".join(some(pair, seed)).lower().split())
    if "small" in said:
        assert not said & {"large", "big"}
        assert sides.max() < 0.4
    if "tall" in said and "tall" not in obj.adjectives:
        assert sides[2] > 2.5 * sides[:2].max()
    shapes = {"square", "oval", "flared", "hexagonal", "octagonal", "crosshead", "compact", "wide"}
    assert said & shapes <= set(obj.adjectives)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((0.08, 0.08, 0.09), {"small"}),
        ((0.1, 0.08, 0.12), set()),
        ((0.1, 0.1, 0.3), {"large", "big", "tall"}),
    ],
)
def test_size_words_of_mugs(sides, expected):
    assert set(lexicon.size_words(thing("mug", "body", sides=sides))) == expected


def test_the_objects_own_word_of_size_decides():
    tall = thing("mug", "body", sides=(0.1, 0.1, 0.3), adjectives=["tall"])
    assert lexicon.size_words(tall) == ("large", "big")
    assert lexicon.size_words(thing("mug", "body", sides=(0.08, 0.08, 0.09), adjectives=["large"])) == ()


def test_from_below_is_said_of_a_hand_below_alone():
    mug = thing("mug", "body")
    for force, below in ((UP, True), (-UP, False), (np.array([1.0, 0, 0]), False), (None, False)):
        said = " ".join(some((mug, use(Affordance.SUPPORT, "body", force)), 1, 200))
        assert bool(re.search(r"\b(below|under)\b", said)) == below


def test_down_and_up_follow_the_force():
    dispenser = thing("dispenser", "pump")
    for force, expected in ((-UP, {"down"}), (UP, {"up"}), (np.array([0, 1.0, 0]), set())):
        said = words(" ".join(some((dispenser, use(Affordance.PRESS, "pump", force)), 1, 200)))
        assert said & {"up", "down"} - {"pump"} == expected


def test_what_is_fixed_is_not_pulled_along():
    said = " ".join(some((thing("faucet", "handle"), use(Affordance.PULL, "handle")), 1, 200)).lower()
    assert not re.search(r"(pull|drag|tow) the (\w+ )?(faucet|tap) by", said)


@pytest.mark.parametrize(
    ("part", "word", "owner", "plural"),
    [
        ("lid_knob", "knob", "lid", False),
        ("left_handle_2", "left handle", "", False),
        ("cup_left", "left cup", "", False),
        ("keys", "keys", "", True),
        ("press", "press", "", False),
        ("handle1", "handle", "", False),
    ],
)
def test_parts_in_words(part: str, word: str, owner: str, plural: bool):
    words = lexicon.part_words(part, "pot")
    assert words and (words.word, words.owner, words.plural) == (word, owner, plural)


def test_the_whole_object_is_no_part():
    assert lexicon.part_words("spray_bottle", "spray-bottle") is None
    assert "bowl of the bowl" not in " ".join(some((thing("bowl", "bowl"), use(Affordance.LIFT, "bowl")), 1, 99))


@pytest.mark.parametrize(
    ("phrase", "article"),
    [
        *(("mug", "a"), ("object", "an"), ("hour glass", "an"), ("used mug", "a"), ("unit", "a"), ("umbrella", "an")),
        *(("one-handed jug", "a"), ("oval jar", "an"), ("USB stick", "a"), ("ear", "an"), ("European plug", "a")),
    ],
)
def test_articles(phrase: str, article: str):
    assert lexicon.with_article(phrase) == f"{article} {phrase}"


def test_every_family_has_words_of_its_own():
    for obj in family_objects(1):
        assert obj.category in lexicon.CATEGORIES
        for each in obj.uses:
            general = lexicon.intents("unknown", each.affordance, each.part, "it")
            assert lexicon.intents(obj.category, each.affordance, each.part, "it") != general, (obj.name, each)


@pytest.mark.parametrize("category", FAMILIES)
def test_sizes_divide_every_family(category: str):
    """Thresholds that call all mugs small, or none, say nothing."""
    longest = np.array([np.ptp(make_object(category, i, 3).vertices, axis=0).max() for i in range(12)])
    small, large = lexicon.size_range(category)
    small_ones, large_ones = longest < small, longest > large
    assert (small_ones | large_ones).any() and not small_ones.all() and not large_ones.all(), np.sort(longest)
