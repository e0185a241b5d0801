"""Write one executable for each console script of setup.py: ``python tools/entry_points.py DIRECTORY``.

Its first line names the Python that runs this, so nodes built in a virtual environment find its libraries.
"""

import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import setuptools  # noqa: F401  first, because it provides distutils from Python 3.12 on

from distutils.core import run_setup  # isort: skip

ROOT = Path(__file__).resolve().parent.parent


def entry_points() -> list[EntryPoint]:
    """The console scripts of setup.py."""
    scripts = vars(run_setup(str(ROOT / "setup.py"), stop_after="init"))["entry_points"]["console_scripts"]
    pairs = (script.split(" = ") for script in scripts)
    return [EntryPoint(name, value, "console_scripts") for name, value in pairs]


def write(directory: Path) -> None:
    """Fill ``directory`` with the executables and nothing else."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for point in entry_points():
        path = directory / point.name
        path.write_text(
            f"#!{sys.executable}\nimport sys\n\nfrom {point.module} import {point.attr}\n\n"
            f'if __name__ == "__main__":  # worker processes import this file\n    sys.exit({point.attr}())\n'
        )
        path.chmod(0o755)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
