"""A verdict as JUnit XML, which CI systems show: a case for each threshold, one for the data, one for faults."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from hoi_ros.evaluation.evaluate import Evaluation


def write(evaluations: Sequence[Evaluation], path: Path) -> None:
    """A test suite for each evaluation."""
    root = ElementTree.Element("testsuites")
    for evaluation in evaluations:
        cases = [(check.figure, "" if check.passed else check.sentence) for check in evaluation.checks]
        cases.append(("recording", "; ".join(evaluation.faults)))
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=evaluation.name,
            tests=str(len(cases)),
            failures=str(sum(bool(why) for _, why in cases)),
            timestamp=str(evaluation.conditions["started"]),
        )
        for name, why in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=evaluation.name, name=name)
            if why:
                ElementTree.SubElement(case, "failure", message=why)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
