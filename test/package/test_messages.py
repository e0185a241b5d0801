"""The wire format is the code's: reasons are the constants of Status."""

import re
from pathlib import Path

from hoi_ros.refusals import Reason

MESSAGES = Path(__file__).parents[2] / "msg"


def test_reasons_are_the_constants_of_status():
    constants = re.findall(r"^uint16 ([A-Z_]+)=(\d+)", (MESSAGES / "Status.msg").read_text(), re.MULTILINE)
    assert {name: int(number) for name, number in constants} == {reason.name: reason.value for reason in Reason}


def test_built_messages_are_those_of_the_source():
    """Source tree and generated code are one package."""
    import hoi_ros.msg

    import hoi_ros.types

    assert {path.stem for path in MESSAGES.glob("*.msg")} <= set(vars(hoi_ros.msg))
    assert {reason.name: getattr(hoi_ros.msg.Status, reason.name) for reason in Reason} == dict(Reason.__members__)
