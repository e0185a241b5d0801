"""The door to the ROS graph: the only place that imports rclpy."""

import os

# To be set before numpy starts: threads of OpenBLAS wait by spinning, which takes the cores from the camera's other
# nodes. On two busy cores retargeting takes 3 to 5 ms with one thread, 14 to 24 ms with two.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
