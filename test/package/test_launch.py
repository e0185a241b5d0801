"""The launch file, where ROS brings launch_ros (there are no wheels of it)."""

import importlib.util
from pathlib import Path

import pytest

launch_ros = pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS installation only")

from launch import LaunchContext, LaunchDescription  # noqa: E402
from launch.actions import DeclareLaunchArgument  # noqa: E402

FILE = Path(__file__).parents[2] / "launch" / "grasp_pipeline.launch.py"
spec = importlib.util.spec_from_file_location("grasp_pipeline_launch", FILE)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


@pytest.fixture
def description() -> LaunchDescription:
    return module.generate_launch_description()


def started(description: LaunchDescription, **arguments: str) -> list[str]:
    """Executables that would be started with ``arguments``."""
    context = LaunchContext()
    for argument in (e for e in description.entities if isinstance(e, DeclareLaunchArgument)):
        context.launch_configurations[argument.name] = arguments.get(argument.name) or "".join(
            s.perform(context) for s in argument.default_value
        )
    return [node.node_executable for node in module.pipeline(context)]


def test_every_argument_is_described(description: LaunchDescription):
    arguments = description.get_launch_arguments()
    names = {argument.name for argument in arguments}
    assert names >= {"estimator", "refiner", "device", "hand_model_path", "params_file", "rviz", "use_sim_time"}
    assert names >= {"image_topic", "depth_topic", "camera_info_topic", "object_cloud_topic", "instruction_topic"}
    assert "namespace" in names
    assert all(argument.description and argument.default_value is not None for argument in arguments)


def test_one_process_or_one_for_each_node(description: LaunchDescription):
    assert started(description) == ["pipeline"]
    assert started(description, composed="false") == ["pose_estimation", "refinement", "grasp_synthesis", "retargeting"]
