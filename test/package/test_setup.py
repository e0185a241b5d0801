"""What installs the package: one list of entry points, one version, one pin for each library."""

import os
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.entry_points import entry_points, write
from tools.fix_ros_wheels import fix

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "install" / "hoi_ros" / "lib" / "hoi_ros"


@pytest.mark.parametrize("point", entry_points(), ids=lambda point: point.name)
def test_entry_points_lead_to_functions(point: EntryPoint):
    assert callable(point.load())


def test_every_entry_point_is_installed_as_a_program_of_this_python():
    for point in entry_points():
        program = PROGRAMS / point.name
        assert os.access(program, os.X_OK)
        interpreter = Path(program.read_text().splitlines()[0].removeprefix("#!"))
        assert interpreter.parent == Path(sys.executable).parent


def test_programs_are_those_of_the_entry_points_alone(tmp_path: Path):
    (tmp_path / "renamed_since").touch()
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {point.name for point in entry_points()}


def test_one_version():
    package = ElementTree.parse(ROOT / "package.xml").findtext("version")
    assert f'version="{package}"' in (ROOT / "setup.py").read_text()


@pytest.mark.parametrize("file", ["runtime", "ros", "test"])
def test_every_requirement_is_pinned(file: str):
    pinned = {_normal(line.split("==")[0]) for line in _lines("constraints.txt")}
    wanted = {_normal(re.split(r"[\[=<>]", line)[0]) for line in _lines(f"requirements/{file}.txt")}
    assert wanted <= pinned


def test_every_pin_is_exact_and_there_is_one_opencv():
    pins = _lines("constraints.txt")
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in pins)
    assert sum(line.startswith("opencv") for line in pins) == 1


def test_foreign_include_folders_are_replaced_once():
    text = (
        'INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include"'
    )
    fixed = fix(text)
    folders = re.search('"(.*)"', fixed).group(1).split(";")
    assert Path(folders[0], "Python.h").is_file()
    assert Path(folders[1], "numpy", "arrayobject.h").is_file()
    assert folders[2] == "${_IMPORT_PREFIX}/include"
    assert fix(fixed) == fixed


def _lines(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
