"""What a sentence asks for, found by keywords: the embedded way of understanding instructions.

What forbids is heard first. Else the verb of the main clause decides, purposes ("to drink", "so that nothing spills")
only where it says nothing; a verb of what is told or asked about ("I twisted my ankle") decides nothing. A verb that
several affordances share ("hold", "push", "turn") is settled by the words for parts and directions beside it, and by
what the object at hand can be used for. A sentence that is not understood is refused rather than guessed at.
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


_TOUCH = (  # beginnings of verbs; "the handle" is none
    r"(?<!the )(?<!its )(?<!their )(?:touch|gra[bs]|hold|held|tak[ei]|pick|lift|rais|mov[ei]|reach|handl[ei]|grip|press"
    r"|push|pull|turn|twist|tilt|squeez|clos(?!ed)|us[ei]|disturb|mess|fiddl|bother|near|interact|manipul|bump|hand)"
)
_FORBIDDEN = re.compile(
    r"(?:\b(?:not|dont|never|no|avoid|refrain|stop)|n't)(?:, [^,;]+,)?(?! (?:let|drop|spill|break|leave)\b)"
    rf"(?: (?!by |with )[\w']+){{0,9}}? {_TOUCH}"
    r"|\b(?:(?:hands?|fingers) (?:off|away|back from|to yourself)|(?:stays?|keep|hold|move) (?:away|off|back)"
    r"|keep (?:well |it |them |that )(?:away|off)|(?:keep|steer) clear|your distance|off limits"
    r"|(?:nothing|nobody|no one) (?:should|must|may|is to)|no contact|not (?:with|for you)|do nothing"
    r"|without touching (?:it|them|(?:the )?thing)"
    r"|(?<!not )(?<!n't )leave (?:the|its?|my|this|that|them|these|thing)|left alone|let go|let [^,;]+ (?:be|stay)"
    r"|stay (?:exactly|right|where)|untouched|undisturbed|withdraw|beware|ignore|forget|skip)\b"
    r"|^(?:please )?release |(?:do not|don't)$"
)
_NEGATIVE = re.compile(r"\b(?:not|dont|never|no|nothing|nobody|stop|cannot)\b|n't\b")
_URGING = re.compile(  # negatives that forbid nothing
    r"\b(?:why (?:not|(?:don't|do not) you)|(?:can|could|would|wo)n't you|(?:don't|do not) (?:forget to|hesitate to)"
    r"|if you (?:don't|do not) mind|so (?:that )?(?:it|they|nothing) (?:\w+n't|cannot|\w+ not) (?!be )\w+)"
)
_OTHERWISE = re.compile(r"\b(?:never|don't|do not) ([^,;]+?) (?:any )?(?:(?:other|else) (?:way )?than|except) ")
_OTHER = re.compile(r"\b(?:the|its|their) (?!thing)")
_THING = re.compile(r"\b(?:things?|it|them)\b")

_POLITE = re.compile(r"\b(?:i (?:need|want|would like) you to|try to|help me(?: to)?|it is time to|please) ")
_PURPOSE = re.compile(
    r"^(?:(?:in order |time )?to [^,;]+[,;] |(?:let's|let us) [^,;]+; |(?:you can|help me) [^,;]+? (?=by |if |once )"
    r"|(?:i|we|someone|if you|my plan is)(?: am| are)?(?: going| about| trying| want| need| would like| have| has)? to"
    r" [^,;]+?(?:[,;] | (?=so |and )))"
)
_AFTER = re.compile(
    r",? (?:in order |so as )?to (?!the |one |it |them |you |your |be |thing|its )\w+.*$"
    r"|,? (?<!^)(?:so (?:that|i|we|nothing|nobody)|while|because|since|as (?:i|we|you)|(?:when|before) you|if we|until"
    r"|without \w+ing)\b.*$"
)
_MODAL = re.compile(r"\bcan (?=(?:you|i|we|be|not) )|(?<=\bi )can |(?<=\bwe )can |(?<=\byou )can ")
_TOOL = re.compile(r"^(?:please )?use [\w -]+? to ")

_QUESTION = re.compile(
    r"(?:who|whose|where|when (?!you)|why|which|did|does|is|are|was|were|has|have (?:you|they|we|i)|how (?!about)"
    r"|what (?!i |we |(?:the |this )?thing could)|do (?!you think you could|nothing|not)) "
)
_TOLD = re.compile(r"\b(?:was|were|had|yesterday|last|thank(?:s| you) for)\b|^what an? ")
_OWN = re.compile(r"\b(?:i|he|she|they|we|someone|my|our|his|her|let me)\b|^(?:it|this|that) ")
_ABOUT = re.compile(r"^(?:the|thing|these|those|some|all|here|there) |\b(?:is|are|am)\b")
_WISH = r"\b(?:(?:want|need|like|love|ask|appreciate|happy|glad|grateful|thankful|help)(?! to $))\b"
_WISHED = re.compile(rf"{_WISH}|\byour?\b")
_OUGHT = re.compile(rf"{_WISH}|\b(?:should|must|ought|can|could|would|may|will|robot|sure|to be|step|once|keep|have)\b")
_PERFECT = re.compile(r"(?<!once you )\b(?:have|has|been)(?: \w+ly)? $")
_NOUN = r"(?<!\bthe )(?<!\bits )(?<!\bmy )(?<!\bhis )(?<!\bher )(?<!\btheir )"


@dataclass(frozen=True)
class _Row:
    """Words, and the affordances that they may mean, likeliest first."""

    means: tuple[A, ...]
    now: re.Pattern[str]
    past: re.Pattern[str]

    def asked(self, clause: str) -> bool:
        """Whether a word of the row is asked for in the clause, rather than told of."""
        return any(_asks(clause[: match.start()]) for match in self.now.finditer(clause)) or any(
            _OUGHT.search(before) and _asks(before) and not _PERFECT.search(before)
            for before in (clause[: match.start()] for match in self.past.finditer(clause))
        )


def _asks(before: str) -> bool:
    """Whether the words before a verb leave it a request."""
    before = re.split(r"[,;] | (?:so|then|but) ", before)[-1]
    if _OWN.search(before):
        return _WISHED.search(before) is not None
    return not _ABOUT.search(before) or bool(_OUGHT.search(before) or _WISHED.search(before))


def _inflected(verb: str) -> tuple[str, str]:
    """Patterns of a verb's present and past, which "hold held" gives where it is irregular."""
    base, *past = verb.split()
    doubled = re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", base)  # grip, gripping
    stem = base + base[-1] if doubled else base.removesuffix("e")
    return rf"{base}|{stem}ing", "|".join(past) or f"{re.sub('y$', 'i', stem)}ed"


