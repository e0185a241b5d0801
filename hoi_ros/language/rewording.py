"""A request in other words: those in which the networks learnt to hear it."""

from __future__ import annotations

from collections.abc import Mapping

from hoi_ros.language import lexicon
from hoi_ros.language.phrasings import PHRASINGS, Template
from hoi_ros.language.request import Request


def reworded(request: Request) -> str:
    """The sentence that asks for the affordance of the part and category, whatever the words were."""
    values = _slots(request)
    return next(t for t in PHRASINGS[request.affordance].seen if _sayable(t, values)).plain(values)


def _sayable(template: Template, values: Mapping[str, str]) -> bool:
    return bool(template.needed) and template.needed <= values.keys()


def _slots(request: Request) -> dict[str, str]:
    """Of the slots of ``instructions.slots`` those that a request can fill."""
    noun = lexicon.nouns(request.category or "object")[0]
    thing, it = f"the {noun.word}", "them" if noun.plural else "it"
    words = {"object": thing, "noun": noun.word, "it": it, "is": "are" if noun.plural else "is", "owner": thing}
    if request.part is None:
        return words | {"part": thing, "part_it": it, "held": thing, "held_it": it}
    part = f"the {request.part} of {thing}"
    its = "them" if request.part.endswith("s") else "it"
    return words | {"part": part, "part_it": its, "held": f"{thing} by the {request.part}", "held_it": it}
