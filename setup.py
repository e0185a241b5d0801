"""The one list of Python packages, their data and entry points: CMakeLists.txt makes the executables from it."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="hoi_ros",
    version="0.1.0",
    description="Hand-object interaction for ROS 2: from a camera and words to Shadow Hand goals",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["hoi_ros", "hoi_ros.*"]),
    package_data={"hoi_ros": ["**/*.npz", "**/*.mcap", "**/*.json", "**/*.html", "**/*.safetensors"]},
    install_requires=Path(__file__).with_name("requirements").joinpath("runtime.txt").read_text().split(),
    entry_points={
        "console_scripts": [
            "hoi = hoi_ros.cli:main",
            "evaluation = hoi_ros.nodes.evaluation:main",
            "grasp_synthesis = hoi_ros.nodes.grasp_synthesis:main",
            "pipeline = hoi_ros.nodes.pipeline:main",
            "pose_estimation = hoi_ros.nodes.pose_estimation:main",
            "refinement = hoi_ros.nodes.refinement:main",
            "retargeting = hoi_ros.nodes.retargeting:main",
        ]
    },
)
