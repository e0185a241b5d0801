"""Words for objects, parts and purposes. ``lexicon.json`` holds them for each category; others have a fallback."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from hoi_ros.scene.affordances import Affordance
from hoi_ros.scene.object_model import ObjectModel

T = TypeVar("T")

_ENTRIES = json.loads(Path(__file__).with_suffix(".json").read_text())
CATEGORIES: tuple[str, ...] = tuple(_ENTRIES["categories"])
"""Categories with words of their own."""

PART_NOUNS: tuple[str, ...] = tuple(_ENTRIES["part_nouns"])
"""What parts are called, of whatever object."""

POSITIONS = ("left", "right", "upper", "lower", "front", "back", "inner", "outer")
"""Words before a part's noun that tell two of them apart."""

TALL = 2.5
"""Height over width from which an object is called tall."""

_SIZE_WORDS = (
    frozenset(("small", "little", "tiny", "large", "big", "huge")),
    frozenset(("tall", "high", "long", "short", "low", "flat")),
)
_OWNERS = frozenset(("lid", "cap", "head", "strap"))  # parts that have parts of their own: lid_knob
_MOVING = frozenset(("lid", "cap", "screen", "cover", "flap"))  # parts that open or come away by themselves
_SCREWED = frozenset(("lid", "cap"))


@dataclass(frozen=True)
class Noun:
    """What a category is called: "mug", or in the plural "scissors", a "pair of scissors"."""

    word: str
    plural: bool
    counted: str  # what "a" may stand before, after its adjectives


OBJECT = Noun("object", False, "object")
"""What anything may be called."""


@dataclass(frozen=True)
class PartWords:
    """A part's name in words. ``owner``: the part it belongs to, as the lid of "lid_knob"; "" for the object."""

    word: str
    owner: str = ""

    @property
    def plural(self) -> bool:
        """Whether it is "they": keys, handles."""
        return self.word.endswith("s") and not self.word.endswith(("ss", "us"))

    @property
    def moving(self) -> bool:
        """Whether one lifts or opens the part rather than the object by it."""
        return self.word in _MOVING

    @property
    def screwed(self) -> bool:
        """Whether turning it opens the object."""
        return self.word in _SCREWED


def nouns(category: str, kinds: Sequence[str] = ()) -> tuple[Noun, ...]:
    """What people call a category; its own name in words where the lexicon does not know it.

    ``kinds``: adjectives of the object. Where one of them is a kind of the category ("chef" of a knife), so is a noun.
    """
    entry = _ENTRIES["categories"].get(category, {"nouns": [spaced(category)]})
    plural, special = entry.get("plural", False), entry.get("kinds", {})
    words = [*entry["nouns"], *(special[kind] for kind in kinds if kind in special)]
    return tuple(Noun(word, plural, f"pair of {word}" if plural else word) for word in words)


def every_noun(category: str) -> tuple[str, ...]:
    """Every word for the category, those of its kinds included."""
    kinds = _ENTRIES["categories"].get(category, {}).get("kinds", {})
    return tuple(dict.fromkeys((*(noun.word for noun in nouns(category)), *kinds.values(), spaced(category))))


def intents(category: str, affordance: Affordance, part: str, it: str) -> tuple[str, ...]:
    """What one may want to do, as bare verb phrases ("drink").

    Those of the part where the lexicon has some, else of the category, else of the affordance alone.
    """
    entry = _ENTRIES["categories"].get(category, {}).get("intents", {})
    phrases = entry.get(f"{affordance} {part}") or entry.get(affordance) or _ENTRIES["intents"].get(affordance, ())
    return tuple(phrase.replace("{it}", it) for phrase in phrases)


def fixed(category: str) -> bool:
    """Whether such objects stay where they are, whatever is done with them."""
    return bool(_ENTRIES["categories"].get(category, {}).get("fixed", False))


def part_words(part: str, category: str) -> PartWords | None:
    """A part's name as people say it: "left_handle_2" is the left handle, "lid_knob" the knob of the lid.

    None where the part is the whole object.
    """
    tokens = [word for word in re.split(r"[\W\d_]+", part.lower()) if word]
    if not tokens or " ".join(tokens) in (spaced(category), "object", "whole"):
        return None
    tokens = [_ENTRIES["parts"].get(token, token) for token in tokens]
    if tokens[-1] in POSITIONS and len(tokens) > 1:
        tokens = [tokens[-1], *tokens[:-1]]
    if tokens[0] in _OWNERS and len(tokens) > 1:
        return PartWords(" ".join(tokens[1:]), tokens[0])
    return PartWords(" ".join(tokens))


def size_range(category: str) -> tuple[float, float]:
    """Lengths of the longest side, m, below which such an object is small and above which it is large."""
    small, large = _ENTRIES["categories"].get(category, _ENTRIES["categories"]["object"])["size"]
    return small, large


def size_words(obj: ObjectModel) -> tuple[str, ...]:
    """Words of size that are true of ``obj``, none where it is of middling size.

    "small" and "large" compare the longest side of its box with two lengths of the category in the lexicon, m;
    "tall" (of a torch, "long") is a height of ``TALL`` times the width. Where a shape word of the object speaks of
    the same, it decides.
    """
    sides = np.ptp(obj.vertices, axis=0)
    small, large = size_range(obj.category)
    words: list[str] = []
    told = [not group.isdisjoint(obj.adjectives) for group in _SIZE_WORDS]
    if not told[0]:
        words += ["small"] * bool(sides.max() < small) + ["large", "big"] * bool(sides.max() > large)
    if not told[1] and sides[2] > TALL * sides[:2].max():
        words.append(_ENTRIES["categories"].get(obj.category, {}).get("high", "tall"))
    return tuple(words)


def shape_words(obj: ObjectModel) -> tuple[str, ...]:
    """The object's own adjectives, as one says them before a noun; not those that make a noun or speak of a part."""
    entry = _ENTRIES["categories"].get(obj.category, {})
    said = {**_ENTRIES["shapes"], **dict.fromkeys(entry.get("kinds", {})), **entry.get("shapes", {})}
    return tuple(word for adjective in obj.adjectives if (word := said.get(adjective, adjective)))


def with_article(phrase: str) -> str:
    """With "a" or "an", by the sound of the first letter."""
    vowel = re.match(r"(?!uni|use|usu|usb|eu|one\b|once\b)[aeiou]|hour|honest|heir", phrase.lower())
    return f"{'an' if vowel else 'a'} {phrase}"


def listed(words: Sequence[str]) -> str:
    """An enumeration: "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of ``items``, each as likely."""
    return items[rng.integers(len(items))]


def spaced(name: str) -> str:
    """An identifier in words."""
    return re.sub(r"[\W_]+", " ", name).strip().lower()
