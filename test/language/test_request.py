"""What sentences ask for: known answers, the sentences of the papers, and all that the package writes itself."""

from __future__ import annotations

import numpy as np
import pytest
from made_objects import asked, thing, use

from hoi_ros.language.instructions import write
from hoi_ros.language.request import ASKABLE, Request, parse
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance as A


def found(sentence: str, uses=(), category: str = "") -> A:
    try:
        return parse(sentence, uses, category).affordance
    except Refused:
        return A.NULL


@pytest.mark.parametrize(
    ("sentence", "affordance", "category"),
    [  # figures of AffordGrasp
        ("Grip the handle of the mug.", A.HANDLE_GRASP, "mug"),
        ("Wrap your hand around the mug.", A.WRAP_GRASP, "mug"),
        ("Support the mug to prevent spills.", A.SUPPORT, "mug"),
        ("Press the dispenser to avoid over-pouring.", A.PRESS, "dispenser"),
        ("Wrap your fingers around the dispenser for a secure hold.", A.WRAP_GRASP, "dispenser"),
        ("Support the bottle’s handle to prevent spills.", A.SUPPORT, "bottle"),
        ("Grip the handle of the bottle.", A.HANDLE_GRASP, "bottle"),
        ("Wrap-grasp the bottle to prevent spill.", A.WRAP_GRASP, "bottle"),
        ("twist the bottle to open it.", A.TWIST, "bottle"),
    ],
)
def test_sentences_of_the_paper(sentence: str, affordance: A, category: str):
    request = parse(sentence)
    assert (request.affordance, request.category) == (affordance, category)


@pytest.mark.parametrize(
    ("sentence", "affordance", "category", "part"),
    [
        ("Can you lift the can?", A.LIFT, "can", None),
        ("Tap the keys of the keyboard.", A.PRESS, "keyboard", "keys"),
        ("Turn on the tap by pushing its lever.", A.LEVER, "faucet", "lever"),
        ("Take the spray bottle", A.WRAP_GRASP, "spray_bottle", None),
        ("Use the knob to lift the pot.", A.LIFT, "pot", "knob"),
        ("To lift the bag, grip the handle of the bag.", A.HANDLE_GRASP, "bag", "handle"),
        ("Don't turn the knob of the faucet!", A.NO_GRASP, "faucet", None),
        ("PRESS   the drill's trigger", A.PRESS, "power_drill", "trigger"),
        ("Grip the large duffel bag's handle.", A.HANDLE_GRASP, "bag", "handle"),
        ("Pull the left cup of the headphones.", A.PULL, "earphone", "left cup"),
        ("Handle the tab of the flat can the way one works a lever.", A.LEVER, "can", "tab"),
        ("Take hold of the keyboard and lift it.", A.LIFT, "keyboard", None),
        ("You can drink from it once you have lifted the bowl.", A.LIFT, "bowl", None),
        ("Hold the bowl-shaped pot's handle to take it off the stove.", A.HANDLE_GRASP, "pot", "handle"),
        ("You can lift the can.", A.LIFT, "can", None),
        ("Pull it.", A.PULL, None, None),
    ],
)
def test_known_answers(sentence: str, affordance: A, category: str | None, part: str | None):
    assert parse(sentence) == Request(affordance, category, part)


def test_the_object_at_hand_settles_what_a_verb_means():
    bottle = (use(A.WRAP_GRASP, "body"), use(A.TWIST, "cap"))
    faucet = (use(A.LEVER, "handle"), use(A.PULL, "handle"))
    two = (use(A.PRESS, "left_button"), use(A.PRESS, "pump"))
    assert parse("Pick up the bottle", bottle, "bottle").use is bottle[0]
    assert parse("Grab the bottle", bottle, "bottle").use is bottle[0]
    assert parse("Turn the lid", bottle, "bottle").use is bottle[1]
    assert parse("Turn the handle", faucet, "faucet").use is faucet[0]
    assert parse("Press the pump", two, "dispenser").use is two[1]
    assert parse("Leave it alone", two, "dispenser") == Request(A.NO_GRASP, None, None)


def test_a_use_the_object_lacks_is_refused_with_those_it_has():
    with pytest.raises(Refused, match=r"asks for Twist; the object offers: Handle-grasp, Wrap-grasp") as refused:
        parse("Twist the mug.", (use(A.HANDLE_GRASP, "handle"), use(A.WRAP_GRASP, "body")), "mug")
    assert refused.value.reason is Reason.INSTRUCTION


@pytest.mark.parametrize("sentence", ["", "   ", "Good morning.", "Где чашка?", "!?", "What time is it?", "mug"])
def test_what_asks_for_nothing_is_refused_with_the_known_affordances(sentence: str):
    with pytest.raises(Refused, match=", ".join(ASKABLE)) as refused:
        parse(sentence)
    assert refused.value.reason is Reason.INSTRUCTION


def test_what_is_no_sentence_any_more_is_refused():
    with pytest.raises(Refused, match="of 1001 characters; at most 1000"):
        parse("a" * 1001)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_understood(held_out: bool, known: bool, record_property):
    """The reader's words were chosen with all phrasings in view: this says they agree, not that it knows English."""
    rng = np.random.default_rng(5)
    right = []
    for obj, each in asked():
        context = (obj.uses, obj.category) if known and obj.uses else ()
        right += [found(s, *context) == each.affordance for s in write(obj, each, rng, 10, held_out)]
    record_property("accuracy", float(np.mean(right)))
    assert np.mean(right) > 0.97


def test_a_category_of_the_users_is_read():
    teapot = thing("teapot", "spout", "handle")
    request = parse("Lift the teapot by its handle.", (use(A.LIFT, "handle"),), teapot.category)
    assert (request.category, request.part) == ("teapot", "handle")
