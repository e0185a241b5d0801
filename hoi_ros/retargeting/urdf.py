"""The hand as URDF, for RViz and whatever else reads robot descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from hoi_ros.retargeting.bodies import Shape, bodies
from hoi_ros.retargeting.shadow_hand import FINGERS, ShadowHand
from hoi_ros.types import Side

COLOURS = {"forearm": "0.35 0.35 0.38 1", "wrist": "0.8 0.8 0.8 1", "distal": "0.2 0.2 0.22 1", "": "0.55 0.56 0.6 1"}
EFFORT, VELOCITY = 1.0, 2.0  # Nm, rad/s: what URDF asks of every limit


def urdf(hand: ShadowHand) -> str:
    """URDF text of ``hand``: links and joints under its names, fixed fingertip links ``..fftip``, no mesh files."""
    robot = ET.Element("robot", name=f"shadow_hand_{hand.side}")
    for link, body in bodies(hand.side).items():
        element = ET.SubElement(robot, "link", name=hand.prefix + link)
        inertial = ET.SubElement(element, "inertial")
        ET.SubElement(inertial, "origin", xyz=_text(body.centre), rpy="0 0 0")
        ET.SubElement(inertial, "mass", value=_text([body.mass]))
        i = body.inertia
        entries = {"ixx": i[0, 0], "ixy": i[0, 1], "ixz": i[0, 2], "iyy": i[1, 1], "iyz": i[1, 2], "izz": i[2, 2]}
        ET.SubElement(inertial, "inertia", {name: f"{value:.6g}" for name, value in entries.items()})
        colour = next(colour for part, colour in COLOURS.items() if part in link)
        for shape in body.shapes:
            _add(element, shape, colour)
    for joint in hand.joints:
        element = ET.SubElement(robot, "joint", name=hand.prefix + joint.name, type="revolute")
        ET.SubElement(element, "parent", link=hand.prefix + joint.parent)
        ET.SubElement(element, "child", link=hand.prefix + joint.link)
        ET.SubElement(element, "origin", xyz=_text(joint.xyz), rpy=_text(joint.rpy))
        ET.SubElement(element, "axis", xyz=_text(joint.axis))
        limit = {"lower": joint.lower, "upper": joint.upper, "effort": EFFORT, "velocity": VELOCITY}
        ET.SubElement(element, "limit", {name: _text([value]) for name, value in limit.items()})
    for finger in FINGERS:
        tip, distal = (hand.prefix + finger.lower() + part for part in ("tip", "distal"))
        ET.SubElement(robot, "link", name=tip)
        element = ET.SubElement(robot, "joint", name=f"{tip}_joint", type="fixed")
        ET.SubElement(element, "parent", link=distal)
        ET.SubElement(element, "child", link=tip)
        ET.SubElement(element, "origin", xyz=_text(hand.tips[finger]), rpy="0 0 0")
    ET.indent(robot)
    return ET.tostring(robot, encoding="unicode") + "\n"


def write_urdf(path: str | Path, side: Side) -> None:
    """Write the embedded hand of ``side``; its root is the link ``rh_forearm`` or ``lh_forearm``."""
    Path(path).write_text(urdf(ShadowHand.embedded(side)))


def _add(link: ET.Element, shape: Shape, colour: str) -> None:
    for kind, size, along in _primitives(shape):
        centre = shape.pose @ (0.0, 0.0, along, 1.0)
        for use in ("visual", "collision"):
            element = ET.SubElement(link, use)
            ET.SubElement(element, "origin", xyz=_text(centre[:3]), rpy=_text(shape.rpy))
            ET.SubElement(ET.SubElement(element, "geometry"), kind, size)
            if use == "visual":
                material = ET.SubElement(element, "material", name=f"rgba {colour}")
                ET.SubElement(material, "color", rgba=colour)


def _primitives(shape: Shape) -> list[tuple[str, dict[str, str], float]]:
    """Kind, size and place along the shape's z; URDF knows no capsule: it becomes a cylinder and two spheres."""
    if shape.kind == "box":
        return [("box", {"size": _text(2.0 * half for half in shape.size)}, 0.0)]
    radius, half = shape.size
    ball = {"radius": _text([radius])}
    return [("cylinder", ball | {"length": _text([2.0 * half])}, 0.0), ("sphere", ball, half), ("sphere", ball, -half)]


def _text(values: Iterable[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)
