"""Renders a bag with all that is true of it: ``python tools/render_evaluation_bag.py --out FILE.mcap``.

A mug stands on a table before an RGB-D camera. A right hand comes in open, grasps it by a grasp that passed all tests
of the dataset engine, lifts it, puts it back, opens and leaves. The mesh of the mug is written beside the bag as
FILE.obj, in the frame that ``/ground_truth/object`` is the pose of. The same seed gives the same messages. It needs the
workspace of ROS, for the messages of this package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import trimesh
from demo_bag.messages import TOPICS as CAMERA_TOPICS
from demo_bag.messages import CompressedBag
from evaluation_bag.recording import Recording
from evaluation_bag.scene import UP
from evaluation_bag.truth import TOPICS

from hoi_ros.replay.results import typestore


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .mcap to write; the mesh goes beside it")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long the whole takes")
    parser.add_argument("--rate", type=float, default=30.0, help="pictures a second")
    parser.add_argument("--size", default="640x480", help="width x height of the pictures")
    parser.add_argument("--seed", type=int, default=5, help="of the mug, the grasps, the colours and the noise")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures as PNG, to look at")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    recording = Recording(arguments.seconds, arguments.rate, (width, height), arguments.seed)
    write_bag(recording, arguments.out, arguments.pictures)
    print(f"{arguments.out}: {len(recording)} pictures; up: '{' '.join(f'{value:.4f}' for value in UP)}'")


def write_bag(recording: Recording, out: Path, pictures: Path | None = None) -> None:
    """Write the bag, the mesh of the mug beside it, and the pictures as PNG into a folder."""
    types = typestore()
    with CompressedBag(out, CAMERA_TOPICS | TOPICS, types) as bag:
        for number, frame in enumerate(recording.frames(types)):
            for topic, message in frame.messages.items():
                bag.write(topic, frame.stamp, message)
            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(pictures / f"{number:03d}.png"), frame.shot.picture.rgb[..., ::-1])
    trimesh.Trimesh(recording.obj.vertices, recording.obj.faces, process=False).export(out.with_suffix(".obj"))


if __name__ == "__main__":
    main()
