"""Phrasings: sentences with slots, for every affordance, in the manner of AffordGrasp (methods.md, 001).

``phrasings.json`` holds for each affordance those that training sees and those it never sees. ``{slot}`` is filled by
``instructions``; ``[...]`` is said or left out, and is left out where one of its slots has nothing to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hoi_ros.scene.affordances import Affordance

_SLOT = re.compile(r"\{(\w+)\}")
_OPTION = re.compile(r"\[([^]]*)\]")


@dataclass(frozen=True)
class Template:
    """One phrasing."""

    text: str

    @cached_property
    def needed(self) -> frozenset[str]:
        """Slots without which the sentence cannot be said."""
        return frozenset(_SLOT.findall(_OPTION.sub("", self.text)))

    @cached_property
    def slots(self) -> frozenset[str]:
        """Every slot, those of the options included."""
        return frozenset(_SLOT.findall(self.text))

    def fits(self, values: Mapping[str, str | None]) -> bool:
        """Whether every needed slot has something to say."""
        return all(values[slot] is not None for slot in self.needed)

    def fill(self, values: Mapping[str, str | None], rng: np.random.Generator) -> str:
        """The sentence, capitalised; every option that can be said is said half of the time."""

        def option(match: re.Match[str]) -> str:
            said = rng.random() < 0.5 and Template(match[1]).fits(values)
            return match[1] if said else ""

        return _said(_OPTION.sub(option, self.text), values)

    def plain(self, values: Mapping[str, str]) -> str:
        """The sentence without its options, capitalised."""
        return _said(_OPTION.sub("", self.text), values)


def _said(text: str, values: Mapping[str, str | None]) -> str:
    sentence = _SLOT.sub(lambda match: str(values[match[1]]), text)
    return sentence[0].upper() + sentence[1:]


@dataclass(frozen=True)
class Phrasings:
    """The phrasings of one affordance: those of training, and others kept for testing."""

    seen: tuple[Template, ...]
    held_out: tuple[Template, ...]


def _read() -> dict[Affordance, Phrasings]:
    entries = json.loads(Path(__file__).with_suffix(".json").read_text())
    return {
        Affordance(name): Phrasings(*(tuple(map(Template, entry[kind])) for kind in ("seen", "held_out")))
        for name, entry in entries.items()
    }


PHRASINGS = _read()
"""Phrasings of every affordance, No-grasp and Null included."""
