"""Rewordings ask for the same."""

import pytest

from hoi_ros.language import lexicon
from hoi_ros.language.request import Request, parse
from hoi_ros.language.rewording import reworded
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import Affordance as A

KINDS = [kind for kind in A if kind not in (A.NO_GRASP, A.NULL)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [None, "handle", "keys", "left cup"])
def test_what_is_reworded_is_read_as_what_it_was(kind: A, part: str | None):
    for category in (None, "mug", "scissors", "earphone"):
        sentence = reworded(Request(kind, category, part))
        assert "{" not in sentence and "None" not in sentence
        read = parse(sentence)
        assert read.affordance is kind or {read.affordance, kind} <= {A.HANDLE_GRASP, A.WRAP_GRASP}, sentence
        assert read.category == category, sentence


def test_a_sentence_keeps_part_and_category():
    assert reworded(parse("Clench the large mug's handle in your fist.")) == "Grip the handle of the mug."
    assert reworded(parse("Grab it.")).endswith("the object.")


@pytest.mark.parametrize("category", lexicon.CATEGORIES)
def test_every_category_has_a_name_to_be_asked_by(category: str):
    try:
        assert parse(reworded(Request(A.LIFT, category, None))).category in (category, None)
    except Refused as refused:
        pytest.fail(str(refused))
