"""Hand-object interaction for ROS 2: camera pictures and words in, hand poses, grasps and Shadow Hand goals out."""

import os
from pkgutil import extend_path

# Threads of OpenMP that wait for each other spin, for nothing where other processes want the cores: on two cores with
# one of them busy a grasp took 22 s, with this 1.4 s, as on idle ones. Read by libgomp when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# The generated hoi_ros.msg and hoi_ros.action are parts of this package, also where they were built elsewhere.
__path__ = extend_path(__path__, __name__)
