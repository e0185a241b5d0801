"""Point the ROS wheels' CMake files at this environment: they name include folders of the machine that built them.

Run once with the environment's Python after installing; running it again changes nothing.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

FOREIGN = {
    re.compile(r'/opt/python/[^";]*/include/python3\.\d+'): sysconfig.get_path("include"),
    re.compile(r'/opt/python/[^";]*/numpy/_core/include'): np.get_include(),
}


def fix(text: str) -> str:
    """``text`` of a CMake file with the include folders of this environment."""
    for pattern, folder in FOREIGN.items():
        text = folder.join(pattern.split(text))
    return text


def main() -> None:
    """Rewrite every exported CMake file under the environment's share/."""
    changed = 0
    for path in Path(sys.prefix, "share").glob("*/cmake/*.cmake"):
        text = path.read_text()
        if (fixed := fix(text)) != text:
            path.write_text(fixed)
            changed += 1
    print(f"{changed} CMake files now name {sysconfig.get_path('include')}")


if __name__ == "__main__":
    main()
