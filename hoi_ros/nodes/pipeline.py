"""Executable ``pipeline``: the nodes of all stages in one process, each with its worker."""

from hoi_ros.nodes.grasp_synthesis import GraspSynthesis
from hoi_ros.nodes.pose_estimation import PoseEstimation
from hoi_ros.nodes.process import spin
from hoi_ros.nodes.refinement import Refinement
from hoi_ros.nodes.retargeting import Retargeting


def main() -> None:
    """Run the nodes until they are told to stop."""
    spin(Retargeting, Refinement, PoseEstimation, GraspSynthesis)