def _read() -> list[_Row]:
    """An earlier row outweighs a later one: "Grip the cap and twist" asks for a twist, gripping only comes first."""
    rows = []
    for row in json.loads((Path(__file__).parent / "keywords.json").read_text()):
        present, past = zip(*map(_inflected, row["verbs"]), strict=True) if row["verbs"] else ((), ())
        now = re.compile(rf"\b{_NOUN}(?:{'|'.join((*row['phrases'], *present))})(?!\w)")
        rows.append(_Row(tuple(map(A, row["means"])), now, re.compile(rf"\b(?:{'|'.join(past) or '(?!)'})\b")))
    return rows


_ROWS = _read()
_HANDLE = re.compile(r"\b(?:(?:handle|strap|hilt|stem|neck|head)s?|loops)\b")
_LEVER = re.compile(r"\blevers?\b(?! thing)")
_GRIPS = (A.HANDLE_GRASP, A.WRAP_GRASP)
_PART = re.compile(
    rf"(?<!\ba )(?<!\byour )\b(?:(?P<side>{'|'.join(lexicon.POSITIONS)}) )?"
    rf"(?P<noun>(?:{'|'.join(lexicon.PART_NOUNS)})s?)\b(?! (?:the|its|your|grasp)\b)"  # "handle the tab"
)
_OF_PART = re.compile(r"\b(\w+) of (?:the|its|this) (?:\w+ ){0,3}?thing|\bthing's? (\w+)")
_NO_PART = ("hold", "grip", "grasp", "weight", "use", "care", "charge", "control", "out", "of")
_SYNONYMS = {"lid": ("cap", "top"), "cap": ("lid", "top")}


