"""Hand-object interaction for ROS 2: camera pictures and words in, hand poses, grasps and Shadow Hand goals out."""

from pkgutil import extend_path

# The generated hoi_ros.msg and hoi_ros.action are parts of this package, also where they were built elsewhere.
__path__ = extend_path(__path__, __name__)
