"""What is known of a hand at an object, as one sentence for the prior.

The embedded default writes it from what the pipeline has: the instruction, the object's size by its cloud, and the
contacts that are seen. It says the same for the same, and less where less is known; the grasp's type and the truth of
a dataset have no way in. ``foreign_describer`` has the paper's way, from the picture by two large models.
(Affordance-guided prior, Figure 2)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hoi_ros.language import lexicon
from hoi_ros.language.request import Request, parse
from hoi_ros.language.touch import Mask, toucher
from hoi_ros.refusals import Refused
from hoi_ros.scene.affordances import Affordance
from hoi_ros.types import Array

LONGEST = 240  # characters of a description: what 40 word pieces hold


class Describer(Protocol):
    """From a picture to the sentence that guides the prior, in the paper's two steps."""

    def caption(self, picture: NDArray[np.uint8], hand_box: Array, object_box: Array | None) -> str:
        """What is seen of the hand and its object; "" where nothing can be said.

        ``picture`` (H, W, 3) RGB; boxes (4,) left, top, right, bottom, px; no object box where no object is seen.
        """

    def summary(self, text: str) -> str:
        """A caption as one sentence on one line; "" of ""."""


class Size(NamedTuple):
    """A word of size, and the lengths, m, below which it is said: of what is gripped, or of the shortest side."""

    word: str
    width: float
    side: float


SIZES = (
    Size("tiny", 0.03, 0.025),
    Size("small", 0.04, 0.05),
    Size("medium", 0.055, 0.065),
    Size("large", 0.07, 0.09),
    Size("huge", np.inf, np.inf),
)
"""Near the quintiles of the engine's training grasps: of the object before the palm (``grip``), and of its box.

They are of no category, so that a word is a length: "large" is what opens a hand wide.
"""


@dataclass(frozen=True)
class Known:
    """What may be known without looking at the truth; all of it may be missing."""

    instruction: str = ""
    extents: Array | None = None  # (3,) m, sides of the box about the object's cloud
    width: float | None = None  # m that the object before the palm reaches along the fingers
    touched: Mask | None = None  # (17,) regions of ``hand.anchors`` that touch
    unseen: Mask | None = None  # (17,) regions of which ``touched`` says nothing


@dataclass(frozen=True)
class EmbeddedDescriber:
    """The default: needs no picture, as the pipeline has read it already."""

    known: Known

    def caption(
        self,
        picture: NDArray[np.uint8],  # noqa: ARG002
        hand_box: Array,  # noqa: ARG002
        object_box: Array | None,  # noqa: ARG002
    ) -> str:
        """What ``describe`` says."""
        return describe(self.known)

    def summary(self, text: str) -> str:
        """The same text: it is a sentence."""
        return one_line(text)


def describe(known: Known) -> str:
    """One sentence: "A mug is gripped by its small handle, with the thumb and the tip of the index finger".

    The size is the part's where the width is known and the instruction names the part, else the object's. What is
    not known is left out: "handled" stands for a use that the instruction does not say or that cannot be read, as in a
    language other than English. "" where nothing is known, which the prior takes as no description at all.
    """
    request = _request(known.instruction)
    size, touch, part = size_word(known), _touch(known), _part(request)
    handled = _HANDLED.get(request.affordance) if request else None
    category = request.category if request else None
    if not (size or touch or handled or category):
        return ""
    noun = lexicon.nouns(category)[0].counted if category else lexicon.OBJECT.counted
    verb, preposition = handled or ("handled", "by")
    if part and _is_length(known.width):
        phrase = f"{lexicon.with_article(noun)} is {verb} {preposition} its {size} {part}"
    else:
        phrase = f"{lexicon.with_article(f'{size} {noun}'.lstrip())} is {verb}"
        phrase += f" {preposition} its {part}" if part else ""
    phrase += f", with {touch}" if touch else ""
    return f"{phrase[0].upper()}{phrase[1:]}."


def size_word(known: Known) -> str:
    """The word of ``SIZES`` for the width where it is known, else for the shortest side; "" without either."""
    if _is_length(known.width):
        return next(size.word for size in SIZES if known.width < size.width)
    if known.extents is not None and all(map(_is_length, known.extents)):
        return next(size.word for size in SIZES if known.extents.min() < size.side)
    return ""


def one_line(text: str, longest: int = LONGEST) -> str:
    """A text without line breaks and what cannot be printed, cut after a word where it is over ``longest``."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(clean) <= longest:
        return clean
    return clean[: longest + 1].rsplit(" ", 1)[0][:longest]


_HANDLED: Mapping[Affordance, tuple[str, str]] = {  # what is done, and the word before the part
    Affordance.HANDLE_GRASP: ("gripped", "by"),
    Affordance.PRESS: ("pressed", "on"),
    Affordance.LIFT: ("lifted", "by"),
    Affordance.WRAP_GRASP: ("clasped", "around"),
    Affordance.TWIST: ("twisted", "at"),
    Affordance.SUPPORT: ("supported", "at"),
    Affordance.PULL: ("pulled", "by"),
    Affordance.LEVER: ("tilted", "by"),
}


def _request(instruction: str) -> Request | None:
    """What is asked for; None for what cannot be read."""
    try:
        return parse(instruction)
    except Refused:
        return None


def _part(request: Request | None) -> str:
    """The part asked for, of those that have a word: other words of a sentence may be anything, of any length."""
    part = request.part if request else None
    return part if part and part.split()[-1].removesuffix("s") in lexicon.PART_NOUNS else ""


def _touch(known: Known) -> str:
    """What is seen touching. A digit is said to touch with its tip alone only where all of it is seen."""
    if known.touched is None:
        return ""
    unseen = np.zeros(17, dtype=bool) if known.unseen is None else known.unseen
    seen = known.touched & ~unseen
    digits = seen[:15].reshape(5, 3)  # a view
    digits[digits.any(axis=1) & unseen[:15].reshape(5, 3).any(axis=1)] = True
    return toucher(seen) or ""


def _is_length(value: float | None) -> TypeGuard[float]:
    return value is not None and bool(np.isfinite(value)) and value > 0.0
