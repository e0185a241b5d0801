"""The user's hand from the URDF text of ``robot_description``: its names, limits, and where its joints are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.refusals import Reason, Refused
from hoi_ros.retargeting.shadow_hand import (
    COUPLED,
    FINGERS,
    NAMES,
    PREFIXES,
    ROOT,
    Joint,
    ShadowHand,
    Vector,
    transform,
)
from hoi_ros.types import Array, Side

FURTHEST = 0.03  # m, a joint or fingertip of a Shadow Hand is no further than this from the table's
LARGEST_ANGLE = 2 * math.pi  # rad; larger limits are degrees or encoder ticks

Element = ElementTree.Element


def read_hand(text: str, side: Side) -> ShadowHand:
    """The Shadow Hand of ``side`` in a URDF text, which may hold more: an arm, the other hand.

    Joints are found by name, with Shadow's prefix or another that fits all 24. A text in which none of them states an
    origin gives names and limits alone, on the embedded table's kinematics. Raises Refused(ROBOT_DESCRIPTION) for text
    that is not URDF, holds a document type (entities), lacks joints (named), or whose joints are not a Shadow Hand's.
    """
    joints = {joint.get("name", ""): joint for joint in _parse(text).iter("joint") if joint.find("parent") is not None}
    prefix = _prefix(set(joints), side)
    found = {name: joints[prefix + name] for name in NAMES}
    table = ShadowHand.embedded(side)
    limited = tuple(_limited(joint, found[joint.name]) for joint in table.joints)
    if all(element.find("origin") is None for element in found.values()):
        hand = replace(table, joints=limited, prefix=prefix)
    else:
        tree = _Tree(joints.values())
        located = tuple(tree.locate(joint, found) for joint in limited)
        hand = ShadowHand(side, located, {finger: tree.tip(found[f"{finger}J1"], finger) for finger in FINGERS}, prefix)
    _check(hand, table)
    return hand


def _refuse(sentence: str) -> Refused:
    return Refused(Reason.ROBOT_DESCRIPTION, f"robot_description: {sentence}")


def _parse(text: str) -> Element:
    def doctype(*_: Any) -> None:
        raise _refuse("holds a document type declaration; entities are not read")

    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = doctype
    try:
        guard.Parse(text.encode(), True)
        root = ElementTree.fromstring(text)  # noqa: S314  # without a document type there are no entities to expand
    except (expat.ExpatError, ElementTree.ParseError, ValueError) as error:
        raise _refuse(f"is not XML ({error})") from None
    if root.tag != "robot":
        raise _refuse(f"the outermost element is <{root.tag}>, not <robot>")
    return root


def _prefix(names: set[str], side: Side) -> str:
    """What stands before all 24 names: preferably Shadow's prefix of the side, else the only one that fits."""
    prefixes = {name[: -len(known)] for known in NAMES for name in names if name.endswith(known)}
    complete = sorted(p for p in prefixes if all(p + known in names for known in NAMES))
    own = [p for p in complete if p.endswith(PREFIXES[side])]
    neutral = [p for p in complete if not p.endswith(tuple(PREFIXES.values()))]
    for fitting in (own, neutral):
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise _refuse(f"several hands fit: prefixes {', '.join(map(repr, fitting))}")
    if complete:
        raise _refuse(f"holds the hand '{complete[0]}*'; robot_hand asks for a {side} one")
    best = max(sorted(prefixes), key=lambda p: sum(p + known in names for known in NAMES), default=PREFIXES[side])
    missing = [best + known for known in NAMES if best + known not in names]
    raise _refuse(f"lacks {len(missing)} of the hand's 24 joints: {', '.join(missing)}")


def _limited(joint: Joint, element: Element) -> Joint:
    """The table's joint under the name and with the limits of the description."""
    name, kind, limit = element.get("name"), element.get("type"), element.find("limit")
    if kind != "revolute" or limit is None:
        raise _refuse(
            f"{name} is {kind} {'without' if limit is None else 'with'} a limit; a revolute joint with limits is needed"
        )
    lower, upper = (_number(limit.get(end, "0"), f"the {end} limit of {name}") for end in ("lower", "upper"))
    if lower > upper:
        raise _refuse(f"the limits of {name} are inverted: {lower} > {upper}")
    if max(-lower, upper) > LARGEST_ANGLE:
        raise _refuse(f"the limits of {name} are {lower} to {upper}, which cannot be radians")
    return replace(joint, lower=lower, upper=upper)


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _refuse(f"{what} is '{text}', not a finite number")
    return value


