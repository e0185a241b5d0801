"""What a sentence asks for, found by keywords: the embedded way of understanding instructions.

The verb of the main clause decides, purposes ("to drink", "so that nothing spills") only where it says nothing. A verb
that several affordances share ("hold", "push", "turn") is settled by the words for parts and directions beside it,
and by what the object at hand can be used for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hoi_ros.language import lexicon
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance as A
from hoi_ros.scene.affordances import Use

ASKABLE = tuple(affordance for affordance in A if affordance is not A.NULL)
"""What a sentence can ask for; Null is to ask for nothing."""

LONGEST = 1000  # characters


@dataclass(frozen=True)
class Request:
    """What a sentence asks for.

    ``category`` and ``part`` are None where it does not say. ``use`` is the one meant of those of the object at hand;
    None where they are not known, and for No-grasp.
    """

    affordance: A
    category: str | None
    part: str | None
    use: Use | None = None


_FORBIDDEN = re.compile(
    r"\b(?:(?:do not|don't|dont|never|must not|mustn't|should not|shouldn't|no need to|avoid|refrain from)"
    r" (?:touch|gra[bs]|hold|tak|pick|lift|mov|reach|handl|grip|press|push|pull|turn|twist|us)\w*"
    r"|do not want you to|hands? (?:off|away)|(?:stay|keep) (?:away|off)|leave|let go|let .+ (?:be|stay)\b"
    r"|do nothing|untouched|undisturbed|ignore|forget|nobody|no contact|(?:keep|steer) clear)\b"
    r"|^(?:please )?release "
)
_POLITE = re.compile(r"\b(?:i (?:need|want|would like) you to|try to|help me(?: to)?|it is time to|please) ")
_PURPOSE = re.compile(r"^(?:in order )?to [^,]+, |^i (?:want|need|would like|have) to [^,]+?,? (?:so|and) ")
_AFTER = re.compile(
    r",? (?:in order |so as )?to (?!the |one |it |them |you )\w+.*$|,? so (?:that|i|we|nothing)\b.*$| while .*$"
)
_MODAL = re.compile(r"\bcan (?=(?:you|i|we) )|(?<= i )can |(?<= we )can |(?<= you )can ")
_TOOL = re.compile(r"^(?:please )?use (?:the|its|their|your) [\w ]+? to ")
_QUESTION = re.compile(r"(?:who|whose|where|what|when|why|how|which|did|do|does|is|are|have|has) ")


def _read() -> list[tuple[tuple[A, ...], re.Pattern[str]]]:
    """The affordances that words may mean, likeliest first, with a pattern of the words.

    An earlier row outweighs a later one: "Grip the cap and twist" asks for a twist, though gripping is done first.
    """
    rows = json.loads((Path(__file__).parent / "keywords.json").read_text())
    return [(tuple(map(A, row["means"])), re.compile(rf"\b(?:{'|'.join(row['words'])})\b")) for row in rows]


_PATTERNS = _read()
_HANDLE = re.compile(r"\b(?:(?:handle|strap|hilt|stem|neck|head)s?|loops)\b")
_LEVER = re.compile(r"\blevers?\b(?! thing)")
_GRIPS = (A.HANDLE_GRASP, A.WRAP_GRASP)
_OF_PART = re.compile(
    r"\b(\w+) of (?:the|its|this) thing|\bthing's (\w+)"
    r"|\b(?:by|on|with|pushing|pressing|turning|pulling|moving) (?:the|its|their) (?!thing)(\w+)"
)
_SYNONYMS = {"lid": ("cap", "top"), "cap": ("lid", "top")}


def parse(sentence: str, uses: Sequence[Use] = (), category: str = "") -> Request:
    """What ``sentence`` asks for.

    ``uses`` are those of the object at hand, of ``category``, where it is known: the request is then for one of them.
    Raises Refused(INSTRUCTION) with the known affordances or the object's, and for a text over ``LONGEST``.
    """
    if len(sentence) > LONGEST:
        raise Refused(Reason.INSTRUCTION, f"an instruction of {len(sentence)} characters; at most {LONGEST} are read")
    text = " ".join(re.sub(r"[^\w\s',;-]", " ", sentence.lower().replace("’", "'")).split())
    named, words = _category(text, category)
    if _FORBIDDEN.search(text):
        return Request(A.NO_GRASP, named, None)
    readings = _readings(words)
    if not readings:
        raise Refused(Reason.INSTRUCTION, f"'{sentence}' asks for nothing known; known: {', '.join(ASKABLE)}")
    if not uses:
        return Request(readings[0], named, _part(words))
    mentioned = [use for use in uses if _mentions(words, use.part, category)]
    for some in (mentioned, uses):
        for affordance in readings:
            for use in some:
                if use.affordance is affordance:
                    return Request(affordance, named, use.part, use)
    offered = ", ".join(dict.fromkeys(use.affordance for use in uses))
    raise Refused(Reason.INSTRUCTION, f"'{sentence}' asks for {readings[0]}; the object offers: {offered}")


def _readings(text: str) -> list[A]:
    """Affordances the sentence may ask for, likeliest first; none for a question about something."""
    if _QUESTION.match(text):
        return []
    wish = _TOOL.sub("", _PURPOSE.sub("", _POLITE.sub("", text), count=1))
    for clause in (_AFTER.sub("", wish), wish, text):
        for readings, pattern in _PATTERNS:
            if pattern.search(clause):
                return _settled(readings, text)
    return []


def _settled(readings: tuple[A, ...], text: str) -> list[A]:
    """The readings of a verb, reordered by the parts that the sentence names."""
    first = readings[0]
    if first in _GRIPS:
        first = A.HANDLE_GRASP if _HANDLE.search(text) else A.WRAP_GRASP
    if A.LEVER in readings and _LEVER.search(text):
        first = A.LEVER
    return sorted(readings, key=lambda affordance: affordance is not first)


def _category(text: str, category: str) -> tuple[str | None, str]:
    """The category the sentence names, and the sentence with "thing" for its nouns."""
    text = _MODAL.sub("", text)
    known = dict.fromkeys((*([category] if category else []), *lexicon.CATEGORIES))
    names = {noun: each for each in known for noun in lexicon.every_noun(each)}
    longest = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    pattern = re.compile(rf"(?<= )({longest})(?=\b|s\b|es\b)")
    text = re.sub(r"(?<=\w)-(?=\w)(?!grasp)", " ", text)
    match = pattern.search(text)
    found = names[match[1]] if match else None
    return (found if found != "object" else None), pattern.sub("thing", text)


def _mentions(text: str, part: str, category: str) -> bool:
    """Whether the sentence names the part; the part that is the whole object is named by none."""
    words = lexicon.part_words(part, category)
    if words is None:
        return False
    head = words.word.split()[-1].removesuffix("s")
    return re.search(rf"\b(?:{'|'.join(map(re.escape, (head, *_SYNONYMS.get(head, ()))))})s?\b", text) is not None


def _part(text: str) -> str | None:
    """The noun of the part that the sentence names, where the object is not known."""
    match = _OF_PART.search(text)
    return next(word for word in match.groups() if word) if match else None
