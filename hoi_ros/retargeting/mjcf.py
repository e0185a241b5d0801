"""The hand as MJCF, for physics: 20 force-limited position actuators, tendons for the coupled joints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from scipy.spatial.transform import Rotation

from hoi_ros.retargeting.bodies import OVERLAPPING, bodies
from hoi_ros.retargeting.shadow_hand import COUPLED, FINGERS, ROOT, Joint, ShadowHand
from hoi_ros.types import Side

STIFFNESS = {"WR": 40.0, "": 5.0}  # Nm/rad of the servos
TORQUE = {"WR": 10.0, "TH": 2.0, "": 1.0}  # Nm at most
SPRING = 0.03  # Nm/rad on J1 and J2 alike: without contact the motor's travel J0 is shared equally


def mjcf(hand: ShadowHand) -> str:
    """MJCF text of ``hand``, its forearm fixed; actuators ``rh_A_..`` in the order of ``hand.actuator_names``.

    The actuator of J0 pulls on the tendon J1 + J2; a second tendon keeps J2 - J1 from becoming negative.
    """
    p, flesh = hand.prefix, bodies(hand.side)
    root = ET.Element("mujoco", model=f"shadow_hand_{hand.side}")
    ET.SubElement(root, "compiler", angle="radian", autolimits="true")
    ET.SubElement(root, "option", timestep="0.002", integrator="implicitfast", cone="elliptic", impratio="10")
    default = ET.SubElement(root, "default")
    ET.SubElement(default, "joint", damping="0.05", armature="0.0002", frictionloss="0.01")
    ET.SubElement(default, "geom", rgba="0.55 0.56 0.6 1", friction="1 0.005 0.0001")
    ET.SubElement(default, "position", inheritrange="1", dampratio="1")

    links = {ROOT: ET.SubElement(ET.SubElement(root, "worldbody"), "body", name=p + ROOT)}
    for joint in hand.joints:
        links[joint.link] = ET.SubElement(
            links[joint.parent], "body", {"name": p + joint.link} | _place(joint.xyz, joint.rpy)
        )
        _hinge(links[joint.link], joint, p)
    for link, body in flesh.items():
        i = body.inertia
        full = _text([i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2]])
        ET.SubElement(links[link], "inertial", pos=_text(body.centre), mass=_text([body.mass]), fullinertia=full)
        for shape in body.shapes:
            form = {"type": shape.kind, "size": _text(shape.size)}
            ET.SubElement(links[link], "geom", form | _place(shape.xyz, shape.rpy))
    for finger in FINGERS:
        tip, distal = f"{p}{finger.lower()}tip", links[f"{finger.lower()}distal"]
        ET.SubElement(distal, "site", name=tip, pos=_text(hand.tips[finger]), size="0.002")

    contact = ET.SubElement(root, "contact")
    for a, b in OVERLAPPING:
        ET.SubElement(contact, "exclude", body1=p + a, body2=p + b)
    tendon = ET.SubElement(root, "tendon")
    for finger in COUPLED:
        j1, j2 = (next(joint for joint in hand.joints if joint.name == finger + end) for end in ("J1", "J2"))
        travel = _text([j1.lower + j2.lower, j1.upper + j2.upper])
        motor = ET.SubElement(tendon, "fixed", name=f"{p}{finger}J0", range=travel)
        order = ET.SubElement(tendon, "fixed", name=f"{p}{finger}J2-J1", range=_text([0.0, j2.upper - j1.lower]))
        for element, sign in ((motor, 1), (order, -1)):
            ET.SubElement(element, "joint", joint=p + j2.name, coef="1")
            ET.SubElement(element, "joint", joint=p + j1.name, coef=str(sign))
    actuator = ET.SubElement(root, "actuator")
    for name in hand.actuator_names:
        kind = name.removeprefix(p)[:2]
        transmission = "tendon" if name.endswith("J0") else "joint"
        strength = {"kp": _text([_of(STIFFNESS, kind)]), "forcerange": _text([-_of(TORQUE, kind), _of(TORQUE, kind)])}
        ET.SubElement(actuator, "position", {"name": f"{p}A_{name.removeprefix(p)}", transmission: name} | strength)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def write_mjcf(path: str | Path, side: Side) -> None:
    """Write the embedded hand of ``side``."""
    Path(path).write_text(mjcf(ShadowHand.embedded(side)))


def _hinge(body: ET.Element, joint: Joint, prefix: str) -> None:
    attributes = {"name": prefix + joint.name, "axis": _text(joint.axis), "range": _text([joint.lower, joint.upper])}
    if joint.name.startswith("WR"):
        attributes["damping"] = "0.5"
    if joint.name[:2] in COUPLED and joint.name[-1] in "12":
        attributes["stiffness"] = _text([SPRING])
    ET.SubElement(body, "joint", attributes)


def _place(xyz: Iterable[float], rpy: Iterable[float]) -> dict[str, str]:
    x, y, z, w = Rotation.from_euler("xyz", list(rpy)).as_quat()
    return {"pos": _text(xyz), "quat": _text([w, x, y, z])}


def _of(table: dict[str, float], kind: str) -> float:
    return table.get(kind, table[""])


def _text(values: Iterable[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)