def _vector(element: Element | None, attribute: str, default: str, what: str) -> Array:
    text = default if element is None else element.get(attribute, default)
    values = [_number(part, f"{attribute} of {what}") for part in text.split()]
    if len(values) != 3:
        raise _refuse(f"{attribute} of {what} is '{text}', not three numbers")
    return np.array(values)


def _origin(element: Element) -> Array:
    origin, name = element.find("origin"), element.get("name", "")
    rotation = Rotation.from_euler("xyz", _vector(origin, "rpy", "0 0 0", name)).as_matrix()
    return transform(rotation, _vector(origin, "xyz", "0 0 0", name))


def _link(element: Element, end: str) -> str:
    found = element.find(end)
    return "" if found is None else found.get("link", "")


class _Tree:
    """Links and the joints between them."""

    def __init__(self, joints: Any) -> None:
        self._above = {_link(joint, "child"): joint for joint in joints}

    def up(self, link: str, until: Callable[[str], bool]) -> tuple[str, Array]:
        """The first link that ``until`` accepts, up from ``link`` over fixed joints, and the pose of ``link`` in it."""
        pose, seen = np.eye(4), set()
        while not until(link) and link not in seen:
            seen.add(link)
            joint = self._above.get(link)
            if joint is None or joint.get("type") != "fixed":
                break
            pose = _origin(joint) @ pose
            link = _link(joint, "parent")
        return link, pose

    def locate(self, joint: Joint, found: dict[str, Element]) -> Joint:
        """``joint`` with the description's origin and axis, relative to the link of the hinge before it."""
        element = found[joint.name]
        axis = _vector(element.find("axis"), "xyz", "1 0 0", str(element.get("name")))
        if np.linalg.norm(axis) < 1e-6:
            raise _refuse(f"the axis of {element.get('name')} is zero")
        before = next((other for other in NAMES if _LINKS[other] == joint.parent), None)
        pose = np.eye(4)
        if before is not None:
            expected = _link(found[before], "child")
            link, pose = self.up(_link(element, "parent"), lambda at: at == expected)
            if link != expected:
                raise _refuse(f"{element.get('name')} hangs from link '{link}', not from {found[before].get('name')}")
        pose = pose @ _origin(element)
        rpy = Rotation.from_matrix(pose[:3, :3]).as_euler("xyz")
        return replace(joint, xyz=_triple(pose[:3, 3]), rpy=_triple(rpy), axis=_triple(axis / np.linalg.norm(axis)))

    def tip(self, distal: Element, finger: str) -> Vector:
        """Where the fixed link named ``..tip`` sits on the distal link; the table's place where there is none."""
        expected, name = _link(distal, "child"), f"{finger.lower()}tip"
        for link in (link for link in self._above if link.endswith(name)):
            at, pose = self.up(link, lambda at: at == expected)
            if at == expected:
                return _triple(pose[:3, 3])
        return ShadowHand.embedded().tips[finger]


_LINKS = {joint.name: joint.link for joint in ShadowHand.embedded().joints}


def _triple(values: Array) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _check(hand: ShadowHand, table: ShadowHand) -> None:
    """Refuse a hand whose parts are not where a Shadow Hand has them, seen from the palm, or that cannot be coupled."""
    ours, theirs = (h.link_poses(np.zeros((1, len(NAMES)))) for h in (table, hand))
    for joint in hand.joints:
        if joint.parent in (ROOT, "wrist"):
            continue
        a, b = (np.linalg.solve(poses["palm"][0], poses[joint.link][0]) for poses in (ours, theirs))
        distance = float(np.linalg.norm(a[:3, 3] - b[:3, 3]))
        if distance > FURTHEST:
            at = ", ".join(f"{value:.3f}" for value in b[:3, 3])
            raise _refuse(
                f"{hand.prefix}{joint.name} is at ({at}) m in the palm, {distance:.3f} m from a Shadow Hand's"
            )
    limits = {joint.name: joint for joint in hand.joints}
    for finger in COUPLED:
        distal, middle = limits[f"{finger}J1"], limits[f"{finger}J2"]
        if distal.lower > middle.upper:
            raise _refuse(
                f"{hand.prefix}{finger}J1 cannot stay below J2: its lower limit {distal.lower} exceeds {middle.upper}"
            )
