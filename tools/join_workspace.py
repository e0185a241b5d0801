"""Make the built workspace part of the virtual environment, so that nothing needs to be sourced.

Three links: the source tree and the generated messages on the Python path, the message libraries where the ROS wheels
look for theirs (``ros_*.libs``), and ``hoi`` among the environment's programs.
"""

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PREFIX = ROOT / "install" / "hoi_ros"


def link(path: Path, target: Path) -> None:
    """Make ``path`` a symbolic link to ``target``, whatever it was before."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def main() -> None:
    """Join the workspace to the environment of the running Python."""
    site = Path(sysconfig.get_path("purelib"))
    generated = PREFIX / site.relative_to(sys.prefix)
    (site / "hoi_ros.pth").write_text(f"{ROOT}\n{generated}\n")
    link(site / "ros_hoi_ros.libs", PREFIX / "lib")
    link(Path(sysconfig.get_path("scripts")) / "hoi", PREFIX / "lib" / "hoi_ros" / "hoi")


if __name__ == "__main__":
    main()
