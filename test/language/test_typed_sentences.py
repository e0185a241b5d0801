"""What people type to a robot, and what of it the keyword reader understands: these sentences fill no template."""

from __future__ import annotations

import numpy as np
import pytest
from made_objects import asked

from hoi_ros.language.instructions import write
from hoi_ros.language.request import parse
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import Affordance as A

TYPED = {
    A.HANDLE_GRASP: (
        "don't drop the mug, hold it by the handle",
        "Don't touch the blade, hold the knife by its handle.",
        "grab the pan's handle, it is hot everywhere else",
        "please don't forget to hold the jug by its handle",
        "hold the scissors by their handles so nobody gets hurt",
        "ok robot take that frying pan by its handle for me",
        "careful with the knife: only hold the handle",
    ),
    A.WRAP_GRASP: (
        "put your fingers around the cup",
        "Would you mind wrapping your hand around the bottle?",
        "it doesn't matter how you do it, just wrap your hand around the jar",
        "hand me the can",
        "could you get your hand around the soda can without crushing it",
        "just hold the torch for a second, will you",
    ),
    A.PRESS: (
        "the key marked A must be pressed",
        "Type something: press any key of the keyboard.",
        "press the dispenser down so that it does not move",
        "can u press the soap pump",
        "pushing the trigger of the sprayer would be great",
        "hit enter on the keyboard",
    ),
    A.LIFT: (
        "leave the lid closed and lift the can",
        "the box needs to be lifted",
        "I can't reach it, so pick up the box for me",
        "Lift the pan without tilting it",
        "why don't you pick up the mug?",
        "the bowl is empty, you can pick it up",
        "pick the pot up, it's not hot",
    ),
    A.TWIST: (
        "twist the lid off the jar please",
        "if you want to open the jar, turn the lid",
        "I am trying to open this bottle, could you twist the cap?",
        "tighten the cap of the bottle",
        "unscrewing the cap would be nice",
        "the lid is stuck, try twisting it",
    ),
    A.SUPPORT: (
        "don't let the mug fall",
        "put your hand under the bowl so it doesn't tip over",
        "keep the bottle steady while I pour",
        "make sure that the pan is supported",
        "support it from underneath",
        "keep the laptop from falling off the table",
    ),
    A.PULL: (
        "give the tab of the can a tug",
        "pull the keyboard towards you",
        "would you pull the handle, please?",
        "don't be shy, pull harder on the strap",
        "yank the bag over here",
    ),
    A.LEVER: (
        "tilt the laptop screen back",
        "flip the switch of the torch",
        "turn on the tap by moving its lever",
        "the handle should be tilted a bit",
        "push the lever of the faucet to one side",
    ),
    A.NO_GRASP: (
        "the knife should not be touched",
        "don't you dare lift that pot",
        "You may look at the mug but not touch it.",
        "Hold on, don't take the scissors!",
        "leave the hammer where it is and come back",
        "the mug is hot, so do not hold it by its handle",
        "do not, under any circumstances, lift the pot",
        "I never want you to hold that knife again",
    ),
    A.NULL: (
        "I twisted my ankle",
        "could you open the bottle?",
        "I have held many mugs in my life",
        "how do I open the bottle?",
        "She is pushing me to finish",
        "you held the cup perfectly",
        "thanks for holding the door",
        "what a nice grip this hammer has",
    ),
}
"""Known answers; of Null: what is refused, so that the networks may decide."""


def understood(sentence: str) -> A:
    try:
        return parse(sentence).affordance
    except Refused:
        return A.NULL


@pytest.mark.parametrize(("affordance", "sentence"), [(a, s) for a, typed in TYPED.items() for s in typed])
def test_typed_sentences(affordance: A, sentence: str):
    assert understood(sentence) is affordance


@pytest.mark.parametrize("sentence", ["Don't push, pull the handle.", "the cap should be turned, not pulled"])
def test_in_doubt_nothing_is_touched(sentence: str):
    assert understood(sentence) is A.NO_GRASP


@pytest.mark.parametrize("held_out", [False, True])
def test_what_forbids_is_never_a_grasp_and_what_tells_is_no_request(held_out: bool):
    rng = np.random.default_rng(3)
    for obj, each in asked():
        if each.affordance in (A.NO_GRASP, A.NULL):
            for sentence in write(obj, each, rng, 20, held_out):
                assert understood(sentence) is each.affordance, sentence