def parse(sentence: str, uses: Sequence[Use] = (), category: str = "") -> Request:
    """What ``sentence`` asks for.

    ``uses`` are those of the object at hand, of ``category``, where it is known: the request is then for one of them.
    Raises Refused(INSTRUCTION) with the known affordances or the object's, and for a text over ``LONGEST``.
    """
    if len(sentence) > LONGEST:
        raise Refused(Reason.INSTRUCTION, f"an instruction of {len(sentence)} characters; at most {LONGEST} are read")
    text = re.sub(r"[.:!?]| -+ ", " ; ", sentence.lower().replace("’", "'"))
    text = re.sub(r" (?=[,;])", "", " ".join(re.sub(r"[^\w\s',;-]", " ", text).split()))
    text = _OTHERWISE.sub(r"\1 ", _URGING.sub("", text)).strip(" ,;")
    named, said = _category(text, category)
    words = _allowed(said)
    if words is None:
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


def understood(instruction: str) -> Request | None:
    """What keywords say of a sentence; None where the networks must. Raises Refused(INSTRUCTION).

    What says no to something that the keywords do not know is refused: the networks could take it for consent.
    """
    try:
        request = parse(instruction)
    except Refused:
        if not instruction.strip() or negates(instruction):
            raise
        return None
    if request.affordance is A.NO_GRASP:
        raise Refused(Reason.INSTRUCTION, f"'{instruction}' asks not to touch the object")
    return request


def negates(sentence: str) -> bool:
    """Whether a sentence says no to something: where it is not understood, that is no consent."""
    return _NEGATIVE.search(_URGING.sub("", sentence.lower().replace("’", "'"))) is not None


def _allowed(text: str) -> str | None:
    """The sentence without what it forbids; None where it forbids the object, or all there is to do.

    "Leave the lid closed and lift the box" forbids one thing and asks for another.
    """
    clauses = re.split(r"[,;] | (?=and |but )", text)
    forbidden = [clause for clause in clauses if _FORBIDDEN.search(clause)]
    if not forbidden:
        return None if _FORBIDDEN.search(text) else text
    others = ", ".join(clause for clause in clauses if clause not in forbidden)
    spared = all(_OTHER.search(clause) and not _THING.search(clause) for clause in forbidden)
    return others if spared and re.search(r"\bthings?\b", others) else None


def _readings(text: str) -> list[A]:
    """Affordances the sentence may ask for, likeliest first; none for what is told or asked about something."""
    asking = [each for each in text.split("; ") if not (_QUESTION.match(each) or _TOLD.search(each))]
    text = "; ".join(asking)
    wish = _TOOL.sub("", _PURPOSE.sub("", _POLITE.sub("", text), count=1))
    for said in ("; ".join(_AFTER.sub("", each) for each in wish.split("; ")), wish, text):
        for row in _ROWS:
            if any(row.asked(each) for each in said.split("; ")):
                return _settled(row.means, text)
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
    pattern = re.compile(
        rf"(?<= )(?<! left )(?<! right )({longest})(?=\b|s\b|es\b)(?! shaped)"
    )  # "left cup": of headphones
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
    """The part that the sentence names, where the object is not known."""
    if match := _PART.search(text):
        return f"{match['side']} {match['noun']}" if match["side"] else match["noun"]
    for match in _OF_PART.finditer(text):
        noun = next(word for word in match.groups() if word)
        if noun not in _NO_PART:
            return noun
    return None
