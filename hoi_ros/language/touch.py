"""Which fingers touch which part, in words: what every description of a contact rests on.

Contacts come as (17, P): whether each of the 17 regions of ``hand.anchors`` touches each part of the object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoi_ros.language.lexicon import listed, part_words
from hoi_ros.scene.object_model import ObjectModel

Mask = NDArray[np.bool_]

DIGITS = ("thumb", "index", "middle", "ring", "little")
"""The digits, each three of the 17 regions from base to tip; regions 15 and 16 are the palm."""

_PALM = (15, 16)


def touching_digits(contacts: Mask) -> tuple[str, ...]:
    """Names of the digits of a contact (17, P) that touch anything."""
    touched = contacts.any(axis=1)
    return tuple(digit for i, digit in enumerate(DIGITS) if touched[3 * i : 3 * i + 3].any())


def toucher(touched: Mask) -> str | None:
    """What touches, from the regions (17,) that do: "the palm and the tips of the thumb and index finger".

    None where nothing does. Digits of which the end alone touches are said to touch with their tips.
    """
    tips = [digit for i, digit in enumerate(DIGITS) if touched[3 * i : 3 * i + 3].tolist() == [False, False, True]]
    whole = [digit for i, digit in enumerate(DIGITS) if touched[3 * i : 3 * i + 3].any() and digit not in tips]
    phrases = ["the palm"] if touched[list(_PALM)].any() else []
    if whole:
        phrases.append(f"the {_fingers(whole)}")
    if tips:
        phrases.append(f"the {'tips' if len(tips) > 1 else 'tip'} of the {_fingers(tips)}")
    return listed(phrases) if phrases else None


def contact_words(obj: ObjectModel, part: str, contacts: Mask) -> str | None:
    """What touches where: "the palm and the thumb on the handle and the index finger on the body".

    ``contacts`` (17, P) by region and part; ``part`` is said first. None where nothing touches.
    """
    order = sorted(range(len(obj.part_names)), key=lambda number: obj.part_names[number] != part)
    phrases = []
    for number in order:
        words = toucher(contacts[:, number])
        if words:
            phrases.append(f"{words} on {_place(obj, obj.part_names[number])}")
    return listed(phrases) if phrases else None


def _place(obj: ObjectModel, part: str) -> str:
    words = part_words(part, obj.category)
    if words is None:
        return "its surface"
    return f"the {words.word} of its {words.owner}" if words.owner else f"its {words.word}"


def _fingers(digits: list[str]) -> str:
    """Digits as one says them: "thumb, index and middle fingers"."""
    fingers = [digit for digit in digits if digit != "thumb"]
    if not fingers:
        return "thumb"
    return f"{listed(digits)} finger{'s' if len(fingers) > 1 else ''}"
