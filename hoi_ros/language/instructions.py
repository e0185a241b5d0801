"""Instructions: sentences that ask for one use of one object, true of its geometry."""

from __future__ import annotations

import numpy as np

from hoi_ros.language import lexicon
from hoi_ros.language.phrasings import PHRASINGS
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.object_model import ObjectModel

_STEEP = 0.7  # cosine to the vertical from which a direction is called up or down


def write(obj: ObjectModel, use: Use, rng: np.random.Generator, count: int, held_out: bool = False) -> list[str]:
    """``count`` sentences asking for ``use`` of ``obj``, each of another phrasing as long as there are any.

    A Use of No-grasp or Null gives sentences that forbid touching the object, or ask for nothing.
    ``held_out``: phrasings that are kept from training.
    """
    phrasings = PHRASINGS[use.affordance]
    values = slots(obj, use, rng)
    fitting = [t for t in (phrasings.held_out if held_out else phrasings.seen) if t.fits(values)]
    order = np.concatenate([rng.permutation(len(fitting)) for _ in range(1 + count // len(fitting))])[:count]
    return [fitting[i].fill(slots(obj, use, rng), rng) for i in order]


def slots(obj: ObjectModel, use: Use, rng: np.random.Generator) -> dict[str, str | None]:
    """What the slots of the phrasings say of ``use``, drawn anew; None where there is nothing true to say.

    Whether a slot is None depends on ``obj`` and ``use`` alone. Nouns: ``object``, ``an_object``, ``this_object``,
    ``noun``; ``part`` ("the handle of the mug", or the object where it is meant whole), ``the_part``, ``its_part``;
    ``owner`` is what the part belongs to, ``held`` the owner by the part ("the bag by its strap"), ``pulled`` the
    owner where it can move; ``screwed_part`` and ``screwed`` only for caps and lids. Pronouns: ``it``, ``is``,
    ``this``, ``part_it``, ``held_it``. Directions: ``down`` (or up), ``towards`` you, ``from`` below, ``under``.
    ``intent``: a bare verb phrase.
    """
    noun = lexicon.pick(rng, lexicon.nouns(obj.category, obj.adjectives))
    adjectives = _adjectives(obj, rng)
    it, its = ("them", "their") if noun.plural else ("it", "its")
    this = "these" if noun.plural else "this"
    thing = " ".join((*adjectives, noun.word))
    intents = lexicon.intents(obj.category, use.affordance, use.part, it)
    parts = _part_slots(obj, use, rng, f"the {thing}", noun, its)
    return {
        "object": f"the {thing}",
        "an_object": lexicon.with_article(" ".join((*adjectives, noun.counted))),
        "this_object": f"{this} {thing}",
        "noun": noun.word,
        "it": it,
        "is": "are" if noun.plural else "is",
        "this": this,
        "intent": lexicon.pick(rng, intents) if intents else None,
        **parts,
        **_directions(use),
        "pulled": None if lexicon.fixed(obj.category) else parts["owner"],
    }


def _part_slots(
    obj: ObjectModel, use: Use, rng: np.random.Generator, thing: str, noun: lexicon.Noun, its: str
) -> dict[str, str | None]:
    """The slots that speak of the part of ``thing``, "the small mug"."""
    words = lexicon.part_words(use.part, obj.category)
    it = "them" if noun.plural else "it"
    none = {"the_part": None, "its_part": None, "screwed_part": None, "screwed": None}
    if words is None:
        return {**none, "part": thing, "part_it": it, "owner": thing, "held": thing, "held_it": it}
    owner = of(words.owner, thing, noun, rng) if words.owner else thing
    whole = words.word == "body" and rng.random() < 0.6  # a body is what one means by the object
    part = thing if whole else f"the {words.word} of {owner}" if words.owner else of(words.word, thing, noun, rng)
    slots: dict[str, str | None] = {
        "part": part,
        "part_it": it if whole else "them" if words.plural else "it",
        "the_part": f"the {words.word}",
        "its_part": f"{'its' if words.owner else its} {words.word}",
        "owner": owner,
        "screwed_part": part if words.screwed else None,
        "screwed": f"the {words.word}" if words.screwed else None,
        "held": owner,
        "held_it": it,
    }
    if words.moving:
        slots |= {"owner": part, "held": part, "held_it": it, "the_part": None, "its_part": None}
    elif words.word != "body" and rng.random() < 0.6:
        by = f"by {slots['its_part'] if rng.random() < 0.5 else slots['the_part']}"
        slots |= {"held": f"{owner} {by}", "held_it": f"{it} by {slots['its_part']}"}
    return slots


def of(part: str, thing: str, noun: lexicon.Noun, rng: np.random.Generator) -> str:
    """A part of ``thing``: "the handle of the mug", "the mug's handle", "the mug handle"."""
    draw = rng.random()
    if draw < 0.55:
        return f"the {part} of {thing}"
    if draw > 0.85 and thing == f"the {noun.word}" and not noun.plural:
        return f"{thing} {part}"
    return f"{thing}' {part}" if noun.plural else f"{thing}'s {part}"


def _directions(use: Use) -> dict[str, str | None]:
    push = use.force if use.affordance is not Affordance.TWIST else None
    up = 0.0 if push is None else float(push[2])
    below = use.affordance is Affordance.SUPPORT and up > _STEEP
    level = push is not None and abs(up) < _STEEP
    return {
        "down": "down" if up < -_STEEP else "up" if up > _STEEP else None,
        "towards": "towards you" if level else None,
        "from": "from below" if below else None,
        "under": "under" if below else None,
    }


def _adjectives(obj: ObjectModel, rng: np.random.Generator) -> tuple[str, ...]:
    """At most one word of size and one of shape, each said in a third of the sentences."""
    kinds = (lexicon.size_words(obj), lexicon.shape_words(obj))
    said = rng.random(2) < 1.0 / 3.0
    return tuple(lexicon.pick(rng, words) for words, say in zip(kinds, said, strict=True) if say and words)
