"""The nodes of the pipeline, and RViz if wanted: ``ros2 launch hoi_ros grasp_pipeline.launch.py --show-args``."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from hoi_ros.nodes import transport
from hoi_ros.parameters import Parameters

PARAMETERS = {f.name: f for f in fields(Parameters)}
# Parameters that are arguments too, for what one changes most.
OVERRIDES = (
    "estimator", "refiner", "synthesizer", "retargeter", "device", "hand_model_path", "robot_hand", "use_depth",
    "image_transport", "grasp_count", "segment_scene", "up", "gravity_frame",
)  # fmt: skip
TOPICS = {
    "image": "Colour pictures (sensor_msgs/Image; with image_transport:=compressed its /compressed).",
    "depth": "Depth registered to the pictures: 16UC1 in mm or 32FC1 in m.",
    "camera_info": "Intrinsics of the rectified pictures.",
    "object_cloud": "Points of one object, or with segment_scene:=true of a table scene (sensor_msgs/PointCloud2).",
    "instruction": "What to grasp and how, a sentence (std_msgs/String).",
}
NODES = ("pose_estimation", "refinement", "grasp_synthesis", "retargeting")
BOOLEANS = ["true", "false"]


def override(name: str, text: str, among: Sequence[str]) -> DeclareLaunchArgument:
    text = f"{text} By default as params_file says."
    return DeclareLaunchArgument(name, default_value="", description=text, choices=["", *among] if among else None)


def _among(name: str) -> Sequence[str]:
    return BOOLEANS if isinstance(PARAMETERS[name].default, bool) else PARAMETERS[name].metadata["among"]


def pipeline(context: LaunchContext) -> list[Node]:
    """The nodes, once the arguments are known."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    chosen: dict[str, object] = {
        name: ParameterValue(value(name), value_type=type(PARAMETERS[name].default))
        for name in OVERRIDES
        if value(name)
    }
    chosen |= {name: value(name) == "true" for name in ("autostart", "use_sim_time") if value(name)}
    if urdf := value("robot_description_file"):
        chosen["robot_description"] = ParameterValue(Path(urdf).read_text(), value_type=str)
    executables = ["pipeline"] if value("composed") == "true" else list(NODES)
    return [
        Node(
            package="hoi_ros",
            executable=executable,
            namespace=value("namespace"),
            parameters=[value("params_file"), chosen],
            remappings=[(topic, value(f"{topic}_topic")) for topic in TOPICS],
            output="screen",
        )
        for executable in executables
    ]


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("hoi_ros")
    transport.choose()  # for RViz as for the nodes
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", [share, "/rviz/hoi.rviz"], "-f", LaunchConfiguration("camera_frame")],
        parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        remappings=[(topic, LaunchConfiguration(f"{topic}_topic")) for topic in TOPICS],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=[share, "/config/grasp_pipeline.yaml"],
                description="YAML with parameters of the nodes; the default lists them all.",
            ),
            *(override(name, PARAMETERS[name].metadata["doc"], _among(name)) for name in OVERRIDES),
            override("autostart", "Configure and activate the nodes at the start.", BOOLEANS),
            DeclareLaunchArgument(
                "robot_description_file",
                default_value="",
                description="URDF of the robot hand, for its joint limits. Empty: the limits of the Shadow Hand.",
            ),
            *(DeclareLaunchArgument(f"{t}_topic", default_value=t, description=text) for t, text in TOPICS.items()),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of the nodes and their topics."
            ),
            DeclareLaunchArgument(
                "composed",
                default_value="true",
                choices=BOOLEANS,
                description="All nodes in one process, or a process for each.",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="false",
                choices=BOOLEANS,
                description="Take the time from /clock, as for a bag played with --clock or a simulator.",
            ),
            DeclareLaunchArgument(
                "rviz", default_value="false", choices=BOOLEANS, description="Open RViz with a view."
            ),
            DeclareLaunchArgument(
                "camera_frame",
                default_value="camera_color_optical_frame",
                description="Fixed frame of RViz: the frame_id of the pictures.",
            ),
            OpaqueFunction(function=pipeline),
            rviz,
        ]
    )
