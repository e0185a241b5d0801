"""`hoi_ros.parameters` as parameters of a node, with their documentation and ranges."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused

FIELDS = {f.name: f for f in fields(Parameters)}


class NodeParameters:
    """The parameters ``names`` of a node.

    An override of the wrong type or range does not keep the node from starting: it is kept until somebody sets the
    parameter, and `read` refuses it with the sentence that tells what would be right.
    """

    def __init__(self, node: Node, names: tuple[str, ...]) -> None:
        self._node = node
        self._names = names
        self._wrong: dict[str, Any] = {}
        for name in names:
            try:
                node.declare_parameter(name, FIELDS[name].default, _descriptor(name))
            except (InvalidParameterTypeException, InvalidParameterValueException):
                self._wrong[name] = node._parameter_overrides[name].value
                node.declare_parameter(name, FIELDS[name].default, _descriptor(name), ignore_override=True)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def read(self) -> Parameters:
        """The values now. Raises Refused(PARAMETER) for the first that is of no use."""
        values = {name: self._node.get_parameter(name).value for name in self._names} | self._wrong
        return Parameters(**{name: _typed(name, value) for name, value in values.items()})

    def check(self, name: str, value: Any) -> None:
        """Check a value that somebody wants to set. Raises Refused(PARAMETER)."""
        Parameters(**{name: _typed(name, value)})
        self._wrong.pop(name, None)


def _typed(name: str, value: Any) -> Any:
    wanted = type(FIELDS[name].default)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise Refused(Reason.PARAMETER, f"{name} is {value!r}; it must be a {wanted.__name__}")
    return value


def _descriptor(name: str) -> ParameterDescriptor:
    meta, default = FIELDS[name].metadata, FIELDS[name].default
    descriptor = ParameterDescriptor(description=meta["doc"], dynamic_typing=isinstance(default, float))
    if meta["among"]:
        descriptor.additional_constraints = f"one of: {', '.join(meta['among'])}"
    if meta["least"] is not None:
        low, high = meta["least"], meta["most"]
        if isinstance(default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    return descriptor
