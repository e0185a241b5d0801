"""``python -m hoi_ros.cli``."""

from hoi_ros.cli import main

main()
